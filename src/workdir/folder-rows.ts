/**
 * Which paths of a tree are in a folder that holds only a part of it: what the scan rows have a record of, and what stands there though no row says
 * so, as somebody has put it there.
 */
import { type Dot, dotKey, type Entry } from "../format/mod.ts";
import { directoryOf, joinPath, splitLast, splitPath, type TreeReader } from "../history/mod.ts";
import type { RowSource } from "./folder-scanner.ts";
import { isAbsent, ScanRow } from "./scan-row.ts";

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
    if (path.length === 0 || this.#exists(path)) return true;
    const [parent, name] = splitLast(path);
    const directory = this.#reader.findPath(this.#root, splitPath(parent));
    if (directory === undefined) return false;
    const row = this.#rowOf(directory.id);
    const at = row.find(Buffer.from(name).toString("latin1"));
    return at >= 0 && !isAbsent(row, at) && this.has(parent);
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
