/** The half of a folder's filesystem that is about single inodes: attributes, content, handles, extended attributes, locks. */
import { ftruncateSync, readSync, fdatasync as startFdatasync, fsync as startFsync, writeSync } from "node:fs";
import { errnoOf } from "../base/errors.ts";
import { close, openFlags } from "../base/posix.ts";
import * as posix from "../base/posix-inode.ts";
import { FilesystemFailure } from "./failure.ts";
import { FileLocks } from "./file-locks.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits, isOwnerChange } from "./filesystem.ts";
import type { FolderInode, FolderInodes } from "./folder-inodes.ts";

const [setUidBit, setGidBit, groupExecuteBit] = [0o4000, 0o2000, 0o010];
const readBytesUsual = 1024 * 1024;
/** One read: more is given in further ones. */
const readBytesMax = 16 * 1024 * 1024;
/** A copy is made in pieces, so that it does not keep others waiting. */
const copyBytesMax = 64 * 1024 * 1024;
const nul = 0;

export interface FolderHandle {
  readonly node: FolderInode;
  readonly fd: number;
  /** Of one that may be written: when its content was last seen to change. Not of one whose writes come here. */
  writtenNs: bigint | undefined;
  readonly isWriter: boolean;
  /** A door may have the kernel read and write it by itself (`backingFd`). */
  isBacking: boolean;
}

type Written = Pick<posix.InodeStat, "kind" | "mode" | "mtimeNs">;

export abstract class FolderData {
  protected readonly inodes: FolderInodes;
  protected readonly handles: Map<number, FolderHandle> = new Map();
  readonly #locks = new FileLocks();
  readonly #listeners = new Set<fs.ChangeListener>();
  readonly #readInto: Buffer = Buffer.allocUnsafeSlow(readBytesUsual);
  /** Called for whatever changes something. */
  protected readonly onChange: () => void;
  #nextHandle = 1;

  constructor(inodes: FolderInodes, onChange: () => void) {
    this.inodes = inodes;
    this.onChange = onChange;
  }

  /** Says by `onChange` whether something was written, since this was last asked, of which the kernel tells nobody (`backingFd`). */
  lookAtWriters(): void {
    let isChanged = false;
    for (const handle of this.handles.values()) {
      if (handle.writtenNs === undefined) continue;
      const { mtimeNs } = posix.statInode(handle.fd);
      if (mtimeNs === handle.writtenNs) continue;
      handle.writtenNs = mtimeNs;
      isChanged = true;
    }
    if (isChanged) this.onChange();
  }

