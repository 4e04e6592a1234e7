/**
 * The program that is measured: the published package as a user has it, built from this checkout, in the benchmarks' directory. So
 * no TypeScript is stripped while the clock runs, and edits meanwhile change nothing.
 */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Where datasets, peers, filesystems and the program are. */
export const benchDirectory: string = process.env["OUROBOX_BENCH_DIR"] ?? join(tmpdir(), "ourobox-bench");

const installed = join(benchDirectory, "program");
const ownBuild = process.env["OUROBOX_BENCH_PROGRAM"];

/** Its path; another build's when OUROBOX_BENCH_PROGRAM says so. */
export const program: string = ownBuild ?? join(installed, "bin/ourobox.mjs");

/** Builds and installs the program, unless another is to be measured. */
export function installProgram(): void {
  if (ownBuild !== undefined) return;
  const checkout = join(import.meta.dirname, "../..");
  execFileSync(process.execPath, [join(checkout, "scripts/build.ts")], { stdio: ["ignore", "ignore", "inherit"] });
  const folder = `${installed}-${process.pid}`;
  mkdirSync(folder, { recursive: true });
  for (const name of ["bin", "dist", "package.json"])
    cpSync(join(checkout, name), join(folder, name), { recursive: true });
  symlinkSync(join(checkout, "node_modules"), join(folder, "node_modules"));
  rmSync(installed, { recursive: true, force: true });
  renameSync(folder, installed);
}
