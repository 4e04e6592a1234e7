/** What the results say of the machine and the commit they were measured on. */
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem } from "node:os";
import { join } from "node:path";
import { tryRun } from "./measure.ts";

/** Facts by name, in words. */
export async function describeMachine(): Promise<Record<string, string>> {
  const project = join(import.meta.dirname, "../..");
  const commit = await tryRun({ argv: ["git", "-C", project, "rev-parse", "--short=12", "HEAD"] });
  const changed = await tryRun({ argv: ["git", "-C", project, "status", "--porcelain", "--", "src", "bin"] });
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync("/etc/os-release", "utf8"))?.[1] ?? "Linux";
  const load = readFileSync("/proc/loadavg", "latin1").split(" ").slice(0, 3).join(" ");
  return {
    commit: `${commit ?? "unknown"}${changed === undefined || changed === "" ? "" : " with changes not committed"}`,
    machine: `${availableParallelism()} cores of ${cpus()[0]?.model ?? "?"}, ${(totalmem() / 2 ** 30).toFixed(1)} GiB, ${system}, Linux ${release()}`,
    node: process.versions.node,
    "load at the end": load,
  };
}
