/** What a checkout saw in the directories of the tree that it made, for the next scan to compare with. */
import type { FileStat } from "../base/posix.ts";
import type { Spill } from "../base/spill.ts";
import { type Dot, dotKey, type Entry } from "../format/mod.ts";
import { pathKey, splitPath, type TreeReader } from "../history/mod.ts";
import { setXattrsOf } from "./kept-xattrs.ts";
import { ObservedRecords } from "./observed-records.ts";
import { recordOfEntry } from "./row-of-tree.ts";

/** What was seen in one directory. */
export interface DirectoryObservation {
  readonly id: Dot;
  readonly isNew: boolean;
  /** Names that were made or changed, and what stands there now. */
  readonly written: ObservedRecords;
  readonly removed: Uint8Array[];
}

export class Observations {
  readonly #reader: TreeReader;
  readonly #root: Entry;
  readonly #setsOwner: boolean;
  readonly #aside: Spill | undefined;
  readonly #byPath = new Map<string, DirectoryObservation>();
  /** By `dotKey` of the directory's id. */
  readonly directories: Map<string, DirectoryObservation> = new Map();
  /** Directories that are in the new tree no more. */
  readonly gone: Dot[] = [];
  /** Something was written that belongs to another than the tree says. */
  hasOtherOwners = false;

  /** @param root Of the new tree. @param options.aside Where what was seen is put; absent: it is not wanted. */
  constructor(
    reader: TreeReader,
    root: Entry,
    { setsOwner, aside }: { readonly setsOwner: boolean; readonly aside: Spill | undefined },
  ) {
    this.#reader = reader;
    this.#root = root;
    this.#setsOwner = setsOwner;
    this.#aside = aside;
  }

  /** Notes that a directory was made, with nothing in it yet. */
  made(path: Uint8Array, id: Dot): void {
    const found = this.#of(id, true);
    if (found !== undefined) this.#byPath.set(pathKey(path), found);
  }

  /** Notes that a directory of the old tree has lost a name. */
  removed(id: Dot, name: Uint8Array): void {
    this.#of(id, false)?.removed.push(name);
  }

  #of(id: Dot, isNew: boolean): DirectoryObservation | undefined {
    if (this.#aside === undefined) return undefined;
    const key = dotKey(id);
    let found = this.directories.get(key);
    if (found === undefined) {
      found = { id, isNew, written: new ObservedRecords(this.#aside), removed: [] };
      this.directories.set(key, found);
    }
    return found;
  }

  /** Of a directory of the new tree; undefined when there is none of that path, or nothing is wanted. */
  #at(path: Uint8Array): DirectoryObservation | undefined {
    if (this.#aside === undefined) return undefined;
    const key = pathKey(path);
    let found = this.#byPath.get(key);
    if (found !== undefined) return found;
    const entry = this.#reader.findPath(this.#root, splitPath(path));
    found = entry === undefined ? undefined : this.#of(entry.id, false);
    if (found !== undefined) this.#byPath.set(key, found);
    return found;
  }

  /** Notes what stands for an entry now. @param directory Its path. @param options.isWritten Whether this checkout made it so. */
  note(
    directory: Uint8Array,
    entry: Entry,
    stat: FileStat,
    { isWritten = true }: { readonly isWritten?: boolean } = {},
  ): void {
    if (isWritten && (stat.uid !== entry.meta.uid || stat.gid !== entry.meta.gid)) this.hasOtherOwners = true;
    this.#at(directory)?.written.put(entry, stat, setXattrsOf(this.#reader.xattrs(entry), this.#setsOwner));
  }

  /** Notes what was written for many entries, as a scan row. */
  noteRow(directory: Uint8Array, row: Uint8Array, hasOtherOwners: boolean): void {
    this.hasOtherOwners ||= hasOtherOwners;
    this.#at(directory)?.written.putRow(row);
  }

  /** Notes that an entry could not be made. */
  noteAbsent(directory: Uint8Array, entry: Entry): void {
    this.#at(directory)?.written.putAbsent(recordOfEntry(this.#reader, entry));
  }
}
