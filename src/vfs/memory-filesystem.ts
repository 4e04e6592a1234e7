/**
 * A complete filesystem in memory: the reference for what `filesystem.ts` promises, and what doors are tested with. It answers everything at once,
 * except locks that are waited for. Nothing is durable, so syncing is nothing.
 *
 * It holds at most `bytesMax` of content and `filesMax` files: ENOSPC above.
 */
import type { Clock } from "../base/clock.ts";
import { accessAclName, defaultAclName, inheritAcl } from "./acl.ts";
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits, rootInode } from "./filesystem.ts";
import { MemoryData } from "./memory-data.ts";
import { type InodeStart, MemoryInode } from "./memory-inode.ts";

export interface MemoryFilesystemOptions {
  readonly clock: Clock;
  /** Of the root. */
  readonly uid?: number;
  readonly gid?: number;
  readonly bytesMax?: number;
  readonly filesMax?: number;
}

const setGidBit = 0o2000;
const linksMax = 65_000;
const blockBytes = 4096;

/** The other half of it, what is done with one inode's content and attributes, is in memory-data.ts. */
export class MemoryFilesystem extends MemoryData implements fs.Filesystem {
  readonly #filesMax: number;
  #nextInode = rootInode + 1;

  constructor(options: MemoryFilesystemOptions) {
    super(options.clock, options.bytesMax ?? 2 ** 32);
    this.#filesMax = options.filesMax ?? 2 ** 24;
    const owner = { uid: options.uid ?? 0, gid: options.gid ?? 0 };
    const root = new MemoryInode({ inode: rootInode, kind: "directory", mode: 0o755, ...owner, nowNs: this.nowNs() });
    root.nlink = 2;
    root.lookups = 1;
    this.inodes.set(rootInode, root);
  }

  lookup(parent: number, name: Uint8Array): fs.Found | undefined {
    if (name.length === 1 && name[0] === dot) return this.found(this.inodeAt(parent));
    const { directory } = this.directoryAt(parent);
    if (name.length === 2 && name[0] === dot && name[1] === dot) return this.found(directory.parent);
    const entry = directory.find(checkName(name));
    return entry === undefined ? undefined : this.found(entry.child);
  }

  forget(inode: number, lookups: number): void {
    const node = this.inodes.get(inode);
    if (node === undefined || inode === rootInode) return;
    node.lookups = Math.max(0, node.lookups - lookups);
    this.dropIfUnused(node);
  }

