/**
 * A file that was changed and is in no folder: a log of what was written to it, on the content that it had. Edits are added at its end and never changed, so
 * after a crash a beginning of what was done is there, and all of it that was synced.
 *
 * Format: a head (magic, CRC-32 and length of what follows; node id, path, mtime, content), then records of 29 bytes (CRC-32 of the rest, kind, offset, length,
 * time), those of writes with their bytes behind. The first record that is not whole ends the log. Numbers are little-endian.
 */
import { crc32 } from "node:zlib";
import { ByteReader, ByteWriter, concatBytes, equalBytes, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, isKind } from "../base/errors.ts";
import { type Content, type Dot, readContent, writeContent } from "../format/mod.ts";
import { FileEdits } from "./file-edits.ts";

const magic = utf8("OUROSTG1");
const headStart = magic.length + 8;
const headBytesMax = 128 * 1024;
const pathBytesMax = 64 * 1024;
const recordBytes = 29;
/** Of one write: more comes in several. */
const writeBytesMax = 16 * 1024 * 1024;
const codes = { write: 1, resize: 2, free: 3, touch: 4, drop: 5, restore: 6 } as const;

/** What is changed. */
export interface StagedBase {
  readonly id: Dot;
  /** In the tree. */
  readonly path: Uint8Array;
  readonly mtimeNs: bigint;
  readonly content: Content;
}

/** From where in the log its edits count, on another base: those before are in it. */
export interface StagedStart {
  readonly from: number;
  readonly base: StagedBase;
}

export class StagedFile implements Disposable {
  readonly base: StagedBase;
  /** Where the log begins to count. */
  readonly from: number;
  readonly edits: FileEdits;
  readonly fd: number;
  readonly #disk: Disk;
  #end: number;
  #mtimeNs: bigint;
  #isDropped = false;

  private constructor(disk: Disk, fd: number, { from, base }: StagedStart) {
    this.#disk = disk;
    this.fd = fd;
    this.base = base;
    this.from = from;
    this.#end = from;
    this.#mtimeNs = base.mtimeNs;
    this.edits = new FileEdits(base.content.size);
  }

  /** Begins one, durably but for its name. @throws Error of the disk. */
  static make(disk: Disk, path: string, base: StagedBase): StagedFile {
    const fd = disk.open(path, "create-new");
    try {
      const head = encodeBase(base);
      const start = new ByteWriter(headStart).bytes(magic).u32(crc32(head)).u32(head.length).view();
      disk.write(fd, concatBytes([start, head]), 0);
      disk.syncFile(fd);
      return new StagedFile(disk, fd, { from: headStart + head.length, base });
    } catch (thrown) {
      disk.close(fd);
      throw thrown;
    }
  }

  /**
   * @param start Absent: from its beginning. @param options.isWriter What follows the last whole record is cut off.
   * @returns Undefined where nothing was begun.
   */
  static open(
    disk: Disk,
    path: string,
    { start, isWriter = false }: { readonly start?: StagedStart; readonly isWriter?: boolean } = {},
  ): StagedFile | undefined {
    const fd = disk.open(path, isWriter ? "write" : "read");
    try {
      const first = start ?? readHead(disk, fd);
      if (first === undefined) {
        disk.close(fd);
        return undefined;
      }
      const file = new StagedFile(disk, fd, first);
      file.#readRecords();
      if (isWriter) disk.truncate(fd, file.#end);
      return file;
    } catch (thrown) {
      disk.close(fd);
      throw thrown;
    }
  }

  [Symbol.dispose](): void {
    this.#disk.close(this.fd);
  }

  get size(): number {
    return this.edits.size;
  }

  get mtimeNs(): bigint {
    return this.#mtimeNs;
  }

  /** Where the log ends: all edits are before. */
  get end(): number {
    return this.#end;
  }

  /** Of the log, as far as it counts. */
  get bytes(): number {
    return this.#end - this.from;
  }

  get isChanged(): boolean {
    return this.#end > this.from;
  }

  /** It was deleted. */
  get isDropped(): boolean {
    return this.#isDropped;
  }

  /** @throws Error of the disk, of all that follow: nothing has changed then. */
  write(offset: number, bytes: Uint8Array, timeNs: bigint): void {
    for (let done = 0; done < bytes.length; done += writeBytesMax) {
      const part = bytes.subarray(done, done + writeBytesMax);
      this.#add(codes.write, { offset: offset + done, length: part.length, timeNs }, part);
    }
  }

  resize(size: number, timeNs: bigint): void {
    this.#add(codes.resize, { offset: size, length: 0, timeNs });
  }

  /** Makes a hole. */
  free(offset: number, length: number, timeNs: bigint): void {
    this.#add(codes.free, { offset, length, timeNs });
  }

  /** Makes a range what it was before all edits. */
  restore(offset: number, length: number, timeNs: bigint): void {
    this.#add(codes.restore, { offset, length, timeNs });
  }

  setTime(timeNs: bigint): void {
    this.#add(codes.touch, { offset: 0, length: 0, timeNs });
  }

  drop(): void {
    this.#add(codes.drop, { offset: 0, length: 0, timeNs: this.#mtimeNs });
  }

  /** Bytes that were written. @param at Where `edits` says. */
  read(at: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    this.#disk.read(this.fd, bytes, at);
    return bytes;
  }

  /** Gives back the space of what does not count any more, where the file system can. */
  shrink(): void {
    const start = headStart + headBytesMax;
    try {
      if (this.from > start) this.#disk.punchHole(this.fd, start, this.from - start);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EOPNOTSUPP") throw thrown;
    }
  }

  #add(kind: number, record: Omit<EditRecord, "kind">, bytes: Uint8Array = new Uint8Array()): void {
    const rest = new ByteWriter(recordBytes).u8(kind).u64(BigInt(record.offset)).u64(BigInt(record.length));
    rest.u64(BigInt.asUintN(64, record.timeNs));
    const sum = crc32(bytes, crc32(rest.view()));
    try {
      this.#disk.write(this.fd, concatBytes([new ByteWriter(4).u32(sum).view(), rest.view(), bytes]), this.#end);
    } catch (thrown) {
      // What is left of it would not be whole, but might be written over in part.
      this.#disk.truncate(this.fd, this.#end);
      throw thrown;
    }
    this.#apply({ kind, ...record });
  }

