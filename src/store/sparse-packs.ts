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
import { getHasher, type Hash, type Hasher, hashKey, type PackDirectory } from "../format/mod.ts";
import { bytesOnDisk } from "./cached-frames.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { PackRow } from "./index-rows.ts";
import { LentFrames } from "./lent-frames.ts";
import { endsSparse, PackFile, sparseMagic, wholeMagic } from "./pack-file.ts";
import { findAbsentFrames, frameAt, holesOf, isFrameRight, placeOfFrame } from "./pack-frames.ts";
import { relocateChunks } from "./relocate-chunks.ts";
import { addSparsePacks, type PackEnds, type SparseContext } from "./sparse-adding.ts";

/** So many packs stay open, with their directories. */
const openMax = 16;

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

export interface LentResult {
  /** Those that are right. */
  readonly right: readonly ArrivedFrame[];
  /** What they take in memory now, decoded. */
  readonly bytes: number;
  /** As in `TakenFrames`. */
  readonly refused?: OuroError;
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
  /** What can be read though it is not on the disk. */
  readonly lent: LentFrames = new LentFrames();
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

  /** As `addSparsePacks`. */
  add(packs: readonly PackEnds[]): (OuroError | undefined)[] {
    return this.#attempt("Cannot take in packs", () => addSparsePacks(this.#context, packs));
  }