  mknod(parent: number, name: Uint8Array, node: fs.NewNode, caller: fs.Caller): fs.Found {
    return this.found(this.#make(parent, name, node, caller, node));
  }

  mkdir(parent: number, name: Uint8Array, node: fs.NewFile, caller: fs.Caller): fs.Found {
    return this.found(this.#make(parent, name, node, caller, { kind: "directory" }));
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, caller: fs.Caller): fs.Found {
    if (target.length === 0) throw new FilesystemFailure("ENOENT", "cannot make a symlink: its target is empty");
    if (target.length > filesystemLimits.targetBytes) {
      throw new FilesystemFailure("ENAMETOOLONG", "cannot make a symlink: its target is too long");
    }
    const file = { mode: 0o777, umask: 0 };
    return this.found(this.#make(parent, name, file, caller, { kind: "symlink", target: new Uint8Array(target) }));
  }

  link(inode: number, parent: number, name: Uint8Array): fs.Found {
    const node = this.inodeAt(inode);
    if (node.kind === "directory") throw new FilesystemFailure("EPERM", "cannot link: it is a directory");
    if (node.nlink === 0 && !node.isTemporary)
      throw new FilesystemFailure("ENOENT", "cannot link: its last name is gone");
    if (node.nlink >= linksMax) throw new FilesystemFailure("EMLINK", "cannot link: it has too many names");
    this.#put(parent, name, node);
    node.isTemporary = false;
    node.ctimeNs = this.nowNs();
    return this.found(node);
  }

  create(parent: number, name: Uint8Array, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Created {
    const node = this.#make(parent, name, file, caller, { kind: "file" });
    return { ...this.found(node), ...this.openInode(node) };
  }

  createTemporary(parent: number, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Created {
    const node = this.#newInode(parent, file, caller, { kind: "file" });
    node.isTemporary = true;
    return { ...this.found(node), ...this.openInode(node) };
  }

  unlink(parent: number, name: Uint8Array): void {
    const { entry, inode, directory } = this.#entryAt(parent, name);
    if (entry.child.kind === "directory") throw new FilesystemFailure("EISDIR", "cannot unlink: it is a directory");
    directory.remove(entry);
    this.#lostName(entry.child);
    this.#changed(inode);
  }

  rmdir(parent: number, name: Uint8Array): void {
    const { entry, inode, directory } = this.#entryAt(parent, name);
    if (entry.child.directory === undefined) throw new FilesystemFailure("ENOTDIR", "cannot rmdir: it is no directory");
    if (entry.child.directory.count > 0) throw new FilesystemFailure("ENOTEMPTY", "cannot rmdir: it is not empty");
    directory.remove(entry);
    inode.nlink -= 1;
    this.#lostName(entry.child);
    this.#changed(inode);
  }

  rename(from: Place, to: Place, mode: fs.RenameMode): void {
    const source = this.#entryAt(from.parent, from.name);
    const target = this.#livingDirectory(to.parent);
    const there = target.directory.find(checkName(to.name));
    const moved = source.entry.child;
    if (there === undefined && mode === "exchange")
      throw new FilesystemFailure("ENOENT", "cannot exchange: one is missing");
    if (there !== undefined && mode === "no-replace")
      throw new FilesystemFailure("EEXIST", "cannot rename: it is there");
    if (there?.child === moved) return;
    refuseIntoItself(moved, target.inode);
    if (there !== undefined && mode === "exchange") {
      refuseIntoItself(there.child, source.inode);
      source.entry.child = there.child;
      there.child = moved;
      this.#setParent(there.child, source.inode, target.inode);
      this.#setParent(source.entry.child, target.inode, source.inode);
      source.entry.child.ctimeNs = this.nowNs();
    } else {
      if (there !== undefined) this.#makeRoom(moved, there.child);
      source.directory.remove(source.entry);
      if (there !== undefined) target.directory.remove(there);
      target.directory.add(to.name, moved);
      this.#setParent(moved, source.inode, target.inode);
      if (there !== undefined) {
        if (there.child.kind === "directory") target.inode.nlink -= 1;
        this.#lostName(there.child);
      }
    }
    moved.ctimeNs = this.nowNs();
    this.#changed(source.inode);
    this.#changed(target.inode);
  }

  opendir(inode: number): fs.Opened {
    return this.openInode(this.directoryAt(inode).inode);
  }

  readdir(inode: number, _handle: number, options: fs.ListOptions): void {
    const { inode: node, directory } = this.directoryAt(inode);
    const { after, plus, give } = options;
    const self: fs.DirectoryEntry = { name: dotName, inode, kind: "directory", cookie: 1 };
    if (after < 1 && !give(self)) return;
    if (after < 2 && !give({ ...self, name: dotDotName, inode: directory.parent.inode, cookie: 2 })) return;
    for (const { name, child, cookie } of directory.after(after)) {
      const entry = { name, inode: child.inode, kind: child.kind, cookie };
      if (!give(plus ? { ...entry, found: { attributes: child.attributes() } } : entry)) break;
      if (plus) child.lookups += 1;
    }
    this.touchAtime(node);
  }

  fsyncdir(): void {}

  releasedir(inode: number, handle: number): void {
    this.release(inode, handle);
  }

  syncfs(): void {}

  statfs(): fs.FilesystemSpace {
    const blocks = Math.floor(this.bytesMax / blockBytes);
    const freeBlocks = Math.floor((this.bytesMax - this.usedBytes) / blockBytes);
    const files = this.#filesMax;
    return { blockBytes, blocks, freeBlocks, availableBlocks: freeBlocks, files, freeFiles: files - this.inodes.size };
  }

  #make(
    parent: number,
    name: Uint8Array,
    file: fs.NewFile,
    caller: fs.Caller,
    what: Pick<InodeStart, "kind" | "target" | "rdevMajor" | "rdevMinor">,
  ): MemoryInode {
    if (this.#livingDirectory(parent).directory.find(checkName(name)) !== undefined) throw exists();
    const node = this.#newInode(parent, file, caller, what);
    this.#put(parent, name, node);
    if (node.kind === "directory") {
      node.nlink += 1;
      this.inodeAt(parent).nlink += 1;
    }
    return node;
  }

  #newInode(
    parent: number,
    file: fs.NewFile,
    caller: fs.Caller,
    what: Pick<InodeStart, "kind" | "target" | "rdevMajor" | "rdevMinor">,
  ): MemoryInode {
    const { inode: above } = this.#livingDirectory(parent);
    if (this.inodes.size >= this.#filesMax)
      throw new FilesystemFailure("ENOSPC", "cannot make a file: there are too many");
    const defaultAcl = above.xattrs.get(defaultAclName);
    const isLink = what.kind === "symlink";
    const { mode, access } = isLink ? { mode: 0o777 } : inheritAcl(defaultAcl, file.mode & 0o7777, file.umask);
    const setGid = (above.mode & setGidBit) !== 0;
    const inherited = setGid && what.kind === "directory" ? setGidBit : 0;
    const owner = { uid: caller.uid, gid: setGid ? above.gid : caller.gid };
    const { kind, target, rdevMajor = 0, rdevMinor = 0 } = what;
    const start = { inode: this.#nextInode, kind, mode: mode | inherited, ...owner, nowNs: this.nowNs() };
    const more = { rdevMajor, rdevMinor, ...(target === undefined ? {} : { target }) };
    const node = new MemoryInode({ ...start, ...more }, above);
    this.#nextInode += 1;
    if (access !== undefined) node.xattrs.set(accessAclName, access);
    if (defaultAcl !== undefined && kind === "directory") node.xattrs.set(defaultAclName, defaultAcl);
    this.inodes.set(node.inode, node);
    return node;
  }

  #put(parent: number, name: Uint8Array, node: MemoryInode): void {
    const { inode, directory } = this.#livingDirectory(parent);
    if (directory.find(checkName(name)) !== undefined) throw exists();
    directory.add(name, node);
    node.nlink += 1;
    this.#changed(inode);
  }

  /** @throws what stands in the way of replacing it. */
  #makeRoom(moved: MemoryInode, there: MemoryInode): void {
    if (moved.kind === "directory") {
      if (there.directory === undefined) throw new FilesystemFailure("ENOTDIR", "cannot rename: a file is there");
      if (there.directory.count > 0)
        throw new FilesystemFailure("ENOTEMPTY", "cannot rename: what is there is not empty");
    } else if (there.kind === "directory") {
      throw new FilesystemFailure("EISDIR", "cannot rename: a directory is there");
    }
  }

  #setParent(node: MemoryInode, before: MemoryInode, after: MemoryInode): void {
    if (node.directory === undefined) return;
    node.directory.parent = after;
    before.nlink -= 1;
    after.nlink += 1;
  }

  #lostName(node: MemoryInode): void {
    node.nlink = node.kind === "directory" ? 0 : node.nlink - 1;
    node.ctimeNs = this.nowNs();
    this.dropIfUnused(node);
  }

  #changed(directory: MemoryInode): void {
    directory.mtimeNs = this.nowNs();
    directory.ctimeNs = directory.mtimeNs;
  }

  #entryAt(parent: number, name: Uint8Array) {
    const { inode, directory } = this.directoryAt(parent);
    const entry = directory.find(checkName(name));
    if (entry === undefined) throw new FilesystemFailure("ENOENT", "cannot find a name");
    return { inode, directory, entry };
  }

