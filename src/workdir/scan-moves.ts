/**
 * Directories that were moved: found by inode and birth among those that a scan misses, and then scanned where they stand now, with
 * the row they had. So a moved directory of a million files costs what an unmoved one does, and keeps its ids.
 *
 * What is missed is looked up in the rows alone, below missing directories too, and only when there is anything new that it could be. A directory that
 * is found may hold and miss others: it is repeated until nothing more is found.
 */
import { type FileStat, findStat } from "../base/posix.ts";
import { dotKey, kinds } from "../format/mod.ts";
import { splitPath } from "../history/mod.ts";
import type { DirectoryScan, Scanner, Stray } from "./folder-scanner.ts";
import { below, FolderWalk, latin } from "./folder-walk.ts";
import { type IgnoreRules, ignoreFileName, rulesAbove, rulesIn } from "./ignore-rules.ts";
import { recordOfEntry } from "./row-of-tree.ts";
import { birthMarkOf, isDirectoryMode, ScanRow, ScanRowBuilder } from "./scan-row.ts";
import { isTaken } from "./taken-names.ts";

/** A directory that is not where its row says. */
interface Missing {
  readonly row: ScanRow;
  readonly at: number;
  readonly oldPath: string;
}

export class MoveFinder {
  readonly #scanner: Scanner;
  /** By inode. */
  readonly #missing = new Map<bigint, Missing>();
  readonly movedInside: Map<string, DirectoryScan> = new Map();
  readonly movedIds: Set<string> = new Set();

  constructor(scanner: Scanner) {
    this.#scanner = scanner;
  }

  async run(): Promise<void> {
    const { strays, goneDirectories } = this.#scanner;
    let open: Stray[] = [];
    while (strays.length > 0 || goneDirectories.length > 0) {
      open = [...open, ...strays.splice(0)];
      if (open.length === 0) return;
      for (const { scan, at } of goneDirectories.splice(0)) this.#addMissing(scan.row, at, scan.oldPath);
      for (const { parent, at } of open)
        if (at >= 0 && isDirectoryMode(parent.row.mode(at))) this.#addMissing(parent.row, at, parent.oldPath);
      if (this.#missing.size > 0) open = await this.#match(open);
      if (strays.length > 0 || goneDirectories.length > 0) continue;
      const rest = open;
      open = [];
      for (const stray of rest) await this.#settle(stray);
    }
  }

  /** Adds a directory of a row and all below it, as the rows have them. */
  #addMissing(row: ScanRow, start: number, directory: string): void {
    const stack: Missing[] = [{ row, at: start, oldPath: below(directory, row.name(start)) }];
    for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
      const id = each.row.id(each.at);
      const inode = each.row.inode(each.at);
      if (inode === 0n || this.movedIds.has(dotKey(id)) || this.#missing.has(inode)) continue;
      this.#missing.set(inode, each);
      const inner = this.#scanner.rowOf(id, each.oldPath);
      for (const at of inner.starts) {
        if (isDirectoryMode(inner.mode(at)) && inner.nameLength(at) > 0)
          stack.push({ row: inner, at, oldPath: below(each.oldPath, inner.name(at)) });
      }
    }
  }

  /** @returns Those that are none of the missing ones. */
  async #match(strays: readonly Stray[]): Promise<Stray[]> {
    const unmatched: Stray[] = [];
    for (const stray of strays) {
      const { parent, name } = stray;
      const path = below(parent.path, name);
      using walk = new FolderWalk(this.#scanner.options.root);
      const missing = this.#find(walk, parent.path, name);
      if (missing !== undefined) {
        const scan = this.#scanOf(missing, { parent, place: "", name });
        parent.changes.delete(name);
        parent.add({ name, type: "moved", at: stray.at, scan, isDirectory: true });
        await this.#scanner.walk(scan);
        continue;
      }
      unmatched.push(stray);
      if (walk.path !== parent.path || !this.#enter(walk, name)) continue;
      if (stray.at < 0 || !isDirectoryMode(parent.row.mode(stray.at))) await this.#matchInside(walk, path);
    }
    return unmatched;
  }

  /** Goes to a directory and looks whether a name in it is a missing one; whether that can be opened does not matter. */
  #find(walk: FolderWalk, directory: string, name: string): Missing | undefined {
    for (const each of directory.split("/").filter(Boolean)) if (!this.#enter(walk, each)) return undefined;
    return this.#take(findStat(latin(name), walk.fd));
  }

  #enter(walk: FolderWalk, name: string): boolean {
    try {
      walk.enter(name);
      return true;
    } catch (thrown) {
      this.#scanner.failed(below(walk.path, name), thrown);
      return false;
    }
  }

