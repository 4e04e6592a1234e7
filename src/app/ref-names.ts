/** Names that people give: to tags and branches. */
import { headNameProblem } from "../format/mod.ts";

/** Why a name may not be given, or undefined: it must not look like anything else that names a commit. */
export function refNameProblem(name: string): string | undefined {
  if (name === "") return "it is empty";
  if (name === "HEAD" || name === "@") return "that names the present commit";
  if (/[\s:~^{}@]|^-/.test(name)) return 'it has white space, one of : ~ ^ { } @, or begins with "-"';
  if (/^[0-9a-f]{4,64}$/i.test(name)) return "it looks like a commit's id";
  return headNameProblem(name);
}
