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

const pathBytesMax = 4096;

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
export function* broughtBy(changes: readonly Change[]): Generator<Moved> {
  for (const { type, path, after } of changes) if (type === "add" && after !== undefined) yield { path, entry: after };
}

/** What the tree has at these paths has come into the folder. In a transaction of the caller. */
export function noteReal(box: OpenBox, moved: Iterable<Moved>): void {
  const numbers = new InodeNumbers(box.state);
  for (const { entry, file } of standing(box, moved)) {
    numbers.becameReal(numberedNode(entry), file);
    numbers.flush();
  }
}

/** What stands in the folder at these paths is about to go. In a transaction of the caller. */
export function noteUnreal(box: OpenBox, moved: readonly Moved[]): void {
  const numbers = new InodeNumbers(box.state);
  /** Of files with several names, how many of them stay. */
  const staying = new Map<string, number>();
  const linked = moved.filter(({ entry }) => entry.meta.link !== undefined);
  for (const { stat } of standing(box, linked)) staying.set(keyOf(stat), (staying.get(keyOf(stat)) ?? stat.nlink) - 1);
  const done = new Set<string>();
  for (const { entry, file, stat } of standing(box, moved)) {
    const key = keyOf(stat);
    if (done.has(key) || (staying.get(key) ?? 0) > 0) continue;
    if (staying.has(key)) done.add(key);
    numbers.becameUnreal(file, numberedNode(entry));
    numbers.flush();
  }
}

function* standing(
  { root = "" }: OpenBox,
  moved: Iterable<Moved>,
): Generator<{ readonly entry: Entry; readonly file: Numbered; readonly stat: FileStat }> {
  const top = utf8(`${root}/`);
  const { device } = lstat(root);
  for (const { path, entry } of moved) {
    // The kernel takes no longer one at once: what is there has another number from then on.
    if (top.length + path.length >= pathBytesMax) continue;
    const stat = findStat(concatBytes([top, path]));
    const file = stat === undefined ? undefined : numberedIn(device, stat);
    if (stat !== undefined && file !== undefined) yield { entry, file, stat };
  }
}

function keyOf({ device, inode }: FileStat): string {
  return `${device}:${inode}`;
}
