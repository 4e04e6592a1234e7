/**
 * The filesystem that doors open on: inodes, handles, names in directories. FUSE, NFS and S3 call it; a box is behind it, or memory in tests.
 *
 * What all implementations promise, and `filesystem.suite.ts` checks:
 * - Things are named by inode number and never by path. A number with its generation names one file for as long as the filesystem lives, also after a
 *   remount. 1 is the root. Reads need no handle: whoever has a number may read, so a door without opens (NFS, or FUSE told to skip them) works.
 * - An inode lives as long as it has a handle or a lookup not forgotten; its number may be used as long. Every `Found` given out is one lookup more (not by
 *   `readdir` without `plus`).
 * - What is answered is what is: an operation is whole when it is answered, and not at all when it fails. Calls may overlap; each acts at one moment.
 * - Answers that need no waiting come at once, not as promises: a door can then answer in the same turn.
 * - A failure is an Error whose `code` is an errno's name ("ENOENT"), or an OuroError.
 *
 * Who may do what by permission bits is asked by the door (the kernel does, with default_permissions; other doors themselves). What follows from an
 * operation is done here: setgid directories, clearing setuid, ACLs inherited, the three times. Names and targets are bytes; numbers are safe integers.
 */
import type { FileKind } from "../base/posix.ts";

/** A value, or the promise of one where something must be waited for. */
export type Answer<T> = T | Promise<T>;

export const rootInode = 1;

/** Limits that every implementation has; doors refuse what is above before asking. */
export const filesystemLimits: Readonly<
  Record<"nameBytes" | "targetBytes" | "xattrBytes" | "xattrNameBytes" | "fileBytes", number>
> = {
  /** Bytes of a name: ENAMETOOLONG above. */
  nameBytes: 255,
  /** Bytes of a symlink's target: ENAMETOOLONG above. */
  targetBytes: 4095,
  /** Bytes of an extended attribute's value, and of all names of a file: E2BIG, ENOSPC above. */
  xattrBytes: 65_536,
  xattrNameBytes: 255,
  /** Of a file, in bytes: EFBIG above. Doors cannot say more in a safe integer. */
  fileBytes: Number.MAX_SAFE_INTEGER,
};

/** On whose behalf: what new files belong to, and what setuid bits mean. */
export interface Caller {
  readonly uid: number;
  readonly gid: number;
  /** 0 when there is no process, or it cannot be seen from here. */
  readonly pid: number;
  /** Aborted when whoever asked has given up; an operation that waits then fails with EINTR. Made when first asked for. */
  readonly signal: AbortSignal;
}

/** All of stat(2). Times are in nanoseconds since 1970 and may be negative. */
export interface Attributes {
  readonly inode: number;
  /** Tells two files apart that had the same number. */
  readonly generation: number;
  readonly kind: FileKind;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** In bytes. */
  readonly size: number;
  /** Units of 512 bytes that are in use. */
  readonly blocks: number;
  readonly atimeNs: bigint;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Changes without anybody writing (a status file): not to be cached, nor that its name leads to it. */
  readonly isVolatile?: boolean;
}

/** A name that leads to something: one lookup more of it. */
export interface Found {
  readonly attributes: Attributes;
}

/** What `setattr` changes; all of it at one moment. "now" is the time by the filesystem's clock. No change at all is one of owner that names nobody. */
export interface AttributeChanges {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly atimeNs?: bigint | "now";
  readonly mtimeNs?: bigint | "now";
  /** Of a door that keeps times itself (the kernel's write-back cache). Else it is now. */
  readonly ctimeNs?: bigint;
  /** Setuid goes, and setgid where the group may execute, as at a write of someone without privileges. A change of owner always clears them. */
  readonly clearSetId?: boolean;
}

/** Also `chown(path, -1, -1)`, which comes without any change, or that of the time of change alone. */
export function isOwnerChange({ uid, gid, ctimeNs: _, ...others }: AttributeChanges): boolean {
  return uid !== undefined || gid !== undefined || Object.keys(others).length === 0;
}

/** What something new is to be like. */
export interface NewFile {
  /** The twelve permission bits as asked for, before umask and ACLs. */
  readonly mode: number;
  /** Bits to be taken away; not where the directory has a default ACL, which then says. */
  readonly umask: number;
}

export interface NewNode extends NewFile {
  readonly kind: "file" | "fifo" | "socket" | "character" | "block";
  readonly rdevMajor: number;
  readonly rdevMinor: number;
}

export interface OpenFlags {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
  /** O_TRUNC: to nothing, at one moment with the opening. */
  readonly truncate: boolean;
  /** With `truncate`, as in `AttributeChanges`. */
  readonly clearSetId: boolean;
}

export interface Opened {
  /** To be given to `release` once. */
  readonly handle: number;
  /** What a cache has of the content still holds, if this filesystem told of every change. */
  readonly keepCache?: boolean;
  /** Nobody between may keep anything. */
  readonly isVolatile?: boolean;
  /** A local file that holds exactly this content, for as long as the handle is open: a door may read and write it directly. Ours to close. */
  readonly backingFd?: number;
}

