/**
 * Files of a live filesystem that are changed where they lie: what is written to a large unreal file is kept in a log, and read from there, the rest where it was. A
 * commit makes the new content of both, and the file is unreal again.
 *
 * So it is for writing, cutting, allocating and times. For all else, and when more than `shareMax` of the file was written, the file is brought into the
 * folder, after a commit of what is staged.
 */
import { fdatasync as startFdatasync } from "node:fs";
import { promisify } from "node:util";
import { errnoOf } from "../base/errors.ts";
import { close, openFlags } from "../base/posix.ts";
import { reopen } from "../base/posix-inode.ts";
import { kinds } from "../format/mod.ts";
import type { StagedBase, StagedFile } from "../workdir/mod.ts";
import type { CommitFilesystem } from "./commit-filesystem.ts";
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits } from "./filesystem.ts";
import type { LiveRealizer } from "./live-realizer.ts";
import { pathOf } from "./live-trees.ts";
import type { StagedFiles } from "./staged-files.ts";
import { TreeNode } from "./tree-node.ts";

const fdatasync = promisify(startFdatasync);
/** Of a file that much was written of, all is worth bringing. */
const shareMax = 1 / 4;
/** Each takes some hundred bytes of memory. */
const rangesMax = 65_536;
export const setIdBits = 0o6000;
export interface StagedRead {
  readonly inode: number;
  /** In bytes, as the length. */
  readonly offset: number;
  readonly length: number;
  readonly signal: () => AbortSignal;
}

/** In bytes. */
export interface FileRange {
  readonly offset: number;
  readonly length: number;
}

/** What may be changed of a file that is not in the folder; "ctimeNs" and "atimeNs" are not kept. */
const stagedChanges: ReadonlySet<string> = new Set(["size", "mtimeNs", "atimeNs", "ctimeNs", "clearSetId"]);

export class LiveStaged {
  readonly #live: LiveRealizer;
  /** Inodes that were changed: who has one open sees what a commit makes of it. */
  readonly #changed = new Set<number>();

  constructor(live: LiveRealizer) {
    this.#live = live;
  }

