/** Walking trees: all entries of one, or those in which two directories may differ. Deep trees do not deepen the stack. */
import { compareBytes, equalBytes } from "../base/bytes.ts";
import type { DirectoryValue, Entry, Reference, TreeNode } from "../format/mod.ts";
import { joinPath } from "./paths.ts";
import { directoryOf, type TreeReader } from "./tree-reader.ts";

export interface PlacedEntry {
  readonly path: Uint8Array;
  readonly entry: Entry;
}

/**
 * All entries below a directory, each directory before what is in it. Of a directory with several values, what it shows.
 * @param path The directory's own.
 * @param options.enters Whether to go into a directory; into all by default.
 */
export function* walkEntries(
  reader: TreeReader,
  directory: DirectoryValue,
  path: Uint8Array,
  options: { readonly enters?: (placed: PlacedEntry) => boolean } = {},
): Generator<PlacedEntry> {
  const frames = [{ path, entries: reader.entries(directory) }];
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const { value: entry } = frame.entries.next() as IteratorResult<Entry, undefined>;
    if (entry === undefined) {
      frames.pop();
      continue;
    }
    const placed = { path: joinPath(frame.path, entry.name), entry };
    yield placed;
    const below = directoryOf(entry);
    if (below !== undefined && options.enters?.(placed) !== false)
      frames.push({ path: placed.path, entries: reader.entries(below) });
  }
}

/** Entries of one name in two directories; at least one of them is there. */
export interface EntryPair {
  readonly before: Entry | undefined;
  readonly after: Entry | undefined;
}

/**
 * The entries of two directories, name by name, without those in nodes that both have: of large directories that differ in
 * little, only the nodes on the way to what differs are read. Equal entries beside a different one are given, too.
 */
export function* differingEntries(
  reader: TreeReader,
  before: DirectoryValue | undefined,
  after: DirectoryValue | undefined,
): Generator<EntryPair> {
  if (before?.top !== undefined && after?.top !== undefined && equalBytes(before.top, after.top)) return;
  const [a, b] = [new EntryCursor(reader, before), new EntryCursor(reader, after)];
  for (;;) {
    const [one, two] = [a.item, b.item];
    if (one === undefined && two === undefined) return;
    if (one !== undefined && "last" in one) {
      if (two !== undefined && "last" in two) stepReferences(a, one, b, two);
      else if (two !== undefined && a.isPast(two.name)) yield takeAfter(b, two);
      else a.descend();
    } else if (two !== undefined && "last" in two) {
      if (one !== undefined && b.isPast(one.name)) yield takeBefore(a, one);
      else b.descend();
    } else {
      const order = one === undefined ? 1 : two === undefined ? -1 : compareBytes(one.name, two.name);
      if (order <= 0) a.skip();
      if (order >= 0) b.skip();
      yield { before: order <= 0 ? one : undefined, after: order >= 0 ? two : undefined };
    }
  }
}

function stepReferences(a: EntryCursor, one: Reference, b: EntryCursor, two: Reference): void {
  const [levelA, levelB] = [a.level, b.level];
  if (levelA === levelB && equalBytes(one.hash, two.hash)) {
    a.skip();
    b.skip();
    return;
  }
  if (levelA >= levelB) a.descend();
  if (levelB >= levelA) b.descend();
}

function takeBefore(cursor: EntryCursor, before: Entry): EntryPair {
  cursor.skip();
  return { before, after: undefined };
}

function takeAfter(cursor: EntryCursor, after: Entry): EntryPair {
  cursor.skip();
  return { before: undefined, after };
}

/** A place in a directory, before an entry or before a whole node that need not be opened. */
class EntryCursor {
  readonly #reader: TreeReader;
  readonly #frames: { readonly node: TreeNode; index: number }[] = [];
  /** The last name passed. */
  #passed: Uint8Array | undefined;

  constructor(reader: TreeReader, directory: DirectoryValue | undefined) {
    this.#reader = reader;
    const top = directory === undefined ? undefined : reader.top(directory);
    if (top !== undefined) this.#frames.push({ node: top, index: 0 });
  }

  get item(): Entry | Reference | undefined {
    const frame = this.#frames.at(-1);
    if (frame === undefined) return undefined;
    return "entries" in frame.node ? frame.node.entries[frame.index] : frame.node.references[frame.index];
  }

  /** The level of the node that holds the item. */
  get level(): number {
    return this.#frames.at(-1)?.node.level ?? 0;
  }

  /** Whether all that follows is after this name. */
  isPast(name: Uint8Array): boolean {
    return this.#passed !== undefined && compareBytes(name, this.#passed) <= 0;
  }

  skip(): void {
    const item = this.item;
    if (item === undefined) return;
    this.#passed = "last" in item ? item.last : item.name;
    for (let frame = this.#frames.at(-1); frame !== undefined; frame = this.#frames.at(-1)) {
      frame.index += 1;
      if (this.item !== undefined) return;
      this.#frames.pop();
    }
  }

  /** Goes into the node that the item refers to. */
  descend(): void {
    const item = this.item;
    if (item === undefined || !("last" in item)) return;
    this.#frames.push({ node: this.#reader.child(item, this.level, this.#passed), index: 0 });
  }
}
