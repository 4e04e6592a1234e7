/**
 * A FolderWriter on which things go wrong at the operation at which they do for a `FaultyDisk`, with the same count; and what it wrote
 * may be lost when the power goes.
 *
 * The model: names are undone from some moment on, back to the last `sync`, or any of them are (see lost-changes.ts); the bytes of a file that was made since then are kept, lost, or zeros,
 * with the attributes that were set, as on a file system that allocates late.
 */
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { fstat } from "../../src/base/posix.ts";
import type { Prng } from "../../src/base/prng.ts";
import { type FolderWriter, posixWriter } from "../../src/workdir/mod.ts";
import type { FaultyDisk } from "./faulty-disk.ts";
import { type PathChange, pickLost } from "./lost-changes.ts";

interface NameChange extends PathChange {
  undo(): void;
}

export class FaultyFolder {
  /** To be given to what is tested. */
  readonly writer: FolderWriter;
  readonly #graveyard: string;
  #graves = 0;
  readonly #keepsOrder: boolean;
  #names: NameChange[] = [];
  /** Descriptors of our own for files made since the last sync, by inode. */
  readonly #files = new Map<bigint, number>();

  /** @param graveyard An empty folder on the same file system, not part of what is tested. */
  constructor(
    disk: FaultyDisk,
    { graveyard, keepsOrder = true }: { readonly graveyard: string; readonly keepsOrder?: boolean },
  ) {
    this.#graveyard = graveyard;
    this.#keepsOrder = keepsOrder;
    this.writer = disk.wrap(this.#remembering());
  }

  #remembering(): FolderWriter {
    return {
      ...posixWriter,
      createFile: (directory, name) => {
        const fd = posixWriter.createFile(directory, name);
        this.#change(unlinkSync, pathOf(directory, name));
        this.#files.set(fstat(fd).inode, openSync(`/proc/self/fd/${fd}`, "r+"));
        return fd;
      },
      makeDirectory: (directory, name) => {
        posixWriter.makeDirectory(directory, name);
        this.#change(rmdirSync, pathOf(directory, name));
      },
      makeSymlink: (directory, name, target) => {
        posixWriter.makeSymlink(directory, name, target);
        this.#change(unlinkSync, pathOf(directory, name));
      },
      link: (fromDirectory, from, directory, name) => {
        posixWriter.link(fromDirectory, from, directory, name);
        this.#change(unlinkSync, pathOf(directory, name), pathOf(fromDirectory, from));
      },
      rename: (fromDirectory, from, directory, name) => {
        const [old, path] = [pathOf(fromDirectory, from), pathOf(directory, name)];
        const replaced = posixWriter.find(directory, name);
        const grave = replaced === undefined || replaced.kind === "directory" ? undefined : this.#bury(path);
        posixWriter.rename(fromDirectory, from, directory, name);
        const undo = (): void => {
          renameSync(path, old);
          if (grave !== undefined) renameSync(grave, path);
        };
        this.#change(undo, path, old);
      },
      unlink: (directory, name) => {
        const path = pathOf(directory, name);
        const grave = this.#bury(path);
        posixWriter.unlink(directory, name);
        this.#change(() => renameSync(grave, path), path);
      },
      removeDirectory: (directory, name) => {
        posixWriter.removeDirectory(directory, name);
        this.#change(mkdirSync, pathOf(directory, name));
      },
      sync: (root) => {
        posixWriter.sync(root);
        this.#forget();
      },
    };
  }

  #change(undo: (path: Buffer) => unknown, path: Buffer, other?: Buffer): void {
    const paths = [path, ...(other === undefined ? [] : [other])].map((each) => each.toString("latin1"));
    this.#names.push({ paths, undo: () => void undo(path) });
  }

  /** A second name for what is about to lose its own. */
  #bury(path: Buffer): string {
    this.#graves += 1;
    const grave = join(this.#graveyard, `folder-${this.#graves}`);
    linkSync(path, grave);
    return grave;
  }

  #forget(): void {
    this.#names = [];
    for (const fd of this.#files.values()) closeSync(fd);
    this.#files.clear();
  }

  /** The process ends: everything that was written is there. */
  close(): void {
    this.#forget();
  }

  /** The power goes: what was not synced is lost, or not. */
  losePower(prng: Prng): void {
    const lost = this.#keepsOrder
      ? this.#names.slice(prng.int(0, this.#names.length)).reverse()
      : pickLost(this.#names, prng);
    for (const { undo } of lost) undo();
    for (const fd of this.#files.values()) loseBytes(fd, prng);
    this.#forget();
    rmSync(this.#graveyard, { recursive: true });
    mkdirSync(this.#graveyard);
  }
}

function pathOf(directory: number, name: Uint8Array): Buffer {
  return Buffer.concat([readlinkSync(`/proc/self/fd/${directory}`, "buffer"), Buffer.from("/"), name]);
}

function loseBytes(fd: number, prng: Prng): void {
  const { size, mtimeNs } = fstat(fd);
  const what = prng.int(0, 2);
  if (what === 0) return;
  ftruncateSync(fd, 0);
  if (what === 1) writeSync(fd, Buffer.alloc(size), 0, size, 0);
  posixWriter.setTime(fd, mtimeNs);
}
