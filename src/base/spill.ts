/**
 * Bytes that are put aside until they are needed: what grows with the number of files and is not wanted in memory meanwhile. The newest
 * are in memory, all before them in a temporary file that has no name: it ends with the process, and nothing in it is durable.
 *
 * Memory: one block of 4 MiB, filled as it is used. What is less than that never comes to the disk.
 */
import type { Disk } from "./disk.ts";
import { errnoOf, ioError, OuroError } from "./errors.ts";

const blockBytesDefault = 4 * 1024 * 1024;

export interface SpillOptions {
  readonly disk: Disk;
  /** Gives the path of a new file, which loses it at once. Asked for when there is more than a block. */
  readonly path: () => string;
  readonly blockBytes?: number;
}

/** Where bytes are that were put aside. */
export interface SpilledBytes {
  readonly at: number;
  readonly length: number;
}

export class Spill implements Disposable {
  readonly #disk: Disk;
  readonly #path: () => string;
  readonly #blockBytes: number;
  #block: Buffer | undefined;
  #blockUsed = 0;
  /** How much is in the file; what is in the block comes after it. */
  #fileBytes = 0;
  #fd: number | undefined;

  constructor({ disk, path, blockBytes = blockBytesDefault }: SpillOptions) {
    this.#disk = disk;
    this.#path = path;
    this.#blockBytes = blockBytes;
  }

  /** Puts a copy aside. @throws OuroError "no-space", "io", …. */
  put(bytes: Uint8Array): SpilledBytes {
    if (this.#blockUsed + bytes.length > this.#blockBytes) this.#writeBlock();
    const place = { at: this.#fileBytes + this.#blockUsed, length: bytes.length };
    if (bytes.length > this.#blockBytes) this.#write(bytes);
    else {
      this.#block ??= Buffer.allocUnsafeSlow(this.#blockBytes);
      this.#block.set(bytes, this.#blockUsed);
      this.#blockUsed += bytes.length;
    }
    return place;
  }

  /** @returns A copy; the caller owns it. @throws OuroError "io". */
  get({ at, length }: SpilledBytes): Uint8Array {
    const bytes = new Uint8Array(length);
    const start = at - this.#fileBytes;
    if (start < 0) this.#read(bytes, at);
    else if (this.#block !== undefined) bytes.set(this.#block.subarray(start, start + length));
    return bytes;
  }

  #writeBlock(): void {
    if (this.#block !== undefined && this.#blockUsed > 0) this.#write(this.#block.subarray(0, this.#blockUsed));
    this.#blockUsed = 0;
  }

  #write(bytes: Uint8Array): void {
    try {
      this.#fd ??= openUnnamed(this.#disk, this.#path());
      this.#disk.write(this.#fd, bytes, this.#fileBytes);
    } catch (thrown) {
      throw ioError("Cannot write a temporary file", thrown);
    }
    this.#fileBytes += bytes.length;
  }

  #read(into: Uint8Array, at: number): void {
    try {
      const count = this.#fd === undefined ? 0 : this.#disk.read(this.#fd, into, at);
      if (count < into.length) throw new OuroError("io", "Cannot read a temporary file: it has been cut off");
    } catch (thrown) {
      throw ioError("Cannot read a temporary file", thrown);
    }
  }

  [Symbol.dispose](): void {
    if (this.#fd !== undefined) this.#disk.close(this.#fd);
    this.#fd = undefined;
    this.#block = undefined;
  }
}

function openUnnamed(disk: Disk, path: string): number {
  const fd = disk.open(path, "create-new");
  try {
    disk.unlink(path);
    return fd;
  } catch (thrown) {
    // Another process may just have tidied up.
    if (errnoOf(thrown) === "ENOENT") return fd;
    disk.close(fd);
    throw thrown;
  }
}