  /** The missing directory that this is the stat of. */
  #take(stat: FileStat | undefined): Missing | undefined {
    if (stat?.kind !== "directory") return undefined;
    const missing = this.#missing.get(stat.inode);
    if (missing === undefined) return undefined;
    const known = missing.row.birth(missing.at);
    const birth = birthMarkOf(stat);
    if (known !== 0 && birth !== 0 && known !== birth) return undefined;
    this.#missing.delete(stat.inode);
    return missing;
  }

  #scanOf({ row, at, oldPath }: Missing, where: Pick<DirectoryScan, "parent" | "place" | "name">): DirectoryScan {
    const scan = this.#scanner.scanOf(where, { row, at }, oldPath);
    this.movedIds.add(dotKey(scan.id));
    return scan;
  }

  /** Looks for missing directories inside a new one. */
  async #matchInside(walk: FolderWalk, top: string): Promise<void> {
    const scanner = this.#scanner;
    const { lister } = scanner;
    const found: { path: string; scan: DirectoryScan }[] = [];
    const frames: { names: string[]; rules: IgnoreRules }[] = [];
    const list = (above: IgnoreRules): void => {
      const all: string[] = [];
      let hasRules = false;
      lister.begin(walk.fd);
      while (lister.next()) {
        if (scanner.isListedDirectory()) all.push(lister.name);
        else if (lister.nameEnd - lister.nameAt === ignoreFileName.length && lister.name === ignoreFileName)
          hasRules = true;
      }
      const rules = rulesIn(above, walk, hasRules, scanner.onProblem);
      frames.push({ names: all.filter((name) => isTaken(rules, name, true, () => {})), rules });
    };
    list(rulesAbove(scanner.options.root, top, scanner.onProblem));
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const name = frame.names.pop();
      if (name === undefined) {
        frames.pop();
        if (frames.length > 0) walk.leave();
        continue;
      }
      const path = below(walk.path, name);
      if (this.movedInside.has(path)) continue;
      const missing = this.#take(findStat(latin(name), walk.fd));
      if (missing !== undefined) {
        found.push({ path, scan: this.#scanOf(missing, { parent: undefined, place: path, name }) });
      } else if (this.#enter(walk, name)) list(frame.rules);
    }
    for (const { path, scan } of found) {
      this.movedInside.set(path, scan);
      await scanner.walk(scan);
    }
  }

  /** A directory that is from nowhere: the one of that name, made again, or a new one when that is elsewhere now. */
  async #settle({ parent, name, at }: Stray): Promise<void> {
    const scanner = this.#scanner;
    const oldPath = below(parent.oldPath, name);
    const record = at >= 0 ? { row: parent.row, at } : this.#recordOfTree(oldPath);
    if (record === undefined || !isDirectoryMode(record.row.mode(record.at))) return;
    if (this.movedIds.has(dotKey(record.row.id(record.at)))) {
      parent.add({ name, type: "new", at, scan: undefined, isDirectory: true });
      return;
    }
    this.#missing.delete(record.row.inode(record.at));
    const row = at >= 0 ? undefined : ScanRow.empty;
    const scan = scanner.scanOf({ parent, place: "", name }, record, oldPath, row);
    parent.add({ name, type: "changed", at, scan, isDirectory: true });
    await scanner.walk(scan);
  }

  /**
   * A directory that is in the tree and in no row: a checkout could not make it. Nothing in it was ever here, so nothing in it is missing.
   */
  #recordOfTree(oldPath: string): { readonly row: ScanRow; readonly at: number } | undefined {
    const { reader, tree } = this.#scanner.options;
    const entry = tree === undefined ? undefined : reader.findPath(tree, splitPath(latin(oldPath)));
    if (entry?.kind !== kinds.directory) return undefined;
    const builder = new ScanRowBuilder(0, 0);
    builder.add(recordOfEntry(reader, entry));
    const row = ScanRow.decode(builder.finish());
    return row === undefined ? undefined : { row, at: row.starts[0] as number };
  }
}
