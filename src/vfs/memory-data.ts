/** The half of the memory filesystem that is about single inodes: attributes, content, handles, extended attributes, locks. */
import type { Clock } from "../base/clock.ts";
import { accessAclName, aclWithMode, decodeAcl, defaultAclName, encodeAcl, isMinimalAcl, modeOfAcl } from "./acl.ts";
import { FilesystemFailure } from "./failure.ts";
import { FileLocks } from "./file-locks.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits, isOwnerChange } from "./filesystem.ts";
import type { MemoryDirectory } from "./memory-directory.ts";
import type { MemoryInode } from "./memory-inode.ts";
import type { SparseBytes } from "./sparse-bytes.ts";

const setGidBit = 0o2000;
/** Bytes of all extended attributes of a file. */
const xattrsBytesMax = 2 ** 20;
const dayNs = 86_400_000_000_000n;

export abstract class MemoryData {
  protected readonly inodes: Map<number, MemoryInode> = new Map();
  protected readonly bytesMax: number;
  protected usedBytes = 0;
  readonly #clock: Clock;
  readonly #locks = new FileLocks();
  readonly #handles = new Map<number, MemoryInode>();
  readonly #listeners = new Set<fs.ChangeListener>();
  #nextHandle = 1;

  constructor(clock: Clock, bytesMax: number) {
    this.#clock = clock;
    this.bytesMax = bytesMax;
  }

