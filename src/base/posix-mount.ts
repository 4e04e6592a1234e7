/** Mounting, unmounting, and receiving an open file from another process: mount(2), umount2(2), socketpair(2), recvmsg(2). Linux. */
import {
  addressOf,
  check,
  dataAt,
  errnos,
  type Library,
  library,
  type PathLike,
  putData,
  putPath,
  systemError,
} from "./posix-library.ts";

const unixDomain = 1;
const streamType = 1;
const closeOnExecType = 0o2000000;
const dontWait = 0x40;
const closeOnExecMessage = 0x4000_0000;
const headBytes = 56;
const controlBytes = 24;
const [socketLevel, rightsType] = [1, 1];

/** MNT_* and UMOUNT_* of umount2(2). */
const [force, detach, noFollow] = [1, 2, 8];

/** MS_* of mount(2). */
export const mountFlags = { readOnly: 1, noSuid: 2, noDev: 4, noExec: 8, noAtime: 1024 } as const;

export interface MountCall {
  readonly source: string;
  readonly target: PathLike;
  readonly type: string;
  /** Of `mountFlags`. */
  readonly flags: number;
  /** What the filesystem is told, with commas between. */
  readonly data: string;
}

/** @throws Error with `code`: EPERM, ENODEV (no such filesystem here), EBUSY, ENOENT, EINVAL (the data; the kernel's log has more). */
export function mount(options: MountCall): void {
  const lib = library();
  const target = putPath(lib, options.target);
  const type = putPath(lib, options.type, true);
  const texts = Buffer.from(`${options.source}\0${options.data}\0`);
  const source = putData(lib, texts);
  const data = source + Buffer.byteLength(options.source) + 1;
  check(lib.call.mount(source, target, type, options.flags, data), "mount", options.target);
}

/**
 * Takes a mount away, on another thread: the filesystem may be served by this one.
 * @param options.lazy Out of sight now, and gone when nobody uses it any more (MNT_DETACH).
 * @param options.force What is served by somebody fails now (MNT_FORCE), also where the mount stays because it is in use.
 * @throws Error with `code`: EBUSY, EPERM, EINVAL (nothing is mounted there).
 */
export function unmount(
  target: string,
  options: { readonly lazy?: boolean; readonly force?: boolean } = {},
): Promise<void> {
  const lib = library();
  const umount = lib.call.umount2 as unknown as UmountCall;
  // Not the scratch memory: other calls use it meanwhile.
  const path = Buffer.from(`${target}\0`);
  const flags = noFollow | (options.lazy === true ? detach : 0) | (options.force === true ? force : 0);
  return new Promise((resolve, reject) => {
    umount.async(addressOf(path), flags, (_, result) => {
      // `path` is used here so that it is alive until now.
      if (result < 0) reject(systemError(lib.errno(), "umount2", path.subarray(0, -1)));
      else resolve();
    });
  });
}

interface UmountCall {
  async(path: number, flags: number, done: (error: unknown, result: number) => void): void;
}

/** Two connected sockets, closed on exec. The caller's to close. */
export function socketPair(): [number, number] {
  const lib = library();
  check(lib.call.socketpair(unixDomain, streamType | closeOnExecType, 0, lib.data), "socketpair");
  return [lib.scratch.readInt32LE(dataAt), lib.scratch.readInt32LE(dataAt + 4)];
}

/**
 * Receives an open file that another process has sent (SCM_RIGHTS); does not wait.
 * @returns The caller's to close; undefined when nothing was sent.
 */
export function receiveDescriptor(socket: number): number | undefined {
  const lib = library();
  const [iovAt, byteAt, controlAt] = [dataAt + headBytes, dataAt + headBytes + 16, dataAt + headBytes + 32];
  putMessage(lib, { iovAt, byteAt, controlAt });
  const received = lib.call.recvmsg(socket, lib.data, dontWait | closeOnExecMessage);
  if (received < 0 && lib.errno() === errnos.EAGAIN) return undefined;
  check(received, "recvmsg");
  const { scratch } = lib;
  const isFile =
    Number(scratch.readBigUInt64LE(dataAt + 40)) >= 20 &&
    scratch.readInt32LE(controlAt + 8) === socketLevel &&
    scratch.readInt32LE(controlAt + 12) === rightsType;
  return isFile ? scratch.readInt32LE(controlAt + 16) : undefined;
}

/** A struct msghdr with room for one byte and one descriptor. */
function putMessage(
  lib: Library,
  at: { readonly iovAt: number; readonly byteAt: number; readonly controlAt: number },
): void {
  const { scratch } = lib;
  const addressAt = (offset: number): bigint => BigInt(lib.data + offset - dataAt);
  scratch.fill(0, dataAt, at.controlAt + controlBytes);
  scratch.writeBigUInt64LE(addressAt(at.iovAt), dataAt + 16);
  scratch.writeBigUInt64LE(1n, dataAt + 24);
  scratch.writeBigUInt64LE(addressAt(at.controlAt), dataAt + 32);
  scratch.writeBigUInt64LE(BigInt(controlBytes), dataAt + 40);
  scratch.writeBigUInt64LE(addressAt(at.byteAt), at.iovAt);
  scratch.writeBigUInt64LE(1n, at.iovAt + 8);
}
