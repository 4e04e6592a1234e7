/**
 * The calls with which a folder is changed, as an argument: a test can fail, end or count any of them.
 *
 * Everything is below a root's descriptor. Directories are opened with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, everything else is
 * one name in an open directory, so no symlink leads a write out of the folder and no path is too long for the kernel.
 */
import { constants, ftruncateSync, openSync, readdirSync, writeSync } from "node:fs";
import {
  close as closeFd,
  type FileStat,
  findStat,
  fstat,
  fstatWords,
  linkAt,
  makeDirectoryAt,
  makeNode,
  makeSymlinkAt,
  openAt,
  openBeneath,
  openFlags,
  removeDirectoryAt,
  renameAt,
  setMode,
  setModeAt,
  setOwner,
  setOwnerAt,
  setTime,
  setTimeAt,
  unlinkAt,
} from "../base/posix.ts";
import { startSyncFileSystem, syncFileSystem } from "../base/posix-space.ts";
import { findXattr, removeXattr, setXattr } from "../base/posix-xattr.ts";
import type { Xattr } from "../format/mod.ts";
import { readKeptXattrs } from "./kept-xattrs.ts";

export type Special = {
  readonly kind: "fifo" | "socket" | "character" | "block";
  readonly major: number;
  readonly minor: number;
};

/** The longest path given to one call; the kernel takes 4,095 bytes. */
const pathBytesMax = 4000;
const slash = 0x2f;

export interface FolderWriter {
  /** Opens the folder itself; a symlink to it is followed. */
  openRoot(path: string): number;
  /** Opens a directory below; the empty path is `root` again. The caller closes it. */
  openDirectory(root: number, path: Uint8Array): number;
  close(fd: number): void;
  makeDirectory(directory: number, name: Uint8Array): void;
  /** Makes a file that was not there, open for writing. @param mode Before the umask; 0600 by default. */
  createFile(directory: number, name: Uint8Array, mode?: number): number;
  /** Opens a file that is there to change its attributes. */
  openFile(directory: number, name: Uint8Array): number;
  write(fd: number, bytes: Uint8Array, position: number): void;
  truncate(fd: number, size: number): void;
  makeSymlink(directory: number, name: Uint8Array, target: Uint8Array): void;
  makeSpecial(directory: number, name: Uint8Array, special: Special): void;
  link(fromDirectory: number, from: Uint8Array, directory: number, name: Uint8Array): void;
  rename(fromDirectory: number, from: Uint8Array, directory: number, name: Uint8Array): void;
  unlink(directory: number, name: Uint8Array): void;
  removeDirectory(directory: number, name: Uint8Array): void;
  list(directory: number): Uint8Array[];
  find(directory: number, name: Uint8Array): FileStat | undefined;
  stat(fd: number): FileStat;
  /** As `stat`, as the words of a struct statx: valid until the next call. */
  statWords(fd: number): Int32Array;
  setMode(fd: number, mode: number): void;
  setOwner(fd: number, uid: number, gid: number): void;
  setTime(fd: number, mtimeNs: bigint): void;
  setXattr(fd: number, name: Uint8Array, value: Uint8Array): void;
  removeXattr(fd: number, name: Uint8Array): void;
  /** The attributes that are kept, by name. */
  listXattrs(fd: number): readonly Xattr[];
  /** Whether what is made in a directory inherits an ACL. */
  hasDefaultAcl(directory: number): boolean;
  /** Of a symlink or special file, without opening it. */
  setXattrOf(directory: number, name: Uint8Array, xattr: Uint8Array, value: Uint8Array): void;
  setModeOf(directory: number, name: Uint8Array, mode: number): void;
  setOwnerOf(directory: number, name: Uint8Array, uid: number, gid: number): void;
  setTimeOf(directory: number, name: Uint8Array, mtimeNs: bigint): void;
  /** Makes all that was written on the folder's file system durable. */
  sync(root: number): void;
  /** Has the disk begin with what was written so far; resolves when it is done, and is rejected when something could not be written. */
  startSync(root: number): Promise<void>;
}

export const posixWriter: FolderWriter = {
  openRoot: (path) => openSync(path, constants.O_RDONLY | constants.O_DIRECTORY),
  openDirectory: openBelow,
  close: (fd) => closeFd(fd),
  makeDirectory: (directory, name) => makeDirectoryAt(directory, name, 0o700),
  createFile: (directory, name, mode = 0o600) =>
    openBeneath(directory, name, openFlags.write | openFlags.create | openFlags.exclusive | openFlags.noFollow, mode),
  openFile: (directory, name) => openAt(directory, name, openFlags.read | openFlags.nonBlock),
  write(fd, bytes, position) {
    for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  },
  truncate: (fd, size) => ftruncateSync(fd, size),
  makeSymlink: (directory, name, target) => makeSymlinkAt(directory, name, target),
  makeSpecial: (directory, name, special) => makeNode(directory, name, { ...special, mode: 0o600 }),
  link: (fromDirectory, from, directory, name) => linkAt(fromDirectory, from, directory, name),
  rename: (fromDirectory, from, directory, name) =>
    renameAt({ directory: fromDirectory, name: from }, { directory, name }, "replace"),
  unlink: (directory, name) => unlinkAt(directory, name),
  removeDirectory: (directory, name) => removeDirectoryAt(directory, name),
  list: (directory) => readdirSync(`/proc/self/fd/${directory}`, "buffer"),
  find: (directory, name) => findStat(name, directory),
  stat: (fd) => fstat(fd),
  statWords: (fd) => fstatWords(fd),
  setMode: (fd, mode) => setMode(fd, mode),
  setOwner: (fd, uid, gid) => setOwner(fd, uid, gid),
  setTime: (fd, mtimeNs) => setTime(fd, mtimeNs),
  setXattr: (fd, name, value) => setXattr(fd, name, value),
  removeXattr: (fd, name) => removeXattr(fd, name),
  listXattrs: (fd) => readKeptXattrs(fd),
  hasDefaultAcl: (directory) => findXattr(directory, "system.posix_acl_default") !== undefined,
  setXattrOf: (directory, name, xattr, value) =>
    setXattr(Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), name]), xattr, value),
  setModeOf: (directory, name, mode) => setModeAt(directory, name, mode),
  setOwnerOf: (directory, name, uid, gid) => setOwnerAt(directory, name, uid, gid),
  setTimeOf: (directory, name, mtimeNs) => setTimeAt(directory, name, mtimeNs),
  sync: (root) => syncFileSystem(root),
  startSync: (root) => startSyncFileSystem(root),
};

/** In steps where the path is too long for one call. */
function openBelow(root: number, path: Uint8Array): number {
  const flags = openFlags.read | openFlags.directory;
  if (path.length === 0) return openBeneath(root, ".", flags);
  if (path.length <= pathBytesMax) return openBeneath(root, path, flags);
  const cut = path.lastIndexOf(slash, pathBytesMax);
  const middle = openBelow(root, path.subarray(0, cut));
  try {
    return openBelow(middle, path.subarray(cut + 1));
  } finally {
    closeFd(middle);
  }
}
