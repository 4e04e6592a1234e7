/**
 * Where a file's bytes are and when they reach the disk: holes, starting write-back early, syncing a file system, copying
 * inside the kernel, advisory locks. Linux; failures are Errors with `code`, as in posix.ts.
 */
import { check, dataAt, errnos, library, systemError } from "./posix-library.ts";

const seekData = 3;
const seekHole = 4;
const seekEnd = 2;
/** ENXIO. */
const noSuchPlace = 6;
const punchHoleMode = 0x02 | 0x01;
const startWrite = 2;
/** POSIX_FADV_WILLNEED. */
const willNeed = 3;
/** Of a call for more the kernel may begin a part only: what the device reads at once, 1280 KiB mostly. */
const readBytesMax = 1024 * 1024;

/**
 * The first byte at or after `offset` that is data; undefined when only a hole follows, or nothing. Where the file system
 * knows no holes, `offset` itself.
 */
export function lseekData(fd: number, offset: number): number | undefined {
  const lib = library();
  const found = lib.call.lseek(fd, offset, seekData);
  if (found < 0 && lib.errno() === noSuchPlace) return undefined;
  if (found < 0 && lib.errno() === errnos.EINVAL) return offset;
  return check(found, "lseek");
}

/** The first byte at or after `offset` that is in a hole; the file's size when there is none, `offset` past the end. */
export function lseekHole(fd: number, offset: number): number {
  const lib = library();
  const found = lib.call.lseek(fd, offset, seekHole);
  if (found < 0 && lib.errno() === noSuchPlace) return offset;
  if (found < 0 && lib.errno() === errnos.EINVAL) return check(lib.call.lseek(fd, 0, seekEnd), "lseek");
  return check(found, "lseek");
}

/** Gives the space of a range back; it reads as zeros. @throws Error: EOPNOTSUPP where there are no holes. */
export function punchHole(fd: number, offset: number, length: number): void {
  check(library().call.fallocate(fd, punchHoleMode, offset, length), "fallocate");
}

/** Reserves the space of a range, so that writing it later cannot fail for want of space. */
export function reserveSpace(fd: number, offset: number, length: number): void {
  check(library().call.fallocate(fd, 0, offset, length), "fallocate");
}

/**
 * Tells the kernel to begin writing a range to disk, without waiting: a later fsync then has less to do. Nothing is
 * durable by it. Where it is not known, nothing happens.
 * @param length In bytes; 0 is to the end of the file.
 */
export function startWriteBack(fd: number, offset: number, length: number): void {
  library().call.syncFileRange(fd, offset, length, startWrite);
}

/** Tells the kernel to begin reading a range from the disk, without waiting: who reads it later then waits less. Nothing else happens, and nothing fails. */
export function startReading(fd: number, offset: number, length: number): void {
  const { fadvise } = library().call;
  for (let at = 0; at < length; at += readBytesMax)
    fadvise(fd, offset + at, Math.min(readBytesMax, length - at), willNeed);
}

/** Makes everything on the file system that a descriptor is on durable. */
export function syncFileSystem(fd: number): void {
  check(library().call.syncfs(fd), "syncfs");
}

/**
 * As `syncFileSystem`, but on a thread of the pool; the descriptor must stay open until it is done. Its failure must not be passed over: the
 * next sync of this descriptor is not told of it again.
 */
export function startSyncFileSystem(fd: number): Promise<void> {
  const { syncfs } = library().call;
  return new Promise((resolve, reject) => {
    (syncfs as unknown as AsyncCall).async(fd, (_, result) => {
      try {
        check(result, "syncfs");
        resolve();
      } catch (thrown) {
        reject(thrown);
      }
    });
  });
}

/** Every function of koffi's can be called so. */
interface AsyncCall {
  async(fd: number, done: (error: unknown, result: number) => void): void;
}

/** The magic number of the file system that a descriptor is on. */
export function fileSystemType(fd: number): number {
  const lib = library();
  check(lib.call.fstatfs(fd, lib.data), "fstatfs");
  return lib.scratch.readUInt32LE(dataAt);
}

/** File systems on which SQLite's locks and shared memory can't be relied on: NFS, SMB, FUSE, 9p, Ceph, AFS, Coda. */
const networkTypes: ReadonlySet<number> = new Set([
  0x6969, 0xfe534d42, 0xff534d42, 0x517b, 0x65735546, 0x01021997, 0x00c36400, 0x5346414f, 0x73757245,
]);

export function isNetworkFileSystem(type: number): boolean {
  return networkTypes.has(type);
}

/**
 * Takes an advisory lock on an open file or directory, or gives it back; it ends with the descriptor and the process. From
 * shared to exclusive is not atomic: the shared one may be lost.
 * @param options.wait Whether to wait (the whole thread does) for others to give theirs back.
 * @returns Whether it was free; true for "unlock".
 */
export function flock(
  fd: number,
  operation: "shared" | "exclusive" | "unlock",
  options: { readonly wait?: boolean } = {},
): boolean {
  const lib = library();
  const code = { shared: 1, exclusive: 2, unlock: 8 }[operation] | (options.wait === true ? 0 : 4);
  for (;;) {
    const result = lib.call.flock(fd, code);
    if (result >= 0) return true;
    const errno = lib.errno();
    if (errno === errnos.EAGAIN) return false;
    if (errno !== errnos.EINTR) throw systemError(errno, "flock");
  }
}

/**
 * Copies bytes within the kernel, from and to the descriptors' own positions.
 * @returns How many; 0 at the end of the source. @throws Error: EXDEV, EINVAL where the kernel can't.
 */
export function copyRange(from: number, to: number, length: number): number {
  return check(library().call.copyFileRange(from, 0, to, 0, length, 0), "copy_file_range");
}

/** As `flock`, without waiting. @returns Whether the lock was free. */
export function tryLock(fd: number, kind: "shared" | "exclusive"): boolean {
  return flock(fd, kind);
}
