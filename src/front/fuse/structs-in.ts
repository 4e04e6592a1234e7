/**
 * Reads the structs of requests into what the filesystem takes, in the order of the kernel's header. Everything is bounded where it is read: names,
 * sizes, offsets; what is malformed is an EINVAL, what is too large the errno for that.
 */
import { constants } from "node:fs";
import { joinNs } from "../../base/nanoseconds.ts";
import type {
  AllocateOptions,
  AttributeChanges,
  CopyOptions,
  FileLock,
  NewNode,
  OpenFlags,
  RenameMode,
  SetXattrOptions,
} from "../../vfs/mod.ts";
import { failure } from "./errno.ts";
import { accessModeMask, formatOfKind, lockFlags, openFlags, setattrValid } from "./kernel.ts";
import type { StructReader } from "./struct-reader.ts";
import { unpackDevice } from "./structs-out.ts";

const permissionBits = 0o7777;
const umaskBits = 0o777;
const nameBytesMax = 255;
const targetBytesMax = 4095;
const xattrNameBytesMax = 255;
const xattrBytesMax = 65_536;
const forgetsMax = 65_536;
const nodeKinds = ["file", "fifo", "socket", "character", "block"] as const;
const renameModes: readonly (RenameMode | undefined)[] = ["replace", "no-replace", "exchange"];
const lockTypes = ["shared", "exclusive", "unlock"] as const;
/** FALLOC_FL_*. */
const [keepSizeFlag, punchHoleFlag, zeroFlag] = [0x01, 0x02, 0x10];

export function readName(reader: StructReader): Uint8Array {
  const name = reader.name();
  if (name.length > nameBytesMax) throw failure("ENAMETOOLONG", "a name is too long");
  if (name.length === 0 || name.includes(0x2f)) throw failure("EINVAL", "a name is no name");
  return name;
}

export function readTarget(reader: StructReader): Uint8Array {
  const target = reader.name();
  if (target.length > targetBytesMax) throw failure("ENAMETOOLONG", "a symlink's target is too long");
  return target;
}

export function readXattrName(reader: StructReader): Uint8Array {
  const name = reader.name();
  if (name.length === 0 || name.length > xattrNameBytesMax) throw failure("ERANGE", "an attribute's name is too long");
  return name;
}

export interface ForgetOne {
  readonly inode: number;
  readonly lookups: number;
}

/** fuse_batch_forget_in. */
export function* readForgets(reader: StructReader): Generator<ForgetOne> {
  const count = reader.u32();
  reader.skip(4);
  if (count > forgetsMax) throw failure("EINVAL", "too much is forgotten at once");
  for (let index = 0; index < count; index += 1) yield { inode: reader.u64(), lookups: reader.u64() };
}

/** fuse_mknod_in. */
export function readMknod(reader: StructReader): NewNode {
  const mode = reader.u32();
  const device = unpackDevice(reader.u32());
  const umask = reader.u32() & umaskBits;
  reader.skip(4);
  const kind = nodeKinds.find((each) => formatOfKind[each] === (mode & ~permissionBits)) ?? failMode(mode);
  return { mode: mode & permissionBits, umask, kind, ...device };
}

/** No format at all is a file, as mknod(2) says. */
function failMode(mode: number): "file" {
  if ((mode & ~permissionBits) === 0) return "file";
  throw failure("EINVAL", "a file of an unknown kind");
}

/** fuse_setattr_in. */
export function readSetattr(reader: StructReader): AttributeChanges {
  const valid = reader.u32();
  const has = (flag: number): boolean => (valid & flag) !== 0;
  const changes: { -readonly [Name in keyof AttributeChanges]: AttributeChanges[Name] } = {};
  reader.skip(4 + 8);
  if (has(setattrValid.size)) changes.size = readFileSize(reader);
  else reader.skip(8);
  reader.skip(8);
  const [atime, mtime, ctime] = [reader.i64(), reader.i64(), reader.i64()];
  const atimeNs = joinNs(atime, reader.u32());
  const mtimeNs = joinNs(mtime, reader.u32());
  const ctimeNs = joinNs(ctime, reader.u32());
  const mode = reader.u32() & permissionBits;
  reader.skip(4);
  const [uid, gid] = [reader.u32(), reader.u32()];
  if (has(setattrValid.mode)) changes.mode = mode;
  if (has(setattrValid.uid)) changes.uid = uid;
  if (has(setattrValid.gid)) changes.gid = gid;
  if (has(setattrValid.atimeNow)) changes.atimeNs = "now";
  else if (has(setattrValid.atime)) changes.atimeNs = atimeNs;
  if (has(setattrValid.mtimeNow)) changes.mtimeNs = "now";
  else if (has(setattrValid.mtime)) changes.mtimeNs = mtimeNs;
  if (has(setattrValid.ctime)) changes.ctimeNs = ctimeNs;
  if (has(setattrValid.killSuidGid)) changes.clearSetId = true;
  return changes;
}

