/** Running a test file again as an ordinary user, when the tests are run by root: root can do things that others can't, and the other way round. */
import { spawnSync } from "node:child_process";

const nobody = { uid: 65_534, gid: 65_534 };

export interface NobodysRun {
  readonly status: number | null;
  readonly output: string;
}

/**
 * Runs tests of a file as nobody.
 * @param file Absolute.
 * @param pattern Of the names of the tests.
 * @param more In their environment, beside what every process needs.
 * @returns Undefined when nobody may not read this checkout.
 */
export function runAsNobody(
  file: string,
  pattern: string,
  more: Readonly<Record<string, string>> = {},
): NobodysRun | undefined {
  const env = { PATH: process.env["PATH"] ?? "", TMPDIR: "/tmp", ...more };
  const probe = spawnSync(process.execPath, ["-e", `require("node:fs").readFileSync(${JSON.stringify(file)})`], {
    ...nobody,
    env,
  });
  if (probe.status !== 0) return undefined;
  const run = spawnSync(process.execPath, ["--test", `--test-name-pattern=${pattern}`, file], {
    ...nobody,
    env,
    encoding: "utf8",
  });
  return { status: run.status, output: run.stdout };
}
