/**
 * A disk on which things go wrong: the Nth operation fails or is the last one, and what was not synced is lost when the power goes.
 *
 * It works on the real disk and remembers how to undo. The model is a strict journaling file system: of the changes to names that no sync
 * of a directory has made durable, those in one directory (and in directories connected by renames) are kept up to some moment and
 * undone after it, each such group for itself; or, where `keepsOrder` is false, any of them are undone, whatever was done later (see
 * lost-changes.ts). The bytes of a file since its last sync are kept, lost, or some blocks of them are, whatever became of its names. For
 * small test files: contents are held in memory.
 */
import { dirname, join } from "node:path";
import type { Disk, DiskPath, DiskStat, OpenMode } from "../../src/base/disk.ts";
import { errnoOf } from "../../src/base/errors.ts";
import type { Prng } from "../../src/base/prng.ts";
import { type PathChange, pickLost, withNeeded } from "./lost-changes.ts";

/** Thrown by the operation at which the machine stops, and by all after it. No failed system call: nothing may catch it. */
export class Crash extends Error {
  override readonly name = "Crash";
}

export interface Fault {
  /** Counted from 1; everything but `close` counts. */
  readonly at: number;
  /**
   * ENOSPC only where space is needed; elsewhere it is EIO. "full" is ENOSPC there and ever after, and nothing elsewhere. A write
   * that fails has written its first half.
   */
  readonly kind: "EIO" | "ENOSPC" | "full" | "crash";
  /** The machine stops no earlier than at something that is no mere reading: what is left is the same, whichever reading is the last. */
  readonly passesReads?: boolean;
}

interface OpenFile {
  /** A descriptor of our own, which no change of names takes away. */
  readonly fd: number;
  /** What it held at the last sync; of a file made since then: nothing. */
  durable: Uint8Array;
  isDirty: boolean;
}

interface NameChange extends PathChange {
  /** Syncing any of these makes it durable. */
  readonly durableBy: readonly string[];
  /** Directories whose changes are ordered with this one. */
  readonly touches: readonly string[];
  undo(): void;
}

const needsSpace: ReadonlySet<string> = new Set([
  "create",
  "createFile",
  "makeSymlink",
  "write",
  "truncate",
  "rename",
  "link",
  "makeDirectory",
  "syncFile",
]);

const blockBytes = 4096;

/** They change nothing, and make nothing durable. Of a folder's writer, too. */
const reads: ReadonlySet<string> = new Set([
  "open",
  "read",
  "list",
  "stat",
  "statFile",
  "statWords",
  "find",
  "openRoot",
  "openDirectory",
  "openFile",
  "listXattrs",
  "hasDefaultAcl",
]);

export class FaultyDisk implements Disk {
  readonly #inner: Disk;
  readonly #fault: Fault | undefined;
  /** Where what was removed is kept, for undoing it. */
  readonly #graveyard: string;
  readonly #keepsOrder: boolean;
  #graves = 0;
  #count = 0;
  #hasCrashed = false;
  #failedAt: number | undefined;
  /** By inode. */
  readonly #files = new Map<bigint, OpenFile>();
  readonly #inodes = new Map<number, bigint>();
  #names: NameChange[] = [];

  /** @param options.graveyard An empty folder on the same file system, not part of what is tested. */
  constructor(
    inner: Disk,
    options: { readonly graveyard: string; readonly fault?: Fault; readonly keepsOrder?: boolean },
  ) {
    this.#inner = inner;
    this.#keepsOrder = options.keepsOrder ?? true;
    this.#graveyard = options.graveyard;
    this.#fault = options.fault;
  }

  /** The operations, in order: "open", "write", …. */
  readonly log: string[] = [];

  /** How many operations there were. */
  get count(): number {
    return this.#count;
  }

  /** The number of the first operation that failed. */
  get failedAt(): number | undefined {
    return this.#failedAt;
  }

  get hasCrashed(): boolean {
    return this.#hasCrashed;
  }

  /** Counts an operation. @returns Whether a write is to stop halfway. @throws Crash, or a failed system call. */
  #step(name: string): boolean {
    if (this.#hasCrashed) throw new Crash("the machine has stopped");
    this.#count += 1;
    this.log.push(name);
    if (!this.#isNow(name)) return false;
    if (name === "write") return true;
    this.#fail(name);
    return false;
  }

  #isNow(name: string): boolean {
    if (this.#fault === undefined) return false;
    const { at, kind, passesReads = false } = this.#fault;
    if (kind === "full") return this.#count >= at && needsSpace.has(name);
    return passesReads ? this.#count >= at && !reads.has(name) : this.#count === at;
  }

  #fail(name: string): void {
    const kind = this.#fault?.kind;
    this.#failedAt ??= this.#count;
    if (kind === "crash") {
      this.#hasCrashed = true;
      throw new Crash(`the machine stops at operation ${this.#count}: ${name}`);
    }
    const code = kind !== "EIO" && needsSpace.has(name) ? "ENOSPC" : "EIO";
    throw Object.assign(new Error(`${code}: made up at operation ${this.#count}, ${name}`), { code });
  }

