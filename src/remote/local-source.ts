/**
 * What a put sends, block by block: bytes in memory, or a local file that must have just the size that was said, before and after.
 * For remotes that send over a network.
 */
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";
import type { BlobSource } from "./remote.ts";

export interface LocalSource extends Disposable {
  readonly size: number;
  /**
   * The next at most `length` bytes, which nobody changes; undefined at the end.
   * @throws OuroError "invalid" when the file is not of its size any more.
   */
  next(length: number): Uint8Array | undefined;
  /** Back to the start, or to another byte. */
  seek(position: number): void;
}

/** @throws OuroError "not-found", "invalid" (not of its size), "io". */
export function openSource(disk: Disk, name: string, source: BlobSource): LocalSource {
  return source instanceof Uint8Array ? openBytes(source) : new FileSource(disk, name, source);
}

/** @param bytes Not changed meanwhile. */
export function openBytes(bytes: Uint8Array): LocalSource {
  return new BytesSource(bytes);
}

class BytesSource implements LocalSource {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get size(): number {
    return this.#bytes.length;
  }

  next(length: number): Uint8Array | undefined {
    if (this.#at >= this.#bytes.length) return undefined;
    const block = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += block.length;
    return block;
  }

  seek(position: number): void {
    this.#at = position;
  }

  [Symbol.dispose](): void {}
}

class FileSource implements LocalSource {
  readonly size: number;
  readonly #disk: Disk;
  readonly #name: string;
  readonly #path: string;
  readonly #fd: number;
  #at = 0;

  constructor(disk: Disk, name: string, { path, size }: { readonly path: string; readonly size: number }) {
    this.#disk = disk;
    this.#name = name;
    this.#path = path;
    this.size = size;
    this.#fd = this.#local(() => disk.open(path, "read"));
    try {
      this.#checkSize();
    } catch (thrown) {
      disk.close(this.#fd);
      throw thrown;
    }
  }

  next(length: number): Uint8Array | undefined {
    if (this.#at >= this.size) {
      this.#checkSize();
      return undefined;
    }
    const block = new Uint8Array(Math.min(length, this.size - this.#at));
    const count = this.#local(() => this.#disk.read(this.#fd, block, this.#at));
    if (count !== block.length) throw this.#wrongSize(this.#at + count);
    this.#at += count;
    return block;
  }

  seek(position: number): void {
    this.#at = position;
  }

  [Symbol.dispose](): void {
    this.#disk.close(this.#fd);
  }

  #checkSize(): void {
    const { size } = this.#local(() => this.#disk.statFile(this.#fd));
    if (size !== this.size) throw this.#wrongSize(size);
  }

  #wrongSize(found: number): OuroError {
    return new OuroError(
      "invalid",
      `Cannot store ${this.#name}: its source has ${found} bytes (must be ${this.size})`,
      {
        subject: this.#name,
      },
    );
  }

  #local<T>(act: () => T): T {
    try {
      return act();
    } catch (thrown) {
      throw ioError(`Cannot read ${this.#path}`, thrown, this.#path);
    }
  }
}
