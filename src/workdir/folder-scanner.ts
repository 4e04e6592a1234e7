/**
 * Comparing directories with their scan rows, one after another, without opening a file.
 *
 * Each name costs one lstat and fifteen comparisons of words; only what differs makes an object. Which directories are new where they
 * stand and which are missing is noted on the way, for scan-moves.ts. What cannot be read, is ignored, or vanished with a mount is no change.
 */
import { setImmediate } from "node:timers/promises";
import { errnoOf, OuroError } from "../base/errors.ts";
import { DirectoryLister, type FileStat, fstat, listedType, statWord } from "../base/posix.ts";
import { quotePath } from "../base/quote.ts";
import { type Dot, type Entry, rootId } from "../format/mod.ts";
import { directoryOf, type PathFilter, splitPath, type TreeReader } from "../history/mod.ts";
import { below, FolderWalk, latin } from "./folder-walk.ts";
import { type IgnoreRules, ignoreFileName, type OnRuleProblem, rulesAbove, rulesIn } from "./ignore-rules.ts";
import { reasonOf } from "./observer.ts";
import { RowIndex } from "./row-index.ts";
import { rowOfTree } from "./row-of-tree.ts";
import { field, isAbsent, isDirectoryMode, recordFlags, ScanRow } from "./scan-row.ts";
import { isTaken } from "./taken-names.ts";

/** Where rows are kept: history's State. */
export interface RowSource {
  scanRow(directory: Dot): Uint8Array | undefined;
}

export interface ScanOptions {
  /** The folder, open; stays the caller's. */
  readonly root: number;
  readonly rows: RowSource;
  readonly reader: TreeReader;
  /** The head's root; absent before the first commit. */
  readonly tree: Entry | undefined;
  /** Only these paths; absent: all. */
  readonly filter?: PathFilter;
  /** The folder holds only what rows have records of: what else the tree has is not missed in it. */
  readonly isPart?: boolean;
  readonly signal?: AbortSignal;
  /** One line about one path that cannot be taken in; the result is partial. */
  readonly warn: (message: string) => void;
}

/** A name that is not as the row says. */
export interface NameChange {
  readonly name: string;
  /**
   * "inside": a directory that is as it was, but something below it is not. "moved": a directory from elsewhere. "emptied": one that is gone from the
   * folder, and stays in the tree, with what never was in a folder that holds only a part, or was not asked for.
   */
  readonly type: "new" | "gone" | "changed" | "inside" | "moved" | "emptied";
  /** The record in the directory's row of "gone", "changed" and "inside", and of "new" where a node of another kind or id was; else -1. */
  readonly at: number;
  /** Of a known directory in which something changed; of a "moved" one always. */
  readonly scan: DirectoryScan | undefined;
  /** As the directory's listing had it. */
  readonly isDirectory: boolean;
}

/** A directory of the tree, where it stands now. */
export class DirectoryScan {
  /** Absent for the root and for what stands inside a new directory. */
  readonly parent: DirectoryScan | undefined;
  /** Of one without a parent: where it stands. */
  readonly place: string;
  readonly name: string;
  readonly id: Dot;
  readonly row: ScanRow;
  /** Where the tree has it. */
  readonly oldPath: string;
  /** By name; in no order. */
  readonly changes: Map<string, NameChange> = new Map();
  /** Where its own record is. */
  readonly record: { readonly row: ScanRow; readonly at: number };

  constructor(init: Pick<DirectoryScan, "parent" | "place" | "name" | "id" | "row" | "oldPath" | "record">) {
    this.parent = init.parent;
    this.place = init.place;
    this.name = init.name;
    this.id = init.id;
    this.row = init.row;
    this.oldPath = init.oldPath;
    this.record = init.record;
  }

  /** Where it stands, from the root. */
  get path(): string {
    const names: string[] = [];
    let scan: DirectoryScan = this;
    for (; scan.parent !== undefined; scan = scan.parent) names.push(scan.name);
    return [scan.place, ...names.reverse()].filter(Boolean).join("/");
  }

  /** Notes a change of one of its names, and that its own directories are changed inside. */
  add(change: NameChange): void {
    this.changes.set(change.name, change);
    for (let scan: DirectoryScan = this; scan.parent !== undefined; scan = scan.parent) {
      const noted = scan.parent.changes.get(scan.name);
      if (noted?.scan === scan) return;
      const at = noted?.at ?? scan.record.at;
      const type = noted?.type ?? "inside";
      scan.parent.changes.set(scan.name, { name: scan.name, type, at, scan, isDirectory: true });
    }
  }
}

