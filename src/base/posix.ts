/**
 * System calls that Node lacks or does only by halves: opening below a directory and never through a symlink, times to the
 * nanosecond, device nodes, renames that replace nothing. Paths are strings or bytes, relative to a directory's descriptor.
 *
 * Every failure is an Error as Node makes them, with `code`. Symlinks are never followed in the last part of a path. Linux.
 * The rest of the family: posix-xattr.ts, posix-space.ts (holes, syncing, copying) and posix-directory.ts (listing fast).
 */
import { readFileSync } from "node:fs";
import { joinNs, splitNs, writeSeconds } from "./nanoseconds.ts";
import { check, dataAt, errnos, type Library, library, openFlags, type PathLike, putPath } from "./posix-library.ts";

export * from "./posix-directory.ts";
export { openFlags, type PathLike } from "./posix-library.ts";
export * from "./posix-space.ts";
export * from "./posix-xattr.ts";

export type FileKind = "file" | "directory" | "symlink" | "fifo" | "socket" | "character" | "block";

export interface FileStat {
  readonly kind: FileKind;
  readonly device: bigint;
  readonly inode: bigint;
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly nlink: number;
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** In bytes. */
  readonly size: number;
  /** In units of 512 bytes. */
  readonly blocks: number;
  /** Nanoseconds since 1970; may be negative. */
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** When the inode was made; absent where nobody tells. */
  readonly birthNs?: bigint;
}

/** Instead of a descriptor: the working directory of the process, for absolute paths. */
export const cwdFd = -100;

const atSymlinkNoFollow = 0x100;
const atRemoveDirectory = 0x200;
const atEmptyPath = 0x1000;
const statxMask = 0xfff;
const resolveBeneath = 0x08;
const resolveNoSymlinks = 0x04;
const openat2Number = 437;
const renameNoReplace = 1;
const renameExchange = 2;

/** By the four bits above the permissions: S_IFREG is 8 of these, and so on. */
const kindByFormat: Readonly<Record<number, FileKind>> = {
  8: "file",
  4: "directory",
  10: "symlink",
  1: "fifo",
  12: "socket",
  2: "character",
  6: "block",
};
const formatByKind = {
  fifo: 0o010000,
  character: 0o020000,
  block: 0o060000,
  socket: 0o140000,
  file: 0o100000,
} as const;

/** What stands at a path. @throws Error with `code`. */
export function lstat(path: PathLike, directory: number = cwdFd): FileStat {
  const lib = library();
  const result = lib.call.statx(directory, putPath(lib, path), atSymlinkNoFollow, statxMask, lib.data);
  check(result, "statx", path);
  return statFromScratch(lib);
}

/** As `lstat`; undefined when there is nothing (ENOENT, ENOTDIR). */
export function findStat(path: PathLike, directory: number = cwdFd): FileStat | undefined {
  const lib = library();
  const result = lib.call.statx(directory, putPath(lib, path), atSymlinkNoFollow, statxMask, lib.data);
  if (result < 0) {
    const errno = lib.errno();
    if (errno === errnos.ENOENT || errno === errnos.ENOTDIR) return undefined;
  }
  check(result, "statx", path);
  return statFromScratch(lib);
}

/** What a descriptor is open on, also one opened as a path only. */
export function fstat(fd: number): FileStat {
  const lib = library();
  lib.scratch[0] = 0;
  check(lib.call.statx(fd, lib.pathA, atEmptyPath | atSymlinkNoFollow, statxMask, lib.data), "statx");
  return statFromScratch(lib);
}

/** The raw words of a struct statx, for callers in a hurry: valid until the next call of this module. */
export function fstatWords(fd: number): Int32Array {
  const lib = library();
  lib.scratch[0] = 0;
  check(lib.call.statx(fd, lib.pathA, atEmptyPath | atSymlinkNoFollow, statxMask, lib.data), "statx");
  return lib.words.subarray(dataAt >>> 2, (dataAt >>> 2) + 64);
}

function statFromScratch({ scratch }: Library): FileStat {
  return statFromBytes(scratch, dataAt);
}

