/**
 * A folder of this machine as a filesystem: its own files, by descriptors and single names below them, never through a symlink and never out of it (a
 * directory that somebody moves out while it is in use is followed). What is done here is done in the folder, by its own file system, and what others do
 * there is seen at once, for nothing is kept.
 *
 * - `.ourobox` at the top is not there, in any spelling: not shown, not made, nothing renamed or linked to it (EPERM).
 * - As root, what is new belongs to the caller from its first moment (base/posix-caller.ts). As anyone else, all belongs to who runs this.
 * - Default ACLs, setgid directories, times and limits are the folder's file system's; its errors are passed on as they are.
 * - Durable is what that file system makes durable. Attributes of several kinds in one `setattr` are changed one after the other.
 * - Locks are not shared with programs in the folder.
 *
 * All calls but syncing and waiting for locks are answered at once, from the kernel's caches or its disk. Linux, with /proc.
 */

import * as posix from "../base/posix.ts";
import { asCaller } from "../base/posix-caller.ts";
import * as inodes from "../base/posix-inode.ts";
import { nameProblem } from "../format/mod.ts";
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits } from "./filesystem.ts";
import { attributesOf, FolderData } from "./folder-data.ts";
import { type FolderInode, FolderInodes, type NumberOf } from "./folder-inodes.ts";
import { FolderListing } from "./folder-listing.ts";
import type { FolderFile } from "./unreal-layer.ts";

export interface FolderFilesystemOptions {
  /** Of a directory; symlinks in it are followed, this once. */
  readonly path: posix.PathLike;
  /** Its own inode numbers when not said. Asked of what is not known; must not say what is below 65,536 but of what is the folder's own. */
  readonly numberOf?: NumberOf;
  /** Held on inodes that nobody has open. */
  readonly descriptorsMax?: number;
  /** So many inodes may be known before doors are asked to forget some. */
  readonly liveMax?: number;
  /**
   * Called for everything done here that changes something, or has tried to; also when a file is opened for writing and when such a handle is released,
   * for what a kernel writes directly (`backingFd`) comes to nobody else's knowledge: `lookAtWriters` asks for it meanwhile.
   */
  readonly onChange?: () => void;
}

const descriptorsUsual = 512;
const liveUsual = 100_000;
const defaultAclName: Uint8Array = Buffer.from("system.posix_acl_default");
const [dot, slash, nul] = [0x2e, 0x2f, 0x00];
const readWrite: number = posix.openFlags.readWrite;

/** The other half of it, what is done with single inodes, is in folder-data.ts. `close` ends it: it has descriptors. */
export class FolderFilesystem extends FolderData implements fs.Filesystem {
  readonly #listings = new Map<number, FolderListing>();

  /** @throws Error ENOENT, ENOTDIR, EACCES. */
  constructor({ path, onChange = () => {}, ...options }: FolderFilesystemOptions) {
    const { numberOf, descriptorsMax = descriptorsUsual, liveMax: softMax = liveUsual } = options;
    // Not `openAt`, which refuses symlinks: the path of the folder is the user's own.
    const root = inodes.openDirectory((flags) => inodes.openFollowing(path, flags));
    const onUnwanted = (nodes: readonly FolderInode[]): void => this.unwanted(nodes);
    super(new FolderInodes(root, { numberOf, descriptorsMax, softMax, onUnwanted }), onChange);
  }

  /** Lets go of all descriptors, those of handles too. Nothing may be called after. */
  close(): void {
    for (const { fd } of this.handles.values()) posix.close(fd);
    this.handles.clear();
    this.inodes.close();
  }

  /** How many inodes are known, and the descriptors held on them. */
  get held(): { readonly inodes: number; readonly descriptors: number; readonly handles: number } {
    return { inodes: this.inodes.size, descriptors: this.inodes.descriptors, handles: this.handles.size };
  }

  isKnown(inode: number): boolean {
    return this.inodes.has(inode);
  }

  /** Where an inode was last found: undefined of the root, and of what has lost its name. The name is one character a byte. */
  placeOf(inode: number): { readonly parent: number; readonly name: string } | undefined {
    const { parent, name } = this.inodes.get(inode);
    return parent === undefined ? undefined : { parent: parent.number, name };
  }

  /** Whether a directory is known, and not known to be deleted: somebody else may have moved it. */
  stands(inode: number): boolean {
    return this.inodes.has(inode) && !this.inodes.isDeleted(this.inodes.get(inode));
  }