/** A directory of the row whose inode is another than the row says, or a new one: it may be one from elsewhere. */
export interface Stray {
  readonly parent: DirectoryScan;
  readonly name: string;
  /** The record that stood for this name, or -1. */
  readonly at: number;
}

const namesPerTurn = 50_000;

export class Scanner {
  readonly options: ScanOptions;
  readonly lister: DirectoryLister = new DirectoryLister();
  readonly #index = new RowIndex();
  isPartial = false;
  names = 0;
  #sinceTurn = 0;
  /** Directories that are new where they stand. */
  readonly strays: Stray[] = [];
  /** Where names should stand that could not be made here, and still are not here. */
  readonly absent: string[] = [];
  /** Directories of rows that no longer are where they were. */
  readonly goneDirectories: { readonly scan: DirectoryScan; readonly at: number }[] = [];

  constructor(options: ScanOptions) {
    this.options = options;
  }

  /** The root, not yet looked at. */
  rootScan(): DirectoryScan {
    const row = this.rowOf(rootId, "");
    const record = { row, at: row.find("") };
    return new DirectoryScan({ parent: undefined, place: "", name: "", id: rootId, row, oldPath: "", record });
  }

  /** The row of a directory, from the tree where none was kept. */
  rowOf(id: Dot, oldPath: string): ScanRow {
    const row = this.#storedRow(id);
    if (row !== undefined) return row;
    const { reader, tree, isPart = false } = this.options;
    if (isPart) return ScanRow.empty;
    if (tree === undefined) return ScanRow.empty;
    const entry = reader.findPath(tree, splitPath(latin(oldPath)));
    const directory = entry === undefined ? undefined : directoryOf(entry);
    return directory === undefined ? ScanRow.empty : rowOfTree(reader, directory, oldPath === "" ? tree : undefined);
  }

