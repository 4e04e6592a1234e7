/**
 * Writes the structs that the kernel gets, each at a place in a buffer whose room the caller has seen to. In the order of the kernel's header.
 * Reserved and padding fields are zeros, also where the buffer was used before.
 */
import { splitNs, writeSeconds } from "../../base/nanoseconds.ts";
import type { Attributes, DirectoryEntry, FileLock, FilesystemSpace } from "../../vfs/mod.ts";
import { formatOfKind, structBytes } from "./kernel.ts";

const high = 2 ** 32;
const lockTypes = { shared: 0, exclusive: 1, unlock: 2 } as const;
/** What the kernel takes for "to the end": OFFSET_MAX. */
const endOfAll = 0x7fff_ffff_ffff_ffffn;

/** How long the kernel may believe, in milliseconds. */
export interface Validity {
  readonly entryMs: number;
  readonly attributesMs: number;
}

const nothing: Validity = { entryMs: 0, attributesMs: 0 };

export function putU64(into: Buffer, at: number, value: number): void {
  into.writeUInt32LE(value % high, at);
  into.writeUInt32LE(Math.floor(value / high), at + 4);
}

/** fuse_attr, 88 bytes. */
function putAttr(into: Buffer, at: number, attributes: Attributes): void {
  const { rdevMajor, rdevMinor, atimeNs, mtimeNs, ctimeNs } = attributes;
  putU64(into, at, attributes.inode);
  putU64(into, at + 8, attributes.size);
  putU64(into, at + 16, attributes.blocks);
  putTime(into, at + 24, at + 48, atimeNs);
  putTime(into, at + 32, at + 52, mtimeNs);
  putTime(into, at + 40, at + 56, ctimeNs);
  into.writeUInt32LE(formatOfKind[attributes.kind] | attributes.mode, at + 60);
  into.writeUInt32LE(attributes.nlink, at + 64);
  into.writeUInt32LE(attributes.uid, at + 68);
  into.writeUInt32LE(attributes.gid, at + 72);
  into.writeUInt32LE(packDevice(rdevMajor, rdevMinor), at + 76);
  into.writeUInt32LE(4096, at + 80);
  into.writeUInt32LE(0, at + 84);
}

function putTime(into: Buffer, secondsAt: number, nanosecondsAt: number, ns: bigint): void {
  const { seconds, ns: rest } = splitNs(ns);
  writeSeconds(into, seconds, secondsAt);
  into.writeUInt32LE(rest, nanosecondsAt);
}

/** As the kernel's new_encode_dev. */
function packDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** Its inverse. */
export function unpackDevice(device: number): { readonly rdevMajor: number; readonly rdevMinor: number } {
  return { rdevMajor: (device >>> 8) & 0xfff, rdevMinor: (device & 0xff) | ((device >>> 12) & 0xfff00) };
}

/** fuse_entry_out, 128 bytes. */
export function putEntryOut(into: Buffer, at: number, attributes: Attributes, validity: Validity): number {
  const { entryMs, attributesMs } = attributes.isVolatile === true ? nothing : validity;
  putU64(into, at, attributes.inode);
  putU64(into, at + 8, attributes.generation);
  putU64(into, at + 16, Math.floor(entryMs / 1000));
  putU64(into, at + 24, Math.floor(attributesMs / 1000));
  into.writeUInt32LE((entryMs % 1000) * 1_000_000, at + 32);
  into.writeUInt32LE((attributesMs % 1000) * 1_000_000, at + 36);
  putAttr(into, at + 40, attributes);
  return structBytes.entryOut;
}

/** A fuse_entry_out that says: no such name, for so long. */
export function putNegativeEntryOut(into: Buffer, at: number, validMs: number): number {
  into.fill(0, at, at + structBytes.entryOut);
  putU64(into, at + 16, Math.floor(validMs / 1000));
  into.writeUInt32LE((validMs % 1000) * 1_000_000, at + 32);
  return structBytes.entryOut;
}

