/** What is in a pack, read from wherever it is by its two ends: the header, and the directory with the trailer. */
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";
import {
  type BoxSecrets,
  decodePackDirectory,
  decodePackTrailer,
  type PackDirectory,
  type PackInfo,
  packTrailerBytes,
  Seal,
  sealHeaderBytes,
} from "../format/mod.ts";
import type { ByteRange } from "../remote/mod.ts";

/**
 * @param read Gives exactly the bytes of a range of the pack.
 * @throws OuroError "corrupt", "wrong-key", and what `read` throws.
 */
export async function readPackDirectory(
  pack: PackInfo,
  secrets: BoxSecrets,
  read: (range: ByteRange) => Uint8Array | Promise<Uint8Array>,
  what: string,
): Promise<PackDirectory> {
  const header = await read({ start: 0, end: Math.min(sealHeaderBytes, pack.size) });
  const seal = Seal.open(secrets, "pack", header, what);
  const tail = await read({ start: Math.max(0, pack.size - packTrailerBytes - pack.directorySize), end: pack.size });
  if (tail.length < packTrailerBytes)
    throw new OuroError("corrupt", `Cannot read ${what}: it has been cut off`, { subject: what });
  const trailer = decodePackTrailer(tail.subarray(tail.length - packTrailerBytes), pack.size, seal.overhead, what);
  if (trailer.length !== pack.directorySize) {
    throw new OuroError("corrupt", `Cannot read ${what}: its directory is not as long as the index says`, {
      subject: what,
    });
  }
  const bytes = seal.openPiece(trailer.offset, tail.subarray(0, trailer.length), what);
  return decodePackDirectory(bytes, pack.class, trailer.offset, seal.overhead, what);
}

/** Reads ranges of a local file. @throws OuroError "not-found" and its like. */
export function fileReader(disk: Disk, path: string): (range: ByteRange) => Uint8Array {
  return ({ start, end }) => {
    try {
      const fd = disk.open(path, "read");
      try {
        const bytes = new Uint8Array(end - start);
        if (disk.read(fd, bytes, start) === bytes.length) return bytes;
        throw new OuroError("corrupt", `Cannot read ${path}: it has been cut off`, { subject: path });
      } finally {
        disk.close(fd);
      }
    } catch (thrown) {
      throw ioError(`Cannot read ${path}`, thrown, path);
    }
  };
}
