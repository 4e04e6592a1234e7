/**
 * What becomes real or unreal by a command keeps the inode number that it has in a live mount (vfs/inode-numbers.ts). Of a file with several names of which some stay in the folder
 * that is the number of those.
 */
import { concatBytes, utf8 } from "../base/bytes.ts";
import { type FileStat, findStat, lstat } from "../base/posix.ts";
import type { Entry } from "../format/mod.ts";
import type { Change } from "../history/mod.ts";
import { type FolderFile, InodeNumbers, type Numbered, numberedFile, numberedNode } from "../vfs/mod.ts";
import { birthMarkOf } from "../workdir/mod.ts";
import type { Path } from "./changes.ts";
import type { OpenBox } from "./open-box.ts";

/** Of one that the kernel takes at once. */
export const pathBytesMax = 4096;

interface Moved {
  readonly path: Path;
  /** In the tree. */
  readonly entry: Entry;
}

/** Of a file on the folder's device. */
export function numberedIn(device: bigint, { birthNs, inode, ...file }: FolderFile): Numbered | undefined {
  return file.device === device ? numberedFile({ inode, birth: birthMarkOf({ birthNs }) }) : undefined;
}

/** What a checkout has made that was not there. */
export function broughtBy(changes: readonly Change[]): Moved[] {
  return changes.flatMap(({ type, path, after }) =>
    type === "add" && after !== undefined ? [{ path, entry: after }] : [],
  );
}

/** What the tree has at these paths has come into the folder. In a transaction of the caller. */
export function noteReal(box: OpenBox, moved: readonly Moved[]): void {
  const numbers = new InodeNumbers(box.state);
  for (const { entry, file, isFirst } of wholeFiles(box, moved)) {
    if (isFirst) numbers.becameReal(numberedNode(entry), file);
    numbers.flush();
  }
}

/** What stands in the folder at these paths is about to go. In a transaction of the caller. @returns Those whose number goes along. */
export function noteUnreal(box: OpenBox, moved: readonly Moved[]): Moved[] {
  const numbers = new InodeNumbers(box.state);
  const noted: Moved[] = [];
  for (const { path, entry, file, isFirst } of wholeFiles(box, moved)) {
    if (isFirst) numbers.becameUnreal(file, numberedNode(entry));
    numbers.flush();
    noted.push({ path, entry });
  }
  return noted;
}

/** Those of which all names are among the paths. */
function* wholeFiles(
  box: OpenBox,
  moved: readonly Moved[],
): Generator<Moved & { readonly file: Numbered; readonly isFirst: boolean }> {
  const linked = moved.filter(({ entry }) => entry.meta.link !== undefined);
  const names = new Map<string, number>();
  for (const { stat } of standing(box, linked)) names.set(keyOf(stat), (names.get(keyOf(stat)) ?? 0) + 1);
  const seen = new Set<string>();
  for (const { path, entry, file, stat } of standing(box, moved)) {
    const key = keyOf(stat);
    const count = names.get(key);
    if (count !== undefined && count < stat.nlink) continue;
    yield { path, entry, file, isFirst: !seen.has(key) };
    if (count !== undefined) seen.add(key);
  }
}

function* standing(
  { root = "" }: OpenBox,
  moved: Iterable<Moved>,
): Generator<Moved & { readonly file: Numbered; readonly stat: FileStat }> {
  const top = utf8(`${root}/`);
  const { device } = lstat(root);
  for (const { path, entry } of moved) {
    // The kernel takes no longer one at once: what is there has another number from then on.
    if (top.length + path.length >= pathBytesMax) continue;
    const stat = findStat(concatBytes([top, path]));
    const file = stat === undefined ? undefined : numberedIn(device, stat);
    if (stat !== undefined && file !== undefined) yield { path, entry, file, stat };
  }
}

function keyOf({ device, inode }: FileStat): string {
  return `${device}:${inode}`;
}