  /** What the folder's own doing changes is not told of: nothing is kept here, and how long doors may keep it is theirs to say. */
  listen(listener: fs.ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks doors to forget some. */
  protected unwanted(nodes: readonly FolderInode[]): void {
    const unwanted = nodes.map(({ number: inode, kind, parent, name }) => ({
      inode,
      kind,
      name: () => (parent === undefined ? undefined : { parent: parent.number, name: Buffer.from(name, "latin1") }),
    }));
    for (const listener of this.#listeners) listener.unwanted(unwanted);
  }

  /** Its open handles. */
  handlesOf(inode: number): number[] {
    const node = this.inodes.get(inode);
    return [...this.handles].flatMap(([handle, opened]) => (opened.node === node ? [handle] : []));
  }

  /** Whether it is open in a way in which reads and writes need not come here. */
  isBacking(inode: number): boolean {
    return this.handlesOf(inode).some((handle) => this.handles.get(handle)?.isBacking === true);
  }

  /** All that is done with a handle comes here: the door was not given its `backingFd`. */
  keepBacking(handle: number): void {
    const opened = this.handleAt(handle);
    opened.isBacking = false;
    opened.writtenNs = undefined;
  }

  getattr(inode: number): fs.Attributes {
    const node = this.inodeAt(inode);
    return attributesOf(node, this.inodes.statOf(node));
  }

  /** In an order in which nobody has more rights in between: size, owner, mode, times. What was done before a failure stays. */
  setattr(inode: number, changes: fs.AttributeChanges): fs.Attributes {
    const node = this.inodeAt(inode);
    const { mode, uid, gid, size, atimeNs, mtimeNs } = changes;
    const fd = this.inodes.fdOf(node);
    try {
      const isOwned = isOwnerChange(changes);
      // A change of owner clears them by itself.
      if (changes.clearSetId === true && mode === undefined && !isOwned) clearSetId(fd);
      if (size !== undefined) this.#resize(node, size);
      if (isOwned) posix.setInodeOwner(fd, uid, gid);
      if (mode !== undefined) posix.setInodeMode(fd, mode);
      if (atimeNs !== undefined || mtimeNs !== undefined) posix.setInodeTimes(fd, atimeNs, mtimeNs);
    } finally {
      this.onChange();
    }
    return attributesOf(node, posix.statInode(fd));
  }

  readlink(inode: number): Uint8Array {
    const node = this.inodeAt(inode);
    if (node.kind !== "symlink") throw new FilesystemFailure("EINVAL", "cannot readlink: it is no symlink");
    return posix.readInodeLink(this.inodes.fdOf(node));
  }

  open(inode: number, flags: fs.OpenFlags, caller: fs.Caller): fs.Opened {
    const node = this.#fileAt(inode);
    const path = this.inodes.fdOf(node);
    if (flags.truncate && flags.clearSetId) clearSetId(path);
    const fd = openContent(path, flags);
    if (flags.truncate) this.onChange();
    const stat = flags.write ? posix.statInode(fd) : undefined;
    return this.openedFile(node, fd, { writable: stat, isPrivileged: caller.uid === 0 });
  }

  read(inode: number, handle: number, offset: number, length: number): readonly Uint8Array[] {
    const wanted = Math.min(length, readBytesMax);
    const into = wanted <= readBytesUsual ? this.#readInto : Buffer.allocUnsafe(wanted);
    return this.#withContent(inode, handle, false, (fd) => {
      let done = 0;
      while (done < wanted) {
        const count = readSync(fd, into, done, wanted - done, offset + done);
        if (count === 0) break;
        done += count;
      }
      return [into.subarray(0, done)];
    });
  }

