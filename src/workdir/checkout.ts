/**
 * Checkout: making a folder what a tree says, by doing only what differs from the tree it holds now.
 *
 * What is moved is renamed, never written anew. First, in reverse order of the old tree, things are removed and what moves goes to
 * `.ourobox/moving/`; then, in the order of the new tree, things are made, moved in and changed, files by a pool of workers; then hard links,
 * and last the directories, deepest first, as making things in them changed their times. A directory with files that are in no tree
 * (ignored ones) stays. What cannot be made here (a device as an ordinary user, a name that this file system does not take) is noted as
 * absent, with all that would be below it; nothing older is left in its place. It is all durable when `checkout` returns. After a crash the caller puts back what was being moved (held.ts), and
 * begins again from what the folder then holds.
 *
 * The caller has made sure that the folder holds `from`: what it holds beyond that is overwritten only where the new tree needs the name.
 */
import { equalBytes, toText } from "../base/bytes.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import type { FileStat } from "../base/posix.ts";
import { quotePath } from "../base/quote.ts";
import type { Spill } from "../base/spill.ts";
import { type Dot, dotKey, type Entry, equalDots, type Hash, kinds } from "../format/mod.ts";
import {
  type Change,
  comparePaths,
  diffTrees,
  directoryOf,
  joinPath,
  pathKey,
  splitLast,
  splitPath,
  TreeReader,
  walkEntries,
} from "../history/mod.ts";
import { EntryMaker } from "./checkout-entry.ts";
import { type CheckoutPlace, type FileJob, type JobGroup, setsRootsXattrs, temporaryName } from "./checkout-file.ts";
import { LinkGroups } from "./checkout-links.ts";
import type { CheckoutPool } from "./checkout-pool.ts";
import { separateDisplaced } from "./displaced.ts";
import { EarlySync } from "./early-sync.ts";
import { FinishingDirectories } from "./finishing.ts";
import { FolderPaths } from "./folder-paths.ts";
import type { HeldMove } from "./held.ts";
import { type DirectoryObservation, Observations } from "./observations.ts";

export interface CheckoutOptions {
  readonly reader: TreeReader;
  readonly place: CheckoutPlace;
  readonly pool: CheckoutPool;
  /** The tree that the folder holds; absent: an empty folder. */
  readonly from: Hash | undefined;
  readonly to: Hash;
  /** All that is to be done, in the order of the paths: what else is in the new tree stays out of the folder. Absent: all in which the two differ. */
  readonly only?: readonly Change[];
  /** Where what was seen is put aside until `saveObservations`, which is to come before its end; absent: it is not to be saved. */
  readonly rowsAside?: Spill;
  readonly signal?: AbortSignal;
  readonly onFiles?: (files: number, bytes: number) => void;
  /** Called before anything is moved out: when it returns, the list is durable, and `putBack` can undo it after a crash. */
  readonly onMoveOut?: (moves: readonly HeldMove[]) => void;
  /** One line about one path that could not be made as it should be. */
  readonly warn: (message: string) => void;
}

export interface CheckoutReport {
  readonly written: number;
  readonly removed: number;
  readonly isPartial: boolean;
  /** Something that was written belongs to another than the tree says. */
  readonly hasOtherOwners: boolean;
  /** How many names could not be made; not counting what is below them. */
  readonly absent: number;
  /** By `dotKey` of the directory's id; none where they are not to be saved. */
  readonly directories: ReadonlyMap<string, DirectoryObservation>;
  /** Directories that are in the new tree no more. */
  readonly gone: readonly Dot[];
  readonly rootStat: FileStat;
}

const batchBytes = 4 * 1024 * 1024;
const batchFiles = 256;
/** What is not set of a file that is there. */
const rewriting = ["content", "node", "target", "device", "xattrs", "links"] as const;
/** Of encoded tree nodes, where each is read once. */
const onceCacheBytes = 64 * 1024;

/**
 * @throws OuroError "no-space", "aborted", "corrupt" or "not-found" (content that is not here): the folder is then in between, and
 * a rerun goes on.
 */
export async function checkout(options: CheckoutOptions): Promise<CheckoutReport> {
  return new Checkout(options).run();
}

