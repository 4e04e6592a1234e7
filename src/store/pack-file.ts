/**
 * A pack on disk, for reading: its directory, and its frames by their place. Every read is bounded by the file's size.
 */
import { copyBytes, equalBytes, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { lseekData, startReading } from "../base/posix-space.ts";
import {
  type BoxSecrets,
  decodeFrame,
  decodePackDirectory,
  decodePackTrailer,
  type FrameMethod,
  frameBytesMax,
  frameMethods,
  getHasher,
  type Hash,
  type PackClass,
  type PackDirectory,
  packClassCodes,
  packTrailerBytes,
  Seal,
  sealHeaderBytes,
} from "../format/mod.ts";
import type { NewPack } from "./index-rows.ts";

/** How a sparse pack ends here, instead of as packs do: doc/format.md, section 7. */
export const sparseMagic: Uint8Array = Buffer.from("OUROPART");
export const wholeMagic: Uint8Array = Buffer.from("OUROPEND");
/** What is read and not kept is read into here: most frames fit. */
const scratchBytes = 1024 * 1024 + 1024;
const scratch = Buffer.allocUnsafeSlow(scratchBytes);
/** And opened to here, when it is to be decompressed. */
const opened = Buffer.allocUnsafeSlow(scratchBytes);

/** A frame's place in its pack, and how it is packed. */
export interface FramePlace {
  readonly offset: number;
  readonly sealed: number;
  readonly method: FrameMethod;
  readonly decoded: number;
}

export class PackFile implements Disposable {
  /** As people find it: "packs/3f9a…". */
  readonly what: string;
  readonly size: number;
  readonly #disk: Disk;
  readonly #fd: number;
  readonly #seal: Seal;
  /** Of the directory as the file has it: whether it says that frames may be missing. */
  #isSparse = false;

  private constructor(disk: Disk, fd: number, what: string, size: number, seal: Seal) {
    this.#disk = disk;
    this.#fd = fd;
    this.what = what;
    this.size = size;
    this.#seal = seal;
  }

  /**
   * Opens a pack and reads its header.
   * @throws OuroError "not-found", "corrupt", "wrong-key", "newer-format", "permission", "io".
   */
  static open(disk: Disk, secrets: BoxSecrets, path: string, what: string): PackFile {
    let fd: number | undefined;
    try {
      fd = disk.open(path, "read");
      const { size } = disk.statFile(fd);
      const header = new Uint8Array(sealHeaderBytes);
      const count = disk.read(fd, header, 0);
      return new PackFile(disk, fd, what, size, Seal.open(secrets, "pack", header.subarray(0, count), what));
    } catch (error) {
      if (fd !== undefined) disk.close(fd);
      throw ioError(`Cannot open ${what}`, error, what);
    }
  }

  [Symbol.dispose](): void {
    this.#disk.close(this.#fd);
  }

  /** Whether the file says that frames of it may be missing; known when the directory has been read. */
  get isSparse(): boolean {
    return this.#isSparse;
  }

  get class(): PackClass {
    if (this.#seal.type === packClassCodes.content) return "content";
    if (this.#seal.type === packClassCodes.meta) return "meta";
    throw this.#corrupt(`it is of the unknown class ${this.#seal.type}`);
  }

  #corrupt(why: string): OuroError {
    return new OuroError("corrupt", `Cannot read ${this.what}: ${why}`, { subject: this.what });
  }

  /** @throws OuroError "corrupt" when it is shorter. */
  #read(offset: number, length: number): Uint8Array {
    return this.#readInto(Buffer.allocUnsafeSlow(Math.min(length, this.size)), offset, length);
  }

  #readInto(bytes: Uint8Array, offset: number, length: number): Uint8Array {
    if (offset + length > this.size) throw this.#corrupt("it has been cut off");
    let count: number;
    try {
      count = this.#disk.read(this.#fd, bytes, offset);
    } catch (error) {
      // A bad sector: damage like any other, but of the disk.
      if (errnoOf(error) === "EIO")
        throw new OuroError("corrupt", `Cannot read ${this.what}: the disk gives an error at byte ${offset}`, {
          subject: this.what,
          cause: error,
        });
      throw ioError(`Cannot read ${this.what}`, error, this.what);
    }
    if (count !== length) throw this.#corrupt("it has been cut off");
    return bytes;
  }

  /**
   * @param options.nameIsVerified The bytes are known to be whole: a directory that does not open is under another key.
   * @throws OuroError "corrupt", "wrong-key".
   */
  readDirectory(options: { readonly nameIsVerified?: boolean } = {}): {
    readonly directory: PackDirectory;
    readonly directorySize: number;
  } {
    const packClass = this.class;
    if (this.size < sealHeaderBytes + packTrailerBytes) throw this.#corrupt("it has been cut off");
    const trailer = this.#read(this.size - packTrailerBytes, packTrailerBytes);
    this.#isSparse = packClass === "content" && endsSparse(trailer);
    if (this.#isSparse) trailer.set(wholeMagic, trailer.length - wholeMagic.length);
    const { offset, length } = decodePackTrailer(trailer, this.size, this.#seal.overhead, this.what);
    const bytes = this.#openDirectory(offset, this.#read(offset, length), options.nameIsVerified === true);
    const directory = decodePackDirectory(bytes, packClass, offset, this.#seal.overhead, this.what);
    return { directory, directorySize: length };
  }

  #openDirectory(offset: number, sealed: Uint8Array, isWhole: boolean): Uint8Array {
    try {
      return this.#seal.openPiece(offset, sealed, this.what);
    } catch (error) {
      if (!isWhole || !isKind(error, "corrupt")) throw error;
      throw new OuroError("wrong-key", `Cannot read ${this.what}: it is sealed with another key`, {
        subject: this.what,
      });
    }
  }

  /** What the index wants to know, under the name that the file has. As `readDirectory`. */
  describe(name: Hash, options: { readonly nameIsVerified?: boolean } = {}): NewPack {
    return { name: copyBytes(name), size: this.size, ...this.readDirectory(options) };
  }

  /**
   * The decoded bytes of a frame; the caller owns them. Its objects are not verified by this.
   * @param memory Larger than the decoded frame: used for it, but where it needs neither opening nor decompressing.
   * @throws OuroError "corrupt".
   */
  readFrame(place: FramePlace, memory?: Uint8Array): Uint8Array {
    if (!this.#isPossible(place)) throw this.#corrupt("the index has an impossible place for a frame of it");
    // Opening and decompressing make new bytes; only what needs neither is handed out as it was read.
    const isAsRead = this.#seal.overhead === 0 && place.method === frameMethods.raw;
    const sealed =
      isAsRead || place.sealed > scratchBytes
        ? this.#read(place.offset, place.sealed)
        : this.#readInto(scratch.subarray(0, place.sealed), place.offset, place.sealed);
    return this.openFrame(place, sealed, memory);
  }

  /** Has the disk begin to read what will be read soon. */
  expect(start: number, end: number): void {
    startReading(this.#fd, start, end - start);
  }

  /** As `readFrame`, of sealed bytes that are to stand there. */
  openFrame(place: FramePlace, sealed: Uint8Array, memory?: Uint8Array): Uint8Array {
    const room = place.method === frameMethods.zstd ? opened : memory;
    const payload = this.#seal.openPiece(place.offset, sealed, this.what, room);
    return decodeFrame(place.method, payload, place.decoded, this.what, memory);
  }

  /** Whether the space of a frame was given up, whatever an index that is older than that says. The directory must have been read. */
  wasGivenUp(place: FramePlace): boolean {
    if (!this.#isSparse) return false;
    return (
      !this.hasData(place.offset, place.sealed) || this.#read(place.offset, place.sealed).every((byte) => byte === 0)
    );
  }

  /** Whether anything was ever written in a range, and not given up; true where the file system knows no holes. */
  hasData(offset: number, length: number): boolean {
    const found = lseekData(this.#fd, offset);
    return found !== undefined && found < offset + length;
  }

  /** An index is not trusted: its numbers may be any. What ends beyond the file is found when it is read. */
  #isPossible({ offset, sealed, decoded, method }: FramePlace): boolean {
    const isWithin = offset >= sealHeaderBytes && sealed >= 0;
    const isKnown = method === frameMethods.raw || method === frameMethods.zstd;
    return isWithin && isKnown && decoded >= 0 && decoded <= frameBytesMax;
  }

  /**
   * The hash of all its bytes, which must be its name.
   * @param options.asWhole Of the bytes that it has when nothing is missing, however it ends now.
   */
  hashAll(
    hash: BoxSecrets["hash"],
    { asWhole = false, onBytes }: { readonly asWhole?: boolean; readonly onBytes?: (count: number) => void } = {},
  ): Hash {
    const stream = getHasher(hash).stream();
    const step = 1024 * 1024;
    const buffer = Buffer.allocUnsafeSlow(Math.min(step, this.size));
    const end = this.size - wholeMagic.length;
    const isOtherEnd = asWhole && end >= 0 && endsSparse(this.#read(end, wholeMagic.length));
    const size = isOtherEnd ? end : this.size;
    for (let at = 0; at < size; at += step) {
      const count = Math.min(step, size - at);
      stream.update(this.#readInto(buffer.subarray(0, count), at, count));
      onBytes?.(count);
    }
    if (isOtherEnd) stream.update(wholeMagic);
    return stream.digest();
  }

  /** @throws OuroError "corrupt" unless the file is what its name says. */
  verifyName(name: Hash, hash: BoxSecrets["hash"], onBytes?: (count: number) => void): void {
    const found = this.hashAll(hash, onBytes === undefined ? {} : { onBytes });
    if (Buffer.compare(found, name) !== 0) {
      throw this.#corrupt(`its bytes have the hash ${toHex(found).slice(0, 16)}… (must have its name)`);
    }
  }
}

/** Whether the end of a file is that of a sparse pack. */
export function endsSparse(end: Uint8Array): boolean {
  return equalBytes(end.subarray(end.length - sparseMagic.length), sparseMagic);
}
