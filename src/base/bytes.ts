/**
 * Byte arrays: comparing, copying, hex, and a bounded reader and a growing writer of binary formats.
 *
 * Bytes are `Uint8Array` everywhere. A Node `Buffer` is one whose `slice` shares memory while every other
 * Uint8Array's copies, so `slice` on bytes is banned: `subarray` to look, `copyBytes` to keep.
 *
 * Integers are little-endian. A varint is LEB128: seven bits a byte, least significant first, shortest form only.
 */
import { OuroError } from "./errors.ts";

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder("utf-8", { ignoreBOM: true });
const utf8Strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A new array of the same bytes, sharing no memory with `bytes`. */
export function copyBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}

/** A Buffer over the same memory. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && Buffer.compare(a, b) === 0);
}

/** Unsigned byte order, as `memcmp`: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  return Buffer.compare(a, b);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex");
}

/** @throws OuroError "invalid" unless `text` is lower-case hex of exactly `length` bytes. */
export function fromHex(text: string, length: number): Uint8Array {
  if (text.length !== length * 2 || !/^[0-9a-f]*$/.test(text)) {
    throw new OuroError(
      "invalid",
      `Cannot read ${JSON.stringify(text.slice(0, 80))}: must be ${length * 2} hex digits`,
    );
  }
  return Buffer.from(text, "hex");
}

export function utf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Text for people: bytes that are not UTF-8 become U+FFFD. Never use the result as a name. */
export function toText(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** The text, or undefined when the bytes are not UTF-8. */
export function findText(bytes: Uint8Array): string | undefined {
  try {
    return utf8Strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Reads a binary format without trusting it: every read is checked against what is left, and every
 * failure is OuroError "corrupt" that names what was being read.
 */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  /** @param what What is being read, for messages: "tree node 3f9a". */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get position(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  /** An error about this input, to be thrown. */
  corrupt(why: string): OuroError {
    return new OuroError("corrupt", `Cannot read ${this.#what}: ${why} (at byte ${this.#at})`, { subject: this.#what });
  }

  #take(count: number): number {
    if (count > this.remaining) throw this.corrupt(`it ends ${count - this.remaining} bytes early`);
    const at = this.#at;
    this.#at += count;
    return at;
  }

  u8(): number {
    return this.#bytes[this.#take(1)] as number;
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /**
   * An unsigned varint.
   * @param max The greatest value allowed, at most 2^53 - 1.
   * @param field Its name, for the message.
   */
  varint(max: number, field: string): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80 && first <= max) {
      this.#at += 1;
      return first;
    }
    return this.#longVarint(max, field);
  }

  #longVarint(max: number, field: string): number {
    let value = 0;
    let scale = 1;
    for (let count = 1; ; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && count > 1) throw this.corrupt(`${field} is not in its shortest form`);
        break;
      }
      if (count === 8) throw this.corrupt(`${field} has more than 53 bits`);
      scale *= 128;
    }
    if (value > max) throw this.corrupt(`${field} is ${value} (at most ${max})`);
    return value;
  }

  /** An unsigned varint of up to 64 bits. */
  varint64(field: string): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.u8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0n) throw this.corrupt(`${field} is not in its shortest form`);
        if (value >= 1n << 64n) throw this.corrupt(`${field} has more than 64 bits`);
        return value;
      }
      if (shift === 63n) throw this.corrupt(`${field} has more than 64 bits`);
    }
  }

  /** A signed integer as a zigzag varint: 0, -1, 1, -2, … are 0, 1, 2, 3, … Within +-2^52. */
  zigzag(field: string): number {
    const value = this.varint(Number.MAX_SAFE_INTEGER, field);
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** The next `length` bytes as a view into the input. */
  bytes(length: number): Uint8Array {
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A varint length of at most `max`, then as many bytes, as a view. */
  lengthBytes(max: number, field: string): Uint8Array {
    return this.bytes(this.varint(max, `length of ${field}`));
  }

  /** A length and UTF-8 text of at most `max` bytes. */
  text(max: number, field: string): string {
    const text = findText(this.lengthBytes(max, field));
    if (text === undefined) throw this.corrupt(`${field} is not UTF-8`);
    return text;
  }

  /** @throws OuroError "corrupt" if anything is left. */
  end(): void {
    if (this.remaining !== 0) throw this.corrupt(`${this.remaining} bytes follow its end`);
  }
}

/** Writes a binary format into one growing buffer. */
export class ByteWriter {
  #bytes: Buffer;
  #at = 0;

  constructor(sizeHint = 256) {
    this.#bytes = Buffer.allocUnsafe(sizeHint);
  }

  get length(): number {
    return this.#at;
  }

  #room(count: number): number {
    const at = this.#at;
    const needed = at + count;
    if (needed > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#at = needed;
    return at;
  }

  u8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#room(2);
    this.#bytes.writeUInt16LE(value, at);
    return this;
  }

  u32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(value, at);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#room(8);
    this.#bytes.writeBigUInt64LE(value, at);
    return this;
  }

  /** @param value A whole number from 0 to 2^53 - 1. */
  varint(value: number): this {
    let rest = value;
    while (rest >= 0x80) {
      this.u8((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    return this.u8(rest);
  }

  varint64(value: bigint): this {
    if (value <= 0x1f_ffff_ffff_ffffn) return this.varint(Number(value));
    let rest = value;
    while (rest >= 0x80n) {
      this.u8(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    return this.u8(Number(rest));
  }

  /** @param value A whole number within +-2^52. */
  zigzag(value: number): this {
    return this.varint(value >= 0 ? value * 2 : -value * 2 - 1);
  }

  bytes(bytes: Uint8Array): this {
    const at = this.#room(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  lengthBytes(bytes: Uint8Array): this {
    return this.varint(bytes.length).bytes(bytes);
  }

  text(text: string): this {
    return this.lengthBytes(utf8(text));
  }

  /** What was written, as a view of the writer's own memory: valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }

  /** What was written, as a copy the caller owns. */
  finish(): Uint8Array {
    return copyBytes(this.view());
  }

  /** Empties it, keeping the memory. */
  reset(): void {
    this.#at = 0;
  }
}
