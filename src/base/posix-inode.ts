/**
 * System calls on what a descriptor is open on, also one opened as a path only (O_PATH), of any kind, symlinks too: nothing here goes by a name that
 * could lead elsewhere by now. Where Linux has no such call, the descriptor's own link in /proc is the path (proc(5): it leads to the open file itself,
 * whatever its names are), so /proc must be mounted.
 *
 * Failures are Errors with `code`, as in posix.ts. Sources: linux/stat.h, linux/fcntl.h, linux/falloc.h, linux/uio.h; struct statfs of asm-generic/statfs.h.
 */
import { errnoOf } from "./errors.ts";
import { joinNs, splitNs, writeSeconds } from "./nanoseconds.ts";
import { type FileStat, statFromBytes } from "./posix.ts";
import {
  addressOf,
  check,
  dataAt,
  errnos,
  type Library,
  library,
  openFlags,
  type PathLike,
  putData,
  putPath,
} from "./posix-library.ts";

const atSymlinkNoFollow = 0x100;
const atSymlinkFollow = 0x400;
const atNoAutomount = 0x800;
const atEmptyPath = 0x1000;
const statxMask = 0xfff;
const atimeAt = 64;
/** Of a time's nanoseconds: now, and as it was. */
const [timeNow, timeOmit] = [2 ** 30 - 1, 2 ** 30 - 2];
const noId = 0xffff_ffff;
const xattrBytesMax = 65_536;
/** The kernel makes room for as much as it is offered, and clears it: with 64 KiB that is a quarter of such a call. */
const xattrBytesUsual = 1024;
const appendOnce = 0x10;
/** __O_TMPFILE and O_DIRECTORY. */
const temporaryFlags: number = 0o20000000 | openFlags.directory;
const [seekData, seekHole] = [3, 4];

export interface InodeStat extends FileStat {
  readonly atimeNs: bigint;
}

/** What a name in a directory leads to, itself; undefined when there is none. @throws Error: ENOTDIR, EACCES. */
export function findInode(directory: number, name: PathLike): InodeStat | undefined {
  const lib = library();
  const flags = atSymlinkNoFollow | atNoAutomount;
  const result = lib.call.statx(directory, putPath(lib, name), flags, statxMask, lib.data);
  if (result < 0 && lib.errno() === errnos.ENOENT) return undefined;
  check(result, "statx", name);
  return statOfScratch(lib);
}

export function statInode(fd: number): InodeStat {
  const lib = library();
  check(lib.call.statx(fd, noPath(lib), atEmptyPath | atSymlinkNoFollow, statxMask, lib.data), "statx");
  return statOfScratch(lib);
}

function statOfScratch({ scratch }: Library): InodeStat {
  const at = dataAt + atimeAt;
  const seconds = scratch.readInt32LE(at + 4) * 2 ** 32 + scratch.readUInt32LE(at);
  return Object.assign(statFromBytes(scratch, dataAt), { atimeNs: joinNs(seconds, scratch.readUInt32LE(at + 8)) });
}

/** Opens what a descriptor stands for once more, with other flags. Not for symlinks. @param flags Of `openFlags`. */
export function reopen(fd: number, flags: number): number {
  const lib = library();
  for (;;) {
    const opened = lib.call.open(putPath(lib, linkOf(fd)), flags | openFlags.closeOnExec, 0);
    if (opened < 0 && lib.errno() === errnos.EINTR) continue;
    return check(opened, "open");
  }
}

/** open(2) of a path from the working directory, symlinks followed. @param flags Of `openFlags`. */
export function openFollowing(path: PathLike, flags: number): number {
  const lib = library();
  return check(lib.call.open(putPath(lib, path), flags | openFlags.closeOnExec, 0), "open", path);
}

/**
 * A descriptor on a directory, for calls on it: open for reading where that is allowed, for then the kernel takes the descriptor itself for what it takes of
 * one that is opened as a path only by a way through /proc.
 * @param open Opens it, with these flags.
 */