  #storedRow(id: Dot): ScanRow | undefined {
    const bytes = this.options.rows.scanRow(id);
    return bytes === undefined ? undefined : ScanRow.decode(bytes);
  }

  /** A directory that a row has a record of. @param fallback Where no row was kept; by default what the tree says. */
  scanOf(
    where: Pick<DirectoryScan, "parent" | "place" | "name">,
    record: { readonly row: ScanRow; readonly at: number },
    oldPath: string,
    fallback?: ScanRow,
  ): DirectoryScan {
    const id = record.row.id(record.at);
    const row = (fallback === undefined ? undefined : this.#storedRow(id)) ?? fallback ?? this.rowOf(id, oldPath);
    return new DirectoryScan({ ...where, id, row, oldPath, record });
  }

  readonly onProblem: OnRuleProblem = (path, why) => this.warn(path, why);

  warn(path: string, why: string): void {
    this.isPartial = true;
    this.options.warn(`${quotePath(latin(path))}: ${why}`);
  }

  /** Compares a directory, and all of the tree's below it, with their rows. */
  async walk(top: DirectoryScan): Promise<void> {
    using walk = new FolderWalk(this.options.root);
    const names = top.path.split("/").filter(Boolean);
    if (!this.#enter(walk, top, names.slice(0, -1))) return;
    const outer = mountedOn(walk, top);
    if (!this.#enter(walk, top, names.slice(-1))) return;
    const rules = rulesAbove(this.options.root, walk.path, this.onProblem);
    const frames = [this.#list(walk, top, rules, outer)];
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const next = frame.directories.pop();
      if (next === undefined) {
        frames.pop();
        if (frames.length > 0) walk.leave();
        continue;
      }
      const { scan } = frame;
      const { name, at } = next;
      const child = this.scanOf({ parent: scan, place: "", name }, { row: scan.row, at }, below(scan.oldPath, name));
      const outer = mountedOn(walk, child);
      if (this.#enter(walk, child, [name])) frames.push(this.#list(walk, child, frame.rules, outer));
      if (this.#sinceTurn >= namesPerTurn) await this.#turn();
    }
  }

  /** Goes down; false, with a warning, where one may not or what stood there has just gone. */
  #enter(walk: FolderWalk, scan: DirectoryScan, names: readonly string[]): boolean {
    const depth = walk.depth;
    try {
      for (const name of names) walk.enter(name);
      return true;
    } catch (thrown) {
      while (walk.depth > depth) walk.leave();
      this.failed(scan.path, thrown);
      return false;
    }
  }

  /** A directory could not be opened. @throws What is no ordinary failure of one directory. */
  failed(path: string, thrown: unknown): void {
    const errno = errnoOf(thrown);
    if (errno === undefined || errno === "EMFILE" || errno === "ENFILE" || errno === "ENOMEM") throw thrown;
    if (errno === "ENOENT") return;
    this.warn(path, `left as in the last commit: it cannot be read (${reasonOf(errno)})`);
  }

  async #turn(): Promise<void> {
    this.#sinceTurn = 0;
    await setImmediate();
    if (this.options.signal?.aborted === true) throw new OuroError("aborted", "Interrupted");
  }

  /** @param outer The device around it, when it was a mount point. */
  #list(walk: FolderWalk, scan: DirectoryScan, above: IgnoreRules, outer?: bigint): Frame {
    const { row } = scan;
    const { lister } = this;
    const { stat } = lister;
    const directories: Frame["directories"] = [];
    const untracked: Untracked[] = [];
    let hasRules = false;
    let count = 0;
    const index = this.#index;
    index.begin(row);
    lister.begin(walk.fd);
    try {
      while (lister.next()) {
        count += 1;
        const { nameAt, nameEnd } = lister;
        // ".ouroboxignore" has fourteen bytes.
        if (nameEnd - nameAt === 14 && lister.name === ignoreFileName) hasRules = true;
        const at = index.take(lister.names, nameAt, nameEnd);
        if (at < 0) {
          untracked.push({ name: lister.name, isDirectory: this.isListedDirectory(), at });
          continue;
        }
        if (!lister.statName()) {
          index.forget(at);
          continue;
        }
        const isDirectory = isDirectoryMode((stat[statWord.mode] as number) & 0xffff);
        if (isDirectory !== isDirectoryMode(row.mode(at))) untracked.push({ name: lister.name, isDirectory, at });
        else if (isDirectory) this.#seeDirectory(scan, at, directories);
        else if (!isUnchanged(row, at, stat)) this.#add(scan, at, lister.name, false);
      }
    } catch (thrown) {
      // A directory that cannot be listed to its end tells nothing about what is not in it.
      this.failed(scan.path, thrown);
      return { scan, rules: above, directories: [] };
    }
    this.names += count;
    this.#sinceTurn += count + 20;
    const rules = rulesIn(above, walk, hasRules, this.onProblem);
    if (outer !== undefined && count === 0 && row.count > 0 && fstat(walk.fd).device === outer) {
      this.warn(scan.path, "kept as in the last commit: nothing is mounted there now");
      return { scan, rules, directories: [] };
    }
    for (const each of untracked) this.#addUntracked(scan, rules, each);
    for (const at of index.unseen()) this.#addGone(scan, at);
    return { scan, rules, directories };
  }

  /** Whether the name at hand is a directory. */
  isListedDirectory(): boolean {
    const { lister } = this;
    if (lister.type !== listedType.unknown) return lister.type === listedType.directory;
    return lister.statName() && isDirectoryMode((lister.stat[statWord.mode] as number) & 0xffff);
  }

  #seeDirectory(scan: DirectoryScan, at: number, directories: Frame["directories"]): void {
    const { row } = scan;
    const { stat } = this.lister;
    const { name } = this.lister;
    if (this.#match(scan, name) === "not") return;
    if (!isSameFile(row, at, stat)) {
      this.strays.push({ parent: scan, name, at });
      return;
    }
    if (!isUnchanged(row, at, stat)) this.#add(scan, at, name, true);
    directories.push({ name, at });
  }

  #match(scan: DirectoryScan, name: string): "chosen" | "above" | "not" {
    const { filter } = this.options;
    return filter === undefined ? "chosen" : filter.match(latin(below(scan.path, name)));
  }

  /** A name of the row with another stat. */
  #add(scan: DirectoryScan, at: number, name: string, isDirectory: boolean): void {
    if (this.#match(scan, name) === "chosen") scan.add({ name, type: "changed", at, scan: undefined, isDirectory });
  }

  #addUntracked(scan: DirectoryScan, rules: IgnoreRules, { name, isDirectory, at }: Untracked): void {
    if (!isTaken(rules, name, isDirectory, (why) => this.warn(below(scan.path, name), why))) {
      if (at >= 0) this.#addGone(scan, at);
      return;
    }
    const match = this.#match(scan, name);
    if (match === "not" || (match === "above" && !isDirectory)) return;
    scan.add({ name, type: "new", at, scan: undefined, isDirectory });
    if (isDirectory) this.strays.push({ parent: scan, name, at });
    else if (at >= 0) this.goneDirectories.push({ scan, at });
  }

  #addGone(scan: DirectoryScan, at: number): void {
    const name = scan.row.name(at);
    const match = name === "" ? "not" : this.#match(scan, name);
    if (match === "not") return;
    const isDirectory = isDirectoryMode(scan.row.mode(at));
    if (match === "above") {
      if (isDirectory && !isAbsent(scan.row, at)) this.#addGoneInside(scan, at, name);
      return;
    }
    if (isAbsent(scan.row, at)) {
      this.absent.push(below(scan.path, name));
      return;
    }
    scan.add({ name, type: "gone", at, scan: undefined, isDirectory });
    if (isDirectory) this.goneDirectories.push({ scan, at });
  }

  /** What is chosen of a directory that is gone is gone with it. */
  #addGoneInside(parent: DirectoryScan, at: number, name: string): void {
    const record = { row: parent.row, at };
    const scan = this.scanOf({ parent, place: "", name }, record, below(parent.oldPath, name));
    for (const inner of scan.row.starts) if (scan.row.nameLength(inner) > 0) this.#addGone(scan, inner);
    if (scan.changes.size > 0) parent.changes.set(name, { name, type: "emptied", at, scan, isDirectory: true });
  }

  /** Refuses to take an unmounted folder for an emptied one. @throws OuroError "stale". */
  checkRoot(root: DirectoryScan, stat: FileStat): void {
    const { row, record } = root;
    const { at } = record;
    if (at < 0 || row.inode(at) === 0n) return;
    const device = (BigInt(row.deviceMajor >>> 0) << 32n) | BigInt(row.deviceMinor >>> 0);
    const isOther = row.inode(at) !== stat.inode || device !== stat.device;
    const isGone = (start: number): boolean => {
      const name = row.name(start);
      return name === "" || isAbsent(row, start) || isGoneType(root.changes.get(name)?.type);
    };
    const isNothingNew = [...root.changes.values()].every(({ type }) => isGoneType(type));
    const isEmptied = root.changes.size > 0 && isNothingNew && row.starts.every(isGone);
    if (!isOther || !isEmptied) return;
    throw new OuroError("stale", "Cannot scan the folder: it is another folder than last time, and empty", {
      hint: "If it is on a disk or a network mount, mount it. If it was emptied on purpose, put any file into it and run the command again.",
    });
  }
}

