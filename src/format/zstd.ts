/**
 * zstd on whole buffers, with one context for all calls of a thread.
 *
 * `zstdCompressSync` of node:zlib makes a stream object and a zstd context for every call. For frames of 64 KiB that is a
 * fifth of the time of compressing and half of the time of decompressing. The stream's own handle can be used again and again;
 * it is not documented, so where it does not look as it does in the Node this was written with (26), node:zlib's functions
 * are used. Source: RFC 8878, lib/zlib.js and src/node_zlib.cc of Node.
 */
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { asBuffer } from "../base/bytes.ts";

/** How hard to try: "quick" takes a seventh less time than "usual" and makes 4 % more. */
export type Effort = "quick" | "usual";

const frameMagic = 0xfd2fb528;
/** No window is larger than the largest frame: what a hostile frame could make us allocate. */
const windowLogMax = 24;
const compressParams: Readonly<Record<Effort, Record<number, number>>> = {
  quick: { [constants.ZSTD_c_compressionLevel]: 1, [constants.ZSTD_c_minMatch]: 7 },
  usual: { [constants.ZSTD_c_compressionLevel]: 2 },
};
const decompressParams = { [constants.ZSTD_d_windowLogMax]: windowLogMax };
/** In calls of node:zlib, output that fits at once takes half the time of its own steps of 16 KiB. */
const slackBytes = 1024;

/** The part of node:zlib's inner handle that is used here. */
interface Handle {
  writeSync(
    flag: number,
    input: Uint8Array,
    at: number,
    length: number,
    output: Uint8Array,
    to: number,
    room: number,
  ): void;
  onerror: unknown;
}

/** One context. After a failure it is not to be used again. */
class ZstdContext {
  readonly #handle: Handle;
  /** Room left in the output, input left over. */
  readonly #state: Uint32Array;
  readonly #flag: number;
  /** Keeps the handle's owner alive. */
  readonly stream: unknown;
  #failed = false;

  private constructor(stream: unknown, handle: Handle, state: Uint32Array, flag: number) {
    this.stream = stream;
    this.#handle = handle;
    this.#state = state;
    this.#flag = flag;
    handle.onerror = () => {
      this.#failed = true;
    };
  }

  /** Undefined where Node's stream is made otherwise. */
  static create(stream: object, flag: number): ZstdContext | undefined {
    const { _handle: handle, _writeState: state } = stream as { _handle?: Partial<Handle>; _writeState?: unknown };
    if (typeof handle?.writeSync !== "function" || !(state instanceof Uint32Array) || state.length !== 2)
      return undefined;
    return new ZstdContext(stream, handle as Handle, state, flag);
  }

  /** @returns How many bytes of `output` were filled, at most one less than it has; undefined when that failed. */
  run(input: Uint8Array, output: Uint8Array): number | undefined {
    this.#handle.writeSync(this.#flag, input, 0, input.length, output, 0, output.length);
    const [room, left] = this.#state;
    return this.#failed || left !== 0 || room === 0 ? undefined : output.length - (room as number);
  }
}

/** Contexts of this thread: absent when not yet made, null where there can be none. */
const compressors: { [effort in Effort]?: ZstdContext | null } = {};
let decompressor: ZstdContext | null | undefined;
let output = Buffer.alloc(0);

/**
 * Compresses bytes into one zstd frame.
 * @returns Valid until the next call.
 */
export function compress(bytes: Uint8Array, effort: Effort): Uint8Array {
  const params = compressParams[effort];
  compressors[effort] ??= ZstdContext.create(createZstdCompress({ params }), constants.ZSTD_e_end) ?? null;
  const compressor = compressors[effort];
  if (compressor !== null) {
    const room = bytes.length + (bytes.length >>> 7) + slackBytes;
    if (output.length < room) output = Buffer.allocUnsafeSlow(room);
    const length = compressor.run(bytes, output);
    if (length !== undefined) return output.subarray(0, length);
    delete compressors[effort];
  }
  return zstdCompressSync(bytes, { params, chunkSize: bytes.length + slackBytes });
}

/**
 * Decompresses one zstd frame that is exactly `length` bytes long.
 * @param memory Where to; by default new memory, of no more than `length` bytes. Used only if it is larger than that.
 * @returns Undefined when it is not; the caller owns the bytes.
 */
export function decompress(frame: Uint8Array, length: number, memory?: Uint8Array): Uint8Array | undefined {
  // One byte more, so that output that does not fit shows.
  const isLarger = memory !== undefined && memory.length > length;
  return decompressInto(frame, length, isLarger ? memory.subarray(0, length + 1) : Buffer.allocUnsafeSlow(length + 1));
}

/** Whether `frame` decompresses to `bytes`. */
export function decompressesTo(frame: Uint8Array, bytes: Uint8Array): boolean {
  if (checkBuffer.length <= bytes.length) checkBuffer = Buffer.allocUnsafeSlow(bytes.length + 1);
  const back = decompressInto(frame, bytes.length, checkBuffer.subarray(0, bytes.length + 1));
  return back !== undefined && asBuffer(back).equals(bytes);
}

let checkBuffer = Buffer.alloc(0);

function decompressInto(frame: Uint8Array, length: number, into: Uint8Array): Uint8Array | undefined {
  // A context that was given less than a frame would wait for the rest of it and take the next frame for that.
  if (!isWholeFrame(frame)) return undefined;
  decompressor ??=
    ZstdContext.create(createZstdDecompress({ params: decompressParams }), constants.ZSTD_e_continue) ?? null;
  if (decompressor === null) return decompressOnce(frame, length);
  const found = decompressor.run(frame, into);
  if (found === length) return into.subarray(0, length);
  // In the middle of a frame, or failed: the next one needs a new context.
  decompressor = undefined;
  return undefined;
}

/**
 * Whether the bytes are one zstd frame, by the lengths of its header and blocks. RFC 8878, section 3.1.1.
 */
function isWholeFrame(bytes: Uint8Array): boolean {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 5 || view.getUint32(0, true) !== frameMagic) return false;
  const descriptor = view.getUint8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSizeBytes = [isSingleSegment ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] as number;
  let at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes + contentSizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return false;
    const header = view.getUint16(at, true) + (view.getUint8(at + 2) << 16);
    const isRun = ((header >> 1) & 3) === 1;
    isLast = (header & 1) !== 0;
    at += 3 + (isRun ? 1 : header >> 3);
  }
  return at + ((descriptor & 4) !== 0 ? 4 : 0) === bytes.length;
}

function decompressOnce(frame: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const options = { params: decompressParams, maxOutputLength: length, chunkSize: length + slackBytes };
    const bytes = zstdDecompressSync(frame, options);
    return bytes.length === length ? bytes : undefined;
  } catch {
    return undefined;
  }
}