  /** Other calls (a FolderWriter, say) with the same count and the same fault. What they do is not undone when the power goes. */
  wrap<T extends object>(calls: T): T {
    const entries = Object.entries(calls).map(([name, call]: [string, unknown]) => {
      if (typeof call !== "function" || name === "close") return [name, call];
      return [
        name,
        (...args: unknown[]): unknown => {
          if (this.#step(name)) this.#fail(name);
          return call.apply(calls, args);
        },
      ];
    });
    return Object.fromEntries(entries) as T;
  }

  open(path: DiskPath, mode: OpenMode, permissions?: number): number {
    this.#step(mode.startsWith("create") ? "create" : "open");
    const before = mode === "read" ? undefined : this.#inner.stat(path);
    if (mode === "create" && before?.kind === "file") this.#track(path, before.inode, { isNew: false }).isDirty = true;
    const fd = this.#inner.open(path, mode, permissions);
    const { inode, kind } = this.#inner.statFile(fd);
    this.#inodes.set(fd, inode);
    if (mode === "read" || kind !== "file") return fd;
    this.#track(path, inode, { isNew: before === undefined });
    if (before === undefined) this.#change([path], () => this.#inner.unlink(path));
    return fd;
  }

  #track(path: DiskPath, inode: bigint, { isNew }: { readonly isNew: boolean }): OpenFile {
    const known = this.#files.get(inode);
    if (known !== undefined) return known;
    const fd = this.#inner.open(path, "write");
    const durable = new Uint8Array(isNew ? 0 : this.#inner.statFile(fd).size);
    this.#inner.read(fd, durable, 0);
    const file: OpenFile = { fd, durable, isDirty: false };
    this.#files.set(inode, file);
    return file;
  }

  close(fd: number): void {
    this.#inodes.delete(fd);
    this.#inner.close(fd);
  }

  read(fd: number, into: Uint8Array, position: number): number {
    this.#step("read");
    return this.#inner.read(fd, into, position);
  }

  write(fd: number, bytes: Uint8Array, position: number): void {
    const stopsHalfway = this.#step("write");
    this.#markDirty(fd);
    this.#inner.write(fd, stopsHalfway ? bytes.subarray(0, bytes.length >>> 1) : bytes, position);
    if (stopsHalfway) this.#fail("write");
  }

  truncate(fd: number, size: number): void {
    this.#step("truncate");
    this.#markDirty(fd);
    this.#inner.truncate(fd, size);
  }

  punchHole(fd: number, offset: number, length: number): void {
    this.#step("punchHole");
    this.#markDirty(fd);
    this.#inner.punchHole(fd, offset, length);
  }

  #markDirty(fd: number): void {
    const file = this.#files.get(this.#inodes.get(fd) ?? -1n);
    if (file !== undefined) file.isDirty = true;
  }

