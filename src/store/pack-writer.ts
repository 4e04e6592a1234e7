/**
 * Writes one pack: groups small objects into frames, compresses, seals, hashes, and writes in large blocks to a
 * temporary file. `complete` ends the file; making it durable and giving it its name is the caller's (`publishPack`).
 *
 * Memory: two blocks of a megabyte, whatever the size of the pack.
 */
import { toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError } from "../base/errors.ts";
import {
  type BoxSecrets,
  decodePackDirectory,
  encodeFrame,
  encodePackTrailer,
  frameAloneBytes,
  frameGroupBytes,
  frameMethods,
  getHasher,
  type Hash,
  type HashStream,
  type MetaKind,
  type PackClass,
  PackDirectoryWriter,
  packClassCodes,
  packLimits,
  Seal,
} from "../format/mod.ts";
import type { NewPack } from "./index-rows.ts";
import { type StorePaths, temporaryPackPrefix } from "./store-paths.ts";

/** How much is written at once. */
const blockBytes = 1024 * 1024;

export interface PackWriterOptions {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
  readonly random: (count: number) => Uint8Array;
  /** Told after each block, for sending it on its way to the disk early. */
  readonly onBlock?: (fd: number, position: number, length: number) => void;
}

/** A pack that is written and not yet published. */
export interface CompletePack extends NewPack {
  /** Still open. */
  readonly fd: number;
  readonly temporaryPath: string;
}

interface GroupedObject {
  readonly hash: Hash;
  readonly length: number;
  readonly kind: MetaKind | undefined;
}

export class PackWriter {
  readonly temporaryPath: string;
  readonly #options: PackWriterOptions;
  readonly #class: PackClass;
  readonly #seal: Seal;
  readonly #directory: PackDirectoryWriter;
  readonly #hash: HashStream;
  readonly #fd: number;
  readonly #block = Buffer.allocUnsafeSlow(blockBytes);
  #blockUsed = 0;
  /** Of the file, what is in the block included. */
  #size = 0;
  readonly #group = Buffer.allocUnsafeSlow(frameGroupBytes);
  #groupUsed = 0;
  #grouped: GroupedObject[] = [];

  /** Creates the temporary file. */
  constructor(packClass: PackClass, options: PackWriterOptions) {
    this.#options = options;
    this.#class = packClass;
    this.#seal = Seal.create(options.secrets, "pack", packClassCodes[packClass], options.random);
    this.#directory = new PackDirectoryWriter(packClass);
    this.#hash = getHasher(options.secrets.hash).stream();
    this.temporaryPath = `${options.paths.temporary}/${temporaryPackPrefix}${toHex(options.random(8))}`;
    this.#fd = this.#attempt(() => options.disk.open(this.temporaryPath, "create-new"));
    this.#append(this.#seal.header);
  }