  listen(listener: fs.ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  getattr(inode: number): fs.Attributes {
    return this.inodeAt(inode).attributes();
  }

  setattr(inode: number, changes: fs.AttributeChanges): fs.Attributes {
    const node = this.inodeAt(inode);
    const { mode, uid, gid, size, atimeNs, mtimeNs, ctimeNs } = changes;
    const nowNs = this.nowNs();
    if (size !== undefined) {
      const content = contentOf(node);
      if (size > filesystemLimits.fileBytes) throw new FilesystemFailure("EFBIG", "cannot resize: too large");
      this.#change(content, () => content.resize(size));
      node.mtimeNs = nowNs;
    }
    if (isOwnerChange(changes) || changes.clearSetId === true) node.clearSetId();
    if (uid !== undefined) node.uid = uid;
    if (gid !== undefined) node.gid = gid;
    if (mode !== undefined) {
      node.mode = mode;
      const acl = node.xattrs.get(accessAclName);
      if (acl !== undefined) node.xattrs.set(accessAclName, encodeAcl(aclWithMode(decodeAcl(acl), mode)));
    }
    if (atimeNs !== undefined) node.atimeNs = atimeNs === "now" ? nowNs : atimeNs;
    if (mtimeNs !== undefined) node.mtimeNs = mtimeNs === "now" ? nowNs : mtimeNs;
    node.ctimeNs = ctimeNs ?? nowNs;
    return node.attributes();
  }

  readlink(inode: number): Uint8Array {
    const node = this.inodeAt(inode);
    if (node.target === undefined) throw new FilesystemFailure("EINVAL", "cannot readlink: it is no symlink");
    this.touchAtime(node);
    return node.target;
  }

  open(inode: number, flags: fs.OpenFlags): fs.Opened {
    const node = this.inodeAt(inode);
    const content = contentOf(node);
    if (flags.truncate) {
      this.#change(content, () => content.resize(0));
      if (flags.clearSetId) this.#clearSetId(node);
      this.#written(node);
    }
    return this.openInode(node);
  }

  read(inode: number, _handle: number, offset: number, length: number): readonly Uint8Array[] {
    const node = this.inodeAt(inode);
    const parts = contentOf(node).read(offset, length);
    this.touchAtime(node);
    return parts;
  }

  write(inode: number, _handle: number, offset: number, bytes: Uint8Array, options: fs.WriteOptions): void {
    const node = this.inodeAt(inode);
    const content = contentOf(node);
    const at = options.append === true ? content.size : offset;
    if (at + bytes.length > filesystemLimits.fileBytes) throw new FilesystemFailure("EFBIG", "cannot write: too large");
    if (bytes.length === 0) return;
    this.#room(bytes.length);
    this.#change(content, () => content.write(at, bytes));
    if (options.clearSetId === true) this.#clearSetId(node);
    this.#written(node);
  }

  flush(inode: number, _handle: number, owner: bigint): void {
    this.#locks.release(inode, "posix", owner);
  }

  fsync(): void {}

  release(inode: number, handle: number, flockOwner?: bigint): void {
    if (flockOwner !== undefined) this.#locks.release(inode, "flock", flockOwner);
    const node = this.#handles.get(handle);
    if (node === undefined) return;
    this.#handles.delete(handle);
    node.handles -= 1;
    this.dropIfUnused(node);
  }

  getxattr(inode: number, name: Uint8Array): Uint8Array | undefined {
    const value = this.inodeAt(inode).xattrs.get(xattrKey(name));
    return value === undefined ? undefined : new Uint8Array(value);
  }

  setxattr(inode: number, name: Uint8Array, value: Uint8Array, options: fs.SetXattrOptions): void {
    const node = this.inodeAt(inode);
    const key = xattrKey(name);
    const { xattrs } = node;
    if (value.length > filesystemLimits.xattrBytes)
      throw new FilesystemFailure("E2BIG", "cannot set an attribute: too large");
    if (options.mode === "create" && xattrs.has(key)) throw new FilesystemFailure("EEXIST", "cannot set: it is there");
    if (options.mode === "replace" && !xattrs.has(key))
      throw new FilesystemFailure("ENODATA", "cannot set: there is none");
    if (key === accessAclName || key === defaultAclName) {
      this.#setAcl(node, key, value, options.clearSetGid);
    } else {
      const used = [...xattrs].reduce((sum, [each, { length }]) => sum + each.length + length, 0);
      const names = [...xattrs.keys()].reduce((sum, { length }) => sum + length + 1, key.length + 1);
      if (used + value.length > xattrsBytesMax || names > filesystemLimits.xattrBytes) {
        throw new FilesystemFailure("ENOSPC", "cannot set an attribute: there are too many");
      }
      xattrs.set(key, new Uint8Array(value));
    }
    node.ctimeNs = this.nowNs();
  }

  listxattr(inode: number): readonly Uint8Array[] {
    return [...this.inodeAt(inode).xattrs.keys()].map((key) => Buffer.from(key, "latin1"));
  }

  removexattr(inode: number, name: Uint8Array): void {
    const node = this.inodeAt(inode);
    if (!node.xattrs.delete(xattrKey(name))) throw new FilesystemFailure("ENODATA", "cannot remove: there is none");
    node.ctimeNs = this.nowNs();
  }

  fallocate(inode: number, _handle: number, options: fs.AllocateOptions): void {
    const node = this.inodeAt(inode);
    const content = contentOf(node);
    const { kind, keepSize, offset, length, clearSetId } = options;
    const end = offset + length;
    if (end > filesystemLimits.fileBytes) throw new FilesystemFailure("EFBIG", "cannot allocate: too large");
    if (kind === "reserve") this.#room(length);
    this.#change(content, () => {
      if (kind === "reserve") content.reserve(offset, end);
      else content.clear(offset, Math.min(end, content.size));
      if (!keepSize && kind !== "punch-hole" && end > content.size) content.resize(end);
    });
    if (clearSetId) this.#clearSetId(node);
    this.#written(node);
  }

  lseek(inode: number, _handle: number, offset: number, what: "data" | "hole"): number {
    const content = contentOf(this.inodeAt(inode));
    const found = offset < content.size ? content.seek(offset, what) : undefined;
    if (found === undefined) throw new FilesystemFailure("ENXIO", "cannot seek: nothing follows");
    return found;
  }

  copyFileRange({ from, to, length, clearSetId }: fs.CopyOptions): number {
    const source = contentOf(this.inodeAt(from.inode));
    const target = this.inodeAt(to.inode);
    const content = contentOf(target);
    const count = Math.max(0, Math.min(length, source.size - from.offset));
    if (source === content && Math.abs(from.offset - to.offset) < length) {
      throw new FilesystemFailure("EINVAL", "cannot copy: the ranges overlap");
    }
    if (to.offset + count > filesystemLimits.fileBytes) throw new FilesystemFailure("EFBIG", "cannot copy: too large");
    if (count === 0) return 0;
    this.#room(count);
    this.#change(content, () => {
      let at = to.offset;
      for (const part of source.read(from.offset, count)) {
        content.write(at, part);
        at += part.length;
      }
    });
    if (clearSetId) this.#clearSetId(target);
    this.#written(target);
    return count;
  }

  getlk(inode: number, lock: fs.FileLock): fs.FileLock | undefined {
    this.inodeAt(inode);
    return this.#locks.findConflict(inode, lock);
  }

  setlk(inode: number, lock: fs.FileLock, wait: boolean, caller: fs.Caller): fs.Answer<void> {
    this.inodeAt(inode);
    return this.#locks.set(inode, lock, wait, () => caller.signal);
  }

  protected inodeAt(inode: number): MemoryInode {
    const node = this.inodes.get(inode);
    if (node === undefined) throw new FilesystemFailure("ESTALE", `cannot use inode ${inode}: there is none`);
    return node;
  }

  protected directoryAt(inode: number): {
    readonly inode: MemoryInode;
    readonly directory: MemoryDirectory<MemoryInode>;
  } {
    const node = this.inodeAt(inode);
    if (node.directory === undefined) throw new FilesystemFailure("ENOTDIR", "cannot use a directory: it is none");
    return { inode: node, directory: node.directory };
  }

  protected found(node: MemoryInode): fs.Found {
    node.lookups += 1;
    return { attributes: node.attributes() };
  }

  protected openInode(node: MemoryInode): fs.Opened {
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    this.#handles.set(handle, node);
    node.handles += 1;
    return { handle, keepCache: true };
  }

  protected dropIfUnused(node: MemoryInode): void {
    if (node.nlink > 0 || node.lookups > 0 || node.handles > 0) return;
    this.inodes.delete(node.inode);
    this.usedBytes -= node.content?.usedBytes ?? 0;
  }

  /** As relatime: when it says nothing yet of the present content, or once a day. */
  protected touchAtime(node: MemoryInode): void {
    const nowNs = this.nowNs();
    if (node.atimeNs <= node.mtimeNs || node.atimeNs <= node.ctimeNs || node.atimeNs < nowNs - dayNs)
      node.atimeNs = nowNs;
  }

  protected nowNs(): bigint {
    return BigInt(this.#clock.nowMs()) * 1_000_000n;
  }

  #setAcl(node: MemoryInode, key: string, value: Uint8Array, clearSetGid: boolean): void {
    const entries = decodeAcl(value);
    if (key === defaultAclName) {
      if (node.directory === undefined)
        throw new FilesystemFailure("EACCES", "cannot set a default ACL: it is no directory");
      if (entries.length === 0) node.xattrs.delete(key);
      else node.xattrs.set(key, new Uint8Array(value));
      return;
    }
    if (entries.length > 0) node.mode = (node.mode & 0o7000) | modeOfAcl(entries);
    if (clearSetGid) node.mode &= ~setGidBit;
    if (isMinimalAcl(entries)) node.xattrs.delete(key);
    else node.xattrs.set(key, new Uint8Array(value));
  }

  #written(node: MemoryInode): void {
    node.mtimeNs = this.nowNs();
    node.ctimeNs = node.mtimeNs;
  }

  /** In a request of which the door does not expect it. */
  #clearSetId(node: MemoryInode): void {
    if (!node.clearSetId()) return;
    for (const listener of this.#listeners) listener.attributesChanged(node.inode);
  }

  #room(bytes: number): void {
    if (this.usedBytes + bytes > this.bytesMax) throw new FilesystemFailure("ENOSPC", "cannot write: it is full");
  }

  #change(content: SparseBytes, change: () => void): void {
    const before = content.usedBytes;
    change();
    this.usedBytes += content.usedBytes - before;
  }
}

/** @throws FilesystemFailure EISDIR, EINVAL: not a regular file. */
function contentOf(node: MemoryInode): SparseBytes {
  if (node.content !== undefined) return node.content;
  throw new FilesystemFailure(node.kind === "directory" ? "EISDIR" : "EINVAL", "cannot use content: it is no file");
}

/** One character a byte. @throws FilesystemFailure EOPNOTSUPP, ERANGE: a name that no file here can have. */
function xattrKey(name: Uint8Array): string {
  const key = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
  if (key.length > filesystemLimits.xattrNameBytes)
    throw new FilesystemFailure("ERANGE", "cannot use an attribute: long name");
  if (!/^(user|trusted|security)\../s.test(key) && key !== accessAclName && key !== defaultAclName) {
    throw new FilesystemFailure("EOPNOTSUPP", "cannot use an attribute: its namespace is unknown");
  }
  return key;
}
