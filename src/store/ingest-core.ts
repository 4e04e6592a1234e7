/**
 * Taking in files: reads them, cuts them at holes and by content, hashes the chunks and hands them to a writer. The same
 * code in worker threads and in the main thread; it knows of neither.
 *
 * Memory: one buffer, whatever the size of a file. A file that changes while it is read is read again, three times at most.
 */
import { toText } from "../base/bytes.ts";
import { ioError, OuroError } from "../base/errors.ts";
import { Chunker, type ChunkSizes, type Hasher } from "../format/mod.ts";
import type { ContentWriter } from "./content-writer.ts";
import { FileSource, mayHaveHoles, type RawStat, sameContent, sizeOf } from "./file-source.ts";
import { type BatchResult, BatchResultWriter, type FileBatch } from "./ingest-batch.ts";

const triesMax = 3;
const bufferBytesMin = 4 * 1024 * 1024;
/** After so many chunks of a file that did not shrink, only every `rawSample`-th is tried. */
const rawStreak = 4;
const rawSample = 8;

export interface IngestCoreOptions {
  readonly hasher: Hasher;
  readonly chunk: ChunkSizes;
  /** Where chunks go; absent when only hashes are wanted. */
  readonly writer?: ContentWriter;
  /** Told of bytes as they are read. */
  readonly onBytes: (count: number) => void;
  /** @throws To end early. Asked once a buffer. */
  readonly checkAborted: () => void;
}

export class IngestCore {
  readonly #options: IngestCoreOptions;
  readonly #chunker: Chunker;
  readonly #buffer: Buffer;
  /** How many chunks of the present file in a row did not shrink. */
  #rawStreak = 0;

  constructor(options: IngestCoreOptions) {
    this.#options = options;
    this.#chunker = new Chunker(options.chunk);
    this.#buffer = Buffer.allocUnsafeSlow(Math.max(bufferBytesMin, 2 * options.chunk.max));
  }

  /**
   * Takes in a batch of files. It yields now and then, in the middle of large files too, so that the caller can wait for
   * full packs to be published.
   * @returns What came of each file. A file that cannot be read is a failure of that file alone.
   * @throws OuroError when something cannot be stored: "no-space", "io", "aborted", …
   */
  *process(batch: FileBatch): Generator<void, BatchResult> {
    const result = new BatchResultWriter(batch.ends.length);
    let start = 0;
    for (let file = 0; file < batch.ends.length; file += 1) {
      const end = batch.ends[file] as number;
      yield* this.#processFile(batch.paths.subarray(start, end), file, result);
      start = end;
      yield;
    }
    return result.finish();
  }

  *#processFile(path: Uint8Array, file: number, result: BatchResultWriter): Generator<void> {
    const first = result.items;
    try {
      using source = reading(path, () => FileSource.open(path));
      let before = reading(path, () => source.stat());
      for (let tries = 1; ; tries += 1) {
        result.truncate(first);
        const whole = yield* this.#readFile(source, path, before, result);
        const after = reading(path, () => source.stat());
        const stable = whole && sameContent(before, after);
        if (stable || tries === triesMax) {
          result.endFile(file, after, !stable);
          return;
        }
        before = after;
      }
    } catch (error) {
      if (!(error instanceof UnreadableFile)) throw error;
      result.truncate(first);
      result.failFile(file, error.reason);
    }
  }

  /** @returns Whether the file was as long as its stat said. */
  *#readFile(source: FileSource, path: Uint8Array, stat: RawStat, result: BatchResultWriter): Generator<void, boolean> {
    const size = sizeOf(stat);
    this.#rawStreak = 0;
    if (!mayHaveHoles(stat)) return yield* this.#readData(source, path, 0, size, result);
    const stretches = source.stretches(size);
    for (;;) {
      const next = reading(path, () => stretches.next());
      if (next.done === true) return true;
      const { start, end, isHole } = next.value;
      if (isHole) result.addHole(end - start);
      else if (!(yield* this.#readData(source, path, start, end, result))) return false;
    }
  }

  /** Cuts and stores the bytes from `start` to `end`. @returns Whether they were all there. */
  *#readData(
    source: FileSource,
    path: Uint8Array,
    start: number,
    end: number,
    result: BatchResultWriter,
  ): Generator<void, boolean> {
    const buffer = this.#buffer;
    const { max } = this.#options.chunk;
    let filled = 0;
    for (let position = start; position < end || filled > 0; ) {
      this.#options.checkAborted();
      const wanted = Math.min(buffer.length - filled, end - position);
      const count = wanted === 0 ? 0 : reading(path, () => source.read(buffer, filled, wanted, position));
      position += count;
      filled += count;
      if (count > 0) this.#options.onBytes(count);
      const isLast = position === end || count < wanted;
      const used = this.#storeChunks(filled, isLast ? 0 : max, result);
      if (isLast) return position === end;
      buffer.copyWithin(0, used, filled);
      filled -= used;
      yield;
    }
    return true;
  }

  /** Cuts the buffer's bytes until fewer than `reserve` are left. @returns How many were used. */
  #storeChunks(filled: number, reserve: number, result: BatchResultWriter): number {
    let at = 0;
    while (at < filled && filled - at >= reserve) {
      const end = this.#chunker.cut(this.#buffer, at, filled);
      const bytes = this.#buffer.subarray(at, end);
      const hash = this.#options.hasher.hash(bytes);
      result.addChunk(hash, bytes.length);
      this.#store(hash, bytes);
      at = end;
    }
    return at;
  }

  #store(hash: Uint8Array, bytes: Uint8Array): void {
    const { writer } = this.#options;
    if (writer === undefined) return;
    const streak = this.#rawStreak;
    const raw = streak >= rawStreak && streak % rawSample !== 0;
    const stored = writer.put(hash, bytes, { raw });
    if (stored !== undefined) this.#rawStreak = stored === "raw" ? streak + 1 : 0;
  }
}

/** A file that cannot be read, as opposed to a store that cannot be written. */
class UnreadableFile extends Error {
  readonly reason: OuroError;

  constructor(reason: OuroError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** @throws UnreadableFile */
function reading<T>(path: Uint8Array, body: () => T): T {
  try {
    return body();
  } catch (error) {
    const text = toText(path);
    const reason =
      error instanceof OuroError
        ? new OuroError(error.kind, `Cannot read ${text}: ${error.message}`, { subject: text })
        : ioError(`Cannot read ${text}`, error, text);
    throw new UnreadableFile(reason);
  }
}
