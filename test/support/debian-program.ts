/** Debian's programs and root's rights, which some slow tests need: the reason to skip a test that lacks them. */
import { spawnSync } from "node:child_process";

/** @returns False when the program runs; else why not. */
export function skipWithout(program: string, args: readonly string[] = ["--version"]): string | false {
  const { error, status } = spawnSync(program, args, { stdio: "ignore" });
  if (error !== undefined) return `${program} is not installed (Debian: apt install ${program})`;
  return status === 0 ? false : `${program} does not work here`;
}

export function skipUnlessRoot(): string | false {
  return process.geteuid?.() === 0 ? false : "only root can mount a file system";
}
