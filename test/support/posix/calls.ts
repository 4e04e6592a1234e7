/**
 * System calls as C programs make them, for the conformance cases: numbers in, and out a number or a negative errno, with nothing in between that would
 * look at either. Paths are from the working directory. Linux with glibc, x64 and arm64.
 *
 * `as` makes calls as somebody else. The identity of this thread alone is changed (the system calls themselves do that, glibc's would change all threads);
 * the saved user stays root, so that it can be changed back. Capabilities go with the effective user, as capabilities(7) says.
 */

import { constants as fileConstants } from "node:fs";
import { createRequire } from "node:module";
import { constants as systemConstants } from "node:os";

type Argument = number | bigint | string | Uint8Array | null;
export type Call = (...args: readonly Argument[]) => number;
interface Koffi {
  load(name: null): { func(prototype: string): unknown };
  errno(): number;
}

const koffi = createRequire(import.meta.url)("koffi") as Koffi;
const libc = koffi.load(null);

/** A call of libc's, whose failures are negative errnos. */
export function bind(prototype: string): Call {
  let bound: Call | undefined;
  return (...args) => {
    bound ??= libc.func(prototype) as Call;
    const result = Number(bound(...args));
    return result < 0 ? -koffi.errno() : result;
  };
}

export const cwd: number = -100;
export const open: Call = bind("int open64(const char *path, int flags, unsigned int mode)");
export const openAt: Call = bind("int openat64(int fd, const char *path, int flags, unsigned int mode)");
export const close: Call = bind("int close(int fd)");
export const mkdir: Call = bind("int mkdir(const char *path, unsigned int mode)");
export const rmdir: Call = bind("int rmdir(const char *path)");
export const unlink: Call = bind("int unlink(const char *path)");
export const unlinkAt: Call = bind("int unlinkat(int fd, const char *path, int flags)");
export const symlink: Call = bind("int symlink(const char *target, const char *path)");
export const linkAt: Call = bind("int linkat(int from, const char *path, int to, const char *target, int flags)");
export const renameAt: Call = bind(
  "int renameat2(int from, const char *path, int to, const char *target, unsigned int flags)",
);
export const chmod: Call = bind("int chmod(const char *path, unsigned int mode)");
export const fchmod: Call = bind("int fchmod(int fd, unsigned int mode)");
export const chownAt: Call = bind(
  "int fchownat(int fd, const char *path, unsigned int uid, unsigned int gid, int flags)",
);
export const fchown: Call = bind("int fchown(int fd, unsigned int uid, unsigned int gid)");
export const truncate: Call = bind("int truncate64(const char *path, int64_t size)");
export const ftruncate: Call = bind("int ftruncate64(int fd, int64_t size)");
export const access: Call = bind("int access(const char *path, int mode)");
export const read: Call = bind("long read(int fd, void *into, size_t size)");
export const write: Call = bind("long write(int fd, const void *from, size_t size)");
export const pread: Call = bind("long pread64(int fd, void *into, size_t size, int64_t offset)");
export const pwrite: Call = bind("long pwrite64(int fd, const void *from, size_t size, int64_t offset)");
export const seek: Call = bind("int64_t lseek64(int fd, int64_t offset, int whence)");
export const fallocate: Call = bind("int fallocate64(int fd, int mode, int64_t offset, int64_t length)");
export const copyRange: Call = bind(
  "long copy_file_range(int from, void *fromAt, int to, void *toAt, size_t length, unsigned int flags)",
);
export const fsync: Call = bind("int fsync(int fd)");
export const fdatasync: Call = bind("int fdatasync(int fd)");
export const flock: Call = bind("int flock(int fd, int operation)");
export const fcntl: Call = bind("int fcntl64(int fd, int command, void *argument)");
export const fcntlNumber: Call = bind("int fcntl64(int fd, int command, long argument)");
export const getxattr: Call = bind("long lgetxattr(const char *path, const char *name, void *into, size_t size)");
export const setxattr: Call = bind(
  "int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)",
);
export const listxattr: Call = bind("long llistxattr(const char *path, void *into, size_t size)");
export const removexattr: Call = bind("int lremovexattr(const char *path, const char *name)");
export const getdents: Call = bind("long getdents64(int fd, void *into, size_t size)");
/** Returns its address, or MAP_FAILED, which is -1, too. */
export const mmap: Call = bind(
  "intptr_t mmap64(size_t at, size_t length, int protection, int flags, int fd, int64_t offset)",
);
export const munmap: Call = bind("int munmap(size_t at, size_t length)");
export const msync: Call = bind("int msync(size_t at, size_t length, int flags)");
const copyIn = libc.func("void *memcpy(size_t to, const void *from, size_t length)") as Call;
const copyOut = libc.func("void *memcpy(void *to, size_t from, size_t length)") as Call;
const readlinkInto = bind("long readlink(const char *path, void *into, size_t size)");
const mknodCall = bind("int mknod(const char *path, unsigned int mode, uint64_t device)");
const utimensatCall = bind("int utimensat(int fd, const char *path, void *times, int flags)");
const statxCall = bind("int statx(int fd, const char *path, int flags, unsigned int mask, void *into)");
const syscall3 = bind("long syscall(long number, long a, long b, long c)");
const setgroupsCall = bind("long syscall(long number, long count, void *groups)");
const umaskCall = bind("unsigned int umask(unsigned int mask)");

