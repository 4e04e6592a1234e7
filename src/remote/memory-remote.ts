/**
 * A remote held in a Map: the fake the tests use, and the reference for the remote suite. Several remotes on one
 * `MemoryPlace` are several processes at one storage. It keeps conditions ("cas").
 */
import { copyBytes } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";
import { checkBlobName, checkPrefix, checkRange, checkSignal, conditionHolds, tooLarge } from "./checks.ts";
import {
  type BlobInfo,
  type BlobSource,
  type DownloadOptions,
  type GetOptions,
  getBytesMax,
  type PutCondition,
  type Remote,
  type RemoteOptions,
} from "./remote.ts";

interface HeldBlob {
  readonly bytes: Uint8Array;
  readonly tag: string;
  readonly modifiedMs?: number;
}

/** The storage itself. */
export class MemoryPlace {
  readonly blobs: Map<string, HeldBlob> = new Map();
  readonly #nowMs: (() => number) | undefined;
  #count = 0;

  /** @param nowMs The storage's own clock; without one it tells no times. */
  constructor(nowMs?: () => number) {
    this.#nowMs = nowMs;
  }

  hold(name: string, bytes: Uint8Array): string {
    this.#count += 1;
    const tag = `${this.#count}`;
    const modified = this.#nowMs === undefined ? {} : { modifiedMs: this.#nowMs() };
    this.blobs.set(name, { bytes: copyBytes(bytes), tag, ...modified });
    return tag;
  }
}

export class MemoryRemote implements Remote {
  readonly url: string = "memory:";
  readonly conditions = "cas";
  readonly #disk: Disk;
  readonly #place: MemoryPlace;

  /** @param disk Where the local files of `put` and `download` are. */
  constructor(disk: Disk, place: MemoryPlace = new MemoryPlace()) {
    this.#disk = disk;
    this.#place = place;
  }

  async put(name: string, source: BlobSource, options: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(options.signal);
    const bytes = source instanceof Uint8Array ? source : this.#readLocal(source.path, source.size);
    this.#place.hold(name, bytes);
    options.onBytes?.(bytes.length);
  }

  async putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    options: RemoteOptions = {},
  ): Promise<string | undefined> {
    checkBlobName(name);
    checkSignal(options.signal);
    if (!conditionHolds(condition, this.#place.blobs.get(name)?.tag)) return undefined;
    options.onBytes?.(bytes.length);
    return this.#place.hold(name, bytes);
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    const { bytes } = this.#held(name, options.signal);
    const { start, end } = checkRange(name, bytes.length, options.range, options.bytesMax ?? getBytesMax);
    options.onBytes?.(end - start);
    return copyBytes(bytes.subarray(start, end));
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    const { bytes } = this.#held(name, options.signal);
    const bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
    if (bytes.length > bytesMax) throw tooLarge(name, bytes.length, bytesMax);
    const { start } = checkRange(name, bytes.length, { start: options.offset ?? 0, end: bytes.length }, bytes.length);
    try {
      const fd = this.#disk.open(path, start === 0 ? "create" : "write");
      try {
        this.#disk.write(fd, bytes.subarray(start), start);
        this.#disk.truncate(fd, bytes.length);
      } finally {
        this.#disk.close(fd);
      }
    } catch (thrown) {
      throw ioError(`Cannot write ${path}`, thrown, path);
    }
    options.onBytes?.(bytes.length - start);
    return bytes.length;
  }

  async stat(name: string, options: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    checkSignal(options.signal);
    const held = this.#place.blobs.get(name);
    return held === undefined ? undefined : infoOf(name, held);
  }

  async *list(prefix: string, options: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    checkPrefix(prefix);
    for (const [name, held] of [...this.#place.blobs]) {
      checkSignal(options.signal);
      if (name.startsWith(prefix)) yield infoOf(name, held);
    }
  }

  async topNames(): Promise<readonly string[]> {
    const names = new Set([...this.#place.blobs.keys()].map((name) => name.split("/", 1)[0] ?? ""));
    return [...names].slice(0, 1000);
  }

  async remove(name: string, options: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(options.signal);
    this.#place.blobs.delete(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #held(name: string, signal: AbortSignal | undefined): HeldBlob {
    checkBlobName(name);
    checkSignal(signal);
    const held = this.#place.blobs.get(name);
    if (held === undefined)
      throw new OuroError("not-found", `Cannot read ${name}: there is no such blob`, { subject: name });
    return held;
  }

  #readLocal(path: string, size: number): Uint8Array {
    try {
      const fd = this.#disk.open(path, "read");
      try {
        const bytes = new Uint8Array(size);
        if (this.#disk.statFile(fd).size === size && this.#disk.read(fd, bytes, 0) === size) return bytes;
        throw new OuroError("invalid", `Cannot store ${path}: it is not ${size} bytes long any more`, {
          subject: path,
        });
      } finally {
        this.#disk.close(fd);
      }
    } catch (thrown) {
      throw ioError(`Cannot read ${path}`, thrown, path);
    }
  }
}

function infoOf(name: string, { bytes, tag, modifiedMs }: HeldBlob): BlobInfo {
  return { name, size: bytes.length, tag, ...(modifiedMs === undefined ? {} : { modifiedMs }) };
}