export function openDirectory(open: (flags: number) => number): number {
  try {
    return open(openFlags.read | openFlags.directory);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EACCES") throw thrown;
    return open(openFlags.pathOnly | openFlags.directory);
  }
}

/** O_TMPFILE: a file without a name, on the file system of a directory. @throws Error: EOPNOTSUPP, EISDIR where there are none. */
export function openTemporary(directory: number, flags: number, mode: number): number {
  const lib = library();
  const all = flags | temporaryFlags | openFlags.closeOnExec;
  return check(lib.call.openat(directory, putPath(lib, "."), all, mode), "openat");
}

/** Gives it one name more. @throws Error: ENOENT when its last one is gone, EPERM of a directory. */
export function linkInode(fd: number, directory: number, name: PathLike): void {
  const lib = library();
  const [from, to] = [putPath(lib, linkOf(fd)), putPath(lib, name, true)];
  check(lib.call.linkat(-1, from, directory, to, atSymlinkFollow), "linkat", name);
}

/** The target of a symlink opened as a path only. The caller owns the bytes. */
export function readInodeLink(fd: number): Uint8Array {
  const lib = library();
  const length = check(lib.call.readlinkat(fd, putPath(lib, ""), lib.data, xattrBytesMax), "readlinkat");
  return new Uint8Array(lib.scratch.subarray(dataAt, dataAt + length));
}

/** @throws Error: EOPNOTSUPP of a symlink. */
export function setInodeMode(fd: number, mode: number): void {
  const lib = library();
  let result = lib.call.fchmod(fd, mode);
  if (isPathOnly(lib, result)) result = lib.call.chmod(putPath(lib, linkOf(fd)), mode);
  check(result, "chmod");
}

export function setInodeOwner(fd: number, uid: number | undefined, gid: number | undefined): void {
  const lib = library();
  check(lib.call.fchownat(fd, noPath(lib), uid ?? noId, gid ?? noId, atEmptyPath), "fchownat");
}

/** Nanoseconds since 1970; undefined leaves a time as it is. */
export function setInodeTimes(
  fd: number,
  atimeNs: bigint | "now" | undefined,
  mtimeNs: bigint | "now" | undefined,
): void {
  const lib = library();
  putTime(lib, dataAt, atimeNs);
  putTime(lib, dataAt + 16, mtimeNs);
  check(lib.call.utimensat(fd, noPath(lib), lib.data, atEmptyPath), "utimensat");
}

function putTime({ scratch }: Library, at: number, ns: bigint | "now" | undefined): void {
  const isSaid = ns !== undefined && ns !== "now";
  const time = isSaid ? splitNs(ns) : { seconds: 0, ns: ns === "now" ? timeNow : timeOmit };
  writeSeconds(scratch, time.seconds, at);
  writeSeconds(scratch, time.ns, at + 8);
}

export function setInodeSize(fd: number, size: number): void {
  const lib = library();
  check(lib.call.truncate(putPath(lib, linkOf(fd)), size), "truncate");
}

/** The value, or undefined when there is none of that name. The caller owns the bytes. @throws Error: ENOTSUP. */
export function findInodeXattr(fd: number, name: PathLike): Uint8Array | undefined {
  const lib = library();
  const key = putPath(lib, name, true);
  let length = lib.call.fgetxattr(fd, key, lib.data, xattrBytesUsual);
  if (isPathOnly(lib, length)) length = lib.call.getxattr(putPath(lib, linkOf(fd)), key, lib.data, xattrBytesUsual);
  if (length < 0 && lib.errno() === errnos.ENODATA) return undefined;
  if (length < 0 && lib.errno() === errnos.ERANGE)
    length = lib.call.getxattr(putPath(lib, linkOf(fd)), key, lib.data, xattrBytesMax);
  check(length, "getxattr");
  return new Uint8Array(lib.scratch.subarray(dataAt, dataAt + length));
}

