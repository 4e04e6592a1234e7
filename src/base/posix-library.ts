/**
 * The door to libc: koffi, loaded when the first call needs it, and the scratch memory that calls pass pointers into.
 *
 * Loading costs 10 ms, a call 0.1 us above the kernel's own time. All calls are synchronous and use one scratch memory per
 * thread, so nothing here may be re-entered. Pointers are plain numbers (user space has 47 bits of them). Linux with glibc,
 * x64 and arm64; structures are those of the kernel's ABI, equal on both.
 */
import { constants, openSync } from "node:fs";
import { createRequire } from "node:module";
import { getSystemErrorMap } from "node:util";
import type Koffi from "koffi";

export type PathLike = string | Uint8Array;

/** One path of two can take this many bytes; the kernel's own limit for one is 4,096. */
const pathRoom = 8192;
const dataRoom = 1024 * 1024 + 4096;

/** A call into libc: numbers in, a number out. */
type Call = (...args: readonly number[]) => number;

const prototypes = {
  openat2: "long syscall(long number, long fd, size_t path, size_t how, size_t size)",
  openat: "int openat(int fd, size_t path, int flags, unsigned int mode)",
  close: "int close(int fd)",
  statx: "int statx(int fd, size_t path, int flags, unsigned int mask, size_t stat)",
  getdents64: "long getdents64(int fd, size_t into, size_t size)",
  utimensat: "int utimensat(int fd, size_t path, size_t times, int flags)",
  futimens: "int futimens(int fd, size_t times)",
  fchmod: "int fchmod(int fd, unsigned int mode)",
  fchmodat: "int fchmodat(int fd, size_t path, unsigned int mode, int flags)",
  fchownat: "int fchownat(int fd, size_t path, unsigned int uid, unsigned int gid, int flags)",
  mknodat: "int mknodat(int fd, size_t path, unsigned int mode, uint64_t device)",
  mkdirat: "int mkdirat(int fd, size_t path, unsigned int mode)",
  symlinkat: "int symlinkat(size_t target, int fd, size_t path)",
  readlinkat: "long readlinkat(int fd, size_t path, size_t into, size_t size)",
  linkat: "int linkat(int fromFd, size_t from, int toFd, size_t to, int flags)",
  unlinkat: "int unlinkat(int fd, size_t path, int flags)",
  renameat2: "int renameat2(int fromFd, size_t from, int toFd, size_t to, unsigned int flags)",
  pwrite: "int64_t pwrite64(int fd, size_t bytes, size_t count, int64_t position)",
  lseek: "int64_t lseek64(int fd, int64_t offset, int whence)",
  fallocate: "int fallocate64(int fd, int mode, int64_t offset, int64_t length)",
  dup2: "int dup2(int from, int to)",
  flock: "int flock(int fd, int operation)",
  copyFileRange:
    "long copy_file_range(int from, size_t fromAt, int to, size_t toAt, size_t length, unsigned int flags)",
  syncfs: "int syncfs(int fd)",
  syncFileRange: "int sync_file_range(int fd, int64_t offset, int64_t length, unsigned int flags)",
  fadvise: "int posix_fadvise64(int fd, int64_t offset, int64_t length, int advice)",
  fstatfs: "int fstatfs64(int fd, size_t into)",
  inotifyInit: "int inotify_init1(int flags)",
  inotifyAdd: "int inotify_add_watch(int fd, size_t path, unsigned int mask)",
  lgetxattr: "long lgetxattr(size_t path, size_t name, size_t into, size_t size)",
  llistxattr: "long llistxattr(size_t path, size_t into, size_t size)",
  lsetxattr: "int lsetxattr(size_t path, size_t name, size_t value, size_t size, int flags)",
  lremovexattr: "int lremovexattr(size_t path, size_t name)",
  fgetxattr: "long fgetxattr(int fd, size_t name, size_t into, size_t size)",
  flistxattr: "long flistxattr(int fd, size_t into, size_t size)",
  fsetxattr: "int fsetxattr(int fd, size_t name, size_t value, size_t size, int flags)",
  fremovexattr: "int fremovexattr(int fd, size_t name)",
  // Those that follow symlinks: of /proc/self/fd/N, which leads to what N is open on.
  getxattr: "long getxattr(size_t path, size_t name, size_t into, size_t size)",
  listxattr: "long listxattr(size_t path, size_t into, size_t size)",
  setxattr: "int setxattr(size_t path, size_t name, size_t value, size_t size, int flags)",
  removexattr: "int removexattr(size_t path, size_t name)",
  chmod: "int chmod(size_t path, unsigned int mode)",
  truncate: "int truncate64(size_t path, int64_t size)",
  open: "int open64(size_t path, int flags, unsigned int mode)",
  pwritev2: "long pwritev64v2(int fd, size_t parts, int count, int64_t position, int flags)",
  setfsuid: "int setfsuid(unsigned int uid)",
  setfsgid: "int setfsgid(unsigned int gid)",
  capget: "int capget(size_t head, size_t data)",
  capset: "int capset(size_t head, size_t data)",
  read: "long read(int fd, size_t into, size_t size)",
  write: "long write(int fd, size_t bytes, size_t size)",
  fcntl: "int fcntl(int fd, int command, long argument)",
  poll: "int poll(size_t fds, unsigned long count, int timeoutMs)",
  ioctl: "int ioctl(int fd, unsigned long request, size_t argument)",
  mount: "int mount(size_t source, size_t target, size_t type, unsigned long flags, size_t data)",
  umount2: "int umount2(size_t target, int flags)",
  socketpair: "int socketpair(int domain, int type, int protocol, size_t fds)",
  recvmsg: "long recvmsg(int fd, size_t message, int flags)",
  // Of OpenSSL, which is in Node: binding them fails where it is hidden there.
  EVP_aes_256_gcm: "size_t EVP_aes_256_gcm()",
  EVP_CIPHER_CTX_new: "size_t EVP_CIPHER_CTX_new()",
  EVP_CIPHER_CTX_ctrl: "int EVP_CIPHER_CTX_ctrl(size_t context, int type, int argument, size_t pointer)",
  EVP_DecryptInit_ex: "int EVP_DecryptInit_ex(size_t context, size_t cipher, size_t engine, size_t key, size_t nonce)",
  EVP_DecryptUpdate: "int EVP_DecryptUpdate(size_t context, size_t into, size_t length, size_t from, int bytes)",
  EVP_DecryptFinal_ex: "int EVP_DecryptFinal_ex(size_t context, size_t into, size_t length)",
} as const;