/** Reads a struct statx. */
export function statFromBytes(bytes: Buffer, at: number): FileStat {
  const mode = bytes.readUInt16LE(at + 28);
  const time = (offset: number): bigint => {
    const seconds = bytes.readInt32LE(at + offset + 4) * 2 ** 32 + bytes.readUInt32LE(at + offset);
    return joinNs(seconds, bytes.readUInt32LE(at + offset + 8));
  };
  // No copies by spreading: a mount does this for every request.
  const stat: FileStat & { birthNs?: bigint } = {
    kind: kindByFormat[mode >>> 12] ?? "file",
    device: (BigInt(bytes.readUInt32LE(at + 136)) << 32n) | BigInt(bytes.readUInt32LE(at + 140)),
    inode: bytes.readBigUInt64LE(at + 32),
    mode: mode & 0o7777,
    uid: bytes.readUInt32LE(at + 20),
    gid: bytes.readUInt32LE(at + 24),
    nlink: bytes.readUInt32LE(at + 16),
    rdevMajor: bytes.readUInt32LE(at + 128),
    rdevMinor: bytes.readUInt32LE(at + 132),
    size: Number(bytes.readBigUInt64LE(at + 40)),
    blocks: Number(bytes.readBigUInt64LE(at + 48)),
    mtimeNs: time(112),
    ctimeNs: time(96),
  };
  if ((bytes.readUInt32LE(at) & 0x800) !== 0) stat.birthNs = time(80);
  return stat;
}

/**
 * Opens a path below a directory. No part of it may be a symlink, none leads out of the directory.
 * @param flags Of `openFlags`; closed on exec always.
 * @param mode Permission bits of a new file, before the umask.
 * @throws Error: ELOOP (a symlink), EXDEV (it leads out), and those of open.
 */
export function openBeneath(directory: number, path: PathLike, flags: number, mode = 0): number {
  const lib = library();
  const pointer = putPath(lib, path);
  const how = dataAt >>> 2;
  lib.words.fill(0, how, how + 6);
  lib.words[how] = flags | openFlags.closeOnExec;
  lib.words[how + 2] = mode;
  lib.words[how + 4] = resolveBeneath | resolveNoSymlinks;
  for (;;) {
    const fd = lib.call.openat2(openat2Number, directory, pointer, lib.data, 24);
    // EAGAIN: something was renamed meanwhile, and the kernel could not tell whether the path leads out.
    if (fd < 0 && (lib.errno() === errnos.EINTR || lib.errno() === errnos.EAGAIN)) continue;
    return check(fd, "openat2", path);
  }
}

/**
 * Opens one name in a directory (or any path from `cwdFd`), not through a symlink in its last part.
 * @throws Error: ELOOP (a symlink), and those of open.
 */
export function openAt(directory: number, name: PathLike, flags: number, mode = 0): number {
  const lib = library();
  const pointer = putPath(lib, name);
  for (;;) {
    const fd = lib.call.openat(directory, pointer, flags | openFlags.closeOnExec | openFlags.noFollow, mode);
    if (fd < 0 && lib.errno() === errnos.EINTR) continue;
    return check(fd, "openat", name);
  }
}

export function close(fd: number): void {
  check(library().call.close(fd), "close");
}

/** Sets the mtime, and the atime to the same. @param ns Nanoseconds since 1970. */
export function setTimeAt(directory: number, name: PathLike, ns: bigint): void {
  const lib = library();
  putTimes(lib, ns);
  check(lib.call.utimensat(directory, putPath(lib, name), lib.data, atSymlinkNoFollow), "utimensat", name);
}

export function setTime(fd: number, ns: bigint): void {
  const lib = library();
  putTimes(lib, ns);
  check(lib.call.futimens(fd, lib.data), "futimens");
}

function putTimes({ scratch }: Library, ns: bigint): void {
  const time = splitNs(ns);
  for (const at of [dataAt, dataAt + 16]) {
    writeSeconds(scratch, time.seconds, at);
    writeSeconds(scratch, time.ns, at + 8);
  }
}

/** Sets permission bits as they are, whatever the umask. */
export function setMode(fd: number, mode: number): void {
  check(library().call.fchmod(fd, mode), "fchmod");
}