class Checkout {
  readonly #options: CheckoutOptions;
  readonly #place: CheckoutPlace;
  readonly #paths: FolderPaths;
  readonly #toRoot: Entry;
  readonly #fromRoot: Entry | undefined;
  /** It goes over what is in a folder that was not looked at: a file in the way is replaced. */
  readonly #isOver: boolean;
  readonly #links: LinkGroups;
  readonly #entries: EntryMaker;
  readonly #seen: Observations;
  readonly #finishing = new FinishingDirectories();
  /** Directories of the new tree that could not be made. */
  readonly #unmade = new Set<string>();
  #groups: { directory: Uint8Array; entries: Entry[]; files: FileJob[] }[] = [];
  #groupedBytes = 0;
  #groupedFiles = 0;
  readonly #inFlight = new Set<Promise<void>>();
  #failure: unknown;
  readonly #sync: EarlySync;
  #written = 0;
  #removed = 0;
  #isPartial = false;
  #absent = 0;

  constructor(options: CheckoutOptions) {
    const { reader, from, to, place, rowsAside: aside } = options;
    this.#options = options;
    this.#place = place;
    this.#toRoot = reader.root(to);
    this.#fromRoot = from === undefined ? undefined : reader.root(from);
    this.#paths = new FolderPaths(place.writer, place.root);
    this.#sync = new EarlySync(place.writer, place.root);
    this.#entries = new EntryMaker(place, reader.source);
    this.#seen = new Observations(reader, this.#toRoot, { setsOwner: setsRootsXattrs(place), aside });
    this.#isOver = from === undefined && place.moving !== undefined;
    // Where only a part is there, nothing is linked to what stays as it is.
    const hasAll = this.#fromRoot !== undefined && options.only === undefined;
    this.#links = new LinkGroups(reader, hasAll ? this.#toRoot : undefined);
  }

