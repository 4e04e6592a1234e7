/**
 * Frames: neighbouring objects of a pack, compressed together; the unit of reading and caching.
 *
 * A frame is zstd when that saves at least 3 %, else raw. What is compressed is decompressed and compared at once: a
 * compressor's bug must not become a box that cannot be read. Format: doc/format.md, section 7; zstd: RFC 8878.
 */
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { equalBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";

export const frameMethods = { raw: 0, zstd: 1 } as const;
export type FrameMethod = (typeof frameMethods)[keyof typeof frameMethods];

/** The most bytes that a frame may decode to. */
export const frameBytesMax: number = 16 * 1024 * 1024;

/** Small objects are gathered up to this many bytes before they are compressed. */
export const frameGroupBytes: number = 128 * 1024;
/** An object of this many bytes is a frame of its own. */
export const frameAloneBytes: number = 32 * 1024;

const compressParams = { [constants.ZSTD_c_compressionLevel]: 3 };
/** Output buffers are made large enough at once: in Node's own steps of 16 KiB, decoding takes twice as long. */
const slackBytes = 1024;

export interface EncodedFrame {
  readonly method: FrameMethod;
  /** What is sealed and written: `bytes` itself when raw. */
  readonly payload: Uint8Array;
}

/** @param options.raw Does not try to compress: for what is known not to shrink. */
export function encodeFrame(bytes: Uint8Array, options: { readonly raw?: boolean } = {}): EncodedFrame {
  if (options.raw !== true) {
    const payload = zstdCompressSync(bytes, { params: compressParams, chunkSize: bytes.length + slackBytes });
    if (payload.length < bytes.length * 0.97) {
      const back = zstdDecompressSync(payload, { maxOutputLength: bytes.length, chunkSize: bytes.length + slackBytes });
      if (!equalBytes(back, bytes)) {
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
 * @returns The payload itself when raw.
 * @throws OuroError "corrupt".
 */
export function decodeFrame(method: FrameMethod, payload: Uint8Array, length: number, what: string): Uint8Array {
  const corrupt = (why: string): OuroError => new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: what });
  if (length > frameBytesMax) throw corrupt(`a frame of ${length} bytes is over the limit`);
  let bytes = payload;
  if (method === frameMethods.zstd) {
    try {
      bytes = zstdDecompressSync(payload, { maxOutputLength: length, chunkSize: length + slackBytes });
    } catch {
      throw corrupt("a frame does not decompress");
    }
  }
  if (bytes.length !== length) throw corrupt(`a frame has ${bytes.length} bytes (must have ${length})`);
  return bytes;
}