type CallName = keyof typeof prototypes;

export interface Library {
  readonly call: Readonly<Record<CallName, Call>>;
  /** Of the last call that failed. */
  errno(): number;
  /** The scratch memory, and the addresses of its parts. */
  readonly scratch: Buffer;
  /** `scratch` as words. */
  readonly words: Int32Array;
  readonly pathA: number;
  readonly pathB: number;
  /** Where `dataAt` of `scratch` is. */
  readonly data: number;
  addressOf(bytes: Uint8Array | Int32Array): number;
}

/** The offset of the data part in `scratch`, and its size. */
export const dataAt: number = 2 * pathRoom;
export const dataBytes: number = dataRoom;

let loaded: Library | undefined;

/** The library, loaded now if it was not. @throws Error when koffi has no binary for this machine. */
export function library(): Library {
  loaded ??= load();
  return loaded;
}

function load(): Library {
  const koffi = createRequire(import.meta.url)("koffi") as typeof Koffi;
  const libc = koffi.load(null);
  const call = {} as Record<CallName, Call>;
  // Bound when first used: 30 us each.
  for (const name of Object.keys(prototypes) as CallName[]) {
    let bound: Call | undefined;
    Object.defineProperty(call, name, {
      enumerable: true,
      get(): Call {
        bound ??= libc.func(prototypes[name]) as unknown as Call;
        Object.defineProperty(call, name, { value: bound });
        return bound;
      },
      configurable: true,
    });
  }
  const memory = new ArrayBuffer(dataAt + dataRoom);
  const scratch = Buffer.from(memory);
  const address = (bytes: Uint8Array | Int32Array): number => Number(koffi.address(bytes));
  const base = address(scratch);
  const words = new Int32Array(memory, 0, memory.byteLength >>> 2);
  const errno = (): number => koffi.errno();
  return { call, errno, scratch, words, pathA: base, pathB: base + pathRoom, data: base + dataAt, addressOf: address };
}