  async run(): Promise<CheckoutReport> {
    try {
      if (this.#fromRoot === undefined) await this.#makeAll();
      else await this.#makeDifferences();
      await this.#flush();
      await this.#settle(0);
      this.#makeLinks();
      this.#finishDirectories();
      await this.#sync.end();
      return {
        written: this.#written,
        removed: this.#removed,
        isPartial: this.#isPartial,
        hasOtherOwners: this.#seen.hasOtherOwners,
        absent: this.#absent,
        directories: this.#seen.directories,
        gone: this.#seen.gone,
        rootStat: this.#place.writer.stat(this.#place.root),
      };
    } catch (thrown) {
      await Promise.allSettled([...this.#inFlight, this.#sync.settle()]);
      throw ioError("Cannot write the folder", thrown);
    } finally {
      this.#paths.close();
    }
  }

  async #makeAll(): Promise<void> {
    this.#finishing.add(new Uint8Array(), this.#toRoot, { isFull: true });
    const top = directoryOf(this.#toRoot);
    if (top === undefined) return;
    this.#seen.made(new Uint8Array(), this.#toRoot.id);
    // Each node is read once: keeping it would only make the garbage collector copy it.
    const once = new TreeReader(this.#options.reader.source, { cacheBytes: onceCacheBytes });
    for (const { path, after } of this.#options.only ?? []) if (after !== undefined) await this.#make(path, after);
    if (this.#options.only !== undefined) return;
    for (const { path, entry } of walkEntries(once, top, new Uint8Array())) await this.#make(path, entry);
  }

  async #makeDifferences(): Promise<void> {
    const { reader, from, to } = this.#options;
    const changes = separateDisplaced([...(this.#options.only ?? diffTrees(reader, from, to))]);
    this.#links.setChanged(changes);
    this.#removeAndMoveOut(changes);
    for (const change of changes) await this.#apply(change);
  }

  #removeAndMoveOut(changes: readonly Change[]): void {
    const leaving: { path: Uint8Array; before: Entry; isMoved: boolean }[] = [];
    const moves: HeldMove[] = [];
    for (const { type, path, oldPath, before, what } of changes) {
      if (before === undefined) continue;
      if (type === "rename" && oldPath !== undefined) {
        leaving.push({ path: oldPath, before, isMoved: true });
        moves.push({ name: holdingName(before.id), oldPath, newPath: path });
      } else if (type === "remove" || what.has("kind")) leaving.push({ path, before, isMoved: false });
    }
    leaving.sort((a, b) => comparePaths(b.path, a.path));
    if (moves.length > 0) this.#options.onMoveOut?.(moves);
    for (const { path, before, isMoved } of leaving) {
      this.#checkAborted();
      const [parent, name] = splitLast(path);
      const around =
        this.#fromRoot === undefined ? undefined : this.#options.reader.findPath(this.#fromRoot, splitPath(parent));
      this.#guard(path, () => {
        const directory = this.#openWritable(parent, around);
        if (isMoved) this.#moveOut(directory, name, before);
        else this.#remove(directory, name, path, before);
      });
      // What could not be removed is then something of the folder alone, which a scan shows.
      if (around !== undefined) this.#removedFrom(parent, around, name);
    }
  }

  #moveOut(directory: number, name: Uint8Array, before: Entry): void {
    const { writer } = this.#place;
    try {
      writer.rename(directory, name, this.#moving(), holdingName(before.id));
      this.#paths.forget();
    } catch (thrown) {
      // After a crash it may be there already.
      if (errnoOf(thrown) !== "ENOENT" || writer.find(this.#moving(), holdingName(before.id)) === undefined)
        throw thrown;
    }
  }

  #remove(directory: number, name: Uint8Array, path: Uint8Array, before: Entry): void {
    const { writer } = this.#place;
    this.#removed += 1;
    try {
      if (before.kind !== kinds.directory) writer.unlink(directory, name);
      else {
        this.#seen.gone.push(before.id);
        writer.removeDirectory(directory, name);
        this.#paths.forget();
        this.#finishing.delete(path);
      }
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === "ENOENT") return;
      if (errno !== "ENOTEMPTY" && errno !== "EEXIST") throw thrown;
      this.#options.warn(`${quotePath(path)}: kept, for there are files in it that are not in the box`);
    }
  }

  /** Notes that a name has left a directory of the old tree, and that the directory's time is to be set again. */
  #removedFrom(oldParent: Uint8Array, parent: Entry, name: Uint8Array): void {
    this.#seen.removed(parent.id, name);
    const now = this.#options.reader.findPath(this.#toRoot, splitPath(oldParent));
    if (now !== undefined && equalDots(now.id, parent.id)) this.#finishing.add(oldParent, now, { isFull: false });
  }

  async #apply({ type, path, before, after, what }: Change): Promise<void> {
    if (after === undefined) return;
    if (path.length === 0) return this.#finishing.add(path, after, { isFull: true });
    if (this.#isBelowUnmade(path, after)) return;
    if (type === "add" || before === undefined || what.has("kind")) return this.#make(path, after);
    if (type === "rename") {
      const [parent, name] = splitLast(path);
      const isMovedIn = this.#guard(
        path,
        () => {
          this.#place.writer.rename(this.#moving(), holdingName(before.id), this.#openParent(parent), name);
          this.#paths.forget();
        },
        after,
      );
      if (!isMovedIn) return;
    }
    await this.#change(path, before, after, what);
  }

  async #change(path: Uint8Array, before: Entry, after: Entry, what: Change["what"]): Promise<void> {
    if (after.kind === kinds.directory) {
      if (what.has("node")) this.#seen.gone.push(before.id);
      this.#finishing.add(path, after, { isFull: true });
      return;
    }
    // What is set of one name of a linked file is set of all: it becomes a file of its own, or is linked again where it is the same.
    if (before.meta.link !== undefined || rewriting.some((each) => what.has(each))) return this.#make(path, after);
    const [parent, name] = splitLast(path);
    this.#guard(path, () => {
      const directory = this.#openParent(parent);
      if (after.kind === kinds.file) this.#entries.setAttributesOfFile(directory, name, after);
      else this.#entries.setAttributesOfOther(directory, name, after);
      this.#observe(parent, after, directory, name);
    });
  }

  /** Makes one entry where there is none, or another of its kind. */
  async #make(path: Uint8Array, entry: Entry): Promise<void> {
    this.#checkAborted();
    const [parent, name] = splitLast(path);
    if (this.#isBelowUnmade(path, entry)) return;
    if (entry.kind === kinds.file) return this.#makeFile(parent, path, entry);
    this.#guard(path, () => this.#makeOther(parent, name, path, entry), entry);
  }

