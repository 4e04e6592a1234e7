/**
 * Reads the structs of a request, little-endian as the machines are that this runs on. Nothing is read past the request's end, whatever it says:
 * a malformed one is an EINVAL. Numbers of 64 bits must fit into 53.
 */
import { failure } from "./errno.ts";

const high = 2 ** 32;

export class StructReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  #at: number;

  /** @param bytes Borrowed; `end` is inside of it. */
  constructor(bytes: Buffer, at: number, end: number) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  /** @throws EOVERFLOW beyond 2^53. */
  u64(): number {
    const at = this.#take(8);
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * high;
    if (value > Number.MAX_SAFE_INTEGER) throw failure("EOVERFLOW", "a number is out of range");
    return value;
  }

  /** Of ends that may be "for ever": Infinity beyond 2^53. */
  u64OrInfinity(): number {
    const at = this.#take(8);
    const value = this.#bytes.readUInt32LE(at) + this.#bytes.readUInt32LE(at + 4) * high;
    return value > Number.MAX_SAFE_INTEGER ? Infinity : value;
  }

  u64AsBigint(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }

  /** Not exact beyond 2^53. */
  i64(): number {
    const at = this.#take(8);
    return this.#bytes.readUInt32LE(at) + this.#bytes.readInt32LE(at + 4) * high;
  }

  skip(bytes: number): void {
    this.#take(bytes);
  }

  /** Up to a NUL, which must be there. A copy: names are kept. */
  name(): Uint8Array {
    const nul = this.#bytes.indexOf(0, this.#at);
    if (nul < 0 || nul >= this.#end) throw failure("EINVAL", "a name has no end");
    const name = new Uint8Array(this.#bytes.subarray(this.#at, nul));
    this.#at = nul + 1;
    return name;
  }

  /** Borrowed from the request. */
  bytes(count: number): Uint8Array {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  #take(bytes: number): number {
    const at = this.#at;
    if (bytes > this.#end - at) throw failure("EINVAL", "a request is too short");
    this.#at = at + bytes;
    return at;
  }
}
