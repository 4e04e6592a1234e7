/**
 * The bytes of SFTP version 3: packets out and in. Integers are big-endian; a string is a length and bytes. What comes in is not
 * trusted: a packet is at most `packetBytesMax`, and every read is checked against what is left of it.
 *
 * Source: draft-ietf-secsh-filexfer-02; OpenSSH's PROTOCOL, section 4 (extensions).
 */
import { asBuffer, toText, utf8 } from "../../base/bytes.ts";
import { OuroError } from "../../base/errors.ts";

/** Of a packet without its length field. OpenSSH's own bound, and the smallest that every server must take is 34,000. */
export const packetBytesMax: number = 256 * 1024;

export const packetType = {
  init: 1,
  version: 2,
  open: 3,
  close: 4,
  read: 5,
  write: 6,
  lstat: 7,
  fstat: 8,
  fsetstat: 10,
  opendir: 11,
  readdir: 12,
  remove: 13,
  mkdir: 14,
  stat: 17,
  status: 101,
  handle: 102,
  data: 103,
  name: 104,
  attrs: 105,
  extended: 200,
  extendedReply: 201,
} as const;

export const statusCode = { ok: 0, eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, unsupported: 8 } as const;

export const openFlag = { read: 1, write: 2, create: 8, exclusive: 32 } as const;

const attributeFlag = { size: 1, owner: 2, permissions: 4, times: 8, extended: 0x8000_0000 } as const;

/** What a server says of a file; it may leave out anything. */
export interface Attributes {
  readonly size?: number;
  /** With the type in its upper bits, as in `stat(2)`. */
  readonly mode?: number;
  /** Seconds since 1970. */
  readonly atime?: number;
  readonly mtime?: number;
}

/** An outgoing packet as it grows. */
export class PacketWriter {
  #bytes: Buffer;
  #at = 5;

  /** @param sizeHint How many bytes will follow the type. */
  constructor(type: number, sizeHint = 512) {
    this.#bytes = Buffer.allocUnsafe(sizeHint + 5);
    this.#bytes[4] = type;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeUInt32BE(value, at);
    return this;
  }

  u64(value: number): this {
    const at = this.#room(8);
    this.#bytes.writeBigUInt64BE(BigInt(value), at);
    return this;
  }

  string(value: Uint8Array | string): this {
    const bytes = typeof value === "string" ? utf8(value) : value;
    this.u32(bytes.length);
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** The whole packet, its length in front; the writer is done with. */
  finish(): Uint8Array {
    this.#bytes.writeUInt32BE(this.#at - 4, 0);
    return this.#bytes.subarray(0, this.#at);
  }

  #room(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#at, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }
}

/** An incoming packet, from behind its length field. */
export class PacketReader {
  readonly type: number;
  readonly #bytes: Buffer;
  #at = 1;

  /** @param bytes Not empty. */
  constructor(bytes: Uint8Array) {
    this.#bytes = asBuffer(bytes);
    this.type = this.#bytes[0] as number;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** @throws OuroError "io" above 2^53 - 1. */
  u64(): number {
    const value = this.#bytes.readBigUInt64BE(this.#take(8));
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw brokenPacket("a number is too large");
    return Number(value);
  }

  /** A view into the packet. */
  string(): Uint8Array {
    const length = this.u32();
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  text(): string {
    return toText(this.string());
  }

  attributes(): Attributes {
    const flags = this.u32();
    const has = (flag: number): boolean => (flags & flag) !== 0;
    const size = has(attributeFlag.size) ? { size: this.u64() } : {};
    if (has(attributeFlag.owner)) this.#take(8);
    const mode = has(attributeFlag.permissions) ? { mode: this.u32() } : {};
    const times = has(attributeFlag.times) ? { atime: this.u32(), mtime: this.u32() } : {};
    if (has(attributeFlag.extended)) {
      const count = this.u32();
      // Each takes eight bytes at least, so a lie about the count ends with the packet.
      for (let index = 0; index < count; index += 1) {
        this.string();
        this.string();
      }
    }
    return { ...size, ...mode, ...times };
  }

  #take(count: number): number {
    const at = this.#at;
    if (count > this.#bytes.length - at) throw brokenPacket("it ends early");
    this.#at += count;
    return at;
  }
}

/** Attributes that set both times, in seconds since 1970. */
export function writeTimes(packet: PacketWriter, atime: number, mtime: number): PacketWriter {
  return packet.u32(attributeFlag.times).u32(atime).u32(mtime);
}

/** For new files and folders: the server's umask decides. */
export function writeNoAttributes(packet: PacketWriter): PacketWriter {
  return packet.u32(0);
}

export function brokenPacket(why: string): OuroError {
  return new OuroError("io", `Cannot read what the SFTP server sent: ${why}`);
}

/** Cuts a stream of bytes into packets. */
export class PacketSplitter {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  /**
   * Takes the next bytes of the stream, and calls `each` with every packet that they complete (without its length field).
   * @throws OuroError "io" when a length is out of bounds: nothing after it can be understood.
   */
  push(bytes: Uint8Array, each: (packet: Uint8Array) => void): void {
    this.#pieces.push(bytes);
    this.#length += bytes.length;
    while (this.#length >= 4) {
      const length = asBuffer(this.#joined(4)).readUInt32BE(0);
      if (length < 1 || length > packetBytesMax) throw brokenPacket(`a packet of ${length} bytes begins`);
      if (this.#length < length + 4) return;
      const first = this.#joined(length + 4);
      this.#pieces[0] = first.subarray(length + 4);
      this.#length -= length + 4;
      if (this.#pieces[0].length === 0) this.#pieces.shift();
      each(first.subarray(4, length + 4));
    }
  }

  /** The first piece, with at least `count` bytes in it. */
  #joined(count: number): Uint8Array {
    const first = this.#pieces[0] as Uint8Array;
    if (first.length >= count) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces.length = 0;
    this.#pieces.push(all);
    return all;
  }
}