  /** What a file is in the folder. */
  fileAt(inode: number): FolderFile {
    return this.inodes.get(inode);
  }

  /** Asks `numberOf` again about something of which nobody was told the number. @returns The number. */
  renumber(inode: number): number {
    const node = this.inodes.get(inode);
    this.inodes.renumber(node);
    return node.number;
  }

  /** As `FolderInodes.giveAway`. */
  giveAway(inode: number): number {
    return this.inodes.giveAway(inode);
  }

  /** Whether a directory has a name, without looking it up. */
  hasName(parent: number, name: Uint8Array): boolean {
    const directory = this.#directoryAt(parent);
    return !this.#isHidden(directory, name) && inodes.findInode(this.inodes.fdOf(directory), name) !== undefined;
  }

  lookup(parent: number, name: Uint8Array): fs.Found | undefined {
    if (isDot(name)) return this.#again(this.inodeAt(parent));
    const directory = this.#directoryAt(parent);
    if (isDotDot(name)) return this.#again(directory.above ?? this.inodes.root);
    checkName(name);
    if (this.#isHidden(directory, name)) return undefined;
    const stat = inodes.findInode(this.inodes.fdOf(directory), name);
    return stat === undefined ? undefined : this.#found(stat, directory, name);
  }

  forget(inode: number, lookups: number): void {
    this.inodes.forget(inode, lookups);
  }

  mknod(parent: number, name: Uint8Array, node: fs.NewNode, caller: fs.Caller): fs.Found {
    const { kind, rdevMajor: major, rdevMinor: minor } = node;
    return this.#make(parent, name, node, caller, (fd, mode) => {
      posix.makeNode(fd, name, { kind, mode, major, minor });
      return undefined;
    });
  }

  mkdir(parent: number, name: Uint8Array, node: fs.NewFile, caller: fs.Caller): fs.Found {
    return this.#make(parent, name, node, caller, (fd, mode) => {
      posix.makeDirectoryAt(fd, name, mode);
      return undefined;
    });
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, caller: fs.Caller): fs.Found {
    if (target.length > filesystemLimits.targetBytes)
      throw new FilesystemFailure("ENAMETOOLONG", "cannot make a symlink: its target is too long");
    return this.#make(parent, name, undefined, caller, (fd) => {
      posix.makeSymlinkAt(fd, name, target);
      return undefined;
    });
  }

  link(inode: number, parent: number, name: Uint8Array): fs.Found {
    const node = this.inodeAt(inode);
    if (node.kind === "directory") throw new FilesystemFailure("EPERM", "cannot link: it is a directory");
    const directory = this.#directoryToChange(parent, name);
    inodes.linkInode(this.inodes.fdOf(node), this.inodes.fdOf(directory), name);
    this.onChange();
    return this.#foundAt(directory, name);
  }

  create(parent: number, name: Uint8Array, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Created {
    let fd = -1;
    const flags = readWrite | posix.openFlags.create | posix.openFlags.exclusive;
    const found = this.#make(parent, name, file, caller, (directory, mode) => {
      fd = posix.openAt(directory, name, flags, mode);
      return fd;
    });
    const how = { writable: found.attributes, isPrivileged: caller.uid === 0 };
    return { ...found, ...this.openedFile(this.inodes.get(found.attributes.inode), fd, how) };
  }

  createTemporary(parent: number, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Created {
    const directory = this.inodes.fdOf(this.#directoryAt(parent));
    const { mode, wanted } = this.#newMode(directory, file);
    const fd = asCaller(caller, () => inodes.openTemporary(directory, readWrite, mode));
    addMissingBits(fd, wanted);
    const stat = inodes.statInode(fd);
    const node = this.inodes.take(stat, undefined, "");
    this.inodes.keep(node, inodes.reopen(fd, posix.openFlags.pathOnly));
    const how = { writable: stat, isPrivileged: caller.uid === 0 };
    return { attributes: attributesOf(node, stat), ...this.openedFile(node, fd, how) };
  }

  unlink(parent: number, name: Uint8Array): void {
    this.#remove(parent, name, posix.unlinkAt);
  }

  rmdir(parent: number, name: Uint8Array): void {
    this.#remove(parent, name, posix.removeDirectoryAt);
  }

  rename(from: Place, to: Place, mode: fs.RenameMode): void {
    const source = this.#directoryAt(from.parent);
    checkName(from.name);
    if (this.#isHidden(source, from.name)) throw missing();
    const target = this.#directoryToChange(to.parent, to.name);
    const [sourceFd, targetFd] = [this.inodes.fdOf(source), this.inodes.fdOf(target)];
    const moved = this.#known(sourceFd, from.name);
    const there = this.#known(targetFd, to.name);
    const [sourceName, targetName] = [textOf(from.name), textOf(to.name)];
    const loses = mode === "replace" && there !== undefined && there !== moved;
    const isPinned = loses && this.inodes.pin(there, target, targetName);
    posix.renameAt({ directory: sourceFd, name: from.name }, { directory: targetFd, name: to.name }, mode);
    this.onChange();
    // One file's two names: nothing has happened.
    if (moved !== undefined && moved === there) return;
    if (isPinned) this.inodes.setPlace(there, undefined, "");
    if (moved !== undefined) this.inodes.setPlace(moved, target, targetName);
    if (there !== undefined && mode === "exchange") this.inodes.setPlace(there, source, sourceName);
  }

  opendir(inode: number): fs.Opened {
    const node = this.#directoryAt(inode);
    const fd = inodes.reopen(this.inodes.fdOf(node), posix.openFlags.read | posix.openFlags.directory);
    const { handle } = this.openedFile(node, fd, { isPrivileged: true });
    this.#listings.set(handle, new FolderListing(fd));
    return { handle };
  }

  readdir(inode: number, handle: number, { after, plus, give }: fs.ListOptions): void {
    const node = this.#directoryAt(inode);
    const self: fs.DirectoryEntry = { name: dotName, inode, kind: "directory", cookie: 1 };
    if (after < 1 && !give(self)) return;
    const above = (node.above ?? this.inodes.root).number;
    if (after < 2 && !give({ ...self, name: dotDotName, inode: above, cookie: 2 })) return;
    const opened = handle === 0 ? this.opendir(inode).handle : handle;
    try {
      const listing = this.#listings.get(opened);
      if (listing === undefined) throw new FilesystemFailure("EBADF", "cannot list: it is not open");
      listing.list(Math.max(after, 2), (name, cookie) => {
        if (this.#isHidden(node, name)) return true;
        const stat = inodes.findInode(listing.fd, name);
        // It has gone since.
        if (stat === undefined) return true;
        const { kind } = stat;
        if (!plus) return give({ name, inode: this.inodes.numberOf(stat), kind, cookie });
        const found = this.#found(stat, node, name);
        const { inode: number } = found.attributes;
        const isGiven = give({ name, inode: number, kind, cookie, found });
        if (!isGiven) this.inodes.forget(number, 1);
        return isGiven;
      });
    } finally {
      if (opened !== handle) this.releasedir(inode, opened);
    }
  }

  fsyncdir(inode: number, handle: number): fs.Answer<void> {
    return this.fsync(inode, handle, false);
  }

  releasedir(inode: number, handle: number): void {
    this.#listings.delete(handle);
    this.release(inode, handle);
  }

  syncfs(): Promise<void> {
    const fd = inodes.reopen(this.inodes.fdOf(this.inodes.root), posix.openFlags.read | posix.openFlags.directory);
    return posix.startSyncFileSystem(fd).finally(() => posix.close(fd));
  }

  statfs(): fs.FilesystemSpace {
    return inodes.spaceOf(this.inodes.fdOf(this.inodes.root));
  }

  /** @param file Undefined of what has no mode of its own. @param make May give the descriptor of what it made: it stays open, but after a failure. */
  #make(
    parent: number,
    name: Uint8Array,
    file: fs.NewFile | undefined,
    caller: fs.Caller,
    make: (directory: number, mode: number) => number | undefined,
  ): fs.Found {
    const directory = this.#directoryToChange(parent, name);
    const fd = this.inodes.fdOf(directory);
    const { mode, wanted } = file === undefined ? { mode: 0, wanted: 0 } : this.#newMode(fd, file);
    const made = asCaller(caller, () => make(fd, mode));
    this.onChange();
    try {
      const stat = made === undefined ? inodes.findInode(fd, name) : inodes.statInode(made);
      if (stat === undefined) throw missing();
      const found = this.#found(stat, directory, name);
      const node = this.inodes.get(found.attributes.inode);
      if ((wanted & ~stat.mode) === 0) return found;
      const own = this.inodes.fdOf(node);
      addMissingBits(own, wanted);
      return { attributes: attributesOf(node, inodes.statInode(own)) };
    } catch (thrown) {
      if (made !== undefined) posix.close(made);
      throw thrown;
    }
  }

  /**
   * The mode to make it with, and the bits it must have then: this process's own umask takes of them where the directory has no default ACL, in which case
   * the caller's says alone. (The process's cannot be changed for a moment: it is that of all threads.)
   */
  #newMode(directory: number, { mode, umask }: fs.NewFile): { readonly mode: number; readonly wanted: number } {
    if (hasDefaultAcl(directory)) return { mode, wanted: 0 };
    const own = mode & ~umask;
    return { mode: own, wanted: own & 0o777 };
  }

  #remove(parent: number, name: Uint8Array, remove: (directory: number, name: Uint8Array) => void): void {
    const directory = this.#directoryAt(parent);
    checkName(name);
    if (this.#isHidden(directory, name)) throw missing();
    const fd = this.inodes.fdOf(directory);
    const node = this.#known(fd, name);
    const isPinned = node !== undefined && this.inodes.pin(node, directory, textOf(name));
    remove(fd, name);
    this.onChange();
    if (isPinned) this.inodes.setPlace(node, undefined, "");
  }

  /** The live inode of what is there. */
  #known(directory: number, name: Uint8Array): FolderInode | undefined {
    const stat = inodes.findInode(directory, name);
    return stat === undefined ? undefined : this.inodes.find(stat);
  }

  #found(stat: inodes.InodeStat, parent: FolderInode, name: Uint8Array): fs.Found {
    return { attributes: attributesOf(this.inodes.take(stat, parent, textOf(name)), stat) };
  }

  #foundAt(directory: FolderInode, name: Uint8Array): fs.Found {
    const stat = inodes.findInode(this.inodes.fdOf(directory), name);
    if (stat === undefined) throw missing();
    return this.#found(stat, directory, name);
  }

  #again(node: FolderInode): fs.Found {
    const attributes = attributesOf(node, this.inodes.statOf(node));
    node.lookups += 1;
    return { attributes };
  }

  #directoryAt(inode: number): FolderInode {
    const node = this.inodeAt(inode);
    if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot use a directory: it is none");
    return node;
  }

  /** Where a name is to be put. */
  #directoryToChange(inode: number, name: Uint8Array): FolderInode {
    const node = this.#directoryAt(inode);
    checkName(name);
    if (this.#isHidden(node, name)) throw new FilesystemFailure("EPERM", "cannot use a name: it is the box's own");
    return node;
  }

  /** The name is legal otherwise: what is left to find is a spelling of `.ourobox`. */
  #isHidden(directory: FolderInode, name: Uint8Array): boolean {
    return directory === this.inodes.root && nameProblem(name) !== undefined;
  }
}