  /** Makes what is no file. */
  #makeOther(parent: Uint8Array, name: Uint8Array, path: Uint8Array, entry: Entry): void {
    const directory = this.#openParent(parent);
    if (entry.kind === kinds.directory) {
      this.#entries.makeDirectory(directory, name, { replaces: this.#isOver });
      this.#seen.made(path, entry.id);
      this.#finishing.add(path, entry, { isFull: true });
      return;
    }
    if (this.#isOver) this.#entries.clearWay(directory, name);
    this.#entries.make(directory, name, entry);
    this.#written += 1;
    this.#observe(parent, entry, directory, name);
    this.#options.onFiles?.(1, 0);
  }

  async #makeFile(parent: Uint8Array, path: Uint8Array, entry: Entry): Promise<void> {
    const { value } = entry.data[0];
    if (value.kind !== kinds.file || this.#links.defer(path, entry)) return;
    const clear = (): void => this.#entries.clearWay(this.#openParent(parent), entry.name);
    if (this.#isOver && !this.#guard(path, clear, entry)) return;
    let group = this.#groups.at(-1);
    if (group === undefined || !equalBytes(group.directory, parent)) {
      this.#openParent(parent);
      group = { directory: parent, entries: [], files: [] };
      this.#groups.push(group);
    }
    group.entries.push(entry);
    group.files.push({ name: entry.name, content: value.content, ...this.#entries.attributes(entry) });
    this.#groupedBytes += value.content.size;
    this.#groupedFiles += 1;
    if (this.#groupedBytes >= batchBytes || this.#groupedFiles >= batchFiles) await this.#flush();
  }

  async #flush(): Promise<void> {
    const groups = this.#groups;
    if (groups.length === 0) return;
    this.#groups = [];
    this.#groupedBytes = 0;
    this.#groupedFiles = 0;
    const { pool } = this.#options;
    const batch = this.#writeBatch(groups).catch((thrown: unknown) => {
      this.#failure ??= thrown;
    });
    this.#inFlight.add(batch);
    void batch.then(() => this.#inFlight.delete(batch));
    await this.#settle(pool.room - 1);
  }

  /** Waits until no more than `count` batches are in flight. */
  async #settle(count: number): Promise<void> {
    while (this.#inFlight.size > count) await Promise.race(this.#inFlight);
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #writeBatch(groups: readonly (JobGroup & { readonly entries: readonly Entry[] })[]): Promise<void> {
    const results = await this.#options.pool.write(groups);
    for (const [index, { directory, entries }] of groups.entries()) {
      const result = results[index];
      if (result === undefined) throw new OuroError("io", "Cannot write the folder: a worker lost files");
      for (const { index: at, kind, message } of result.failed) {
        const entry = entries[at] as Entry;
        this.#notMade(joinPath(directory, entry.name), entry, new OuroError(kind, message));
      }
      this.#seen.noteRow(directory, result.row, result.hasOtherOwners);
      this.#written += result.written;
      this.#sync.add(result.bytes);
      this.#options.onFiles?.(entries.length, result.bytes);
    }
  }

  #makeLinks(): void {
    for (const { path, entry, primary } of this.#links.deferred())
      this.#guard(path, () => this.#makeLink(path, entry, primary), entry);
  }

  #makeLink(path: Uint8Array, entry: Entry, primary: { readonly path: Uint8Array; readonly entry: Entry }): void {
    const { writer, moving, root } = this.#place;
    const [parent, name] = splitLast(path);
    const [fromParent, from] = splitLast(primary.path);
    const directory = this.#openParent(parent);
    if (this.#isOver) this.#entries.clearWay(directory, name);
    const source = writer.openDirectory(root, fromParent);
    try {
      if (moving === undefined) writer.link(source, from, directory, name);
      else {
        const temporary = temporaryName(this.#place);
        writer.link(source, from, moving, temporary);
        writer.rename(moving, temporary, directory, name);
        // Renaming one name of a file over another of the same file does nothing, and leaves both.
        if (writer.find(moving, temporary) !== undefined) writer.unlink(moving, temporary);
      }
      this.#written += 1;
      this.#observe(parent, entry, directory, name);
      this.#observe(fromParent, primary.entry, source, from);
    } finally {
      writer.close(source);
    }
  }

  #finishDirectories(): void {
    const { writer } = this.#place;
    for (const { path, entry, isFull, isEdited } of this.#finishing.deepestFirst()) {
      this.#guard(path, () => {
        const fd = path.length === 0 ? writer.openDirectory(this.#place.root, path) : this.#paths.open(path);
        try {
          if (isFull) this.#entries.setAttributesOfDirectory(fd, entry);
          else this.#entries.setModeAndTime(fd, entry);
          if (path.length > 0 && !isEdited)
            this.#seen.note(splitLast(path)[0], entry, writer.stat(fd), { isWritten: isFull });
        } finally {
          if (path.length === 0) writer.close(fd);
        }
      });
    }
  }

  /** A directory of the new tree that something is made in: its time is set again at the end. */
  #openParent(path: Uint8Array): number {
    let entry = this.#finishing.entry(path);
    if (entry === undefined) {
      entry = this.#options.reader.findPath(this.#toRoot, splitPath(path));
      if (entry === undefined)
        throw new OuroError("corrupt", `Cannot make ${quotePath(path)}: the tree does not have it`);
      const { mode } = this.#place.writer.stat(this.#paths.open(path));
      this.#finishing.add(path, entry, { isFull: false, mode });
    }
    return this.#openWritable(path, entry);
  }

