/**
 * Names in a tree: which are legal, and where they cut a directory into nodes. Format: doc/format.md, 4.1 and 4.3.
 *
 * A name is bytes. `.ourobox` must never be one, in any spelling a file system may take for it, or a box of someone
 * else's making could write into ours (the CVEs 2014-9390 and 2019-1353 of git).
 */
import { findText } from "../base/bytes.ts";
import { limits } from "./entry.ts";

const ignorable = /\p{Default_Ignorable_Code_Point}+/gu;
const [dot, slash, letterO, smallO] = [0x2e, 0x2f, 0x4f, 0x6f];

/** Why a name is refused, to follow "the name": "is empty"; undefined when it is fine. */
export function nameProblem(name: Uint8Array): string | undefined {
  const length = name.length;
  if (length === 0) return "is empty";
  if (length > limits.nameBytes) return `has ${length} bytes (at most ${limits.nameBytes})`;
  let all = 0;
  for (let at = 0; at < length; at += 1) {
    const byte = name[at] as number;
    if (byte === 0) return "contains NUL";
    if (byte === slash) return 'contains "/"';
    all |= byte;
  }
  const first = name[0] as number;
  if (first === dot && (length === 1 || (length === 2 && name[1] === dot))) return 'is "." or ".."';
  // Pure ASCII folds to itself but for case: only a name that begins like a twin and is as long can be one.
  if (all < 0x80 && (length < 8 || (first !== dot && first !== letterO && first !== smallO))) return undefined;
  return isBoxTwin(name) ? "is a spelling of .ourobox" : undefined;
}

/** Whether some file system takes this name for `.ourobox`. Names that are not UTF-8 are no twins. */
function isBoxTwin(name: Uint8Array): boolean {
  const text = findText(name);
  if (text === undefined) return false;
  const folded = fold(fold(text)).replace(/[. ]+$/, "");
  return folded === ".ourobox" || /^ourobo~[0-9]$/.test(folded);
}

/** Twice applied it is stable: a compatibility form can bring out another ignorable or capital. */
function fold(text: string): string {
  return text.replace(ignorable, "").normalize("NFKC").toUpperCase().toLowerCase();
}

/** How many levels of nodes end after this name: 0 for 63 of 64 names, up to 5. */
export function nameLevel(name: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ (name[at] as number), 0x01000193);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  hash ^= hash >>> 16;
  if ((hash & 63) !== 0) return 0;
  if (hash === 0) return 5;
  return Math.floor((31 - Math.clz32(hash & -hash)) / 6);
}
