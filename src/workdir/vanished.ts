/**
 * Files that a scan misses, for finding them again under other names: by inode, else by equal content.
 *
 * Missing is also a file under whose name another one stands now; it is found by inode only, else the name decides. Each is found at
 * most once. Whose inode is under another name is reserved for that name before any is given out by content; by content at most
 * `vanishedMax` are considered, and no empty ones.
 */

import type { FileStat } from "../base/posix.ts";
import { type Content, dotKey, type Entry, kinds } from "../format/mod.ts";
import { splitPath, type TreeReader } from "../history/mod.ts";
import type { DirectoryScan } from "./folder-scanner.ts";
import { below, latin } from "./folder-walk.ts";
import type { FolderScan } from "./scan.ts";
import { birthMarkOf, isAbsent, isDirectoryMode, kindOfMode, type ScanRecord, type ScanRow } from "./scan-row.ts";

const vanishedMax = 100_000;

interface Vanished {
  readonly row: ScanRow;
  readonly at: number;
  /** The directory's path in the tree. */
  readonly directory: string;
  isTaken: boolean;
  /** It is there, under another name. */
  isReserved: boolean;
}

export interface FoundAgain {
  readonly before: Entry;
  readonly record: ScanRecord;
  readonly oldPath: string;
  readonly isMoved: true;
}

export class VanishedFiles {
  readonly #reader: TreeReader;
  readonly #tree: Entry | undefined;
  readonly #byInode = new Map<bigint, Vanished>();
  readonly #bySize = new Map<number, Vanished[]>();
  /** Of the sizes that were asked for. */
  readonly #byContent = new Map<number, Map<string, Vanished[]>>();
  #count = 0;
  /** Directories of the tree that are gone. */
  readonly goneDirectories: { readonly id: string; readonly row: ScanRow; readonly at: number }[] = [];

  constructor(reader: TreeReader, tree: Entry | undefined) {
    this.#reader = reader;
    this.#tree = tree;
  }

  get isEmpty(): boolean {
    return this.#byInode.size === 0;
  }