  /** A directory in which names can be made and removed. */
  #openWritable(path: Uint8Array, entry: Entry | undefined): number {
    const fd = this.#paths.open(path);
    const mode = entry?.meta.mode ?? 0o700;
    if ((mode & 0o300) !== 0o300) this.#place.writer.setMode(fd, mode | 0o700);
    return fd;
  }

  #observe(parent: Uint8Array, entry: Entry, directory: number, name: Uint8Array): void {
    const stat = this.#place.writer.find(directory, name);
    if (stat !== undefined) this.#seen.note(parent, entry, stat);
  }

  #moving(): number {
    if (this.#place.moving === undefined) throw new OuroError("invalid", "Cannot move files in a folder without a box");
    return this.#place.moving;
  }

  /**
   * Runs something about one path: its failure is a warning, and the rest goes on.
   * @param making What stands there from now on, if that is what it is about. @returns Whether it went well.
   */
  #guard(path: Uint8Array, body: () => void, making?: Entry): boolean {
    try {
      body();
      return true;
    } catch (thrown) {
      const error = ioError("Cannot write it", thrown);
      if (making === undefined) this.#fail(path, error);
      else this.#notMade(path, making, error);
      return false;
    }
  }

  /** Whether it belongs into a directory that could not be made: that has been told. */
  #isBelowUnmade(path: Uint8Array, entry: Entry): boolean {
    if (this.#unmade.size === 0 || !this.#unmade.has(pathKey(splitLast(path)[0]))) return false;
    if (entry.kind === kinds.directory) this.#unmade.add(pathKey(path));
    return true;
  }

  /** Notes that it is not here. What stood in its place would look like an edit of it, and goes too: the commit before has it. */
  #notMade(path: Uint8Array, entry: Entry, error: OuroError): void {
    this.#fail(path, error);
    this.#absent += 1;
    const [parent, name] = splitLast(path);
    if (entry.kind === kinds.directory) {
      this.#unmade.add(pathKey(path));
      this.#finishing.delete(path);
    }
    this.#removeOlder(path, parent, name);
    this.#seen.noteAbsent(parent, entry);
  }

  #removeOlder(path: Uint8Array, parent: Uint8Array, name: Uint8Array): void {
    const from = this.#fromRoot;
    if (from === undefined || this.#options.reader.findPath(from, splitPath(path)) === undefined) return;
    try {
      this.#place.writer.unlink(this.#openParent(parent), name);
    } catch (thrown) {
      const errno = errnoOf(thrown);
      // A name that cannot be here, or a directory with files of its own.
      if (errno !== undefined && ["ENOENT", "ENAMETOOLONG", "EILSEQ", "EINVAL", "EISDIR"].includes(errno)) return;
      throw ioError(`Cannot replace ${quotePath(path)}`, thrown, toText(path));
    }
  }

  #fail(path: Uint8Array, error: OuroError): void {
    if (error.kind === "no-space" || error.kind === "io") throw error;
    this.#isPartial = true;
    this.#options.warn(`${quotePath(path)}: ${error.message}`);
  }

  #checkAborted(): void {
    this.#options.signal?.throwIfAborted();
  }
}

function holdingName(id: Dot): Uint8Array {
  return Buffer.from(`m-${dotKey(id)}`);
}
