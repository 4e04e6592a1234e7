/**
 * A directory that is open for listing. Where a listing goes on is the kernel's own offset (d_off of getdents64), which stays right while names come and
 * go; but it may have 63 bits (ext4: a hash of the name), and a cookie is a safe integer above 2: large offsets lose their last 11 bits. Going on there
 * gives no name too few, and one twice only where two names' first 52 bits are equal: of 100,000 names, once in a million directories.
 *
 * What a block holds further is kept for the next call, if that goes on there; a listing from the beginning reads anew.
 */
import { addressOf, check, library } from "../base/posix-library.ts";

const blockBytes = 16 * 1024;
const largeAt = 2 ** 42;
const lostScale = 2 ** 11;
/** Of "." and "..". */
const cookiesBefore = 2;
const nameOffset = 19;
const dot = 0x2e;

export class FolderListing {
  readonly fd: number;
  readonly #block: Buffer = Buffer.allocUnsafeSlow(blockBytes);
  readonly #address: number = addressOf(this.#block);
  #filled = 0;
  #next = 0;
  /** The cookie before the record at `#next`. */
  #at = cookiesBefore;

  /** @param fd Stays the caller's. */
  constructor(fd: number) {
    this.fd = fd;
  }

  /** Goes on after a cookie. @param give Returns whether there was room; the name is the receiver's. @throws Error of getdents64. */
  list(after: number, give: (name: Uint8Array, cookie: number) => boolean): void {
    if (after !== this.#at || after === cookiesBefore) this.#seek(after);
    for (;;) {
      if (this.#next >= this.#filled && !this.#fill()) return;
      const block = this.#block;
      const start = this.#next;
      const length = block.readUInt16LE(start + 16);
      const cookie = cookieOf(block.readBigInt64LE(start + 8));
      const end = block.indexOf(0, start + nameOffset);
      const name = new Uint8Array(block.subarray(start + nameOffset, end));
      if (!isDots(name) && !give(name, cookie)) return;
      this.#next = start + length;
      this.#at = cookie;
    }
  }

  #seek(after: number): void {
    check(library().call.lseek(this.fd, offsetOf(after), 0), "lseek");
    this.#filled = 0;
    this.#next = 0;
    this.#at = after;
  }

  #fill(): boolean {
    this.#filled = check(library().call.getdents64(this.fd, this.#address, blockBytes), "getdents64");
    this.#next = 0;
    return this.#filled > 0;
  }
}

/** Rising with the offset. */
export function cookieOf(offset: bigint): number {
  const large = BigInt(largeAt);
  const cookie = offset < large ? Number(offset) : largeAt + Number(offset / BigInt(lostScale));
  return cookie + cookiesBefore;
}

/** @returns As exact as the call can be told: where more than 53 bits are needed, the last ones are 0. */
export function offsetOf(cookie: number): number {
  const value = cookie - cookiesBefore;
  return value < largeAt ? value : (value - largeAt) * lostScale;
}

function isDots(name: Uint8Array): boolean {
  return name[0] === dot && (name.length === 1 || (name.length === 2 && name[1] === dot));
}
