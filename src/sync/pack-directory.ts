/** What is in a pack, read from wherever it is by its two ends: the header, and the directory with the trailer. */
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";
import {
  type BoxSecrets,
  decodePackDirectory,
  decodePackTrailer,
  type PackClass,
  type PackDirectory,
  type PackInfo,
  packTrailerBytes,
  Seal,
  sealHeaderBytes,
} from "../format/mod.ts";
import type { ByteRange, Remote, RemoteOptions } from "../remote/mod.ts";
import { packName } from "./box-on-remote.ts";

/** What is read at first, in the hope that the directory is in it. */
const tailBytes = 64 * 1024;

/**
 * @param size Of the pack.
 * @param read Gives exactly the bytes of a range of the pack.
 * @throws OuroError "corrupt", "wrong-key", and what `read` throws.
 */
export async function readPackDirectory(
  size: number,
  packClass: PackClass,
  secrets: BoxSecrets,
  read: (range: ByteRange) => Uint8Array | Promise<Uint8Array>,
  what: string,
): Promise<PackDirectory> {
  const cutOff = (): OuroError =>
    new OuroError("corrupt", `Cannot read ${what}: it has been cut off`, { subject: what });
  if (size < sealHeaderBytes + packTrailerBytes) throw cutOff();
  const seal = Seal.open(secrets, "pack", await read({ start: 0, end: sealHeaderBytes }), what);
  const start = Math.max(0, size - tailBytes);
  const tail = await read({ start, end: size });
  const trailer = decodePackTrailer(tail.subarray(tail.length - packTrailerBytes), size, seal.overhead, what);
  const end = trailer.offset + trailer.length;
  const sealed =
    trailer.offset >= start
      ? tail.subarray(trailer.offset - start, end - start)
      : await read({ start: trailer.offset, end });
  const bytes = seal.openPiece(trailer.offset, sealed, what);
  return decodePackDirectory(bytes, packClass, trailer.offset, seal.overhead, what);
}

/** As `readPackDirectory`, of a pack on a remote: two or three small ranges are read. @throws Also as `Remote.get`. */
export function readDirectoryThere(
  remote: Remote,
  { name, size, class: packClass }: PackInfo,
  secrets: BoxSecrets,
  options: RemoteOptions = {},
): Promise<PackDirectory> {
  const blob = packName(name);
  const { signal } = options;
  const read = (range: ByteRange): Promise<Uint8Array> =>
    remote.get(blob, { range, ...(signal === undefined ? {} : { signal }) });
  return readPackDirectory(size, packClass, secrets, read, `${blob} of ${remote.url}`);
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