/** As `setMode`, by name. Follows a symlink (they have no mode): not for names that may be one. */
export function setModeAt(directory: number, name: PathLike, mode: number): void {
  const lib = library();
  check(lib.call.fchmodat(directory, putPath(lib, name), mode, 0), "fchmodat", name);
}

export function setOwnerAt(directory: number, name: PathLike, uid: number, gid: number): void {
  const lib = library();
  check(lib.call.fchownat(directory, putPath(lib, name), uid, gid, atSymlinkNoFollow), "fchownat", name);
}

export function setOwner(fd: number, uid: number, gid: number): void {
  const lib = library();
  lib.scratch[0] = 0;
  check(lib.call.fchownat(fd, lib.pathA, uid, gid, atEmptyPath), "fchownat");
}

/** Makes a fifo, a socket's name or a device node. @throws Error: EPERM (devices want root), EEXIST. */
export function makeNode(
  directory: number,
  name: PathLike,
  node: {
    readonly kind: keyof typeof formatByKind;
    readonly mode: number;
    readonly major?: number;
    readonly minor?: number;
  },
): void {
  const lib = library();
  const device = deviceNumber(node.major ?? 0, node.minor ?? 0);
  const result = lib.call.mknodat(directory, putPath(lib, name), formatByKind[node.kind] | node.mode, device);
  check(result, "mknodat", name);
}

/** As glibc's makedev; a number that would not fit into 53 bits is no device's. */
function deviceNumber(major: number, minor: number): number {
  const [high, low] = [BigInt(major), BigInt(minor)];
  const device = ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn);
  return Number(device);
}

export function makeDirectoryAt(directory: number, name: PathLike, mode: number): void {
  const lib = library();
  check(lib.call.mkdirat(directory, putPath(lib, name), mode), "mkdirat", name);
}

export function makeSymlinkAt(directory: number, name: PathLike, target: PathLike): void {
  const lib = library();
  const pointer = putPath(lib, target, true);
  check(lib.call.symlinkat(pointer, directory, putPath(lib, name)), "symlinkat", name);
}

/** A symlink's target, as it is. The caller owns the bytes. */
export function readLinkAt(directory: number, name: PathLike): Uint8Array {
  const lib = library();
  const length = check(lib.call.readlinkat(directory, putPath(lib, name), lib.data, 65_536), "readlinkat", name);
  return new Uint8Array(lib.scratch.subarray(dataAt, dataAt + length));
}

export function linkAt(fromDirectory: number, from: PathLike, toDirectory: number, to: PathLike): void {
  const lib = library();
  const [a, b] = [putPath(lib, from), putPath(lib, to, true)];
  check(lib.call.linkat(fromDirectory, a, toDirectory, b, 0), "linkat", to);
}

export function unlinkAt(directory: number, name: PathLike): void {
  const lib = library();
  check(lib.call.unlinkat(directory, putPath(lib, name), 0), "unlinkat", name);
}

export function removeDirectoryAt(directory: number, name: PathLike): void {
  const lib = library();
  check(lib.call.unlinkat(directory, putPath(lib, name), atRemoveDirectory), "unlinkat", name);
}

export interface RenamePlace {
  readonly directory: number;
  readonly name: PathLike;
}

/** @param how "replace" what is there, fail with EEXIST, or let the two change places. */
export function renameAt(from: RenamePlace, to: RenamePlace, how: "replace" | "no-replace" | "exchange"): void {
  const lib = library();
  const [a, b] = [putPath(lib, from.name), putPath(lib, to.name, true)];
  const flags = how === "replace" ? 0 : how === "exchange" ? renameExchange : renameNoReplace;
  check(lib.call.renameat2(from.directory, a, to.directory, b, flags), "renameat2", to.name);
}

/**
 * The last `count` arguments of this process as bytes, which Node's `process.argv` is not for names that are not UTF-8.
 * (What is before them, the program and its options, is not always there in full.)
 */
export function processArguments(count: number): Uint8Array[] {
  const bytes = readFileSync("/proc/self/cmdline");
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    parts.push(bytes.subarray(at, end < 0 ? bytes.length : end));
    at = end < 0 ? bytes.length : end + 1;
  }
  return parts.splice(Math.max(0, parts.length - count));
}
