/**
 * Paths within a tree: names joined by "/", as bytes; the root's is empty. Ordered as a tree is walked: a directory, what is
 * below it, then the next name.
 */
import { asBuffer, concatBytes, equalBytes } from "../base/bytes.ts";

const slash = 0x2f;
const slashBytes: Uint8Array = new Uint8Array([slash]);

/** The path of a name in the directory at `parent`. The caller owns the array. */
export function joinPath(parent: Uint8Array, name: Uint8Array): Uint8Array {
  return parent.length === 0 ? name : concatBytes([parent, slashBytes, name]);
}

/** The names of a path, as views; none for the root. */
export function splitPath(path: Uint8Array): Uint8Array[] {
  if (path.length === 0) return [];
  const names: Uint8Array[] = [];
  let start = 0;
  for (let end = path.indexOf(slash); end >= 0; end = path.indexOf(slash, start)) {
    names.push(path.subarray(start, end));
    start = end + 1;
  }
  names.push(path.subarray(start));
  return names;
}

/** A path's directory and its name; of the root both are empty. Views. */
export function splitLast(path: Uint8Array): [parent: Uint8Array, name: Uint8Array] {
  const at = path.lastIndexOf(slash);
  return at < 0 ? [new Uint8Array(), path] : [path.subarray(0, at), path.subarray(at + 1)];
}

/** A path as a key of a map: one character a byte. */
export function pathKey(path: Uint8Array): string {
  return asBuffer(path).toString("latin1");
}

/** The keys of the directories above a path, the nearest first, but for the root. @param key As of `pathKey`. */
export function keysAbove(key: string): string[] {
  const found: string[] = [];
  for (let at = key.lastIndexOf("/"); at > 0; at = key.lastIndexOf("/", at - 1)) found.push(key.slice(0, at));
  return found;
}

/** Whether `path` is `ancestor` or below it. */
export function isWithin(path: Uint8Array, ancestor: Uint8Array): boolean {
  if (ancestor.length === 0) return true;
  if (path.length < ancestor.length || !equalBytes(path.subarray(0, ancestor.length), ancestor)) return false;
  return path.length === ancestor.length || path[ancestor.length] === slash;
}

/** The order of a walk: as bytes, but "/" before every other. */
export function comparePaths(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at += 1) {
    const [one, two] = [a[at] as number, b[at] as number];
    if (one === two) continue;
    if (one === slash) return -1;
    return two === slash ? 1 : one - two;
  }
  return a.length - b.length;
}

/** A choice of paths: each stands for itself and all below it. */
export class PathFilter {
  readonly #paths: readonly Uint8Array[];

  /** @param paths Absent or with the root's among them: everything. */
  constructor(paths?: readonly Uint8Array[]) {
    this.#paths = paths ?? [new Uint8Array()];
  }

  /** Whether a path is chosen; "above" when only paths below it are. */
  match(path: Uint8Array): "chosen" | "above" | "not" {
    if (this.#paths.some((each) => isWithin(path, each))) return "chosen";
    return this.#paths.some((each) => isWithin(each, path)) ? "above" : "not";
  }
}