/** fuse_attr_out, 104 bytes. */
export function putAttrOut(into: Buffer, at: number, attributes: Attributes, validity: Validity): number {
  const validMs = attributes.isVolatile === true ? 0 : validity.attributesMs;
  putU64(into, at, Math.floor(validMs / 1000));
  into.writeUInt32LE((validMs % 1000) * 1_000_000, at + 8);
  into.writeUInt32LE(0, at + 12);
  putAttr(into, at + 16, attributes);
  return structBytes.attrOut;
}

/** fuse_open_out, 16 bytes. @param reply.backing 0 for none. */
export function putOpenOut(
  into: Buffer,
  at: number,
  reply: { readonly handle: number; readonly flags: number; readonly backing: number },
): number {
  putU64(into, at, reply.handle);
  into.writeUInt32LE(reply.flags, at + 8);
  into.writeInt32LE(reply.backing, at + 12);
  return structBytes.openOut;
}

/** fuse_write_out and fuse_getxattr_out: a size, 8 bytes. */
export function putSizeOut(into: Buffer, at: number, size: number): number {
  into.writeUInt32LE(size, at);
  into.writeUInt32LE(0, at + 4);
  return 8;
}

/** fuse_statfs_out, 80 bytes. */
export function putStatfsOut(into: Buffer, at: number, space: FilesystemSpace, nameBytesMax: number): number {
  into.fill(0, at, at + structBytes.statfsOut);
  putU64(into, at, space.blocks);
  putU64(into, at + 8, space.freeBlocks);
  putU64(into, at + 16, space.availableBlocks);
  putU64(into, at + 24, space.files);
  putU64(into, at + 32, space.freeFiles);
  into.writeUInt32LE(space.blockBytes, at + 40);
  into.writeUInt32LE(nameBytesMax, at + 44);
  into.writeUInt32LE(space.blockBytes, at + 48);
  return structBytes.statfsOut;
}

/** fuse_lk_out, 24 bytes. @param lock Undefined when the asked one is free. */
export function putLkOut(into: Buffer, at: number, lock: FileLock | undefined): number {
  putU64(into, at, lock?.start ?? 0);
  const end = lock === undefined ? 0n : lock.end === Infinity ? endOfAll : BigInt(lock.end);
  into.writeBigUInt64LE(end, at + 8);
  into.writeUInt32LE(lockTypes[lock?.type ?? "unlock"], at + 16);
  into.writeUInt32LE(lock?.pid ?? 0, at + 20);
  return structBytes.lkOut;
}

/** fuse_lseek_out and fuse_copy_file_range_out: 8 bytes. */
export function putU64Out(into: Buffer, at: number, value: number): number {
  putU64(into, at, value);
  return 8;
}

/** fuse_out_header, 16 bytes. @param error 0 or negative; a notification's code is positive. */
export function putOutHeader(
  into: Buffer,
  header: { readonly length: number; readonly error: number; readonly unique: number },
): void {
  into.writeUInt32LE(header.length, 0);
  into.writeInt32LE(header.error, 4);
  putU64(into, 8, header.unique);
}

/** How much room an entry takes in a listing. */
export function direntBytes(entry: DirectoryEntry, plus: boolean): number {
  return (((plus ? structBytes.entryOut : 0) + structBytes.dirent + entry.name.length + 7) >>> 3) << 3;
}

/** fuse_dirent, or fuse_direntplus: `direntBytes` bytes. Without `found` the kernel learns the name only. */
export function putDirent(into: Buffer, at: number, entry: DirectoryEntry, validity: Validity | undefined): number {
  let next = at;
  if (validity !== undefined) {
    if (entry.found !== undefined) putEntryOut(into, next, entry.found.attributes, validity);
    else into.fill(0, next, next + structBytes.entryOut);
    next += structBytes.entryOut;
  }
  putU64(into, next, entry.inode);
  putU64(into, next + 8, entry.cookie);
  into.writeUInt32LE(entry.name.length, next + 16);
  into.writeUInt32LE(formatOfKind[entry.kind] >>> 12, next + 20);
  into.set(entry.name, next + 24);
  const end = at + direntBytes(entry, validity !== undefined);
  into.fill(0, next + structBytes.dirent + entry.name.length, end);
  return end - at;
}