  /** Collects all that is gone in a scan. @param rowOf The row of a directory that is gone itself. */
  static of(
    scan: FolderScan,
    options: {
      readonly reader: TreeReader;
      readonly tree: Entry | undefined;
      readonly rowOf: (row: ScanRow, at: number, oldPath: string) => ScanRow;
    },
  ): VanishedFiles {
    const vanished = new VanishedFiles(options.reader, options.tree);
    const stack: DirectoryScan[] = [scan.root, ...scan.movedInside.values()];
    for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
      const { row, oldPath } = each;
      for (const change of each.changes.values()) {
        if (change.scan !== undefined) stack.push(change.scan);
        if (change.at < 0) continue;
        const isGone = change.type === "gone" || change.type === "new" || change.type === "moved";
        if (isGone) vanished.#add(row, change.at, oldPath, scan.movedIds, options.rowOf);
      }
    }
    return vanished;
  }

  #add(
    row: ScanRow,
    start: number,
    directory: string,
    moved: ReadonlySet<string>,
    rowOf: (row: ScanRow, at: number, oldPath: string) => ScanRow,
  ): void {
    const stack = [{ row, at: start, directory }];
    for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
      if (!isDirectoryMode(each.row.mode(each.at))) {
        this.#addFile(each);
        continue;
      }
      const id = dotKey(each.row.id(each.at));
      if (moved.has(id)) continue;
      this.goneDirectories.push({ id, row: each.row, at: each.at });
      const path = below(each.directory, each.row.name(each.at));
      const inner = rowOf(each.row, each.at, path);
      for (const at of inner.starts) if (inner.nameLength(at) > 0) stack.push({ row: inner, at, directory: path });
    }
  }

  #addFile(place: { readonly row: ScanRow; readonly at: number; readonly directory: string }): void {
    const { row, at } = place;
    const vanished: Vanished = { ...place, isTaken: false, isReserved: false };
    if (isAbsent(row, at)) return;
    const inode = row.inode(at);
    if (inode !== 0n) this.#byInode.set(inode, vanished);
    const { size, mode } = row.record(at);
    if (size === 0 || (mode & 0o170000) !== 0o100000 || this.#count >= vanishedMax) return;
    this.#count += 1;
    const same = this.#bySize.get(size);
    if (same === undefined) this.#bySize.set(size, [vanished]);
    else same.push(vanished);
  }

  /** Adds a file under whose name another one stands. @param directory The path of its directory in the tree. */
  addDisplaced(row: ScanRow, at: number, directory: string): void {
    const inode = row.inode(at);
    if (inode !== 0n) this.#byInode.set(inode, { row, at, directory, isTaken: false, isReserved: false });
  }

  hasInode(inode: bigint): boolean {
    return this.#byInode.has(inode);
  }

  /** Keeps the file for the name that this is the stat of. */
  reserve(stat: FileStat): void {
    const found = this.#findByInode(stat);
    if (found !== undefined) found.isReserved = true;
  }

  /** Whether the file that was seen with this inode is under another name. */
  isReserved(inode: bigint): boolean {
    return this.#byInode.get(inode)?.isReserved === true;
  }

  /** Whether the file that was seen with this inode is under no other name; then nobody finds it any more. */
  stays(inode: bigint): boolean {
    const found = inode === 0n ? undefined : this.#byInode.get(inode);
    if (found === undefined) return true;
    if (found.isTaken || found.isReserved) return false;
    found.isTaken = true;
    return true;
  }

  takeByInode(stat: FileStat): FoundAgain | undefined {
    const found = this.#findByInode(stat);
    return found === undefined ? undefined : this.#take(found, found.row.record(found.at), stat);
  }

  /** The file that had this inode, if it is this one and not another that the inode was given to later. */
  #findByInode(stat: FileStat): Vanished | undefined {
    const found = this.#byInode.get(stat.inode);
    if (found === undefined || found.isTaken) return undefined;
    const record = found.row.record(found.at);
    if (kindOfMode(record.mode) !== kinds[stat.kind]) return undefined;
    const birth = birthMarkOf(stat);
    const isSame =
      birth !== 0 && record.birth !== 0
        ? birth === record.birth
        : record.mtimeNs === stat.mtimeNs && record.size === stat.size;
    return isSame ? found : undefined;
  }

  /** Whether a file of this size may be found by its content. */
  hasSize(size: number): boolean {
    return this.#bySize.has(size);
  }

  /** A file of just this content, preferably one of this name. */
  takeByContent(content: Content, stat: FileStat, name: string): FoundAgain | undefined {
    const { size } = content;
    if (size === 0 || !this.#bySize.has(size)) return undefined;
    let byContent = this.#byContent.get(size);
    if (byContent === undefined) {
      byContent = new Map();
      for (const each of this.#bySize.get(size) ?? []) {
        const entry = this.#entryOf(each);
        if (entry?.data[0].value.kind !== kinds.file) continue;
        const key = contentKey(entry.data[0].value.content);
        const same = byContent.get(key);
        if (same === undefined) byContent.set(key, [each]);
        else same.push(each);
      }
      this.#byContent.set(size, byContent);
    }
    const candidates = (byContent.get(contentKey(content)) ?? []).filter((each) => !each.isTaken && !each.isReserved);
    const best = candidates.find((each) => each.row.name(each.at) === name) ?? candidates[0];
    return best === undefined ? undefined : this.#take(best, best.row.record(best.at), stat);
  }

  #take(found: Vanished, record: ScanRecord, stat: FileStat): FoundAgain | undefined {
    const before = this.#entryOf(found);
    if (before === undefined || before.kind !== kinds[stat.kind]) return undefined;
    found.isTaken = true;
    return { before, record, oldPath: below(found.directory, record.name), isMoved: true };
  }

  #entryOf({ row, at, directory }: Vanished): Entry | undefined {
    if (this.#tree === undefined) return undefined;
    return this.#reader.findPath(this.#tree, splitPath(latin(below(directory, row.name(at)))));
  }
}

function contentKey({ size, items, list }: Content): string {
  if (list !== undefined) return `${size} ${list.level} ${Buffer.from(list.hash).toString("latin1")}`;
  const parts = (items ?? []).map((item) =>
    item.form === "hole" ? `h${item.length}` : Buffer.from(item.hash).toString("latin1"),
  );
  return `${size} ${parts.join()}`;
}