  get #index(): IndexDatabase {
    return this.#context.index();
  }

  /**
   * Takes in frames of a pack that is known, to stay: those that are absent and right. Those that are here as cache stay, too.
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
    const { row, file, directory } = pack;
    const offsets = frames.map(({ offset }) => offset);
    this.#keepLocked(name, pack, offsets);
    if (row.complete) return { taken: 0 };
    const absent = this.#index.absentFrames(row.id);
    const right = new Map<number, ArrivedFrame>();
    let refused: OuroError | undefined;
    for (const frame of frames) {
      if (!absent.has(frame.offset) || right.has(frame.offset)) continue;
      const opened = this.#openArrived(file, directory, frame);
      if (opened instanceof OuroError) refused ??= opened;
      else right.set(frame.offset, frame);
    }
    const taken = this.#writeLocked(name, pack, [...right.values()], { isCache: false });
    return { taken, ...(refused === undefined ? {} : { refused }) };
  }

  /**
   * Takes in frames of a pack that is known because somebody reads them: those that are right can be read at once, from memory. Nothing is written.
   * @throws OuroError "not-found" when the pack is not known.
   */
  lend(name: Hash, frames: readonly ArrivedFrame[]): LentResult {
    const { file, directory } = this.#known(name);
    const right: ArrivedFrame[] = [];
    let bytes = 0;
    let refused: OuroError | undefined;
    for (const frame of frames) {
      const opened = this.#openArrived(file, directory, frame);
      if (opened instanceof OuroError) {
        refused ??= opened;
        continue;
      }
      this.lent.add(name, frame.offset, opened);
      right.push(frame);
      bytes += opened.length;
    }
    return { right, bytes, ...(refused === undefined ? {} : { refused }) };
  }

  /**
   * Writes frames to the disk as cache.
   * @param frames Right, as `lend` has found; those that are here are passed over.
   * @returns How many are here now that were not: none where the disk has no room for all. @throws OuroError "not-found", "io" and its like.
   */
  keepLent(name: Hash, frames: readonly ArrivedFrame[]): number {
    if (frames.length === 0) return 0;
    try {
      return this.#attempt("Cannot take in content", () => {
        const taken = this.#locked(name, { wait: true }, (pack) => {
          if (pack.row.complete) return 0;
          const absent = this.#index.absentFrames(pack.row.id);
          const missing = new Map(frames.map((frame) => [frame.offset, frame]));
          for (const offset of missing.keys()) if (!absent.has(offset)) missing.delete(offset);
          return missing.size === 0 ? 0 : this.#writeLocked(name, pack, [...missing.values()], { isCache: true });
        });
        return taken ?? 0;
      });
    } catch (thrown) {
      if (!isKind(thrown, "no-space")) throw thrown;
      return 0;
    }
  }

  /** @param frames Absent and right, each once; those that are cache stay from now on, unless these are cache too. */
  #writeLocked(
    name: Hash,
    { fd, row, file, directory }: LockedPack,
    frames: readonly ArrivedFrame[],
    { isCache }: { readonly isCache: boolean },
  ): number {
    const { disk } = this.#context;
    const { cached } = this.#index;
    const offsets = new Set(frames.map(({ offset }) => offset));
    const isAllHere = this.#index.absentFrames(row.id).size === offsets.size;
    if (offsets.size === 0 && (isCache || !isAllHere)) return 0;
    try {
      for (const { offset, bytes } of frames) disk.write(fd, bytes, offset);
      disk.syncFile(fd);
    } catch (thrown) {
      if (isCache) this.#punchQuietly(fd, frames);
      throw thrown;
    }
    // While something of it is cache its end goes on saying so, for when the index is lost.
    const isWhole = !isCache && isAllHere && !cached.hasOf(row.id) && this.#finish(fd, file, name);
    this.#index.transaction(() => {
      this.#index.removeAbsent(row.id, { directory, offsets, isWhole });
      if (!isCache) return;
      cached.add(
        row.id,
        frames.map(({ offset, bytes }) => ({ offset, bytes: bytesOnDisk(offset, bytes.length) })),
      );
    });
    return offsets.size;
  }

  /** What was half written when the disk was full is not to take space. */
  #punchQuietly(fd: number, frames: readonly ArrivedFrame[]): void {
    try {
      for (const { offset, bytes } of frames) this.#context.disk.punchHole(fd, offset, bytes.length);
    } catch (thrown) {
      // What failed before is what is told.
      ioError("Cannot give up space", thrown);
    }
  }

  /** Makes frames that are here as cache stay. */
  keep(name: Hash, offsets: Iterable<number>): void {
    this.#attempt("Cannot keep content", () => {
      this.#locked(name, { wait: true }, (pack) => {
        this.#keepLocked(name, pack, offsets);
        if (!pack.row.complete) this.#writeLocked(name, pack, [], { isCache: false });
      });
    });
  }

  #keepLocked(name: Hash, { row, fd, file }: LockedPack, offsets: Iterable<number>): void {
    const { cached } = this.#index;
    if (!cached.hasOf(row.id)) return;
    this.#index.transaction(() => {
      for (const offset of offsets) cached.remove(row.id, offset);
    });
    // One that was found to be whole when the index was made anew, and has gone on saying that it is sparse.
    if (row.complete && !cached.hasOf(row.id)) this.#finish(fd, file, name);
  }

  /** A frame's decoded bytes, or why it is refused. */
  #openArrived(file: PackFile, directory: PackDirectory, { offset, bytes }: ArrivedFrame): Uint8Array | OuroError {
    const frame = frameAt(directory, offset);
    const corrupt = (why: string): OuroError =>
      new OuroError("corrupt", `Cannot take in a frame of ${file.what}: ${why}`, { subject: file.what });
    if (frame < 0) return corrupt(`none begins at byte ${offset}`);
    const place = placeOfFrame(directory, frame);
    if (bytes.length !== place.sealed) return corrupt(`it has ${bytes.length} bytes (must have ${place.sealed})`);
    try {
      const decoded = file.openFrame(place, bytes);
      return isFrameRight(this.#hasher, directory, frame, decoded)
        ? decoded
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
   * @param options.onlyCache And those that are here to stay.
   * @returns How many bytes of frames have gone: none while another process changes the pack or sends it. @throws OuroError "not-found", "unsupported".
   */
  evict(name: Hash, offsets: Iterable<number>, { onlyCache = false }: { readonly onlyCache?: boolean } = {}): number {
    return this.#attempt("Cannot give up content", () => {
      const freed = this.#locked(name, { wait: false }, (pack) => this.#evictLocked(pack, offsets, { onlyCache }));
      return freed ?? 0;
    });
  }

  #evictLocked(
    { fd, row, file, directory }: LockedPack,
    offsets: Iterable<number>,
    { onlyCache }: { readonly onlyCache: boolean },
  ): number {
    const { disk } = this.#context;
    const { cached } = this.#index;
    const absent = row.complete ? new Set<number>() : this.#index.absentFrames(row.id);
    const mayGo = (offset: number): boolean => !onlyCache || cached.has(row.id, offset);
    const chosen = [...new Set(offsets)]
      .filter((offset) => !absent.has(offset) && frameAt(directory, offset) >= 0 && mayGo(offset))
      .sort((a, b) => a - b);
    if (chosen.length === 0) return 0;
    // Also when it says so already, as after a crash: it costs little.
    disk.write(fd, sparseMagic, file.size - sparseMagic.length);
    disk.syncFile(fd);
    const gone = this.#index.durableTransaction(() => {
      // Another process may have said meanwhile that it is to stay.
      const still = chosen.filter(mayGo);
      if (still.length > 0) this.#index.addAbsent(row.id, still);
      return still;
    });
    const now = absent.union(new Set(gone));
    const frames = gone.map((offset) => frameAt(directory, offset));
    const isAbsent = (frame: number): boolean => now.has(directory.frameOffsets[frame] as number);
    for (const { start, end } of holesOf(directory, frames, isAbsent)) disk.punchHole(fd, start, end - start);
    return frames.reduce((sum, frame) => sum + (directory.frameSealed[frame] as number), 0);
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
          this.#evictLocked(pack, findAbsentFrames(file, directory, this.#hasher), { onlyCache: false });
          return true;
        });
        return mended === true;
      } catch (thrown) {
        if (isKind(thrown, "corrupt") || isKind(thrown, "wrong-key") || isKind(thrown, "newer-format")) return false;
        throw thrown;
      }
    });
  }

  /** Gives back what a process that was killed has left of frames that are not here; nothing while another process changes the pack. */
  tidy(name: Hash): void {
    this.#attempt("Cannot give up space", () =>
      this.#locked(name, { wait: false }, ({ fd, row, file, directory }) => {
        if (row.complete) return;
        const absent = this.#index.absentFrames(row.id);
        const isAbsent = (frame: number): boolean => absent.has(directory.frameOffsets[frame] as number);
        const left = Array.from({ length: directory.frames }, (_, frame) => frame).filter((frame) => {
          const { offset, sealed } = placeOfFrame(directory, frame);
          return isAbsent(frame) && file.hasData(offset, sealed);
        });
        for (const { start, end } of holesOf(directory, left, isAbsent))
          this.#context.disk.punchHole(fd, start, end - start);
      }),
    );
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
    return this.#known(name).directory;
  }

  #known(name: Hash): OpenPack {
    const { disk, paths } = this.#context;
    const fd = openOrRefuse(disk, paths.pack(name), name, "read");
    try {
      return this.#opened(name, fd);
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
    return this.#attempt("Cannot look for content", () =>
      relocateChunks(this.#index, hashes, { packs, directoryOf: (name) => this.directory(name) }),
    );
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