  #attempt<T>(body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw ioError("Cannot write a pack", error, this.temporaryPath);
    }
  }

  /** Whether it has reached its target: the next object should go to a new pack. */
  get isFull(): boolean {
    return this.#size >= packLimits.targetBytes || this.objects >= packLimits.targetObjects;
  }

  get objects(): number {
    return this.#directory.objects + this.#grouped.length;
  }

  /**
   * Adds an object, which must not be in the pack yet.
   * @param bytes 1 to 16 MiB, used before it returns.
   * @param options.kind In metadata packs.
   * @param options.raw Known not to shrink.
   * @returns Whether it went in raw, in a frame of its own.
   */
  add(hash: Hash, bytes: Uint8Array, options: { readonly kind?: MetaKind; readonly raw?: boolean } = {}): boolean {
    const object = { hash, length: bytes.length, kind: options.kind };
    if (bytes.length >= frameAloneBytes) return this.#writeFrame(bytes, [object], { raw: options.raw === true });
    if (this.#groupUsed + bytes.length > frameGroupBytes) this.#endGroup();
    this.#group.set(bytes, this.#groupUsed);
    this.#groupUsed += bytes.length;
    this.#grouped.push(object);
    return false;
  }

  #endGroup(): void {
    if (this.#groupUsed === 0) return;
    const [bytes, objects] = [this.#group.subarray(0, this.#groupUsed), this.#grouped];
    this.#groupUsed = 0;
    this.#grouped = [];
    this.#writeFrame(bytes, objects, { effort: "quick" });
  }

  #writeFrame(
    bytes: Uint8Array,
    objects: readonly GroupedObject[],
    how: { readonly raw?: boolean; readonly effort?: "quick" },
  ): boolean {
    const { method, payload } = encodeFrame(bytes, how);
    const sealed = payload.length + this.#seal.overhead;
    this.#directory.addFrame(sealed, method, bytes.length, objects.length);
    for (const { hash, length, kind } of objects) this.#directory.addObject(hash, length, kind);
    this.#appendPiece(payload);
    return method === frameMethods.raw;
  }

  #appendPiece(piece: Uint8Array): void {
    const sealed = piece.length + this.#seal.overhead;
    if (sealed > blockBytes) {
      this.#append(this.#seal.sealPiece(this.#size, piece));
      return;
    }
    if (this.#blockUsed + sealed > blockBytes) this.#writeBlock();
    this.#seal.sealPieceInto(this.#size, piece, this.#block, this.#blockUsed);
    this.#blockUsed += sealed;
    this.#size += sealed;
  }

  #append(bytes: Uint8Array): void {
    if (this.#blockUsed + bytes.length > blockBytes) this.#writeBlock();
    this.#size += bytes.length;
    if (bytes.length > blockBytes) {
      this.#writeOut(bytes, this.#size - bytes.length);
    } else {
      this.#block.set(bytes, this.#blockUsed);
      this.#blockUsed += bytes.length;
    }
  }

  #writeBlock(): void {
    if (this.#blockUsed === 0) return;
    this.#writeOut(this.#block.subarray(0, this.#blockUsed), this.#size - this.#blockUsed);
    this.#blockUsed = 0;
  }

  #writeOut(bytes: Uint8Array, position: number): void {
    this.#hash.update(bytes);
    this.#attempt(() => this.#options.disk.write(this.#fd, bytes, position));
    this.#options.onBlock?.(this.#fd, position, bytes.length);
  }

  /**
   * Ends the file: all of it is written, and nothing yet synced. There must be an object in it.
   * The directory is read back as a reader will read it.
   */
  complete(): CompletePack {
    this.#endGroup();
    const offset = this.#size;
    const directory = this.#directory.finish();
    this.#appendPiece(directory);
    const directorySize = this.#size - offset;
    this.#append(encodePackTrailer({ offset, length: directorySize }));
    this.#writeBlock();
    return {
      fd: this.#fd,
      temporaryPath: this.temporaryPath,
      name: this.#hash.digest(),
      size: this.#size,
      directorySize,
      proven: true,
      directory: decodePackDirectory(directory, this.#class, offset, this.#seal.overhead, this.temporaryPath),
    };
  }

  /** Closes and removes the temporary file; for a pack that was not completed. */
  abort(): void {
    discardPack(this.#options.disk, { fd: this.#fd, temporaryPath: this.temporaryPath });
  }
}

/** Closes and removes a temporary pack, as well as it can: what is left of it is removed when the box is next opened. */
export function discardPack(disk: Disk, pack: { readonly fd: number; readonly temporaryPath: string }): void {
  attemptQuietly(() => disk.close(pack.fd));
  attemptQuietly(() => disk.unlink(pack.temporaryPath));
}

/** For cleaning up after a failure that is reported already. */
function attemptQuietly(step: () => void): void {
  try {
    step();
  } catch (error) {
    ioError("Cannot remove a temporary pack", error);
  }
}

/**
 * Makes complete packs durable and gives them their names; rows are the caller's next step. Closes them all.
 * @throws OuroError "no-space", "io", … Some packs may then have their names, which is harmless: they are whole.
 */
export function publishPacks(disk: Disk, paths: StorePaths, packs: readonly CompletePack[]): void {
  const [open, unnamed] = [new Set(packs), new Set(packs)];
  try {
    for (const { fd } of packs) disk.syncFile(fd);
    for (const pack of packs) {
      open.delete(pack);
      disk.close(pack.fd);
      disk.rename(pack.temporaryPath, paths.pack(pack.name));
      unnamed.delete(pack);
    }
    disk.syncDirectory(paths.packs);
  } catch (error) {
    for (const { fd } of open) attemptQuietly(() => disk.close(fd));
    for (const { temporaryPath } of unnamed) attemptQuietly(() => disk.unlink(temporaryPath));
    throw ioError("Cannot write a pack", error, paths.packs);
  }
}