  /** One that was not removed: nothing can be made in one that was. */
  #livingDirectory(parent: number) {
    const found = this.directoryAt(parent);
    if (found.inode.nlink === 0) throw new FilesystemFailure("ENOENT", "cannot use a directory: it was removed");
    return found;
  }
}

interface Place {
  readonly parent: number;
  readonly name: Uint8Array;
}

const dot = 0x2e;
const dotName = Uint8Array.of(dot);
const dotDotName = Uint8Array.of(dot, dot);

function checkName(name: Uint8Array): Uint8Array {
  if (name.length > filesystemLimits.nameBytes)
    throw new FilesystemFailure("ENAMETOOLONG", "cannot use a name: too long");
  if (name.length === 0) throw new FilesystemFailure("ENOENT", "cannot use a name: it is empty");
  return name;
}

function exists(): FilesystemFailure {
  return new FilesystemFailure("EEXIST", "cannot make a file: the name is taken");
}

/** A directory never goes below itself. */
function refuseIntoItself(moved: MemoryInode, into: MemoryInode): void {
  if (moved.directory === undefined) return;
  for (let at = into; ; ) {
    if (at === moved) throw new FilesystemFailure("EINVAL", "cannot rename: into itself");
    const above = (at.directory as NonNullable<typeof at.directory>).parent;
    if (above === at) return;
    at = above;
  }
}
