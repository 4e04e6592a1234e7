/** Requests about one file: its attributes, content, handles, extended attributes and locks; and about all of the filesystem. */
import { constants } from "node:os";
import type { Answer } from "../../vfs/mod.ts";
import { type Connection, type Handler, whenAnswered } from "./connection.ts";
import { failure } from "./errno.ts";
import { dataBytesMax } from "./init.ts";
import { fsyncFlags, opcodes, releaseFlags, rootInode, setxattrFlags, writeFlags } from "./kernel.ts";
import type { Request } from "./request.ts";
import * as read from "./structs-in.ts";
import { putAttrOut, putLkOut, putSizeOut, putStatfsOut, putU64Out } from "./structs-out.ts";

const nameBytesMax = 255;
const nul = Uint8Array.of(0);
const trustedPrefix = Buffer.from("trusted.");
const labelName = Buffer.from("security.selinux");
const { ENODATA, EOPNOTSUPP } = constants.errno;

function getattr({ filesystem, replies, behaviour }: Connection, { unique, inode }: Request): Answer<void> {
  return whenAnswered(filesystem.getattr(inode), (attributes) => {
    replies.struct(unique, (into, at) => putAttrOut(into, at, attributes, behaviour));
  });
}

function setattr({ filesystem, replies, behaviour }: Connection, request: Request): Answer<void> {
  const changed = filesystem.setattr(request.inode, read.readSetattr(request.reader), request);
  return whenAnswered(changed, (attributes) => {
    replies.struct(request.unique, (into, at) => putAttrOut(into, at, attributes, behaviour));
  });
}

function readlink({ filesystem, replies }: Connection, { unique, inode }: Request): Answer<void> {
  return whenAnswered(filesystem.readlink(inode), (target) => replies.data(unique, [target]));
}

function open(connection: Connection, request: Request): Answer<void> {
  const { filesystem, behaviour } = connection;
  if (behaviour.withoutOpens && connection.has("noOpenSupport")) throw failure("ENOSYS", "no opens are wanted");
  const flags = read.readOpenFlags(request.reader.u32(), request.reader.u32());
  const opened = filesystem.open(request.inode, flags, request);
  return whenAnswered(opened, (each) => connection.replyOpen(request, request.inode, each));
}