export interface Created extends Found, Opened {}

export interface WriteOptions {
  /** At the end of the file, wherever that is by then. */
  readonly append?: boolean;
  readonly clearSetId?: boolean;
}

/** "replace" what is there; "no-replace" fails with EEXIST; "exchange" needs both. */
export type RenameMode = "replace" | "no-replace" | "exchange";

export interface DirectoryEntry {
  readonly name: Uint8Array;
  readonly inode: number;
  readonly kind: FileKind;
  /** Where a listing goes on after this entry: above 0, rising, and the same while the entry lives. */
  readonly cookie: number;
  /** With `plus`, and not of "." and "..". */
  readonly found?: Found;
}

export interface ListOptions {
  /** The cookie to go on after; 0 from the beginning. One whose entry is gone is fine. */
  readonly after: number;
  /** Whether to look everything up. An entry that was given to `give` and refused counts as no lookup. */
  readonly plus: boolean;
  /** @returns Whether there was room. After a false, nothing more is given. */
  readonly give: (entry: DirectoryEntry) => boolean;
}

export interface FilesystemSpace {
  readonly blockBytes: number;
  /** In blocks. */
  readonly blocks: number;
  readonly freeBlocks: number;
  /** Without those that only root may use. */
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
}

/** fallocate(2): reserve (and grow, unless `keepSize`), free, or write zeros. */
export interface AllocateOptions {
  readonly kind: "reserve" | "punch-hole" | "zero";
  readonly keepSize: boolean;
  readonly offset: number;
  readonly length: number;
  /** As in `AttributeChanges`. */
  readonly clearSetId: boolean;
}

export interface CopyOptions {
  readonly from: { readonly inode: number; readonly handle: number; readonly offset: number };
  readonly to: { readonly inode: number; readonly handle: number; readonly offset: number };
  readonly length: number;
  /** As in `AttributeChanges`, of what is copied to. */
  readonly clearSetId: boolean;
}

/** A lock of fcntl(2) on a range, or of flock(2) on all of a file. The two kinds do not see each other. */
export interface FileLock {
  readonly kind: "posix" | "flock";
  readonly type: "shared" | "exclusive" | "unlock";
  /** Who holds it: the door's own number, equal for those who share locks. */
  readonly owner: bigint;
  readonly pid: number;
  /** The first byte, and the last one: Infinity to the end, however long it grows. */
  readonly start: number;
  readonly end: number;
}

export interface SetXattrOptions {
  /** XATTR_CREATE: EEXIST if there is one. XATTR_REPLACE: ENODATA if there is none. */
  readonly mode: "any" | "create" | "replace";
  /** Setting an access ACL: the caller is neither in the group nor privileged, so the setgid bit goes. */
  readonly clearSetGid: boolean;
}

/** Told of what changes by other ways than the request in hand says, for doors that keep things: the kernel does. */
export interface ChangeListener {
  /** Also when a write cleared setuid bits, which nobody expects of it. */
  attributesChanged(inode: number): void;
  /** @param range Half of it may be as before. */
  contentChanged(inode: number, range: { readonly offset: number; readonly length: number }): void;
  /** A name leads elsewhere, or is new. */
  entryChanged(parent: number, name: Uint8Array): void;
  entryRemoved(parent: number, name: Uint8Array, child: number): void;
  /** A wish: the filesystem would like these to be forgotten where nobody uses them, for it has more live inodes than it likes. Nothing has changed. */
  unwanted(inodes: readonly UnwantedInode[]): void;
}

export interface UnwantedInode {
  readonly inode: number;
  readonly kind: FileKind;
  /** A name that leads to it. Costs more than the rest: for doors that cannot forget by number. */
  name(): { readonly parent: number; readonly name: Uint8Array } | undefined;
}

export interface Filesystem {
  /** Tells a door from now on. @returns What ends it. */
  listen(listener: ChangeListener): () => void;

  /** What a name leads to, or undefined. "." is the inode itself, of any kind; ".." what a directory is in. @throws ENOTDIR, ESTALE. */
  lookup(parent: number, name: Uint8Array, caller: Caller): Answer<Found | undefined>;
  /** Gives lookups back. Never fails. */
  forget(inode: number, lookups: number): void;
  /** @throws ESTALE: there is no such inode. So do all that follow. */
  getattr(inode: number): Answer<Attributes>;
  setattr(inode: number, changes: AttributeChanges, caller: Caller): Answer<Attributes>;
  /** @throws EINVAL: not a symlink. */
  readlink(inode: number): Answer<Uint8Array>;