const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } =
  fileConstants;
type FlagName =
  | "RDONLY"
  | "WRONLY"
  | "RDWR"
  | "CREAT"
  | "EXCL"
  | "TRUNC"
  | "APPEND"
  | "DIRECTORY"
  | "NOFOLLOW"
  | "NONBLOCK"
  | "PATH"
  | "TMPFILE";
export const flags: Readonly<Record<FlagName, number>> = {
  RDONLY: O_RDONLY,
  WRONLY: O_WRONLY,
  RDWR: O_RDWR,
  CREAT: O_CREAT,
  EXCL: O_EXCL,
  TRUNC: O_TRUNC,
  APPEND: O_APPEND,
  DIRECTORY: O_DIRECTORY,
  NOFOLLOW: O_NOFOLLOW,
  NONBLOCK: O_NONBLOCK,
  PATH: 0o10000000,
  TMPFILE: 0o20000000 | O_DIRECTORY,
};

export const renameFlags = { NOREPLACE: 1, EXCHANGE: 2 } as const;
export const atFlags = { NOFOLLOW: 0x100, REMOVEDIR: 0x200, FOLLOW: 0x400, EMPTY: 0x1000 } as const;
/** Of times: now, and as it was. */
export const utimeNow: number = 2 ** 30 - 1;
export const utimeOmit: number = 2 ** 30 - 2;
export const kindBits = {
  fifo: 0o010000,
  character: 0o020000,
  directory: 0o040000,
  block: 0o060000,
  file: 0o100000,
  symlink: 0o120000,
  socket: 0o140000,
} as const;

const names = new Map(Object.entries(systemConstants.errno).map(([name, number]) => [number as number, name]));
// ENOTSUP is the same number: the later name would win.
names.set(95, "EOPNOTSUPP").set(11, "EAGAIN");

/** "ENOENT" of a failure, else "ok". */
export function nameOf(result: number): string {
  return result >= 0 ? "ok" : (names.get(-result) ?? `errno ${-result}`);
}

export function mknod(path: string, mode: number, major = 0, minor = 0): number {
  return mknodCall(path, mode, (major << 8) | minor);
}

export interface Time {
  readonly seconds: number;
  readonly ns: number;
}

/** @param times Access and change; undefined stands for NULL: both now. */
export function setTimes(path: string, times: readonly [Time, Time] | undefined, how = 0): number {
  if (times === undefined) return utimensatCall(cwd, path, null, how);
  const bytes = Buffer.alloc(32);
  for (const [index, { seconds, ns }] of times.entries()) {
    bytes.writeBigInt64LE(BigInt(seconds), index * 16);
    bytes.writeBigInt64LE(BigInt(ns), index * 16 + 8);
  }
  return utimensatCall(cwd, path, bytes, how);
}

