/**
 * Which paths of a tree are in a folder that holds only a part of it: what the scan rows have a record of, and what stands there though no row says
 * so, as somebody has put it there.
 */
import { type DirectoryValue, type Dot, dotKey, type Entry } from "../format/mod.ts";
import { directoryOf, joinPath, splitLast, splitPath, type TreeReader } from "../history/mod.ts";
import type { RowSource } from "./folder-scanner.ts";
import { isAbsent, isDirectoryMode, ScanRow } from "./scan-row.ts";

export class FolderRows {
  readonly #reader: TreeReader;
  readonly #source: RowSource;
  readonly #root: Entry;
  readonly #exists: (path: Uint8Array) => boolean;
  readonly #rows = new Map<string, ScanRow>();

  /** @param root Of the tree that the rows are of. @param exists Whether something stands in the folder. */
  constructor(reader: TreeReader, source: RowSource, root: Entry, exists: (path: Uint8Array) => boolean) {
    this.#reader = reader;
    this.#source = source;
    this.#root = root;
    this.#exists = exists;
  }

  /** Whether a path of the tree is in the folder. The root is. */
  has(path: Uint8Array): boolean {
    return path.length === 0 || this.#exists(path) || this.#isNoted(path);
  }

  /** Whether a directory of the tree stands in the folder: one that somebody has deleted keeps its record while more of it is elsewhere. */
  stands(path: Uint8Array): boolean {
    return path.length === 0 || this.#exists(path);
  }

  #isNoted(path: Uint8Array): boolean {
    const [parent, name] = splitLast(path);
    const directory = this.#reader.findPath(this.#root, splitPath(parent));
    if (directory === undefined) return false;
    const row = this.#rowOf(directory.id);
    const at = row.find(Buffer.from(name).toString("latin1"));
    return at >= 0 && !isAbsent(row, at) && this.has(parent);
  }

  /** Directories at or below a path that stand in the folder and have no record: what made them did not end, or somebody has. */
  *unnoted(path: Uint8Array): Generator<{ readonly path: Uint8Array; readonly entry: Entry }> {
    const entry = this.#reader.findPath(this.#root, splitPath(path));
    const directory = entry === undefined ? undefined : directoryOf(entry);
    if (entry === undefined || directory === undefined || !this.has(path)) return;
    if (path.length > 0 && !this.#isNoted(path)) yield { path, entry };
    for (const inner of this.#reader.entries(directory))
      if (directoryOf(inner) !== undefined) yield* this.unnoted(joinPath(path, inner.name));
  }

  /** What stands at or below a path, is no directory and has no record, and of which somebody thinks so. */
  *unsure(path: Uint8Array, isMeant: (path: Uint8Array, entry: Entry) => boolean): Generator<Uint8Array> {
    const entry = this.#reader.findPath(this.#root, splitPath(path));
    if (entry === undefined || !this.has(path)) return;
    const directory = directoryOf(entry);
    if (directory !== undefined)
      for (const inner of this.#reader.entries(directory)) yield* this.unsure(joinPath(path, inner.name), isMeant);
    else if (!this.#isNoted(path) && isMeant(path, entry)) yield path;
  }

  /** The topmost paths at or below one that are not in the folder. */
  *missing(path: Uint8Array): Generator<Uint8Array> {
    const entry = this.#reader.findPath(this.#root, splitPath(path));
    if (entry === undefined) return;
    if (!this.has(path)) {
      yield path;
      return;
    }
    const directory = directoryOf(entry);
    if (directory === undefined) return;
    for (const { name } of this.#reader.entries(directory)) yield* this.missing(joinPath(path, name));
  }

  /** How many of the tree's names that are no directories are in the folder, as the rows have it. */
  count(): number {
    let here = 0;
    const open: Entry[] = [this.#root];
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      const directory = directoryOf(each);
      const row = this.#rowOf(each.id);
      for (const at of directory === undefined ? [] : row.starts) {
        if (row.nameLength(at) === 0 || isAbsent(row, at)) continue;
        if (!isDirectoryMode(row.mode(at))) here += 1;
        else {
          const inner = this.#reader.find(directory as DirectoryValue, Buffer.from(row.name(at), "latin1"));
          if (inner !== undefined) open.push(inner);
        }
      }
    }
    return here;
  }

  #rowOf(id: Dot): ScanRow {
    const key = dotKey(id);
    let row = this.#rows.get(key);
    if (row === undefined) {
      const bytes = this.#source.scanRow(id);
      row = (bytes === undefined ? undefined : ScanRow.decode(bytes)) ?? ScanRow.empty;
      this.#rows.set(key, row);
    }
    return row;
  }
}
