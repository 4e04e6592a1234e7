/** Which untracked names of a folder are taken in: not those that are ignored, the program's own, or in no tree's power. */
import { nameProblem } from "../format/mod.ts";
import { latin } from "./folder-walk.ts";
import type { IgnoreRules } from "./ignore-rules.ts";

/** What a file or directory is called while something is making it: `.ourobox.` and 16 hex digits and `.tmp`. */
function isTemporaryName(name: string): boolean {
  return name.length === 29 && /^\.ourobox\.[0-9a-f]{16}\.tmp$/.test(name);
}

/**
 * Whether an untracked name may be taken in.
 * @param name One character a byte.
 * @param onProblem Told of a name that no tree can hold.
 */
export function isTaken(
  rules: IgnoreRules,
  name: string,
  isDirectory: boolean,
  onProblem: (why: string) => void,
): boolean {
  if (isTemporaryName(name)) return false;
  const problem = nameProblem(latin(name));
  if (problem === undefined) return !rules.ignores(name, isDirectory);
  if (name !== ".ourobox") onProblem(`left alone: its name ${problem}`);
  return false;
}
