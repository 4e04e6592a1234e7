/** Changes between two states, as lines for people and objects for scripts. Shared by status, commit, log, show and diff. */
import type { Change, Entry } from "../app/mod.ts";
import type { Style } from "./color.ts";
import { kindNames } from "./format.ts";
import type { JsonValue } from "./output.ts";
import { pathFrom } from "./paths.ts";
import { jsonPath, type Path, quotePath } from "./quote.ts";

/** Whether a person wants to see a change: not a directory of which only the mtime moved, as it does with every name in it. */
export function isShown({ type, what, after }: Change): boolean {
  return type !== "change" || after?.kind !== 2 || [...what].some((each) => each !== "mtime");
}

/** In what a change differs that is about the bytes, not about what is said of them. */
const isContent = ({ what }: Change): boolean => what.has("content") || what.has("target") || what.has("device");

/**
 * The letter of a change in `status -s`, `diff --names` and `log --names`: A added, D removed, R renamed, T another kind,
 * M content or target, m only mode, owner, times or attributes.
 */
export function changeLetter(change: Change): string {
  if (change.type === "add") return "A";
  if (change.type === "remove") return "D";
  if (change.type === "rename") return "R";
  if (change.what.has("kind")) return "T";
  return isContent(change) ? "M" : "m";
}

/** "new", "changed", "mode, owner" and the like: what a person wants to know first. */
export function changeWord(change: Change): string {
  if (change.type === "add") return "new";
  if (change.type === "remove") return "removed";
  if (change.type === "rename") return isContent(change) ? "renamed, changed" : "renamed";
  if (change.what.has("kind")) return `now a ${kindNames[change.after?.kind ?? 1]}`;
  if (isContent(change)) return "changed";
  const words = [...change.what].filter((each) => each !== "node");
  return words.length === 0 ? "replaced" : words.join(", ");
}

/** "old -> new" for a rename, else the path; a directory ends with "/". @param from The folder that paths begin at, by default the root. */
export function changePath(change: Change, from: Path = new Uint8Array()): string {
  const mark = (change.after ?? change.before)?.kind === 2 ? "/" : "";
  const path = `${quotePath(pathFrom(change.path, from))}${mark}`;
  return change.oldPath === undefined || change.type !== "rename"
    ? path
    : `${quotePath(pathFrom(change.oldPath, from))}${mark} -> ${path}`;
}

export function colorOf(change: Change, style: Style): (text: string) => string {
  if (change.type === "add") return style.green;
  if (change.type === "remove") return style.red;
  return change.type === "rename" ? style.cyan : style.yellow;
}

/** The members of a change in --json. */
export function changeJson(change: Change): { readonly [key: string]: JsonValue | undefined } {
  const { before, after } = change;
  return {
    change: change.type,
    ...jsonPath(change.path),
    ...(change.oldPath === undefined || change.type !== "rename" ? {} : jsonPath(change.oldPath, "oldPath")),
    kind: kindNames[(after ?? before)?.kind ?? 1],
    ...(change.type === "change" || change.type === "rename" ? { what: [...change.what] } : {}),
    ...(before === undefined ? {} : { oldSize: sizeOf(before) }),
    ...(after === undefined ? {} : { size: sizeOf(after) }),
  };
}

/** The bytes of a file, or of all files below a directory; of the rest nothing. */
export function sizeOf(entry: Entry): number {
  const { value } = entry.data[0];
  if (value.kind === 1) return value.content.size;
  return value.kind === 2 ? value.summary.bytes : 0;
}