  #apply({ kind, offset, length, timeNs }: EditRecord): void {
    const at = this.#end + recordBytes;
    if (kind === codes.write) this.edits.write(offset, length, at);
    else if (kind === codes.resize) this.edits.resize(offset);
    else if (kind === codes.free) this.edits.free(offset, length);
    else if (kind === codes.restore) this.edits.restore(offset, length);
    else if (kind === codes.drop) this.#isDropped = true;
    this.#mtimeNs = timeNs;
    this.#end = at + (kind === codes.write ? length : 0);
  }

  #readRecords(): void {
    for (;;) {
      const record = this.#recordAt(this.#end);
      if (record === undefined) return;
      this.#apply(record);
    }
  }

  /** Undefined where none is whole. */
  #recordAt(at: number): EditRecord | undefined {
    const head = this.#readWhole(at, recordBytes);
    if (head === undefined) return undefined;
    const reader = new ByteReader(head, "a staged file");
    const sum = reader.u32();
    const kind = reader.u8();
    const [offset, length] = [Number(reader.u64()), Number(reader.u64())];
    const timeNs = BigInt.asIntN(64, reader.u64());
    const known = Object.values(codes).some((code) => code === kind);
    if (!known || offset + length > Number.MAX_SAFE_INTEGER || (kind === codes.write && length > writeBytesMax))
      return undefined;
    const bytes = kind === codes.write ? this.#readWhole(at + recordBytes, length) : new Uint8Array();
    if (bytes === undefined || crc32(bytes, crc32(head.subarray(4))) !== sum) return undefined;
    return { kind, offset, length, timeNs };
  }

  /** Undefined where the log ends before. */
  #readWhole(at: number, length: number): Uint8Array | undefined {
    const bytes = new Uint8Array(length);
    return this.#disk.read(this.fd, bytes, at) === length ? bytes : undefined;
  }
}

interface EditRecord {
  readonly kind: number;
  readonly offset: number;
  readonly length: number;
  readonly timeNs: bigint;
}

/** Undefined of one that was not finished. */
function readHead(disk: Disk, fd: number): StagedStart | undefined {
  const start = new Uint8Array(headStart);
  if (disk.read(fd, start, 0) < headStart || !equalBytes(start.subarray(0, magic.length), magic)) return undefined;
  const reader = new ByteReader(start.subarray(magic.length), "a staged file");
  const sum = reader.u32();
  const length = reader.u32();
  if (length > headBytesMax) return undefined;
  const head = new Uint8Array(length);
  if (disk.read(fd, head, headStart) < length || crc32(head) !== sum) return undefined;
  try {
    return { from: headStart + length, base: decodeBase(new ByteReader(head, "a staged file")) };
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    return undefined;
  }
}

export function encodeBase({ id, path, mtimeNs, content }: StagedBase): Uint8Array {
  const writer = new ByteWriter().u64(id.clock).u64(id.writer).varint(id.counter).lengthBytes(path);
  writeContent(writer.u64(BigInt.asUintN(64, mtimeNs)), content);
  return writer.finish();
}

/** @throws OuroError "corrupt". */
export function decodeBase(reader: ByteReader): StagedBase {
  const id = { clock: reader.u64(), writer: reader.u64(), counter: reader.varint(2 ** 32 - 1, "counter") };
  const path = new Uint8Array(reader.lengthBytes(pathBytesMax, "path"));
  const mtimeNs = BigInt.asIntN(64, reader.u64());
  return { id, path, mtimeNs, content: readContent(reader) };
}