/** The target, or a negative errno. */
export function readlink(path: string, bytesMax = 4096): string | number {
  const into = Buffer.alloc(Math.max(1, bytesMax));
  const count = readlinkInto(path, into, bytesMax);
  return count < 0 ? count : into.toString("latin1", 0, count);
}

export interface Stat {
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly size: number;
  readonly blocks: number;
  readonly major: number;
  readonly minor: number;
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
}

const statBytes = Buffer.alloc(256);

/** Of the path itself, or with `follow` of what it leads to. @returns A negative errno when it fails. */
export function findStat(
  path: string,
  { follow = false, fd = cwd }: { readonly follow?: boolean; readonly fd?: number } = {},
): Stat | number {
  const how = (follow ? 0 : atFlags.NOFOLLOW) | (path === "" && fd !== cwd ? atFlags.EMPTY : 0);
  const result = statxCall(fd, path, how, 0x7ff, statBytes);
  if (result < 0) return result;
  const time = (at: number): bigint =>
    statBytes.readBigInt64LE(at) * 1_000_000_000n + BigInt(statBytes.readUInt32LE(at + 8));
  return {
    nlink: statBytes.readUInt32LE(16),
    uid: statBytes.readUInt32LE(20),
    gid: statBytes.readUInt32LE(24),
    mode: statBytes.readUInt16LE(28),
    inode: statBytes.readBigUInt64LE(32),
    size: Number(statBytes.readBigUInt64LE(40)),
    blocks: Number(statBytes.readBigUInt64LE(48)),
    atime: time(64),
    ctime: time(96),
    mtime: time(112),
    major: statBytes.readUInt32LE(128),
    minor: statBytes.readUInt32LE(132),
  };
}

export function stat(path: string, how: { readonly follow?: boolean } = {}): Stat {
  const found = findStat(path, how);
  if (typeof found === "number") throw new Error(`stat of ${path}: ${nameOf(found)}`);
  return found;
}

export function fstat(fd: number): Stat {
  const found = findStat("", { fd, follow: true });
  if (typeof found === "number") throw new Error(`fstat: ${nameOf(found)}`);
  return found;
}

export function umask(mask: number): number {
  return umaskCall(mask);
}

export function putMemory(address: number, bytes: Uint8Array): void {
  copyIn(address, bytes, bytes.length);
}

export function getMemory(address: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  copyOut(bytes, address, length);
  return bytes;
}

export interface Who {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export const root: Who = { name: "root", uid: 0, gid: 0, groups: [] };
/** Owns things. */
export const owner: Who = { name: "owner", uid: 65_501, gid: 65_501, groups: [] };
/** Is in the owner's group. */
export const member: Who = { name: "member", uid: 65_502, gid: 65_502, groups: [65_501] };
export const other: Who = { name: "other", uid: 65_503, gid: 65_503, groups: [] };
export const everybody: readonly Who[] = [root, owner, member, other];

const [setresuid, setresgid, setgroups] = process.arch === "arm64" ? [147, 149, 159] : [117, 119, 116];

function become({ uid, gid, groups }: Who): void {
  const list = Buffer.from(Uint32Array.from(groups).buffer);
  const results =
    uid === 0
      ? [
          syscall3(setresuid, 0, 0, 0),
          syscall3(setresgid, gid, gid, gid),
          setgroupsCall(setgroups, groups.length, list),
        ]
      : [
          setgroupsCall(setgroups, groups.length, list),
          syscall3(setresgid, gid, gid, gid),
          syscall3(setresuid, uid, uid, 0),
        ];
  if (results.some((result) => result < 0)) throw new Error(`cannot become ${uid}: ${results.join()}`);
}

/** Makes calls as somebody, and is root again. */
export function as<T>(who: Who, act: () => T): T {
  if (who.uid === 0) return act();
  become(who);
  try {
    return act();
  } finally {
    become(root);
  }
}