function isGoneType(type: NameChange["type"] | undefined): boolean {
  return type === "gone" || type === "emptied";
}

/** A name that the row has not, or has as a directory where none is, or the other way round. */
interface Untracked {
  readonly name: string;
  readonly isDirectory: boolean;
  /** The record of what was there; -1 when nothing was. */
  readonly at: number;
}

interface Frame {
  readonly scan: DirectoryScan;
  readonly rules: IgnoreRules;
  /** Those of the row that are still there, to be gone into. */
  readonly directories: { readonly name: string; readonly at: number }[];
}

/** The device of the directory at hand, when the one to be gone into was a mount point in it. */
function mountedOn(walk: FolderWalk, { record: { row, at } }: DirectoryScan): bigint | undefined {
  return at >= 0 && (row.flags(at) & recordFlags.mountPoint) !== 0 ? fstat(walk.fd).device : undefined;
}

/** Whether the directory is the one that the record saw. A record from the tree has seen none and believes it. */
function isSameFile({ words }: ScanRow, at: number, stat: Int32Array): boolean {
  const [low, high] = [words[at + field.inode], words[at + field.inode + 1]];
  return (low === 0 && high === 0) || (low === stat[statWord.inode] && high === stat[statWord.inode + 1]);
}

/** Whether a stat is the one that a record saw, and the record is sure. */
export function isUnchanged({ words }: ScanRow, at: number, stat: Int32Array): boolean {
  const head = words[at + field.mode] as number;
  const mode = head & 0xffff;
  return (
    mode === ((stat[statWord.mode] as number) & 0xffff) &&
    words[at + field.ctimeNs] === stat[statWord.ctime + 2] &&
    words[at + field.ctime] === stat[statWord.ctime] &&
    words[at + field.ctime + 1] === stat[statWord.ctime + 1] &&
    words[at + field.mtimeNs] === stat[statWord.mtime + 2] &&
    words[at + field.mtime] === stat[statWord.mtime] &&
    words[at + field.mtime + 1] === stat[statWord.mtime + 1] &&
    ((words[at + field.size] === stat[statWord.size] && words[at + field.size + 1] === stat[statWord.size + 1]) ||
      isDirectoryMode(mode)) &&
    words[at + field.inode] === stat[statWord.inode] &&
    words[at + field.inode + 1] === stat[statWord.inode + 1] &&
    words[at + field.uid] === stat[statWord.uid] &&
    words[at + field.gid] === stat[statWord.gid] &&
    ((head >>> 24) & recordFlags.unsure) === 0
  );
}
