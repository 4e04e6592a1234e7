/**
 * Files to take in and what came of them, as they pass between threads: a few typed arrays a batch, whose memory moves
 * instead of being copied, and no object trees.
 */
import { type ErrorKind, OuroError } from "../base/errors.ts";
import { type FileStat, statFromBytes } from "../base/posix.ts";
import type { ContentItem, Hash } from "../format/mod.ts";

export interface IngestFile {
  /** Absolute; through /proc/self/fd for what is too deep for a path. */
  readonly path: Uint8Array;
  /** As seen by the scan: for sharing out the work. What counts is what is read. */
  readonly size: number;
  /** Of 512 bytes, as seen by the scan. */
  readonly blocks: number;
}

/** What a file consists of. Long ones are held packed, 40 bytes an item, and their items made as they are asked for. */
export interface ContentItems extends Iterable<ContentItem> {
  readonly length: number;
}

export type IngestResult =
  | {
      readonly items: ContentItems;
      /** The sum of the items. */
      readonly size: number;
      /** As it was after reading. */
      readonly stat: FileStat;
      /** It was changed each time while it was being read: the items are a mixture. */
      readonly unstable: boolean;
    }
  | { readonly error: OuroError };

export interface FileBatch {
  /** Paths, one after another. */
  readonly paths: Uint8Array;
  /** Where each path ends. */
  readonly ends: Uint32Array;
}

export interface BatchFailure {
  readonly file: number;
  readonly kind: ErrorKind;
  readonly message: string;
}

export interface BatchResult {
  /** `statWords` words a file: the kernel's struct statx. */
  readonly stats: Int32Array;
  readonly unstable: Uint8Array;
  /** Where each file's items end. */
  readonly ends: Uint32Array;
  /** A hole's length is negative. */
  readonly lengths: Float64Array;
  /** 32 bytes an item; zeros for holes. */
  readonly hashes: Uint8Array;
  readonly failures: readonly BatchFailure[];
}

/** Enough of a struct statx for everything that a FileStat has. */
const statWords = 36;

export function encodeBatch(files: readonly IngestFile[]): FileBatch {
  const ends = new Uint32Array(files.length);
  let end = 0;
  files.forEach(({ path }, file) => {
    end += path.length;
    ends[file] = end;
  });
  const paths = new Uint8Array(end);
  files.forEach(({ path }, file) => {
    paths.set(path, (ends[file] as number) - path.length);
  });
  return { paths, ends };
}

/** The memory that can move with a message. */
export function batchMemory(result: BatchResult): ArrayBuffer[] {
  return [result.stats, result.unstable, result.ends, result.lengths, result.hashes].map(
    (array) => array.buffer as ArrayBuffer,
  );
}

/** Collects a batch's results. */
export class BatchResultWriter {
  readonly #stats: Int32Array;
  readonly #unstable: Uint8Array;
  readonly #ends: Uint32Array;
  #lengths = new Float64Array(128);
  #hashes = new Uint8Array(128 * 32);
  #items = 0;
  readonly #failures: BatchFailure[] = [];

  constructor(files: number) {
    this.#stats = new Int32Array(files * statWords);
    this.#unstable = new Uint8Array(files);
    this.#ends = new Uint32Array(files);
  }

  /** How many items there are; `truncate` goes back to it. */
  get items(): number {
    return this.#items;
  }

  truncate(items: number): void {
    this.#items = items;
  }

  #next(): number {
    if (this.#items === this.#lengths.length) {
      const [lengths, hashes] = [new Float64Array(this.#items * 2), new Uint8Array(this.#items * 64)];
      lengths.set(this.#lengths);
      hashes.set(this.#hashes);
      this.#lengths = lengths;
      this.#hashes = hashes;
    }
    this.#items += 1;
    return this.#items - 1;
  }

  addChunk(hash: Hash, length: number): void {
    const item = this.#next();
    this.#lengths[item] = length;
    this.#hashes.set(hash, item * 32);
  }

  addHole(length: number): void {
    this.#lengths[this.#next()] = -length;
  }

  /** @param stat A struct statx. */
  endFile(file: number, stat: Int32Array, unstable: boolean): void {
    this.#stats.set(stat.subarray(0, statWords), file * statWords);
    this.#unstable[file] = unstable ? 1 : 0;
    this.#ends[file] = this.#items;
  }

  failFile(file: number, error: OuroError): void {
    this.#failures.push({ file, kind: error.kind, message: error.message });
    this.#ends[file] = this.#items;
  }

  finish(): BatchResult {
    return {
      stats: this.#stats,
      unstable: this.#unstable,
      ends: this.#ends,
      lengths: this.#lengths.slice(0, this.#items),
      hashes: new Uint8Array(this.#hashes.subarray(0, this.#items * 32)),
      failures: this.#failures,
    };
  }
}

class PackedItems implements ContentItems {
  readonly #lengths: Float64Array;
  readonly #hashes: Uint8Array;

  constructor(lengths: Float64Array, hashes: Uint8Array) {
    this.#lengths = lengths;
    this.#hashes = hashes;
  }

  get length(): number {
    return this.#lengths.length;
  }

  *[Symbol.iterator](): Generator<ContentItem> {
    for (let item = 0; item < this.#lengths.length; item += 1) yield itemAt(this.#lengths, this.#hashes, item);
  }
}

function itemAt(lengths: Float64Array, hashes: Uint8Array, item: number): ContentItem {
  const length = lengths[item] as number;
  return length < 0
    ? { form: "hole", length: -length }
    : { form: "chunk", hash: hashes.subarray(item * 32, item * 32 + 32), length };
}

/** Files of more items than this keep them packed. */
const unpackedItemsMax = 256;

export function decodeBatch(result: BatchResult): IngestResult[] {
  const stats = Buffer.from(result.stats.buffer);
  const failures = new Map(result.failures.map((failure) => [failure.file, failure]));
  const results: IngestResult[] = [];
  let first = 0;
  for (let file = 0; file < result.ends.length; file += 1) {
    const end = result.ends[file] as number;
    const failure = failures.get(file);
    if (failure !== undefined) {
      results.push({ error: new OuroError(failure.kind, failure.message) });
    } else {
      const lengths = result.lengths.subarray(first, end);
      const hashes = result.hashes.subarray(first * 32, end * 32);
      const items =
        lengths.length > unpackedItemsMax
          ? new PackedItems(lengths, hashes)
          : Array.from(lengths, (_, item) => itemAt(lengths, hashes, item));
      const size = lengths.reduce((sum, length) => sum + Math.abs(length), 0);
      const stat = statFromBytes(stats, file * statWords * 4);
      results.push({ items, size, stat, unstable: result.unstable[file] === 1 });
    }
    first = end;
  }
  return results;
}