  write(inode: number, handle: number, offset: number, bytes: Uint8Array, options: fs.WriteOptions): void {
    if (offset + bytes.length > filesystemLimits.fileBytes)
      throw new FilesystemFailure("EFBIG", "cannot write: too large");
    const opened = this.handles.get(handle);
    if (opened !== undefined) opened.writtenNs = undefined;
    this.#withContent(inode, handle, true, (fd, node) => {
      if (options.clearSetId === true) this.#clearSetIdOf(node, fd);
      for (let done = 0; done < bytes.length; ) {
        done +=
          options.append === true
            ? posix.appendBytes(fd, bytes.subarray(done))
            : writeSync(fd, bytes, done, bytes.length - done, offset + done);
      }
    });
  }

  flush(inode: number, _handle: number, owner: bigint): void {
    this.#locks.release(inode, "posix", owner);
  }

  /** On another thread: it takes as long as the disk does. With it go the names, as far as the folder's file system does so (ext4, xfs and btrfs do). */
  fsync(inode: number, handle: number, dataOnly: boolean): fs.Answer<void> {
    const node = this.inodeAt(inode);
    const opened = handle === 0 ? undefined : this.handleAt(handle);
    const held = opened?.node === node ? opened.fd : undefined;
    const fd = held ?? posix.reopen(this.inodes.fdOf(node), openFlags.read | openFlags.nonBlock);
    return new Promise((resolve, reject) => {
      (dataOnly ? startFdatasync : startFsync)(fd, (error) => {
        if (held === undefined) close(fd);
        if (error === null) resolve();
        else reject(error);
      });
    });
  }

  release(inode: number, handle: number, flockOwner?: bigint): void {
    if (flockOwner !== undefined) this.#locks.release(inode, "flock", flockOwner);
    const opened = this.handles.get(handle);
    if (opened === undefined) return;
    this.handles.delete(handle);
    this.inodes.handleClosed(opened.node, opened.fd);
    close(opened.fd);
    if (opened.isWriter) this.onChange();
  }

  getxattr(inode: number, name: Uint8Array): Uint8Array | undefined {
    return posix.findInodeXattr(this.inodes.fdOf(this.inodeAt(inode)), checkXattrName(name));
  }

  setxattr(inode: number, name: Uint8Array, value: Uint8Array, options: fs.SetXattrOptions): void {
    if (value.length > filesystemLimits.xattrBytes)
      throw new FilesystemFailure("E2BIG", "cannot set an attribute: too large");
    const fd = this.inodes.fdOf(this.inodeAt(inode));
    posix.setInodeXattr(fd, checkXattrName(name), value, options.mode);
    this.onChange();
    if (!options.clearSetGid) return;
    const { mode } = posix.statInode(fd);
    if ((mode & setGidBit) !== 0) posix.setInodeMode(fd, mode & ~setGidBit);
  }

  listxattr(inode: number): readonly Uint8Array[] {
    const names = posix.listInodeXattrs(this.inodes.fdOf(this.inodeAt(inode)));
    const list: Uint8Array[] = [];
    for (let at = 0; at < names.length; ) {
      const end = names.indexOf(nul, at);
      list.push(names.subarray(at, end));
      at = end + 1;
    }
    return list;
  }

  removexattr(inode: number, name: Uint8Array): void {
    posix.removeInodeXattr(this.inodes.fdOf(this.inodeAt(inode)), checkXattrName(name));
    this.onChange();
  }

  fallocate(inode: number, handle: number, { kind, clearSetId: isCleared, ...range }: fs.AllocateOptions): void {
    this.#withContent(inode, handle, true, (fd, node) => {
      if (isCleared) this.#clearSetIdOf(node, fd);
      posix.allocate(fd, kind, range);
    });
  }

  lseek(inode: number, handle: number, offset: number, what: "data" | "hole"): number {
    return this.#withContent(inode, handle, false, (fd) => posix.seekInode(fd, offset, what));
  }

  copyFileRange({ from, to, length, clearSetId: isCleared }: fs.CopyOptions): number {
    return this.#withContent(from.inode, from.handle, false, (source) =>
      this.#withContent(to.inode, to.handle, true, (target, node) => {
        if (isCleared) this.#clearSetIdOf(node, target);
        return posix.copyRangeAt(source, from.offset, target, to.offset, Math.min(length, copyBytesMax));
      }),
    );
  }

  /** Locks are kept here, and not seen in the folder: the kernel would take all owners for this one process. */
  getlk(inode: number, lock: fs.FileLock): fs.FileLock | undefined {
    this.inodeAt(inode);
    return this.#locks.findConflict(inode, lock);
  }

  setlk(inode: number, lock: fs.FileLock, wait: boolean, caller: fs.Caller): fs.Answer<void> {
    this.inodeAt(inode);
    return this.#locks.set(inode, lock, wait, () => caller.signal);
  }

  protected inodeAt(inode: number): FolderInode {
    this.inodes.trim();
    return this.inodes.get(inode);
  }

  /** @throws FilesystemFailure EBADF. */
  protected handleAt(handle: number): FolderHandle {
    const opened = this.handles.get(handle);
    if (opened === undefined) throw new FilesystemFailure("EBADF", "cannot use a handle: it is not open");
    return opened;
  }

  /**
   * A kernel that passes files through clears no setuid bits, which a write without privileges must: a file that has any is then not told to be one.
   * @param fd Becomes the handle's.
   * @param options.writable What it is, where it may be written.
   */
  protected openedFile(
    node: FolderInode,
    fd: number,
    { writable, isPrivileged }: { readonly writable?: Written | undefined; readonly isPrivileged: boolean },
  ): fs.Opened {
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    this.inodes.handleOpened(node, fd);
    const isWriter = writable !== undefined;
    const isBacking = !isWriter || isPrivileged || setIdBits(writable) === 0;
    this.handles.set(handle, { node, fd, isWriter, isBacking, writtenNs: isBacking ? writable?.mtimeNs : undefined });
    if (isWriter) this.onChange();
    return isBacking ? { handle, backingFd: fd } : { handle };
  }

  #fileAt(inode: number): FolderInode {
    const node = this.inodeAt(inode);
    if (node.kind === "directory") throw new FilesystemFailure("EISDIR", "cannot open: it is a directory");
    if (node.kind !== "file") throw new FilesystemFailure("EINVAL", "cannot open: it is no regular file");
    return node;
  }

  /** Does something at once with a handle's descriptor, or one that is opened for it, as for a handle of what had this number before (`giveAway`). */
  #withContent<T>(inode: number, handle: number, write: boolean, act: (fd: number, node: FolderInode) => T): T {
    const opened = handle === 0 ? undefined : this.handleAt(handle);
    if (opened?.node.number === inode) {
      const { fd, node } = opened;
      if (write) this.onChange();
      return act(fd, node);
    }
    const node = this.#fileAt(inode);
    const fd = posix.reopen(this.inodes.fdOf(node), write ? openFlags.readWrite : openFlags.read);
    try {
      return act(fd, node);
    } finally {
      close(fd);
      if (write) this.onChange();
    }
  }

  /** Where the mode does not allow it (any more), a handle may. */
  #resize(node: FolderInode, size: number): void {
    if (node.kind === "directory") throw new FilesystemFailure("EISDIR", "cannot resize: it is a directory");
    if (size > filesystemLimits.fileBytes) throw new FilesystemFailure("EFBIG", "cannot resize: too large");
    try {
      posix.setInodeSize(this.inodes.fdOf(node), size);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EACCES") throw thrown;
      if (!node.opened.some((fd) => didResize(fd, size))) throw thrown;
    }
  }

  /** In a request of which the door does not expect it. Before what it is for: nobody runs new content with old rights. */
  #clearSetIdOf(node: FolderInode, fd: number): void {
    if (!clearSetId(fd)) return;
    for (const listener of this.#listeners) listener.attributesChanged(node.number);
  }
}