function readFileSize(reader: StructReader): number {
  const size = reader.u64OrInfinity();
  if (size === Infinity) throw failure("EFBIG", "a file's size is out of range");
  return size;
}

/** The flags of open(2), and those of FUSE's own. */
export function readOpenFlags(flags: number, fuseFlags: number): OpenFlags {
  const access = flags & accessModeMask;
  return {
    read: access !== constants.O_WRONLY,
    write: access !== constants.O_RDONLY,
    append: (flags & constants.O_APPEND) !== 0,
    truncate: (flags & constants.O_TRUNC) !== 0,
    clearSetId: (fuseFlags & openFlags.killSuidGid) !== 0,
  };
}

/** Where in a file, of reads and writes. */
export function readOffset(reader: StructReader): number {
  const offset = reader.u64OrInfinity();
  if (offset === Infinity) throw failure("EFBIG", "an offset is out of range");
  return offset;
}

/** fuse_rename2_in's flags. */
export function renameMode(flags: number): RenameMode {
  const mode = renameModes[flags];
  if (mode === undefined) throw failure("EINVAL", "a rename of an unknown kind");
  return mode;
}

export interface ReadSetxattr {
  readonly name: Uint8Array;
  /** Borrowed from the request. */
  readonly value: Uint8Array;
  readonly mode: SetXattrOptions["mode"] | "neither";
  /** Of `setxattrFlags`. */
  readonly flags: number;
}

/** fuse_setxattr_in, with its name and value. @param isExtended Whether FUSE_SETXATTR_EXT was agreed on. */
export function readSetxattr(reader: StructReader, isExtended: boolean): ReadSetxattr {
  const size = reader.u32();
  const flags = reader.u32();
  const setxattr = isExtended ? reader.u32() : 0;
  if (isExtended) reader.skip(4);
  const name = readXattrName(reader);
  if (size > xattrBytesMax) throw failure("E2BIG", "an attribute's value is too large");
  const mode = (["any", "create", "replace", "neither"] as const)[flags & 3] ?? "any";
  return { name, value: reader.bytes(size), mode, flags: setxattr };
}

/** fuse_lk_in. */
export function readLock(reader: StructReader): FileLock {
  reader.skip(8);
  const owner = reader.u64AsBigint();
  const [start, end] = [readOffset(reader), reader.u64OrInfinity()];
  const type = lockTypes[reader.u32()];
  const pid = reader.u32();
  const isFlock = (reader.u32() & lockFlags.flock) !== 0;
  if (type === undefined || end < start) throw failure("EINVAL", "a lock of an unknown kind");
  return { kind: isFlock ? "flock" : "posix", type, owner, pid, start, end };
}

/** fuse_fallocate_in. */
export function readFallocate(reader: StructReader): Omit<AllocateOptions, "clearSetId"> & { readonly handle: number } {
  const handle = reader.u64();
  const [offset, length, mode] = [readOffset(reader), readOffset(reader), reader.u32()];
  const keepSize = (mode & keepSizeFlag) !== 0;
  const what = mode & ~keepSizeFlag;
  if (offset + length > Number.MAX_SAFE_INTEGER) throw failure("EFBIG", "a range is out of range");
  if (what === 0) return { handle, kind: "reserve", keepSize, offset, length };
  if (what === zeroFlag) return { handle, kind: "zero", keepSize, offset, length };
  if (what === punchHoleFlag && keepSize) return { handle, kind: "punch-hole", keepSize, offset, length };
  throw failure("EOPNOTSUPP", "an fallocate of an unknown kind");
}

/** fuse_lseek_in. Others than these two never leave the kernel. */
export function readLseek(reader: StructReader): { handle: number; offset: number; what: "data" | "hole" } {
  const [handle, offset, whence] = [reader.u64(), reader.u64OrInfinity(), reader.u32()];
  if (whence !== 3 && whence !== 4) throw failure("EINVAL", "a seek of an unknown kind");
  if (offset === Infinity) throw failure("ENXIO", "an offset is out of range");
  return { handle, offset, what: whence === 3 ? "data" : "hole" };
}

/** fuse_copy_file_range_in. */
export function readCopyFileRange(reader: StructReader, inode: number): Omit<CopyOptions, "clearSetId"> {
  const from = { inode, handle: reader.u64(), offset: readOffset(reader) };
  const to = { inode: reader.u64(), handle: reader.u64(), offset: readOffset(reader) };
  const length = Math.min(reader.u64OrInfinity(), Number.MAX_SAFE_INTEGER - to.offset);
  if (reader.u64() !== 0) throw failure("EINVAL", "a copy of an unknown kind");
  return { from, to, length };
}
