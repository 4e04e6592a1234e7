/**
 * Answers to the kernel: one write each, since that is how the device tells them apart. Small ones are put together in one buffer that is used for all;
 * large data is written from where it is.
 *
 * An answer to somebody who has given up is an ENOENT of the device's, and after the end of the mount an ENODEV: both are nobody's failure.
 */
import { writevSync } from "node:fs";
import { errnoOf } from "../../base/errors.ts";
import { writeNow } from "../../base/posix-device.ts";
import { addressOf } from "../../base/posix-library.ts";
import { structBytes } from "./kernel.ts";
import { putOutHeader } from "./structs-out.ts";

/** Up to here copying costs less than a second buffer in the call. */
const copiedBytesMax = 32 * 1024;
/** IOV_MAX is 1024, with the header. */
const partsMax = 1000;
const headerBytes = structBytes.outHeader;
const lost: ReadonlySet<string> = new Set(["ENOENT", "ENODEV", "ECONNABORTED"]);
const [enoent, eio, enodev, econnaborted] = [2, 5, 19, 103];

export class Replies {
  #fd: number;
  readonly #buffer = Buffer.alloc(headerBytes + copiedBytesMax);
  readonly #address: number;

  /** @param fd Of /dev/fuse; stays the caller's. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#address = addressOf(this.#buffer);
  }

  /** Nobody is answered from now on: the descriptor may be another file's soon. */
  end(): void {
    this.#fd = -1;
  }

  /** @param errno Positive. */
  error(unique: number, errno: number): void {
    this.#send(unique, -errno, 0);
  }

  /** Nothing but that it was done. */
  done(unique: number): void {
    this.#send(unique, 0, 0);
  }

  /**
   * @param put Puts the struct into the buffer, and says how long it is: less than 32 KiB.
   * @returns Whether it was taken: false when nobody waits for it any more.
   */
  struct(unique: number, put: (into: Buffer, at: number) => number): boolean {
    return this.#send(unique, 0, put(this.#buffer, headerBytes));
  }

  /** Data as it is. @param parts Borrowed for the call. */
  data(unique: number, parts: readonly Uint8Array[]): void {
    let total = 0;
    for (const part of parts) total += part.length;
    if (total > copiedBytesMax) {
      this.#sendParts(unique, total, parts);
      return;
    }
    let at = headerBytes;
    for (const part of parts) {
      this.#buffer.set(part, at);
      at += part.length;
    }
    this.#send(unique, 0, total);
  }

  #send(unique: number, error: number, bytes: number): boolean {
    const length = headerBytes + bytes;
    putOutHeader(this.#buffer, { length, error, unique });
    const result = writeNow(this.#fd, this.#address, length);
    if (result >= 0) return true;
    // The kernel else refuses only what is malformed; whoever waits for it must still hear.
    if (result !== -enoent && result !== -enodev && result !== -econnaborted && error === 0) this.error(unique, eio);
    return false;
  }

  #sendParts(unique: number, total: number, parts: readonly Uint8Array[]): void {
    putOutHeader(this.#buffer, { length: headerBytes + total, error: 0, unique });
    const rest = parts.length > partsMax ? [Buffer.concat(parts)] : parts;
    try {
      writevSync(this.#fd, [this.#buffer.subarray(0, headerBytes), ...rest]);
    } catch (thrown) {
      if (!lost.has(errnoOf(thrown) ?? "")) this.error(unique, eio);
    }
  }
}
