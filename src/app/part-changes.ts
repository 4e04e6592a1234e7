/**
 * What a move does in a folder that holds only a part of its tree: of the differences of two trees those of what is there, and of what is to be there
 * from then on. What is in the folder goes on being there, whatever becomes of it; what is not stays away.
 *
 * Directories above what is to be there come along, and in every directory that is there the files of rules (`.ouroboxignore`,
 * `.ouroboxattributes`): without them the folder would be taken for another.
 */
import { asBuffer } from "../base/bytes.ts";
import { dotKey, type Entry, type Hash } from "../format/mod.ts";
import {
  type Change,
  comparePaths,
  diffTrees,
  directoryOf,
  joinPath,
  pathKey,
  splitLast,
  splitPath,
  type TreeReader,
} from "../history/mod.ts";
import { FolderRows, ignoreFileName, type RowSource } from "../workdir/mod.ts";
import { attributesFileName } from "./attributes.ts";

export interface PartRequest {
  readonly reader: TreeReader;
  readonly rows: RowSource;
  /** Whether something stands in the folder. */
  readonly exists: (path: Uint8Array) => boolean;
  /** What the folder holds a part of; absent: nothing is in it. */
  readonly from: Hash | undefined;
  readonly to: Hash;
  /** Whether something that comes is to be in the folder; what was there goes on being there in any case. */
  readonly isWanted: (path: Uint8Array) => boolean;
}

/** What says how a directory is to be read. */
export const ruleFileNames: ReadonlySet<string> = new Set([ignoreFileName, attributesFileName]);
const ruleFiles: readonly Uint8Array[] = [...ruleFileNames].map((name) => Buffer.from(name));
const nothing: Change["what"] = new Set();

export function isRuleFile(name: Uint8Array): boolean {
  return ruleFiles.some((each) => asBuffer(each).equals(name));
}

/** In the order of paths. */
export function changesOfPart(request: PartRequest): Change[] {
  return new PartChanges(request).run();
}

class PartChanges {
  readonly #reader: TreeReader;
  readonly #folder: FolderRows | undefined;
  readonly #toRoot: Entry;
  readonly #changes: readonly Change[];
  readonly #isWanted: PartRequest["isWanted"];
  /** Where directories that were moved have come from, by id. */
  readonly #movedFrom = new Map<string, Uint8Array>();
  /** Paths of the new tree that are made. */
  readonly #made = new Map<string, Change>();
  readonly #others: Change[] = [];

  constructor({ reader, rows, exists, from, to, isWanted }: PartRequest) {
    this.#reader = reader;
    this.#isWanted = isWanted;
    this.#toRoot = reader.root(to);
    this.#folder = from === undefined ? undefined : new FolderRows(reader, rows, reader.root(from), exists);
    this.#changes = from === undefined ? [] : [...diffTrees(reader, from, to)];
    for (const { type, before, oldPath } of this.#changes)
      if (type === "rename" && before !== undefined && oldPath !== undefined)
        this.#movedFrom.set(dotKey(before.id), oldPath);
  }

  run(): Change[] {
    for (const change of this.#changes) this.#take(change);
    // The root is there, and what says how to read it.
    this.#addRules(new Uint8Array(), this.#toRoot);
    for (const { path, after } of [...this.#others]) if (after !== undefined) this.#addRules(path, after);
    return [...this.#others, ...this.#made.values()].sort((a, b) => comparePaths(a.path, b.path));
  }

  #take(change: Change): void {
    const { type, path, oldPath, before } = change;
    if (before === undefined || !this.#wasThere(oldPath ?? path, before)) {
      this.#takeNew(change);
      return;
    }
    if (type !== "remove") this.#makeAbove(path);
    this.#others.push(change);
  }

  /** What is not there: only where it is wanted, or says how to read a directory that is there. */
  #takeNew({ path, after }: Change): void {
    if (after === undefined) return;
    if (this.#isWanted(path)) {
      this.#makeAbove(path);
      this.#make(path, after);
      return;
    }
    const [parent, name] = splitLast(path);
    if (!isRuleFile(name)) return;
    const above = this.#reader.findPath(this.#toRoot, splitPath(parent));
    if (above !== undefined && this.#isThere(parent, above))
      this.#made.set(pathKey(path), { type: "add", path, after, what: nothing });
  }

  /** Sees to it that the directories above a path are there. */
  #makeAbove(path: Uint8Array): void {
    const names = splitPath(path).slice(0, -1);
    let at: Uint8Array = new Uint8Array();
    for (const name of names) {
      at = joinPath(at, name);
      const entry = this.#reader.findPath(this.#toRoot, splitPath(at));
      if (entry !== undefined && !this.#isThere(at, entry)) this.#make(at, entry);
    }
  }

  /** Whether a directory or file of the new tree is in the folder, where it is now or was before. */
  #isThere(path: Uint8Array, entry: Entry): boolean {
    if (path.length === 0 || this.#made.has(pathKey(path))) return true;
    const old = this.#oldPathOf(path, entry);
    return old !== undefined && this.#wasThere(old, entry);
  }

  /** Whether a path of the old tree is in the folder. A file that somebody has removed from it counts, a directory does not: things are to be made in it. */
  #wasThere(path: Uint8Array, entry: Entry): boolean {
    if (this.#folder === undefined) return false;
    return directoryOf(entry) === undefined ? this.#folder.has(path) : this.#folder.stands(path);
  }

  /** Where the old tree has an entry that was not changed itself, or was moved. */
  #oldPathOf(path: Uint8Array, entry: Entry): Uint8Array | undefined {
    const moved = this.#movedFrom.get(dotKey(entry.id));
    if (moved !== undefined) return moved;
    const [parent, name] = splitLast(path);
    if (parent.length === 0) return path;
    const above = this.#reader.findPath(this.#toRoot, splitPath(parent));
    const old = above === undefined ? undefined : this.#oldPathOf(parent, above);
    return old === undefined ? undefined : joinPath(old, name);
  }

  #make(path: Uint8Array, entry: Entry): void {
    this.#made.set(pathKey(path), { type: "add", path, after: entry, what: nothing });
    this.#addRules(path, entry);
  }

  #addRules(path: Uint8Array, entry: Entry): void {
    const directory = directoryOf(entry);
    if (directory === undefined) return;
    for (const name of ruleFiles) {
      const file = this.#reader.find(directory, name);
      const at = joinPath(path, name);
      if (file === undefined || this.#isThere(at, file)) continue;
      if (this.#others.some((change) => asBuffer(change.path).equals(at) && change.after !== undefined)) continue;
      this.#made.set(pathKey(at), { type: "add", path: at, after: file, what: nothing });
    }
  }
}