  /** What was changed of an unreal file. */
  find(inode: number): StagedFile | undefined {
    const { staged } = this.#live.layer;
    if (staged.count === 0 && this.#changed.size === 0) return undefined;
    const node = this.#nodeAt(inode);
    const file = node === undefined ? undefined : staged.find(node.entry.id);
    if (file !== undefined) this.#changed.add(inode);
    else if (this.#changed.delete(inode) && node !== undefined) this.#showCommitted(inode);
    return file;
  }

  /** Nobody has it open any more. */
  closed(inode: number): void {
    this.#changed.delete(inode);
  }

  #showCommitted(inode: number): void {
    try {
      this.#shown().moved(inode, this.#live.nodeAt(inode));
    } catch (thrown) {
      // It was deleted, or replaced, meanwhile.
      if (errnoOf(thrown) !== "ESTALE") throw thrown;
    }
  }

  /** Whether a file can be changed where it lies. */
  isFor(inode: number): boolean {
    if (this.find(inode) !== undefined) return true;
    const node = this.#nodeAt(inode);
    return node !== undefined && canStage(node, this.#live.layer.staged);
  }

  /**
   * What takes edits of an unreal file: undefined of one that must be in the folder for that. Where there are too many edits, they are committed first.
   * @throws Error of the disk.
   */
  toChange(inode: number): fs.Answer<StagedFile | undefined> {
    const node = this.#nodeAt(inode);
    if (node === undefined || this.#live.isBecomingReal(inode)) return undefined;
    const { staged } = this.#live.layer;
    const found = this.find(inode);
    if (found !== undefined && (found.isDropped || !isFull(found))) return found;
    if (found !== undefined) {
      if (isMuch(found)) return undefined;
      return this.#live.layer.settle().then(() => this.toChange(inode));
    }
    if (!canStage(node, staged)) return undefined;
    this.#changed.add(inode);
    return this.beginOf(this.#live.nodeAt(inode));
  }

  /** Undefined of a file that cannot be changed where it lies, or where there are too many. @throws Error of the disk. */
  beginOf(node: TreeNode): StagedFile | undefined {
    const { staged } = this.#live.layer;
    return canStage(node, staged) ? staged.begin(baseOf(node)) : undefined;
  }

  /** Whether all of a change can be kept so. */
  isFit(changes: fs.AttributeChanges): boolean {
    const names = Object.keys(changes);
    return names.length > 0 && changes.size !== 0 && names.every((name) => stagedChanges.has(name));
  }

  write(file: StagedFile, offset: number, bytes: Uint8Array, { append = false }: fs.WriteOptions): void {
    const at = append ? file.size : offset;
    checkSize(at + bytes.length);
    file.write(at, bytes, this.#nowNs());
    this.#live.layer.staged.changed();
  }

  change(file: StagedFile, { size, mtimeNs }: fs.AttributeChanges): void {
    if (size !== undefined) {
      checkSize(size);
      file.resize(size, this.#nowNs());
    }
    if (mtimeNs !== undefined) file.setTime(mtimeNs === "now" ? this.#nowNs() : mtimeNs);
    this.#live.layer.staged.changed();
  }

  /**
   * Zeros are a hole. Nothing is reserved, for the log goes with the next commit: where there is no room now that is said, where there is none later a write fails then.
   * @throws FilesystemFailure ENOSPC.
   */
  allocate(file: StagedFile, { kind, keepSize, offset, length }: fs.AllocateOptions): void {
    const end = offset + length;
    checkSize(end);
    const { availableBlocks, blockBytes } = this.#live.folder.statfs();
    if (kind === "reserve" && length > availableBlocks * blockBytes)
      throw new FilesystemFailure("ENOSPC", "cannot reserve: there is no room for that");
    if (kind !== "reserve") file.free(offset, length, this.#nowNs());
    if (!keepSize && end > file.size) file.resize(end, this.#nowNs());
    else if (kind === "reserve") file.setTime(this.#nowNs());
    this.#live.layer.staged.changed();
  }

  /** A range is what it was before all that was changed. */
  restore(file: StagedFile, { offset, length }: FileRange): void {
    file.restore(offset, length, this.#nowNs());
    this.#live.layer.staged.changed();
  }

  /** Begins with a hole, and a range of what a file holds. @throws FilesystemFailure ENOSPC: too many files are changed. Error of the disk. */
  beginPart(node: TreeNode, size: number, range: FileRange): void {
    const file = this.beginOf(node);
    if (file === undefined) throw new FilesystemFailure("ENOSPC", "cannot copy: too many files are changed");
    for (const each of [0, size]) file.resize(each, this.#nowNs());
    this.restore(file, range);
  }

  /** On another thread: it takes as long as the disk does. */
  async sync({ fd }: StagedFile): Promise<void> {
    // A commit may end the log meanwhile.
    const own = reopen(fd, openFlags.read);
    try {
      await fdatasync(own);
    } finally {
      close(own);
    }
  }

  /** As `Filesystem.read`. @throws OuroError as `ContentReader.read`. */
  read(file: StagedFile, request: StagedRead): fs.Answer<readonly Uint8Array[]> {
    const { inode, offset, length, signal } = request;
    const { content } = this.#shown();
    const parts = [...file.edits.pieces(offset, offset + length)].map((piece): fs.Answer<readonly Uint8Array[]> => {
      const wanted = piece.end - piece.start;
      if (piece.from === "hole") return [new Uint8Array(wanted)];
      if (piece.from === "log") return [file.read(piece.at, wanted)];
      return content.read(file.base.content, { file: inode, offset: piece.start, length: wanted, signal });
    });
    if (!parts.some((part) => part instanceof Promise)) return (parts as (readonly Uint8Array[])[]).flat();
    return Promise.all(parts).then((all) => all.flat());
  }

  /** As `Filesystem.lseek`. @throws FilesystemFailure ENXIO; OuroError as `ContentReader.seek`. */
  seek(file: StagedFile, offset: number, what: "data" | "hole"): number {
    if (offset < file.size) {
      for (const { start, isHole } of this.#stretches(file, offset))
        if (isHole === (what === "hole")) return Math.max(start, offset);
      if (what === "hole") return file.size;
    }
    throw new FilesystemFailure("ENXIO", "cannot seek: nothing follows");
  }

  *#stretches(file: StagedFile, offset: number): Generator<{ readonly start: number; readonly isHole: boolean }> {
    const { lists } = this.#shown().content;
    for (const { from, start, end } of file.edits.pieces(offset, file.size)) {
      if (from !== "base") yield { start, isHole: from === "hole" };
      else
        for (const { item, offset: at } of lists.items(file.base.content, start, end))
          yield { start: Math.max(at, start), isHole: item.form === "hole" };
    }
  }

  /** An unreal file of the tree. */
  #nodeAt(inode: number): TreeNode | undefined {
    if (this.#live.realOf(inode) !== undefined) return undefined;
    const node = this.#live.shown?.nodeAt(inode);
    return node instanceof TreeNode && node.view.name === "" && node.kind === "file" ? node : undefined;
  }

  /** @throws FilesystemFailure ESTALE: nothing was ever shown. */
  #shown(): CommitFilesystem {
    const { shown } = this.#live;
    if (shown === undefined) throw new FilesystemFailure("ESTALE", "cannot use an inode: nothing is committed");
    return shown;
  }

  #nowNs(): bigint {
    return this.#live.layer.staged.nowNs();
  }
}

/** Whether a file can be changed while it is unreal. Names of one file must all show what is written through one of them, and setuid bits go with the first write. */
export function canStage({ entry }: TreeNode, { sizeMin }: StagedFiles): boolean {
  const { value } = entry.data[0];
  if (value.kind !== kinds.file || entry.meta.link !== undefined || (entry.meta.mode & setIdBits) !== 0) return false;
  return value.content.size >= sizeMin;
}

function isFull(file: StagedFile): boolean {
  return file.edits.count >= rangesMax || isMuch(file);
}

function isMuch({ bytes, base }: StagedFile): boolean {
  return bytes > base.content.size * shareMax;
}

function baseOf(node: TreeNode): StagedBase {
  const { id, mtimeNs, data } = node.entry;
  const { value } = data[0];
  if (value.kind !== kinds.file) throw new FilesystemFailure("EINVAL", "cannot write: it is no file");
  return { id, path: pathOf(node), mtimeNs, content: value.content };
}

function checkSize(size: number): void {
  if (size > filesystemLimits.fileBytes) throw new FilesystemFailure("EFBIG", "cannot write: too large");
}
