/**
 * Packs: many objects in one file, written once, the same bytes everywhere.
 *
 * Header, frames without gaps, sealed directory, trailer. This file has the directory and trailer as bytes <-> values;
 * reading and writing files is the store's. A directory is held as columns, not objects: two million objects are 80 MB,
 * and what is allocated for one is bounded by its own size. Format: doc/format.md, section 7.
 */
import { ByteReader, ByteWriter, equalBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { Hash } from "./entry.ts";
import { type FrameMethod, frameBytesMax, frameMethods } from "./frame.ts";
import { hashBytes } from "./hash.ts";
import { sealHeaderBytes } from "./seal.ts";

export type PackClass = "content" | "meta";
/** As in the header's type byte. */
export const packClassCodes: Readonly<Record<PackClass, 1 | 2>> = { content: 1, meta: 2 };

export type MetaKind = "tree" | "list" | "commit" | "xattrs";
/** As in the directory of a metadata pack. */
export const metaKindCodes: Readonly<Record<MetaKind, 1 | 2 | 3 | 4>> = { tree: 1, list: 2, commit: 3, xattrs: 4 };
export const metaKindNames: Readonly<Record<number, MetaKind>> = { 1: "tree", 2: "list", 3: "commit", 4: "xattrs" };

export const packTrailerBytes = 32;
export const packLimits: {
  readonly targetBytes: number;
  readonly targetObjects: number;
  readonly bytes: number;
  readonly directoryBytes: number;
  readonly frames: number;
  readonly frameObjects: number;
} = {
  /** A writer begins a new pack beyond either of the targets. */
  targetBytes: 32 * 1024 * 1024,
  targetObjects: 2 ** 16,
  bytes: 1024 * 1024 * 1024,
  directoryBytes: 64 * 1024 * 1024,
  frames: 2 ** 20,
  frameObjects: 2 ** 16,
};

/** The least bytes of a directory that one object takes: a hash and its length. */
const objectBytesMin = hashBytes + 1;
const frameBytesMin = 4;
const trailerMagic: Uint8Array = Buffer.from("OUROPEND");

/** What is in a pack, as columns: one row a frame in the first group, one row an object in the second. */
export interface PackDirectory {
  readonly class: PackClass;
  readonly frames: number;
  /** Where each frame begins in the file. */
  readonly frameOffsets: Uint32Array;
  readonly frameSealed: Uint32Array;
  readonly frameMethods: Uint8Array;
  /** Decoded length. */
  readonly frameLengths: Uint32Array;
  /** The first object of each frame, and at the end the count of objects. */
  readonly frameObjects: Uint32Array;
  readonly objects: number;
  /** 32 bytes an object. */
  readonly hashes: Uint8Array;
  /** Where each object begins in its decoded frame. */
  readonly objectOffsets: Uint32Array;
  readonly objectLengths: Uint32Array;
  /** Of `metaKindCodes`; zeros in content packs. */
  readonly kinds: Uint8Array;
}

/** The hash of an object, as a view. */
export function directoryHash(directory: PackDirectory, object: number): Hash {
  return directory.hashes.subarray(object * hashBytes, (object + 1) * hashBytes);
}

/** Collects a pack's directory while its frames are written. */
export class PackDirectoryWriter {
  readonly #class: PackClass;
  readonly #rows: ByteWriter = new ByteWriter(16 * 1024);
  #frames = 0;
  #objects = 0;

  constructor(packClass: PackClass) {
    this.#class = packClass;
  }

  get objects(): number {
    return this.#objects;
  }

  /**
   * Adds the next frame; its objects follow one by one with `addObject`.
   * @param count How many objects, 1 to 2^16.
   */
  addFrame(sealed: number, method: FrameMethod, length: number, count: number): void {
    this.#frames += 1;
    this.#rows.varint(sealed).u8(method).varint(length).varint(count);
  }

  addObject(hash: Hash, length: number, kind: MetaKind | undefined): void {
    this.#objects += 1;
    this.#rows.bytes(hash).varint(length);
    if (this.#class === "meta") this.#rows.u8(metaKindCodes[kind as MetaKind]);
  }

  /** The directory's bytes, to be sealed. There must be a frame. */
  finish(): Uint8Array {
    return new ByteWriter(this.#rows.length + 8).varint(this.#frames).bytes(this.#rows.view()).view();
  }
}

/**
 * @param end Where the directory begins in the file: its frames must fill the space from the header to there.
 * @param overhead What sealing adds to a frame.
 * @param what The pack, for messages.
 * @throws OuroError "corrupt".
 */
export function decodePackDirectory(
  bytes: Uint8Array,
  packClass: PackClass,
  end: number,
  overhead: number,
  what: string,
): PackDirectory {
  const reader = new ByteReader(bytes, what);
  if (bytes.length > packLimits.directoryBytes) throw reader.corrupt("its directory is over 64 MiB");
  const frames = reader.varint(packLimits.frames, "count of frames");
  if (frames === 0) throw reader.corrupt("it has no frames");
  if (frames * (frameBytesMin + objectBytesMin) > reader.remaining)
    throw reader.corrupt("it has fewer frames than it says");
  const room = Math.floor((reader.remaining - frames * frameBytesMin) / objectBytesMin);
  const hashes = new Uint8Array(room * hashBytes);
  const columns = {
    frameOffsets: new Uint32Array(frames),
    frameSealed: new Uint32Array(frames),
    frameMethods: new Uint8Array(frames),
    frameLengths: new Uint32Array(frames),
    frameObjects: new Uint32Array(frames + 1),
    objectOffsets: new Uint32Array(room),
    objectLengths: new Uint32Array(room),
    kinds: new Uint8Array(room),
  };
  let offset = sealHeaderBytes;
  let object = 0;
  for (let frame = 0; frame < frames; frame += 1) {
    const sealed = reader.varint(packLimits.bytes, "length of a frame");
    const method = reader.u8();
    const length = reader.varint(frameBytesMax, "decoded length of a frame");
    const count = reader.varint(packLimits.frameObjects, "count of objects");
    checkFrame(reader, sealed - overhead, method, length, count);
    columns.frameOffsets[frame] = offset;
    columns.frameSealed[frame] = sealed;
    columns.frameMethods[frame] = method;
    columns.frameLengths[frame] = length;
    columns.frameObjects[frame] = object;
    let at = 0;
    for (const last = object + count; object < last; object += 1) {
      if (object === room) throw reader.corrupt("it ends early");
      hashes.set(reader.bytes(hashBytes), object * hashBytes);
      const objectLength = reader.varint(length - at, "length of an object");
      if (objectLength === 0) throw reader.corrupt("an object is empty");
      columns.objectOffsets[object] = at;
      columns.objectLengths[object] = objectLength;
      at += objectLength;
      if (packClass === "meta") {
        const kind = reader.u8();
        if (metaKindNames[kind] === undefined) throw reader.corrupt(`an object is of kind ${kind}`);
        columns.kinds[object] = kind;
      }
    }
    if (at !== length) throw reader.corrupt("a frame is longer than its objects");
    offset += sealed;
    if (offset > end) throw reader.corrupt("its frames run over its directory");
  }
  reader.end();
  if (offset !== end) throw reader.corrupt("there is a gap between its frames and its directory");
  columns.frameObjects[frames] = object;
  return { class: packClass, frames, objects: object, hashes, ...columns };
}

function checkFrame(reader: ByteReader, payload: number, method: number, length: number, count: number): void {
  if (length === 0) throw reader.corrupt("a frame is empty");
  if (count === 0) throw reader.corrupt("a frame has no objects");
  if (method === frameMethods.raw) {
    if (payload !== length) throw reader.corrupt("a raw frame has two lengths");
  } else if (method === frameMethods.zstd) {
    if (payload < 1 || payload >= length) throw reader.corrupt("a frame has not shrunk by its compression");
  } else {
    throw reader.corrupt(`a frame is packed in an unknown way (${method})`);
  }
}

export interface PackTrailer {
  /** Where the sealed directory begins. */
  readonly offset: number;
  /** How long it is. */
  readonly length: number;
}

export function encodePackTrailer({ offset, length }: PackTrailer): Uint8Array {
  const bytes = Buffer.alloc(packTrailerBytes);
  bytes.writeBigUInt64LE(BigInt(offset), 0);
  bytes.writeUInt32LE(length, 8);
  bytes.set(trailerMagic, 24);
  return bytes;
}

/**
 * @param size Of the whole file, which the trailer must account for.
 * @throws OuroError "corrupt".
 */
export function decodePackTrailer(bytes: Uint8Array, size: number, overhead: number, what: string): PackTrailer {
  const corrupt = (why: string): OuroError =>
    new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: what });
  if (size > packLimits.bytes) throw corrupt("it is over 1 GiB");
  if (bytes.length !== packTrailerBytes || !equalBytes(bytes.subarray(24), trailerMagic)) {
    throw corrupt("it does not end as a pack does: it has been cut off or damaged");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const [offset, length] = [Number(view.getBigUint64(0, true)), view.getUint32(8, true)];
  if (bytes.subarray(12, 24).some((byte) => byte !== 0)) throw corrupt("its trailer is damaged");
  if (length > packLimits.directoryBytes + overhead) throw corrupt("its directory is over 64 MiB");
  if (offset < sealHeaderBytes || offset + length + packTrailerBytes !== size || length < overhead) {
    throw corrupt("its trailer does not fit its size: it has been cut off or damaged");
  }
  return { offset, length };
}
