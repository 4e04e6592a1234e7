/**
 * Whether a stored chunk may stand for one that is about to be stored. A pack that came from elsewhere can say that it has a chunk and hold
 * other bytes under its name: who has the box's key can make such packs. Nothing of it is handed out, as all that is read is
 * hashed; but a chunk that is not stored because a lie stands for it would be lost.
 *
 * So of a pack that is not proven the whole frame is decoded and hashed when a chunk is first found in it, and noted in the index, so that it
 * is done once for each frame: 0.3 ms for 256 KiB. Packs made here are proven from the start. Reasons: doc/decisions/0005-remotes.md.
 */
import { toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { isKind } from "../base/errors.ts";
import {
  type BoxSecrets,
  directoryHash,
  getHasher,
  type Hash,
  type Hasher,
  type PackDirectory,
} from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { FrameKey, MendedObject, ObjectPlace } from "./index-rows.ts";
import { isNamed } from "./object-name.ts";
import { PackFile } from "./pack-file.ts";
import type { StorePaths } from "./store-paths.ts";

/** So many packs stay open. */
const openMax = 16;
/** After so many frames what was found out is written down, and asked of the index from then on. */
const framesMax = 50_000;

export interface ProofsContext {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
  readonly index: IndexDatabase;
}

interface OpenPack {
  readonly file: PackFile;
  readonly directory: PackDirectory;
}

/** One thread's. Pack numbers are never given again, so what was found out about one holds. */
export class FrameProofs implements Disposable {
  readonly #context: ProofsContext;
  readonly #hasher: Hasher;
  /** Oldest use first; undefined for one that cannot be read. */
  readonly #packs = new Map<number, OpenPack | undefined>();
  /** What this has looked at: whether all of the frame is right. */
  readonly #frames = new Map<string, boolean>();
  #proven: FrameKey[] = [];
  #wrong: MendedObject[] = [];

  constructor(context: ProofsContext) {
    this.#context = context;
    this.#hasher = getHasher(context.secrets.hash);
  }

  /** Whether the chunk's bytes are there, and are what its name says. */
  isRight(hash: Hash, place: ObjectPlace): boolean {
    const { index } = this.#context;
    const pack = index.findPack(place.pack);
    // What is not here stands for nothing: the copies elsewhere may go. It is found in the new pack from then on.
    if (pack?.complete === false && index.isAbsent(place.pack, place.offset)) {
      this.#wrong.push({ hash, pack: place.pack });
      return false;
    }
    if (pack?.proven === true) return true;
    const key = `${place.pack} ${place.offset}`;
    const known = this.#frames.get(key);
    if (known === true) return true;
    if (known === undefined) {
      const isProven = index.isFrameProven(place) || this.#prove(place);
      if (this.#frames.size >= framesMax) this.#write();
      this.#frames.set(key, isProven);
      if (isProven) return true;
    }
    if (this.#isObjectRight(hash, place)) return true;
    this.#wrong.push({ hash, pack: place.pack });
    return false;
  }

  /** The chunks found to be wrong since the last call: they are to be stored anew. */
  takeWrong(): readonly MendedObject[] {
    const wrong = this.#wrong;
    this.#wrong = [];
    return wrong;
  }

  /** Writes down what was found out, and closes the packs. */
  save(): void {
    this.#write();
    this[Symbol.dispose]();
  }

  #write(): void {
    const { index } = this.#context;
    const proven = this.#proven;
    this.#proven = [];
    this.#frames.clear();
    if (proven.length > 0) index.transaction(() => index.addProven(proven));
  }

  [Symbol.dispose](): void {
    for (const pack of this.#packs.values()) pack?.file[Symbol.dispose]();
    this.#packs.clear();
  }

  #prove(place: ObjectPlace): boolean {
    const bytes = this.#readFrame(place);
    const directory = this.#packs.get(place.pack)?.directory;
    if (bytes === undefined || directory === undefined) return false;
    const frame = directory.frameOffsets.indexOf(place.offset);
    if (frame < 0) return false;
    for (
      let object = directory.frameObjects[frame] as number;
      object < (directory.frameObjects[frame + 1] as number);
      object += 1
    ) {
      const at = directory.objectOffsets[object] as number;
      const part = bytes.subarray(at, at + (directory.objectLengths[object] as number));
      if (!isNamed(this.#hasher, undefined, part, directoryHash(directory, object))) return false;
    }
    this.#proven.push({ pack: place.pack, offset: place.offset });
    return true;
  }

  /** For a frame not all of which is right. */
  #isObjectRight(hash: Hash, place: ObjectPlace): boolean {
    const bytes = this.#readFrame(place)?.subarray(place.at, place.at + place.length);
    return bytes !== undefined && isNamed(this.#hasher, undefined, bytes, hash);
  }

  /** Undefined when it is not here, or is damaged. */
  #readFrame(place: ObjectPlace): Uint8Array | undefined {
    if (
      this.#context.index.findPack(place.pack)?.complete === false &&
      this.#context.index.isAbsent(place.pack, place.offset)
    )
      return undefined;
    try {
      return this.#open(place.pack)?.file.readFrame(place);
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      return undefined;
    }
  }

  #open(id: number): OpenPack | undefined {
    if (this.#packs.has(id)) {
      const pack = this.#packs.get(id);
      this.#packs.delete(id);
      this.#packs.set(id, pack);
      return pack;
    }
    for (const [oldest, pack] of this.#packs) {
      if (this.#packs.size < openMax) break;
      pack?.file[Symbol.dispose]();
      this.#packs.delete(oldest);
    }
    const pack = this.#openFile(id);
    this.#packs.set(id, pack);
    return pack;
  }

  #openFile(id: number): OpenPack | undefined {
    const { disk, secrets, paths, index } = this.#context;
    const row = index.findPack(id);
    if (row === undefined) return undefined;
    let file: PackFile | undefined;
    try {
      file = PackFile.open(disk, secrets, paths.pack(row.name), `packs/${toHex(row.name)}`);
      return { file, directory: file.readDirectory().directory };
    } catch (error) {
      file?.[Symbol.dispose]();
      if (
        isKind(error, "corrupt") ||
        isKind(error, "wrong-key") ||
        isKind(error, "newer-format") ||
        isKind(error, "not-found")
      )
        return undefined;
      throw error;
    }
  }
}