export function attributesOf({ number, generation }: FolderInode, stat: posix.InodeStat): fs.Attributes {
  const { kind, mode, nlink, uid, gid, rdevMajor, rdevMinor, size, blocks, atimeNs, mtimeNs, ctimeNs } = stat;
  // biome-ignore format: in the order of the interface
  return {
    inode: number, generation, kind, mode, nlink, uid, gid, rdevMajor, rdevMinor, size, blocks, atimeNs, mtimeNs, ctimeNs,
  };
}

/** For reading, too, where that is allowed: doors that keep pages fill them before they write. @param path On the file. */
function openContent(path: number, flags: fs.OpenFlags): number {
  const more = flags.truncate ? openFlags.truncate : 0;
  if (!flags.write) return posix.reopen(path, openFlags.read | more);
  try {
    return posix.reopen(path, openFlags.readWrite | more);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EACCES") throw thrown;
    return posix.reopen(path, openFlags.write | more);
  }
}

/** @returns Whether there was something to clear. */
function clearSetId(fd: number): boolean {
  const stat = posix.statInode(fd);
  const bits = setIdBits(stat);
  if (bits === 0) return false;
  posix.setInodeMode(fd, stat.mode & ~bits);
  return true;
}

/** Those that a write without privileges clears. Without the group's execute bit, setgid is a mark of another kind. */
function setIdBits({ kind, mode }: Pick<posix.InodeStat, "kind" | "mode">): number {
  return kind === "file" ? mode & (setUidBit | ((mode & groupExecuteBit) === 0 ? 0 : setGidBit)) : 0;
}

function didResize(fd: number, size: number): boolean {
  try {
    ftruncateSync(fd, size);
    return true;
  } catch {
    return false;
  }
}

/** @throws FilesystemFailure ERANGE. */
function checkXattrName(name: Uint8Array): Uint8Array {
  if (name.length === 0 || name.length > filesystemLimits.xattrNameBytes)
    throw new FilesystemFailure("ERANGE", "cannot use an attribute: the length of its name");
  return name;
}