  /** @throws EEXIST, ENOENT (the directory was removed), ENOTDIR, ENOSPC; so do the next four. */
  mknod(parent: number, name: Uint8Array, node: NewNode, caller: Caller): Answer<Found>;
  mkdir(parent: number, name: Uint8Array, node: NewFile, caller: Caller): Answer<Found>;
  symlink(parent: number, name: Uint8Array, target: Uint8Array, caller: Caller): Answer<Found>;
  /** @throws EPERM of a directory, EMLINK, ENOENT of a file whose last name is gone (but one of `createTemporary`). */
  link(inode: number, parent: number, name: Uint8Array, caller: Caller): Answer<Found>;
  /** Makes a file and opens it. One that is there is an EEXIST: whoever wants that one looks it up. */
  create(parent: number, name: Uint8Array, file: NewFile & OpenFlags, caller: Caller): Answer<Created>;
  /** O_TMPFILE: a file without a name, which `link` may give it. */
  createTemporary(parent: number, file: NewFile & OpenFlags, caller: Caller): Answer<Created>;

  /** @throws ENOENT, EISDIR. */
  unlink(parent: number, name: Uint8Array, caller: Caller): Answer<void>;
  /** @throws ENOENT, ENOTDIR, ENOTEMPTY. */
  rmdir(parent: number, name: Uint8Array, caller: Caller): Answer<void>;
  /** @throws ENOENT, EEXIST, ENOTDIR, EISDIR, ENOTEMPTY, EINVAL (into itself). */
  rename(
    from: { readonly parent: number; readonly name: Uint8Array },
    to: { readonly parent: number; readonly name: Uint8Array },
    mode: RenameMode,
    caller: Caller,
  ): Answer<void>;

  /** @throws EISDIR, EROFS. */
  open(inode: number, flags: OpenFlags, caller: Caller): Answer<Opened>;
  /**
   * Bytes of a file, in parts, as many as asked for but at its end. The parts are borrowed: to be used before the next call.
   * @param handle 0 of a door that opens nothing; so in all calls on content.
   */
  read(inode: number, handle: number, offset: number, length: number, caller: Caller): Answer<readonly Uint8Array[]>;
  /** Writes all or fails. @param bytes Borrowed until the answer. @throws EFBIG, ENOSPC. */
  write(
    inode: number,
    handle: number,
    offset: number,
    bytes: Uint8Array,
    options: WriteOptions,
    caller: Caller,
  ): Answer<void>;
  /** At every close of a descriptor: errors not yet told are told now; the owner's posix locks go. */
  flush(inode: number, handle: number, owner: bigint): Answer<void>;
  /** Makes content durable and, unless `dataOnly`, all else of the file, its names too. */
  fsync(inode: number, handle: number, dataOnly: boolean): Answer<void>;
  /** The handle's end. @param flockOwner Whose flock on the file ends with it. Nobody hears of a failure. */
  release(inode: number, handle: number, flockOwner?: bigint): Answer<void>;

  opendir(inode: number, caller: Caller): Answer<Opened>;
  /** Gives "." and ".." first. Entries that stay while it is listed are given once, whatever else changes. */
  readdir(inode: number, handle: number, options: ListOptions, caller: Caller): Answer<void>;
  /** Makes the names in it durable. */
  fsyncdir(inode: number, handle: number): Answer<void>;
  releasedir(inode: number, handle: number): Answer<void>;
  /** All of it, durable. */
  syncfs(): Answer<void>;

  /**
   * The caller owns the bytes. Undefined where there is none of that name: the kernel and `ls` ask for some that hardly any file has, and to throw costs more
   * than all else that is done for such an answer.
   * @throws EOPNOTSUPP of names that no file here can have.
   */
  getxattr(inode: number, name: Uint8Array): Answer<Uint8Array | undefined>;
  setxattr(inode: number, name: Uint8Array, value: Uint8Array, options: SetXattrOptions, caller: Caller): Answer<void>;
  listxattr(inode: number): Answer<readonly Uint8Array[]>;
  removexattr(inode: number, name: Uint8Array, caller: Caller): Answer<void>;

  statfs(): Answer<FilesystemSpace>;
  /** @throws EOPNOTSUPP, ENOSPC, EFBIG. */
  fallocate(inode: number, handle: number, options: AllocateOptions, caller: Caller): Answer<void>;
  /** Of SEEK_DATA and SEEK_HOLE. @throws ENXIO past the end, or when no data follows. */
  lseek(inode: number, handle: number, offset: number, what: "data" | "hole"): Answer<number>;
  /** @returns How many bytes: 0 at the end of the source; fewer than asked for anywhere. @throws EINVAL: the ranges overlap. EXDEV: the caller has to copy. */
  copyFileRange(options: CopyOptions, caller: Caller): Answer<number>;

  /** A lock in the way of this one, or undefined. */
  getlk(inode: number, lock: FileLock): Answer<FileLock | undefined>;
  /** @throws EAGAIN when it is not free and `wait` is false; EDEADLK; EINTR. */
  setlk(inode: number, lock: FileLock, wait: boolean, caller: Caller): Answer<void>;
}