interface Place {
  readonly parent: number;
  readonly name: Uint8Array;
}

const dotName: Uint8Array = Uint8Array.of(dot);
const dotDotName: Uint8Array = Uint8Array.of(dot, dot);

function isDot(name: Uint8Array): boolean {
  return name.length === 1 && name[0] === dot;
}

function isDotDot(name: Uint8Array): boolean {
  return name.length === 2 && name[0] === dot && name[1] === dot;
}

/** One name, which leads nowhere else: it is given to the kernel as a path. */
function checkName(name: Uint8Array): void {
  if (name.length > filesystemLimits.nameBytes)
    throw new FilesystemFailure("ENAMETOOLONG", "cannot use a name: too long");
  if (name.length === 0) throw new FilesystemFailure("ENOENT", "cannot use a name: it is empty");
  if (isDot(name) || isDotDot(name) || name.includes(slash) || name.includes(nul))
    throw new FilesystemFailure("EINVAL", "cannot use a name: it is none");
}

function textOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
}

function missing(): FilesystemFailure {
  return new FilesystemFailure("ENOENT", "cannot find a name");
}

function hasDefaultAcl(directory: number): boolean {
  try {
    return inodes.findInodeXattr(directory, defaultAclName) !== undefined;
  } catch {
    // A file system without ACLs.
    return false;
  }
}

function addMissingBits(fd: number, wanted: number): void {
  const { mode } = inodes.statInode(fd);
  if ((wanted & ~mode) !== 0) inodes.setInodeMode(fd, mode | wanted);
}
