/**
 * Reading frames: the packs last used stay open, and the frames last decoded stay in memory, so that objects lying next
 * to each other are decoded once. Bounded by bytes and by descriptors.
 */
import type { Disk } from "../base/disk.ts";
import { type BoxSecrets, frameBytesMax, type PackDirectory } from "../format/mod.ts";
import type { ObjectPlace, PackRow } from "./index-rows.ts";
import { PackFile } from "./pack-file.ts";
import type { StorePaths } from "./store-paths.ts";

const cacheBytesMax = 16 * 1024 * 1024;
/** Where chunks are used at once, mostly in the order in which they lie. */
const briefBytesMax = 4 * 1024 * 1024;
/** Memory that is used again comes in multiples of this. */
const unitBytes = 64 * 1024;
const openPacksMax = 64;

export class FrameCache implements Disposable {
  readonly #disk: Disk;
  readonly #secrets: BoxSecrets;
  readonly #paths: StorePaths;
  /** By pack and offset; oldest use first. */
  readonly #frames = new Map<number, { readonly bytes: Uint8Array; readonly memory: Buffer | undefined }>();
  readonly #recycles: boolean;
  /** By size. */
  readonly #free = new Map<number, Buffer[]>();
  #bytes = 0;
  /** By the pack's number; oldest use first. */
  readonly #open = new Map<number, PackFile>();
  #last: { readonly key: number; readonly bytes: Uint8Array } | undefined;

  /** @param recycles Of frames of content: nobody holds a chunk when the next frame is asked for. */
  constructor(disk: Disk, secrets: BoxSecrets, paths: StorePaths, recycles: boolean) {
    this.#recycles = recycles;
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
    this.#free.clear();
    this.#bytes = 0;
    this.#last = undefined;
  }

  /** The decoded frame that holds an object. Shared: not to be changed. */
  frame(pack: PackRow, place: ObjectPlace): Uint8Array {
    // A pack is shorter than 2^30 bytes, so this is exact for 2^23 packs and merely unlikely to clash beyond.
    const key = pack.id * 2 ** 30 + place.offset;
    if (this.#last?.key === key) return this.#last.bytes;
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      const recycles =
        this.#recycles && pack.class === "content" && place.decoded >= 0 && place.decoded <= frameBytesMax;
      const memory = recycles ? this.#memoryFor(place.decoded + 1) : undefined;
      frame = { bytes: this.#file(pack).readFrame(place, memory), memory };
      this.#bytes += (memory ?? frame.bytes).length;
    } else {
      this.#frames.delete(key);
    }
    this.#frames.set(key, frame);
    this.#last = { key, bytes: frame.bytes };
    this.#shrink();
    return frame.bytes;
  }

  /** Has the disk begin to read a range of a pack. @throws OuroError as `PackFile.open`. */
  expect(pack: PackRow, { start, end }: { readonly start: number; readonly end: number }): void {
    this.#file(pack).expect(start, end);
  }

  /** What a pack says is in it. @throws OuroError as `PackFile.open` and `readDirectory`. */
  directory(pack: PackRow): PackDirectory {
    return this.#file(pack).readDirectory().directory;
  }

  #memoryFor(length: number): Buffer {
    const size = Math.ceil(length / unitBytes) * unitBytes;
    return this.#free.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
  }

  #shrink(): void {
    const max = this.#recycles ? briefBytesMax : cacheBytesMax;
    for (const [key, { bytes, memory }] of this.#frames) {
      if (this.#bytes <= max || this.#frames.size === 1) break;
      this.#frames.delete(key);
      this.#bytes -= (memory ?? bytes).length;
      if (memory === undefined) continue;
      const free = this.#free.get(memory.length);
      if (free === undefined) this.#free.set(memory.length, [memory]);
      else if (free.length * memory.length < max) free.push(memory);
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
