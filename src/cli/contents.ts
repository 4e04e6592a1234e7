/** Text of changed files, for hunks and line counts: from commits, or from the folder where that is newer. */

import type { Box, Change, Entry } from "../app/mod.ts";
import { concatBytes } from "../base/bytes.ts";
import { ioError, isKind } from "../base/errors.ts";
import { sizeOf } from "./changes.ts";
import type { World } from "./command.ts";
import { type Path, quotePath } from "./quote.ts";
import { diffText, type TextDiff, textBytesMax } from "./text-diff.ts";

const nothing = new Uint8Array();

export interface ContentsOptions {
  readonly box: Box;
  readonly world: World;
  /** The new side is the folder: its files are read as they are. */
  readonly working: boolean;
  readonly onUnread?: (message: string) => void;
}

/** Whether a change has file contents to compare: a file or symlink on one side, whose bytes are not the same. */
export function hasText(change: Change): boolean {
  const isLeaf = (entry: Entry | undefined): boolean => entry === undefined || entry.kind === 1 || entry.kind === 3;
  if (!isLeaf(change.before) || !isLeaf(change.after)) return false;
  return (
    change.type === "add" ||
    change.type === "remove" ||
    change.what.has("content") ||
    change.what.has("target") ||
    change.what.has("kind")
  );
}

/** The differences of one change's content. Of a file of the folder that cannot be read there are none: `onUnread` is told. */
export async function diffChange(
  change: Change,
  { box, world, working, onUnread }: ContentsOptions,
): Promise<TextDiff> {
  const sides = [change.before, change.after];
  if (sides.some((entry) => entry !== undefined && entry.kind === 1 && sizeOf(entry) > textBytesMax))
    return { form: "too-large" };
  const before = change.before === undefined ? nothing : await readEntry(box, change.before);
  if (change.after === undefined) return diffText(before, nothing);
  if (!working) return diffText(before, await readEntry(box, change.after));
  try {
    return diffText(before, readFromFolder(box, world, change));
  } catch (thrown) {
    if (!isKind(thrown, "permission")) throw thrown;
    onUnread?.(`${quotePath(change.path)}: it cannot be read (permission denied)`);
    return { form: "unread" };
  }
}

async function readEntry(box: Box, entry: Entry): Promise<Uint8Array> {
  const { value } = entry.data[0];
  if (value.kind === 3) return value.target;
  if (value.kind !== 1) return nothing;
  const parts: Uint8Array[] = [];
  for await (const part of box.readFile(entry)) parts.push(Uint8Array.from(part));
  return concatBytes(parts);
}

/** At most one byte over the limit of what is compared. */
function readFromFolder(box: Box, world: World, { path, after }: Change): Uint8Array {
  if (after !== undefined && after.data[0].value.kind === 3) return after.data[0].value.target;
  const file = folderPath(box, path);
  if (world.disk.stat(file)?.kind !== "file") return nothing;
  try {
    const fd = world.disk.open(file, "read");
    try {
      const bytes = new Uint8Array(Math.min(world.disk.statFile(fd).size, textBytesMax + 1));
      return bytes.subarray(0, world.disk.read(fd, bytes, 0));
    } finally {
      world.disk.close(fd);
    }
  } catch (thrown) {
    throw ioError(`Cannot read ${quotePath(path)}`, thrown);
  }
}

/** Where a path of the box is on the disk. */
function folderPath(box: Box, path: Path): Uint8Array {
  return concatBytes([new TextEncoder().encode(`${box.root ?? ""}/`), path]);
}
