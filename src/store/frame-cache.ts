/**
 * Reading frames: the packs last used stay open, and the frames last decoded stay in memory, so that objects lying next
 * to each other are decoded once. Bounded by bytes and by descriptors.
 */
import type { Disk } from "../base/disk.ts";
import type { BoxSecrets } from "../format/mod.ts";
import type { ObjectPlace, PackRow } from "./index-database.ts";
import { PackFile } from "./pack-file.ts";
import type { StorePaths } from "./store-paths.ts";

const cacheBytesMax = 32 * 1024 * 1024;
const openPacksMax = 64;

export class FrameCache implements Disposable {
  readonly #disk: Disk;
  readonly #secrets: BoxSecrets;
  readonly #paths: StorePaths;
  /** By pack and offset; oldest use first. */
  readonly #frames = new Map<number, Uint8Array>();
  #bytes = 0;
  /** By the pack's number; oldest use first. */
  readonly #open = new Map<number, PackFile>();
  #last: { readonly key: number; readonly bytes: Uint8Array } | undefined;

  constructor(disk: Disk, secrets: BoxSecrets, paths: StorePaths) {
    this.#disk = disk;
    this.#secrets = secrets;
    this.#paths = paths;
  }

  [Symbol.dispose](): void {
    this.clear();
  }

  /** Closes the packs and forgets the frames. */
  clear(): void {
    for (const file of this.#open.values()) file[Symbol.dispose]();
    this.#open.clear();
    this.#frames.clear();
    this.#bytes = 0;
    this.#last = undefined;
  }

  /** The decoded frame that holds an object. Shared: not to be changed. */
  frame(pack: PackRow, place: ObjectPlace): Uint8Array {
    // A pack is shorter than 2^30 bytes, so this is exact for 2^23 packs and merely unlikely to clash beyond.
    const key = pack.id * 2 ** 30 + place.offset;
    if (this.#last?.key === key) return this.#last.bytes;
    let bytes = this.#frames.get(key);
    if (bytes === undefined) {
      bytes = this.#file(pack).readFrame(place);
      this.#bytes += bytes.length;
    } else {
      this.#frames.delete(key);
    }
    this.#frames.set(key, bytes);
    this.#last = { key, bytes };
    this.#shrink();
    return bytes;
  }

  #shrink(): void {
    for (const [key, bytes] of this.#frames) {
      if (this.#bytes <= cacheBytesMax) break;
      this.#frames.delete(key);
      this.#bytes -= bytes.length;
    }
  }

  #file(pack: PackRow): PackFile {
    let file = this.#open.get(pack.id);
    if (file === undefined) {
      const what = `packs/${Buffer.from(pack.name).toString("hex")}`;
      file = PackFile.open(this.#disk, this.#secrets, this.#paths.pack(pack.name), what);
      for (const [id, oldest] of this.#open) {
        if (this.#open.size < openPacksMax) break;
        this.#open.delete(id);
        oldest[Symbol.dispose]();
      }
    } else {
      this.#open.delete(pack.id);
    }
    this.#open.set(pack.id, file);
    return file;
  }
}