function readData({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const { reader, inode, unique } = request;
  const [handle, offset] = [reader.u64(), read.readOffset(reader)];
  const length = Math.min(reader.u32(), dataBytesMax, Number.MAX_SAFE_INTEGER - offset);
  return whenAnswered(filesystem.read(inode, handle, offset, length, request), (parts) => replies.data(unique, parts));
}

function write({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const { reader, inode, unique } = request;
  const [handle, offset, size, flags] = [reader.u64(), read.readOffset(reader), reader.u32(), reader.u32()];
  reader.skip(16);
  const bytes = reader.bytes(size);
  // Not `append`: the kernel has found the end already, and its cache is filled from there.
  const options = { clearSetId: (flags & writeFlags.killSuidGid) !== 0 };
  const done = filesystem.write(inode, handle, offset, bytes, options, request);
  return whenAnswered(done, () => {
    replies.struct(unique, (into, at) => putSizeOut(into, at, size));
  });
}

function statfs({ filesystem, replies }: Connection, { unique }: Request): Answer<void> {
  return whenAnswered(filesystem.statfs(), (space) => {
    replies.struct(unique, (into, at) => putStatfsOut(into, at, space, nameBytesMax));
  });
}

function release({ filesystem, replies, passthrough }: Connection, request: Request): Answer<void> {
  const { reader, inode, unique } = request;
  const handle = reader.u64();
  reader.skip(4);
  const flags = reader.u32();
  const owner = (flags & releaseFlags.flockUnlock) === 0 ? undefined : reader.u64AsBigint();
  passthrough.released(handle);
  return whenAnswered(filesystem.release(inode, handle, owner), () => replies.done(unique));
}

function fsync({ filesystem, replies }: Connection, { reader, inode, unique }: Request): Answer<void> {
  const [handle, flags] = [reader.u64(), reader.u32()];
  const done = filesystem.fsync(inode, handle, (flags & fsyncFlags.dataOnly) !== 0);
  return whenAnswered(done, () => replies.done(unique));
}

function flush({ filesystem, replies, behaviour }: Connection, { reader, inode, unique }: Request): Answer<void> {
  if (behaviour.withoutFlushes) throw failure("ENOSYS", "no flushes are wanted");
  const handle = reader.u64();
  reader.skip(8);
  return whenAnswered(filesystem.flush(inode, handle, reader.u64AsBigint()), () => replies.done(unique));
}

function setxattr(connection: Connection, request: Request): Answer<void> {
  const { filesystem, replies } = connection;
  const { name, value, mode, flags } = read.readSetxattr(request.reader, connection.has("setxattrExtended"));
  // Both to be made and to be replaced: whether it is there says what fails.
  if (mode === "neither")
    return whenAnswered(filesystem.getxattr(request.inode, name), (there) => {
      throw failure(there === undefined ? "ENODATA" : "EEXIST", "an attribute cannot be both made and replaced");
    });
  const options = { mode, clearSetGid: (flags & setxattrFlags.aclKillSgid) !== 0 };
  const done = filesystem.setxattr(request.inode, name, value, options, request);
  return whenAnswered(done, () => replies.done(request.unique));
}

/** The value, or how long it is when 0 bytes are asked for. */
function replySized({ replies }: Connection, unique: number, size: number, parts: readonly Uint8Array[]): void {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  if (size === 0) replies.struct(unique, (into, at) => putSizeOut(into, at, bytes));
  else if (bytes > size) throw failure("ERANGE", "an attribute does not fit");
  else replies.data(unique, parts);
}

function getxattr(connection: Connection, request: Request): Answer<void> {
  const { filesystem, replies, behaviour } = connection;
  const { reader, inode, unique } = request;
  const size = reader.u32();
  reader.skip(4);
  const name = read.readXattrName(reader);
  return whenAnswered(filesystem.getxattr(inode, name), (value) => {
    if (value !== undefined) return replySized(connection, unique, size, [value]);
    if (!behaviour.withoutLabels || !labelName.equals(name)) return replies.error(unique, ENODATA);
    return whenAnswered(filesystem.getxattr(rootInode, name), (label) => {
      replies.error(unique, label === undefined ? EOPNOTSUPP : ENODATA);
    });
  });
}

/** The kernel refuses others the values of trusted attributes; their names it leaves to us. */
function listxattr(connection: Connection, request: Request): Answer<void> {
  const size = request.reader.u32();
  return whenAnswered(connection.filesystem.listxattr(request.inode), (names) => {
    const shown = isUnprivileged(request) ? names.filter((name) => !isTrusted(name)) : names;
    replySized(connection, request.unique, size, [Buffer.concat(shown.flatMap((name) => [name, nul]))]);
  });
}

function isTrusted(name: Uint8Array): boolean {
  return trustedPrefix.equals(name.subarray(0, trustedPrefix.length));
}

function removexattr({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const done = filesystem.removexattr(request.inode, read.readXattrName(request.reader), request);
  return whenAnswered(done, () => replies.done(request.unique));
}

function getlk({ filesystem, replies }: Connection, { reader, inode, unique }: Request): Answer<void> {
  return whenAnswered(filesystem.getlk(inode, read.readLock(reader)), (lock) => {
    replies.struct(unique, (into, at) => putLkOut(into, at, lock));
  });
}

/** SETLK and SETLKW. */
function setlk({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const wait = request.opcode === opcodes.setlkw;
  const done = filesystem.setlk(request.inode, read.readLock(request.reader), wait, request);
  return whenAnswered(done, () => replies.done(request.unique));
}

/** The kernel says of writes whether their caller has CAP_FSETID; of these it leaves it to us. */
const isUnprivileged = ({ uid }: Request): boolean => uid !== 0;

function fallocate({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const { handle, ...options } = read.readFallocate(request.reader);
  const done = filesystem.fallocate(
    request.inode,
    handle,
    { ...options, clearSetId: isUnprivileged(request) },
    request,
  );
  return whenAnswered(done, () => replies.done(request.unique));
}

function lseek({ filesystem, replies }: Connection, { reader, inode, unique }: Request): Answer<void> {
  const { handle, offset, what } = read.readLseek(reader);
  return whenAnswered(filesystem.lseek(inode, handle, offset, what), (found) => {
    replies.struct(unique, (into, at) => putU64Out(into, at, found));
  });
}

/** COPY_FILE_RANGE answers with 32 bits, its successor with 64. */
function copyFileRange({ filesystem, replies }: Connection, request: Request): Answer<void> {
  const { from, to, length } = read.readCopyFileRange(request.reader, request.inode);
  const copied = filesystem.copyFileRange({ from, to, length, clearSetId: isUnprivileged(request) }, request);
  const put = request.opcode === opcodes.copyFileRange ? putSizeOut : putU64Out;
  return whenAnswered(copied, (count) => {
    replies.struct(request.unique, (into, at) => put(into, at, count));
  });
}

function syncfs({ filesystem, replies }: Connection, { unique }: Request): Answer<void> {
  return whenAnswered(filesystem.syncfs(), () => replies.done(unique));
}

function destroy({ replies }: Connection, { unique }: Request): void {
  replies.done(unique);
}

export const fileHandlers: Readonly<Record<number, Handler>> = {
  [opcodes.getattr]: getattr,
  [opcodes.setattr]: setattr,
  [opcodes.readlink]: readlink,
  [opcodes.open]: open,
  [opcodes.read]: readData,
  [opcodes.write]: write,
  [opcodes.statfs]: statfs,
  [opcodes.release]: release,
  [opcodes.fsync]: fsync,
  [opcodes.flush]: flush,
  [opcodes.setxattr]: setxattr,
  [opcodes.getxattr]: getxattr,
  [opcodes.listxattr]: listxattr,
  [opcodes.removexattr]: removexattr,
  [opcodes.getlk]: getlk,
  [opcodes.setlk]: setlk,
  [opcodes.setlkw]: setlk,
  [opcodes.fallocate]: fallocate,
  [opcodes.lseek]: lseek,
  [opcodes.copyFileRange]: copyFileRange,
  [opcodes.copyFileRange64]: copyFileRange,
  [opcodes.syncfs]: syncfs,
  [opcodes.destroy]: destroy,
};