/** The names, each followed by NUL. The caller owns the bytes. */
export function listInodeXattrs(fd: number): Uint8Array {
  const lib = library();
  const path = putPath(lib, linkOf(fd));
  let length = lib.call.listxattr(path, lib.data, xattrBytesUsual);
  if (length < 0 && lib.errno() === errnos.ERANGE) length = lib.call.listxattr(path, lib.data, xattrBytesMax);
  check(length, "listxattr");
  return new Uint8Array(lib.scratch.subarray(dataAt, dataAt + length));
}

export function setInodeXattr(fd: number, name: PathLike, value: Uint8Array, mode: "any" | "create" | "replace"): void {
  const lib = library();
  const [path, key, data] = [putPath(lib, linkOf(fd)), putPath(lib, name, true), putData(lib, value)];
  const flags = { any: 0, create: 1, replace: 2 }[mode];
  check(lib.call.setxattr(path, key, data, value.length, flags), "setxattr");
}

/** @throws Error: ENODATA when there is none of that name. */
export function removeInodeXattr(fd: number, name: PathLike): void {
  const lib = library();
  check(lib.call.removexattr(putPath(lib, linkOf(fd)), putPath(lib, name, true)), "removexattr");
}

/** Writes at the end of the file, wherever it is at that moment. @returns How many bytes. */
export function appendBytes(fd: number, bytes: Uint8Array): number {
  const lib = library();
  lib.scratch.writeBigUInt64LE(BigInt(addressOf(bytes)), dataAt);
  lib.scratch.writeBigUInt64LE(BigInt(bytes.length), dataAt + 8);
  return check(lib.call.pwritev2(fd, lib.data, 1, 0, appendOnce), "pwritev2");
}

/** fallocate(2). @param kind "punch-hole" keeps the size always. */
export function allocate(
  fd: number,
  kind: "reserve" | "punch-hole" | "zero",
  range: { readonly offset: number; readonly length: number; readonly keepSize: boolean },
): void {
  const mode = { reserve: 0, "punch-hole": 2, zero: 0x10 }[kind] | (range.keepSize || kind === "punch-hole" ? 1 : 0);
  check(library().call.fallocate(fd, mode, range.offset, range.length), "fallocate");
}

/** lseek(2) with SEEK_DATA or SEEK_HOLE. @throws Error: ENXIO past the end, or when no data follows. */
export function seekInode(fd: number, offset: number, what: "data" | "hole"): number {
  return check(library().call.lseek(fd, offset, what === "data" ? seekData : seekHole), "lseek");
}

/** copy_file_range(2) at offsets. @returns How many bytes. */
export function copyRangeAt(from: number, fromOffset: number, to: number, toOffset: number, length: number): number {
  const lib = library();
  lib.scratch.writeBigInt64LE(BigInt(fromOffset), dataAt);
  lib.scratch.writeBigInt64LE(BigInt(toOffset), dataAt + 8);
  return check(lib.call.copyFileRange(from, lib.data, to, lib.data + 8, length, 0), "copy_file_range");
}

export interface SpaceOfFileSystem {
  readonly blockBytes: number;
  readonly blocks: number;
  readonly freeBlocks: number;
  readonly availableBlocks: number;
  readonly files: number;
  readonly freeFiles: number;
}

/** statfs(2) of the file system that a descriptor is on. */
export function spaceOf(fd: number): SpaceOfFileSystem {
  const lib = library();
  check(lib.call.fstatfs(fd, lib.data), "fstatfs");
  const word = (index: number): number => Number(lib.scratch.readBigUInt64LE(dataAt + index * 8));
  const counts = { blocks: word(2), freeBlocks: word(3), availableBlocks: word(4), files: word(5), freeFiles: word(6) };
  return { blockBytes: word(9) || word(1), ...counts };
}

function linkOf(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

/** A call on a descriptor was refused because that is opened as a path only: it has to be made by its link. Asking first costs less than the link does. */
function isPathOnly(lib: Library, result: number): boolean {
  return result < 0 && lib.errno() === errnos.EBADF;
}

/** An empty path: with `atEmptyPath` the descriptor itself. */
function noPath({ scratch, pathA }: Library): number {
  scratch[0] = 0;
  return pathA;
}
