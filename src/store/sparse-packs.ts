/**
 * Sparse packs: packs of content of which only some frames are here. Each is a file of the pack's full length and name, with holes, whose own end
 * says that it is one; the index knows which frames are absent. Format: doc/format.md, section 7.
 *
 * No crash turns into damage. A frame is written and synced before the index says that it is here; the index says, durably, that a frame is
 * absent before its space is given up; and the pack's end is changed before the first frame goes and after the last has come. Every frame is
 * decoded and every object in it hashed before it counts. Who changes a pack, or needs the whole file as it is, holds its lock (flock) meanwhile.
 */
import { toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";
import {
  type BoxSecrets,
  decodePackDirectory,
  decodePackTrailer,
  directoryHash,
  getHasher,
  type Hash,
  type Hasher,
  hashKey,
  type PackDirectory,
  packClassCodes,
  packTrailerBytes,
  Seal,
} from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import { framesOfObjects, type NewPack, type PackRow } from "./index-rows.ts";
import { endsSparse, PackFile, sparseMagic, wholeMagic } from "./pack-file.ts";
import { findAbsentFrames, frameAt, isFrameRight, placeOfFrame } from "./pack-frames.ts";
import { type StorePaths, temporaryPackPrefix } from "./store-paths.ts";

/** So many packs stay open, with their directories. */
const openMax = 16;

/** What is to be known of a pack before anything of it is here. */
export interface PackEnds {
  readonly name: Hash;
  /** Of the whole file. */
  readonly size: number;
  /** The first 64 bytes. */
  readonly header: Uint8Array;
  /** The sealed directory and the trailer: the last bytes. */
  readonly tail: Uint8Array;
}

/** A frame that has come: its sealed bytes. */
export interface ArrivedFrame {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

export interface TakenFrames {
  /** How many are here now that were not. */
  readonly taken: number;
  /** Why one or more were refused: they are not what the pack's directory says. */
  readonly refused?: OuroError;
}

export interface SparseContext {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
  readonly random: (count: number) => Uint8Array;
  readonly index: () => IndexDatabase;
  /** Runs something during which no pack is removed. */
  readonly asWriter: <T>(body: () => T) => T;
}

interface OpenPack {
  readonly inode: bigint;
  readonly file: PackFile;
  readonly directory: PackDirectory;
}

interface LockedPack extends OpenPack {
  readonly fd: number;
  readonly row: PackRow;
}

export class SparsePacks implements Disposable {
  readonly #context: SparseContext;
  readonly #hasher: Hasher;
  /** Oldest use first. */
  readonly #open = new Map<string, OpenPack>();

  constructor(context: SparseContext) {
    this.#context = context;
    this.#hasher = getHasher(context.secrets.hash);
  }

  [Symbol.dispose](): void {
    for (const { file } of this.#open.values()) file[Symbol.dispose]();
    this.#open.clear();
  }

  /** Runs something during which no pack is removed, and turns failures of the disk into errors of ours. */
  #attempt<T>(what: string, body: () => T): T {
    try {
      return this.#context.asWriter(body);
    } catch (thrown) {
      throw ioError(what, thrown, this.#context.paths.packs);
    }
  }

  /**
   * Takes in what packs say of themselves, with no frame of them. What is here of a pack stays.
   * @returns Why each was refused ("corrupt", "wrong-key", "newer-format"); undefined for one that is known now.
   */
  add(packs: readonly PackEnds[]): (OuroError | undefined)[] {
    return this.#attempt("Cannot take in packs", () => {
      const described = packs.map((pack) => this.#describe(pack));
      const wanted = described.flatMap((each, at) => {
        const pack = packs[at];
        return each instanceof OuroError || pack === undefined ? [] : [{ pack, described: each }];
      });
      this.#publish(wanted.filter(({ pack }) => this.#context.index().findPackNamed(pack.name) === undefined));
      return described.map((each) => (each instanceof OuroError ? each : undefined));
    });
  }

  #describe({ name, size, header, tail }: PackEnds): NewPack | OuroError {
    const what = `pack ${toHex(name)}`;
    const { secrets } = this.#context;
    try {
      const seal = Seal.open(secrets, "pack", header, what);
      if (seal.type !== packClassCodes.content || tail.length < packTrailerBytes)
        throw new OuroError("corrupt", `Cannot take in ${what}: it is no pack of content`, { subject: what });
      const trailer = decodePackTrailer(tail.subarray(tail.length - packTrailerBytes), size, seal.overhead, what);
      if (trailer.length + packTrailerBytes !== tail.length)
        throw new OuroError("corrupt", `Cannot take in ${what}: its directory is of another length`, { subject: what });
      const bytes = seal.openPiece(trailer.offset, tail.subarray(0, trailer.length), what);
      const directory = decodePackDirectory(bytes, "content", trailer.offset, seal.overhead, what);
      return { name, size, directorySize: trailer.length, directory, absent: new Set(directory.frameOffsets) };
    } catch (thrown) {
      if (isKind(thrown, "corrupt") || isKind(thrown, "wrong-key") || isKind(thrown, "newer-format")) return thrown;
      throw thrown;
    }
  }

  #publish(packs: readonly { readonly pack: PackEnds; readonly described: NewPack }[]): void {
    const { disk, paths, random } = this.#context;
    if (packs.length === 0) return;
    const temporary: string[] = [];
    try {
      for (const { pack } of packs) {
        const path = `${paths.temporary}/${temporaryPackPrefix}${toHex(random(8))}`;
        const fd = disk.open(path, "create-new");
        temporary.push(path);
        try {
          disk.truncate(fd, pack.size);
          disk.write(fd, pack.header, 0);
          disk.write(fd, withEnd(pack.tail, sparseMagic), pack.size - pack.tail.length);
          disk.syncFile(fd);
        } finally {
          disk.close(fd);
        }
      }
      const made = packs.filter(({ pack }, at) => this.#name(temporary[at] as string, paths.pack(pack.name)));
      disk.syncDirectory(paths.packs);
      this.#index.transaction(() => {
        for (const { described } of made) this.#index.addPack(described);
      });
    } finally {
      for (const path of temporary) this.#removeQuietly(path);
    }
  }

  /** Gives a file its name unless another has it: a whole pack of that name must not be replaced. @returns Whether it has the name. */
  #name(path: string, name: string): boolean {
    const { disk } = this.#context;
    try {
      disk.link(path, name);
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === "EEXIST") return false;
      // A file system without hard links.
      if (!["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errnoOf(thrown) ?? "")) throw thrown;
    }
    if (disk.stat(name) !== undefined) return false;
    disk.rename(path, name);
    return true;
  }

  #removeQuietly(path: string): void {
    try {
      this.#context.disk.unlink(path);
    } catch (thrown) {
      // What is left is removed when the box is next opened.
      ioError("Cannot remove a temporary pack", thrown);
    }
  }

  get #index(): IndexDatabase {
    return this.#context.index();
  }

  /**
   * Takes in frames of a pack that is known: those that are absent and right.
   * @throws OuroError "not-found" when the pack is not known; "no-space" and its like.
   */
  take(name: Hash, frames: readonly ArrivedFrame[]): TakenFrames {
    return this.#attempt("Cannot take in content", () => {
      const result = this.#locked(name, { wait: true }, (pack) => this.#takeLocked(name, pack, frames));
      if (result === undefined) throw unknownPack(name);
      return result;
    });
  }

  #takeLocked(name: Hash, pack: LockedPack, frames: readonly ArrivedFrame[]): TakenFrames {
    const { disk } = this.#context;
    const { fd, row, file, directory } = pack;
    if (row.complete) return { taken: 0 };
    const absent = this.#index.absentFrames(row.id);
    const offsets = new Set<number>();
    let refused: OuroError | undefined;
    for (const { offset, bytes } of frames) {
      if (!absent.has(offset) || offsets.has(offset)) continue;
      const problem = this.#problemOf(file, directory, { offset, bytes });
      if (problem !== undefined) {
        refused ??= problem;
        continue;
      }
      disk.write(fd, bytes, offset);
      offsets.add(offset);
    }
    if (offsets.size > 0 || absent.size === 0) {
      disk.syncFile(fd);
      const isWhole = offsets.size === absent.size && this.#finish(fd, file, name);
      this.#index.transaction(() => this.#index.removeAbsent(row.id, { directory, offsets, isWhole }));
    }
    return { taken: offsets.size, ...(refused === undefined ? {} : { refused }) };
  }

  #problemOf(file: PackFile, directory: PackDirectory, { offset, bytes }: ArrivedFrame): OuroError | undefined {
    const frame = frameAt(directory, offset);
    const corrupt = (why: string): OuroError =>
      new OuroError("corrupt", `Cannot take in a frame of ${file.what}: ${why}`, { subject: file.what });
    if (frame < 0) return corrupt(`none begins at byte ${offset}`);
    const place = placeOfFrame(directory, frame);
    if (bytes.length !== place.sealed) return corrupt(`it has ${bytes.length} bytes (must have ${place.sealed})`);
    try {
      const decoded = file.openFrame(place, bytes);
      return isFrameRight(this.#hasher, directory, frame, decoded)
        ? undefined
        : corrupt(`what is in it at byte ${offset} has other hashes than the pack says`);
    } catch (thrown) {
      if (isKind(thrown, "corrupt")) return thrown;
      throw thrown;
    }
  }

  /** Ends a pack as packs end if its bytes are then what its name says. @returns Whether they are. */
  #finish(fd: number, file: PackFile, name: Hash): boolean {
    const { disk, secrets } = this.#context;
    if (Buffer.compare(file.hashAll(secrets.hash, { asWhole: true }), name) !== 0) return false;
    disk.write(fd, wholeMagic, file.size - wholeMagic.length);
    disk.syncFile(fd);
    return true;
  }

  /**
   * Gives up the space of frames. That other places have them is for the caller to know.
   * @param offsets Where the frames begin; those that are absent are passed over.
   * @returns How many bytes of frames have gone: none while another process changes the pack or sends it. @throws OuroError "not-found", "unsupported".
   */
  evict(name: Hash, offsets: Iterable<number>): number {
    return this.#attempt("Cannot give up content", () => {
      const freed = this.#locked(name, { wait: false }, (pack) => this.#evictLocked(pack, offsets));
      return freed ?? 0;
    });
  }

  #evictLocked({ fd, row, file, directory }: LockedPack, offsets: Iterable<number>): number {
    const { disk } = this.#context;
    const absent = row.complete ? new Set<number>() : this.#index.absentFrames(row.id);
    const gone = [...new Set(offsets)]
      .filter((offset) => !absent.has(offset) && frameAt(directory, offset) >= 0)
      .sort((a, b) => a - b);
    if (gone.length === 0) return 0;
    // Also when it says so already, as after a crash: it costs little.
    disk.write(fd, sparseMagic, file.size - sparseMagic.length);
    disk.syncFile(fd);
    this.#index.durableTransaction(() => this.#index.addAbsent(row.id, gone));
    let freed = 0;
    let hole = { start: 0, end: 0 };
    const punch = (): void => {
      if (hole.end > hole.start) disk.punchHole(fd, hole.start, hole.end - hole.start);
    };
    for (const offset of gone) {
      const { sealed } = placeOfFrame(directory, frameAt(directory, offset));
      freed += sealed;
      if (offset !== hole.end) {
        punch();
        hole = { start: offset, end: offset };
      }
      hole = { start: hole.start, end: offset + sealed };
    }
    punch();
    return freed;
  }

  /**
   * Gives up the damaged frames of a sparse pack.
   * @returns False for a pack that is not sparse, or whose directory may be what is damaged.
   */
  mend(name: Hash): boolean {
    if (this.#context.secrets.suite === "plain" || this.#index.findPackNamed(name)?.complete !== false) return false;
    return this.#attempt("Cannot mend a pack", () => {
      try {
        const mended = this.#locked(name, { wait: true }, (pack) => {
          const { file, directory } = pack;
          this.#evictLocked(pack, findAbsentFrames(file, directory, this.#hasher));
          return true;
        });
        return mended === true;
      } catch (thrown) {
        if (isKind(thrown, "corrupt") || isKind(thrown, "wrong-key") || isKind(thrown, "newer-format")) return false;
        throw thrown;
      }
    });
  }

  /**
   * Makes good for an index that is older than what was given up: as after a backup was brought back, or where the power went and SQLite's promise was not kept.
   * @returns Whether there was anything.
   */
  noteGivenUp(name: Hash): boolean {
    const noted = this.#attempt("Cannot look at a pack", () =>
      this.#locked(name, { wait: true }, ({ row, file, directory }) => {
        // How it ends now: it may have been whole when it was opened.
        file.readDirectory();
        const absent = row.complete ? new Set<number>() : this.#index.absentFrames(row.id);
        const gone = [...directory.frameOffsets].filter((offset, frame) => {
          return !absent.has(offset) && file.wasGivenUp(placeOfFrame(directory, frame));
        });
        if (gone.length > 0) this.#index.transaction(() => this.#index.addAbsent(row.id, gone));
        return gone.length > 0;
      }),
    );
    return noted === true;
  }

  /**
   * Keeps a pack whole as long as it is held: for who sends its file.
   * @returns Undefined when it is not whole, or not here.
   */
  hold(name: Hash): Disposable | undefined {
    const { disk, paths } = this.#context;
    let fd: number;
    try {
      fd = disk.open(paths.pack(name), "read");
    } catch (thrown) {
      if (errnoOf(thrown) === "ENOENT") return undefined;
      throw ioError("Cannot open a pack", thrown, toHex(name));
    }
    let isWhole = false;
    try {
      flock(fd, "shared", { wait: true });
      isWhole = this.#index.findPackNamed(name)?.complete === true && this.#endsWhole(fd, name);
    } catch (thrown) {
      throw ioError("Cannot read a pack", thrown, toHex(name));
    } finally {
      if (!isWhole) disk.close(fd);
    }
    return isWhole ? { [Symbol.dispose]: () => disk.close(fd) } : undefined;
  }

  /** A crash may have left the end of a sparse pack on one that is whole. */
  #endsWhole(fd: number, name: Hash): boolean {
    const { disk, secrets, paths } = this.#context;
    const { size } = disk.statFile(fd);
    const end = new Uint8Array(sparseMagic.length);
    disk.read(fd, end, Math.max(0, size - end.length));
    if (!endsSparse(end)) return true;
    using file = PackFile.open(disk, secrets, paths.pack(name), `packs/${toHex(name)}`);
    const writing = disk.open(paths.pack(name), "write");
    try {
      return this.#finish(writing, file, name);
    } finally {
      disk.close(writing);
    }
  }

  /** Where the frames of a pack begin that are not here. */
  absentFrames(name: Hash): ReadonlySet<number> {
    const row = this.#index.findPackNamed(name);
    return row === undefined || row.complete ? new Set() : this.#index.absentFrames(row.id);
  }

  /** What a pack that is known says is in it. @throws OuroError "not-found", "corrupt". */
  directory(name: Hash): PackDirectory {
    const { disk, paths } = this.#context;
    const fd = openOrRefuse(disk, paths.pack(name), name, "read");
    try {
      return this.#opened(name, fd).directory;
    } catch (thrown) {
      throw ioError(`Cannot read pack ${toHex(name)}`, thrown, toHex(name));
    } finally {
      disk.close(fd);
    }
  }

  /**
   * Finds chunks anew that are absent where the index has them, or not in the index: in these packs, which are known here.
   * @returns How many are found in one of them now.
   */
  relocate(hashes: readonly Hash[], packs: readonly Hash[]): number {
    return this.#attempt("Cannot look for content", () => {
      const wanted = new Map(hashes.map((hash) => [hashKey(hash), hash]));
      let found = 0;
      for (const name of packs) {
        const row = this.#index.findPackNamed(name);
        if (row === undefined || wanted.size === 0) continue;
        const directory = this.directory(name);
        const frameOf = framesOfObjects(directory);
        this.#index.transaction(() => {
          for (let object = 0; object < directory.objects && wanted.size > 0; object += 1) {
            const hash = wanted.get(hashKey(directoryHash(directory, object)));
            if (hash === undefined) continue;
            const place = placeOfFrame(directory, frameOf[object] as number);
            const at = directory.objectOffsets[object] as number;
            const length = directory.objectLengths[object] as number;
            this.#index.moveChunk(hash, { ...place, pack: row.id, at, length });
            wanted.delete(hashKey(hash));
            found += 1;
          }
        });
      }
      return found;
    });
  }

  /** @returns Undefined when it does not wait and another holds the pack. @throws OuroError "not-found". */
  #locked<T>(name: Hash, { wait }: { readonly wait: boolean }, body: (pack: LockedPack) => T): T | undefined {
    const { disk, paths } = this.#context;
    const fd = openOrRefuse(disk, paths.pack(name), name, "write");
    try {
      if (!flock(fd, "exclusive", { wait })) return undefined;
      const row = this.#index.findPackNamed(name);
      if (row === undefined || row.class !== "content") throw unknownPack(name);
      return body({ ...this.#opened(name, fd), fd, row });
    } finally {
      disk.close(fd);
    }
  }

  /** The pack's directory, read once. @param fd Of the file that the name stands for now. */
  #opened(name: Hash, fd: number): OpenPack {
    const { disk, secrets, paths } = this.#context;
    const key = hashKey(name);
    const { inode } = disk.statFile(fd);
    const known = this.#open.get(key);
    this.#open.delete(key);
    if (known?.inode === inode) {
      this.#open.set(key, known);
      return known;
    }
    known?.file[Symbol.dispose]();
    for (const [oldest, { file }] of this.#open) {
      if (this.#open.size < openMax) break;
      file[Symbol.dispose]();
      this.#open.delete(oldest);
    }
    const file = PackFile.open(disk, secrets, paths.pack(name), `packs/${toHex(name)}`);
    try {
      const pack = { inode, file, directory: file.readDirectory().directory };
      this.#open.set(key, pack);
      return pack;
    } catch (thrown) {
      file[Symbol.dispose]();
      throw thrown;
    }
  }
}

/** A copy of a pack's last bytes with another end. */
function withEnd(tail: Uint8Array, magic: Uint8Array): Uint8Array {
  const copy = new Uint8Array(tail);
  copy.set(magic, copy.length - magic.length);
  return copy;
}

function openOrRefuse(disk: Disk, path: string, name: Hash, mode: "read" | "write"): number {
  try {
    return disk.open(path, mode);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") throw unknownPack(name);
    throw ioError(`Cannot open pack ${toHex(name)}`, thrown, toHex(name));
  }
}

function unknownPack(name: Hash): OuroError {
  return new OuroError("not-found", `Cannot find pack ${toHex(name)}: it is not known here`, { subject: toHex(name) });
}