/**
 * Leads stdout and stderr to nowhere, when all has been written: koffi syncs both as the process ends, which takes time on a slow disk and
 * never comes back where it fails.
 */
export function discardOutput(): void {
  if (loaded === undefined) return;
  const nowhere = openSync("/dev/null", constants.O_WRONLY);
  for (const fd of [1, 2]) check(loaded.call.dup2(nowhere, fd), "dup2");
}

/** The address of memory that the caller keeps alive, unmoved, for as long as it uses the number. */
export function addressOf(bytes: Uint8Array | Int32Array): number {
  return library().addressOf(bytes);
}

/** Puts a path into the scratch memory, with its NUL. @param second Whether it is the second path of a call. */
export function putPath(lib: Library, path: PathLike, second = false): number {
  const at = second ? pathRoom : 0;
  const { scratch } = lib;
  let end: number;
  if (typeof path === "string") {
    if (path.length * 3 >= pathRoom && Buffer.byteLength(path) >= pathRoom) throw systemError(36, "path", path);
    end = at + scratch.write(path, at, "utf8");
  } else {
    if (path.length >= pathRoom) throw systemError(36, "path", path);
    scratch.set(path, at);
    end = at + path.length;
  }
  scratch[end] = 0;
  const nul = scratch.indexOf(0, at);
  if (nul !== end) throw systemError(22, "path", path);
  return second ? lib.pathB : lib.pathA;
}

/** Puts bytes into the data part of the scratch memory. */
export function putData(lib: Library, bytes: Uint8Array, offset = 0): number {
  if (offset + bytes.length > dataRoom) throw systemError(7, "data");
  lib.scratch.set(bytes, dataAt + offset);
  return lib.data + offset;
}

/** Node makes it anew whenever it is asked for: 10 us. */
let errorMap: ReturnType<typeof getSystemErrorMap> | undefined;

/**
 * A failed call as Node reports its own: with `code`, `errno`, `syscall` and `path`.
 * @param errno Positive, as in C.
 */
export function systemError(errno: number, syscall: string, path?: PathLike): NodeJS.ErrnoException {
  errorMap ??= getSystemErrorMap();
  const [code, text] = errorMap.get(-errno) ?? [otherCodes[errno] ?? "EUNKNOWN", "unknown error"];
  const shown = path === undefined ? "" : ` '${typeof path === "string" ? path : Buffer.from(path).toString("utf8")}'`;
  const error: NodeJS.ErrnoException = new Error(`${code}: ${text}, ${syscall}${shown}`);
  error.code = code;
  error.errno = -errno;
  error.syscall = syscall;
  if (shown !== "") error.path = shown.slice(2, -1);
  return error;
}

/** Those that Node has no name for. */
const otherCodes: Readonly<Record<number, string>> = { 61: "ENODATA", 84: "EILSEQ", 116: "ESTALE", 122: "EDQUOT" };

/** The errnos that callers look at as numbers. */
export const errnos = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  EEXIST: 17,
  ENOTDIR: 20,
  EINVAL: 22,
  ERANGE: 34,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ELOOP: 40,
  ENODATA: 61,
  EOPNOTSUPP: 95,
} as const;

/** The result, or the failure as an error. Calls interrupted by a signal are made again by the callers' loops. */
export function check(result: number, syscall: string, path?: PathLike): number {
  if (result < 0) throw systemError(library().errno(), syscall, path);
  return result;
}

/** Flags of open that Node has, which differ between processors, and those it lacks, which do not. */
export const openFlags: Readonly<
  Record<
    | "read"
    | "write"
    | "readWrite"
    | "create"
    | "exclusive"
    | "truncate"
    | "directory"
    | "noFollow"
    | "nonBlock"
    | "closeOnExec"
    | "pathOnly",
    number
  >
> = {
  read: constants.O_RDONLY,
  write: constants.O_WRONLY,
  readWrite: constants.O_RDWR,
  create: constants.O_CREAT,
  exclusive: constants.O_EXCL,
  truncate: constants.O_TRUNC,
  directory: constants.O_DIRECTORY,
  noFollow: constants.O_NOFOLLOW,
  nonBlock: constants.O_NONBLOCK,
  closeOnExec: 0o2000000,
  pathOnly: 0o10000000,
};
