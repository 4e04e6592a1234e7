/**
 * Frames: neighbouring objects of a pack, compressed together; the unit of reading and caching.
 *
 * A frame is zstd when that saves at least 3 %, else raw. What is compressed is decompressed and compared at once: a
 * compressor's bug must not become a box that cannot be read. Format: doc/format.md, section 7; zstd: RFC 8878.
 */
import { OuroError } from "../base/errors.ts";
import { compress, decompress, decompressesTo, type Effort } from "./zstd.ts";

export const frameMethods = { raw: 0, zstd: 1 } as const;
export type FrameMethod = (typeof frameMethods)[keyof typeof frameMethods];

/** The most bytes that a frame may decode to. */
export const frameBytesMax: number = 16 * 1024 * 1024;

/** Small objects are gathered up to this many bytes before they are compressed. */
export const frameGroupBytes: number = 256 * 1024;
/** An object of this many bytes is a frame of its own. */
export const frameAloneBytes: number = 32 * 1024;

export interface EncodedFrame {
  readonly method: FrameMethod;
  /** What is sealed and written: `bytes` itself when raw. */
  readonly payload: Uint8Array;
}

/**
 * @param options.raw Does not try to compress: for what is known not to shrink.
 * @param options.effort "usual" by default.
 * @returns A payload that is valid until the next call.
 */
export function encodeFrame(
  bytes: Uint8Array,
  options: { readonly raw?: boolean; readonly effort?: Effort } = {},
): EncodedFrame {
  if (options.raw !== true) {
    const payload = compress(bytes, options.effort ?? "usual");
    if (payload.length < bytes.length * 0.97) {
      if (!decompressesTo(payload, bytes)) {
        throw new OuroError("io", "Cannot compress a frame: what comes back is not what went in", {
          hint: "This machine's memory or its zstd is faulty; nothing was stored. Test the memory.",
        });
      }
      return { method: frameMethods.zstd, payload };
    }
  }
  return { method: frameMethods.raw, payload: bytes };
}

/**
 * @param length What the frame must decode to, in bytes: no more is ever allocated.
 * @param what For messages.
 * @param memory Larger than `length`: used for what is decompressed.
 * @returns The payload itself when raw.
 * @throws OuroError "corrupt".
 */
export function decodeFrame(
  method: FrameMethod,
  payload: Uint8Array,
  length: number,
  what: string,
  memory?: Uint8Array,
): Uint8Array {
  const corrupt = (why: string): OuroError =>
    new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: what });
  if (length > frameBytesMax) throw corrupt(`a frame of ${length} bytes is over the limit`);
  if (method === frameMethods.zstd) {
    const bytes = decompress(payload, length, memory);
    if (bytes === undefined) throw corrupt(`a frame does not decompress to its ${length} bytes`);
    return bytes;
  }
  if (payload.length !== length) throw corrupt(`a frame has ${payload.length} bytes (must have ${length})`);
  return payload;
}