  syncFile(fd: number): void {
    this.#step("syncFile");
    this.#inner.syncFile(fd);
    const file = this.#files.get(this.#inodes.get(fd) ?? -1n);
    if (file === undefined) return;
    file.durable = new Uint8Array(this.#inner.statFile(file.fd).size);
    this.#inner.read(file.fd, file.durable, 0);
    file.isDirty = false;
  }

  syncDirectory(path: DiskPath): void {
    this.#step("syncDirectory");
    this.#inner.syncDirectory(path);
    const directory = pathKey(path);
    const isSynced = ({ durableBy }: NameChange): boolean => durableBy.includes(directory);
    // What is durable rests on what came before it.
    const durable = this.#keepsOrder
      ? new Set(this.#groups().flatMap((group) => group.slice(0, group.findLastIndex(isSynced) + 1)))
      : withNeeded(this.#names, this.#names.filter(isSynced));
    this.#names = this.#names.filter((change) => !durable.has(change));
  }

  rename(from: DiskPath, to: DiskPath): void {
    this.#step("rename");
    const replaced = this.#inner.stat(to);
    const grave = replaced?.kind === "file" ? this.#bury(to) : undefined;
    this.#inner.rename(from, to);
    this.#change([from, to], () => {
      this.#inner.rename(to, from);
      if (grave !== undefined) this.#inner.rename(grave, to);
      if (replaced?.kind === "directory") this.#inner.makeDirectory(to, replaced.mode);
    });
  }

  link(from: DiskPath, to: DiskPath): void {
    this.#step("link");
    this.#inner.link(from, to);
    this.#change([to], () => this.#inner.unlink(to), { from });
  }

  unlink(path: DiskPath): void {
    this.#step("unlink");
    const grave = this.#inner.stat(path)?.kind === "file" ? this.#bury(path) : undefined;
    this.#inner.unlink(path);
    this.#change([path], () => {
      if (grave !== undefined) this.#inner.rename(grave, path);
    });
  }

  makeDirectory(path: DiskPath, permissions?: number): void {
    this.#step("makeDirectory");
    this.#inner.makeDirectory(path, permissions);
    const undo = (): void => {
      try {
        this.#inner.removeDirectory(path);
      } catch (thrown) {
        // Something else than this disk has put something into it, and made it durable so.
        if (errnoOf(thrown) !== "ENOTEMPTY") throw thrown;
      }
    };
    this.#change([path], undo, { directory: path });
  }

  removeDirectory(path: DiskPath): void {
    this.#step("removeDirectory");
    const mode = this.#inner.stat(path)?.mode ?? 0o700;
    this.#inner.removeDirectory(path);
    this.#change([path], () => this.#inner.makeDirectory(path, mode), { directory: path });
  }

  list(path: DiskPath): Uint8Array[] {
    this.#step("list");
    return this.#inner.list(path);
  }

  stat(path: DiskPath): DiskStat | undefined {
    this.#step("stat");
    return this.#inner.stat(path);
  }

  statFile(fd: number): DiskStat {
    this.#step("statFile");
    return this.#inner.statFile(fd);
  }

  /** @param others What else the change rests on: a file that gets a second name, a directory that comes or goes. */
  #change(
    changed: readonly DiskPath[],
    undo: () => void,
    others: { readonly from?: DiskPath; readonly directory?: DiskPath } = {},
  ): void {
    const { from, directory } = others;
    const durableBy = changed.map(parentOf);
    this.#names.push({
      durableBy,
      touches: [
        ...durableBy,
        ...(from === undefined ? [] : [parentOf(from)]),
        ...(directory === undefined ? [] : [pathKey(directory)]),
      ],
      paths: [...changed, ...(from === undefined ? [] : [from])].map(pathKey),
      undo,
    });
  }

  /** A second name for a file that is about to lose its own. */
  #bury(path: DiskPath): string {
    this.#graves += 1;
    const grave = join(this.#graveyard, String(this.#graves));
    this.#inner.link(path, grave);
    return grave;
  }

  /** Changes of names that are ordered among themselves. */
  #groups(): NameChange[][] {
    const groups: { directories: Set<string>; changes: NameChange[] }[] = [];
    for (const change of this.#names) {
      const joined = groups.filter(({ directories }) => change.touches.some((each) => directories.has(each)));
      const directories = new Set([...joined.flatMap((group) => [...group.directories]), ...change.touches]);
      const changes = [...joined.flatMap((group) => group.changes), change];
      for (const group of joined) groups.splice(groups.indexOf(group), 1);
      groups.push({ directories, changes });
    }
    const order = new Map(this.#names.map((change, index) => [change, index]));
    return groups.map(({ changes }) => changes.sort((a, b) => (order.get(a) ?? 0) - (order.get(b) ?? 0)));
  }

  /**
   * The power goes: what was not synced is lost, or not, as chance has it. Everything must be closed before. The
   * disk is not for use afterwards; open what is there with the real one.
   */
  losePower(prng: Prng): void {
    this.#hasCrashed = true;
    for (const file of this.#files.values()) {
      if (file.isDirty) this.#loseBytes(file, prng);
      this.#inner.close(file.fd);
    }
    if (this.#keepsOrder) {
      const lost = new Set(this.#groups().flatMap((group) => group.slice(prng.int(0, group.length))));
      for (const change of this.#names.toReversed()) if (lost.has(change)) change.undo();
    } else for (const change of pickLost(this.#names, prng)) change.undo();
    for (const name of this.#inner.list(this.#graveyard))
      this.#inner.unlink(join(this.#graveyard, Buffer.from(name).toString()));
  }

  /** The process ends, and the machine goes on: all that was written is there. Not for use afterwards. */
  end(): void {
    for (const { fd } of this.#files.values()) this.#inner.close(fd);
    this.#files.clear();
  }

  #loseBytes({ fd, durable }: OpenFile, prng: Prng): void {
    const { size } = this.#inner.statFile(fd);
    const written = new Uint8Array(size);
    this.#inner.read(fd, written, 0);
    const fate = prng.pick(["kept", "lost", "size alone", "some blocks"] as const);
    if (fate === "kept") return;
    if (fate === "lost") {
      this.#inner.truncate(fd, durable.length);
      this.#inner.write(fd, durable, 0);
      return;
    }
    if (fate === "size alone") written.fill(0, Math.min(durable.length, size));
    else for (let at = 0; at < size; at += blockBytes) if (prng.chance(0.5)) loseBlock(written, durable, at);
    this.#inner.write(fd, written, 0);
  }
}

/** What was written into a block is not there: it holds what was synced last, or nothing. */
function loseBlock(written: Uint8Array, durable: Uint8Array, at: number): void {
  written.fill(0, at, at + blockBytes);
  written.set(durable.subarray(at, Math.min(at + blockBytes, written.length)), at);
}

function pathKey(path: DiskPath): string {
  const text = typeof path === "string" ? path : Buffer.from(path).toString("latin1");
  return text.length > 1 && text.endsWith("/") ? text.slice(0, -1) : text;
}

function parentOf(path: DiskPath): string {
  return dirname(pathKey(path));
}
