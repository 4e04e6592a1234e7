/**
 * The store: objects by their hashes, in packs, found by an index. Content (chunks) and metadata (tree nodes, list nodes,
 * xattr blocks, commits) are in packs of their own.
 *
 * Everything read is verified by its hash before it is handed out. What is written is durable before it can be read.
 * Any number of processes and threads may have a Store of one box open, writing or not.
 *
 * A Store that has begun to write counts as a writer (writing-lock.ts) until `endWriting`: call it when the head that
 * refers to what was written has moved, or leave it to the end of the process.
 */

import { copyBytes, toHex } from "../base/bytes.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { Spill } from "../base/spill.ts";
import { checkChunkSizes, getHasher, type Hash, type Hasher, type MetaKind } from "../format/mod.ts";
import { Adoption, type AdoptionOptions } from "./adoption.ts";
import { type CheckOptions, checkStore, type Damage } from "./check.ts";
import { ChunkTrail } from "./chunk-trail.ts";
import { ContentCache } from "./content-cache.ts";
import { LackingContent, type MissingChunk } from "./content-source.ts";
import { ExpectedChunks } from "./expected-chunks.ts";
import { FrameCache } from "./frame-cache.ts";
import { collectGarbage, type GcOptions, type GcResult } from "./gc.ts";
import { IndexDatabase } from "./index-database.ts";
import type { ObjectPlace, PackRow } from "./index-rows.ts";
import {
  ensureDirectory,
  isInStep,
  type OnPacks,
  openIndex,
  rebuildIndex,
  removeTemporaryPacks,
  reviveDuplicates,
  type UpkeepContext,
  withExclusive,
} from "./index-upkeep.ts";
import { Ingest, type IngestOptions } from "./ingest.ts";
import type { MetaSource } from "./meta.ts";
import { MetaWriter } from "./meta-writer.ts";
import { isNamed } from "./object-name.ts";
import { findOtherCopy } from "./other-copies.ts";
import { PackFile } from "./pack-file.ts";
import { Repacking } from "./repacking.ts";
import { setAsidePack } from "./set-aside.ts";
import { SparsePacks } from "./sparse-packs.ts";
import type { StoreOptions } from "./store-options.ts";
import { StorePaths, temporaryPackPrefix } from "./store-paths.ts";
import { WritingLock } from "./writing-lock.ts";

/** A pack of this box. */
export type StoredPack = Omit<PackRow, "id" | "indexed">;

/** Where a chunk is that the index knows. */
export interface ChunkPlace {
  readonly pack: Hash;
  /** Where its frame begins. */
  readonly offset: number;
  /** Whether it can be read here and now. */
  readonly isHere: boolean;
  /** Whether the frame is on this machine's disk, and not only lent. */
  readonly isOnDisk: boolean;
}

export class Store implements MetaSource, Disposable {
  readonly hasher: Hasher;
  readonly #options: StoreOptions;
  readonly #paths: StorePaths;
  readonly #lock: WritingLock;
  readonly #frames: FrameCache;
  /** The packs of which not everything is here. */
  readonly sparse: SparsePacks;
  /** What is here only because somebody has read it. */
  readonly cache: ContentCache;
  /** Where chunks are used at once. */
  readonly #trail: ChunkTrail | undefined;
  readonly #expected = new ExpectedChunks();
  #index: IndexDatabase;
  /** Of the index's file: another one means that it was replaced. */
  #indexInode: bigint;

  private constructor(options: StoreOptions, paths: StorePaths, lock: WritingLock, index: IndexDatabase) {
    this.hasher = getHasher(options.secrets.hash);
    this.#options = options;
    this.#paths = paths;
    this.#lock = lock;
    this.#index = index;
    this.#indexInode = this.#readIndexInode();
    if (options.usesChunksAtOnce === true) this.#trail = new ChunkTrail((pack) => this.#frames.directory(pack));
    this.#frames = new FrameCache(options.disk, options.secrets, paths, options.usesChunksAtOnce === true);
    const asWriter = <T>(body: () => T): T => this.#asWriter(body);
    this.sparse = new SparsePacks({ ...options, paths, index: () => this.#index, asWriter });
    const { readOnly = false } = options;
    this.cache = new ContentCache({ index: () => this.#index, sparse: this.sparse, readOnly });
  }

  /**
   * Opens the store of a box, makes its folders if they are missing, mends its index, and removes what dead writers left.
   * @throws OuroError "invalid" (chunk sizes), "corrupt", "locked", "no-space", "permission", "io".
   */
  static open(options: StoreOptions): Store {
    checkChunkSizes(options.chunk);
    const { disk } = options;
    const paths = new StorePaths(options);
    const lock = new WritingLock(disk, paths.packs);
    if (options.readOnly === true && options.makesIndex !== true) {
      return new Store(options, paths, lock, IndexDatabase.open(paths.index, { readOnly: true }));
    }
    try {
      const context: UpkeepContext = { ...options, paths, lock };
      if (options.readOnly !== true) {
        ensureDirectory(disk, paths.packs);
        ensureDirectory(disk, paths.temporary);
        removeTemporaryPacks(context);
      }
      return new Store(options, paths, lock, openIndex(context));
    } catch (error) {
      lock[Symbol.dispose]();
      throw ioError(`Cannot open the store in ${options.directory}`, error, options.directory);
    }
  }

  [Symbol.dispose](): void {
    this.cache.saveUses();
    this.#frames[Symbol.dispose]();
    this.sparse[Symbol.dispose]();
    this.#index[Symbol.dispose]();
    this.#lock[Symbol.dispose]();
  }

  get #context(): UpkeepContext {
    return { ...this.#options, paths: this.#paths, lock: this.#lock };
  }

  /** Turns failures of the disk into errors of ours. */
  #attempt<T>(what: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw ioError(what, error, this.#options.directory);
    }
  }

  #readIndexInode(): bigint {
    return this.#attempt("Cannot look at the index", () => this.#options.disk.stat(this.#paths.index)?.inode ?? -1n);
  }

  /**
   * Counts as a writer from now on: nothing that this store can find is removed until `endWriting`. Whatever writes does
   * this by itself; to be called by who first looks what is here and then refers to it (a fetch).
   * @throws OuroError "read-only", "locked".
   */
  beginWriting(): void {
    if (this.#options.readOnly === true)
      throw new OuroError("read-only", "Cannot write: this box can only be read here", {
        hint: "It belongs to another user, or is mounted read-only: clone it to work with it.",
      });
    if (this.#lock.isHeld) return;
    this.#lock.share();
    if (this.#readIndexInode() === this.#indexInode) return;
    this.#index[Symbol.dispose]();
    this.#useIndex(this.#attempt("Cannot open the index", () => openIndex(this.#context)));
  }

  #useIndex(index: IndexDatabase): void {
    this.#index = index;
    this.#indexInode = this.#readIndexInode();
    this.#frames.clear();
    this.#expected.clear();
  }

  /** No longer counts as a writer. To be called when the head that refers to what was written has moved, or will not. */
  endWriting(): void {
    this.#lock.release();
  }

  /** Whether the index knows just the packs that are here: one that was opened for reading is as somebody left it. */
  get isInStep(): boolean {
    return this.#attempt("Cannot list the packs", () => isInStep(this.#context, this.#index));
  }

  hasMeta(hash: Hash): boolean {
    return this.#index.hasMeta(hash);
  }

  /** Whether it can be read here and now: what is not here to stay may go. */
  hasChunk(hash: Hash): boolean {
    return this.findChunk(hash)?.isHere === true;
  }

  /** Has the disk begin to read chunks that will be read soon, in their order. @returns Those that cannot be read here now. */
  expectChunks(chunks: readonly MissingChunk[]): MissingChunk[] {
    const { missing, ranges } = this.#expected.expect(chunks, { index: this.#index, lent: this.sparse.lent });
    try {
      for (const range of ranges) this.#frames.expect(range.pack, range);
    } catch (thrown) {
      // Who reads them is told.
      if (!isKind(thrown)) throw thrown;
    }
    return missing;
  }

  /** Whether a pack that is known has it, here or elsewhere. */
  knowsChunk(hash: Hash): boolean {
    return this.#index.hasChunk(hash);
  }

  /** Where a chunk is, as far as the index knows. */
  findChunk(hash: Hash): ChunkPlace | undefined {
    const place = this.#index.findChunk(hash);
    const pack = place === undefined ? undefined : this.#index.findPack(place.pack);
    if (place === undefined || pack === undefined) return undefined;
    const { offset } = place;
    const isOnDisk = pack.complete || !this.#index.isAbsent(pack.id, offset);
    const isHere = isOnDisk || this.sparse.lent.find(pack.name, offset) !== undefined;
    return { pack: pack.name, offset, isHere, isOnDisk };
  }

  /** The pack that an object of metadata is found in. */
  findPackOfMeta(hash: Hash, kind: MetaKind): Hash | undefined {
    const place = this.#index.findMeta(hash, kind);
    return place === undefined ? undefined : this.#index.findPack(place.pack)?.name;
  }

  /** The packs that list objects which are found in other packs. */
  packsWithRepeats(): Hash[] {
    return this.#index.packs().flatMap(({ name, objects, indexed }) => (indexed < objects ? [name] : []));
  }

  /** Names of commits that begin with these bytes, at most `max`. */
  findCommits(prefix: Uint8Array, max: number): Hash[] {
    return this.#index.metasByPrefix(prefix, "commit", max).map(copyBytes);
  }

  getMeta(hash: Hash, kind: MetaKind): Uint8Array {
    return this.#verified(hash, kind, undefined, () => this.#read(() => this.#index.findMeta(hash, kind)));
  }

  /**
   * A chunk's bytes, verified. They are shared: not to be changed.
   * @param length As the tree says.
   * @throws OuroError "not-found" when it is not on this machine, "corrupt".
   */
  getChunk(hash: Hash, length: number): Uint8Array {
    const known = this.#trail?.next(hash) ?? this.#expected.take(hash);
    const read = (): Uint8Array | undefined => this.#read(() => this.#index.findChunk(hash), known);
    return this.#verified(hash, undefined, length, read);
  }

  /** Reads an object and verifies it; when it is damaged, looks for another copy. */
  #verified(
    hash: Hash,
    kind: MetaKind | undefined,
    length: number | undefined,
    read: () => Uint8Array | undefined,
  ): Uint8Array {
    try {
      const bytes = read();
      if (bytes === undefined) throw kind === undefined ? absent(hash, length) : missing(kind, hash);
      if (length !== undefined && bytes.length !== length) throw otherLength(hash, bytes.length, length);
      if (isNamed(this.hasher, kind, bytes, hash)) return bytes;
      throw otherHash(kind ?? "chunk", hash);
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      const again = kind === undefined ? this.#readAgain(hash) : undefined;
      if (again === "absent") throw absent(hash, length);
      if (again !== undefined && (length === undefined || again.length === length)) return again;
      const copy = findOtherCopy({ ...this.#options, paths: this.#paths }, this.#index, hash, kind);
      if (copy === undefined || (length !== undefined && copy.length !== length)) throw error;
      return copy;
    }
  }

  /** A chunk's right bytes, if it only seemed to be damaged as its frame was given up, or its pack made whole, by another process meanwhile. */
  #readAgain(hash: Hash): Uint8Array | "absent" | undefined {
    this.#index.forgetPacks();
    this.#frames.clear();
    this.#trail?.clear();
    try {
      const place = this.findChunk(hash);
      if (place?.isHere === true && this.#options.readOnly !== true) this.sparse.noteGivenUp(place.pack);
      const bytes = this.#read(() => this.#index.findChunk(hash));
      if (bytes === undefined) return "absent";
      return isNamed(this.hasher, undefined, bytes, hash) ? bytes : undefined;
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      return undefined;
    }
  }

  /** The object's bytes, not verified; undefined when it is not here. */
  #read(find: () => ObjectPlace | undefined, next?: ObjectPlace): Uint8Array | undefined {
    for (let again = false; ; again = true) {
      const known = again ? undefined : next;
      const place = known ?? find();
      if (place === undefined) return undefined;
      const pack = this.#index.findPack(place.pack);
      try {
        if (pack === undefined) throw new OuroError("not-found", "Cannot find a pack that was here a moment ago");
        if (!pack.complete) {
          if (this.#index.isAbsent(pack.id, place.offset)) {
            // Given up since it was expected: it may be in another pack by now.
            if (known !== undefined) continue;
            return this.sparse.lent.find(pack.name, place.offset)?.subarray(place.at, place.at + place.length);
          }
          this.cache.noteUse(pack, place.offset);
        }
        if (known === undefined && pack.class === "content") this.#trail?.follow(pack, place);
        return this.#frames.frame(pack, place).subarray(place.at, place.at + place.length);
      } catch (error) {
        // Another process may have moved the object to a new pack since `find`: look once more.
        if (!isKind(error, "not-found")) throw withHint(error);
        if (again) return undefined;
        this.#index.forgetPacks();
        this.#trail?.clear();
      }
    }
  }

  /** A writer of metadata. This store counts as writing from now on. */
  openMetaWriter(): MetaWriter {
    this.beginWriting();
    return new MetaWriter({ ...this.#options, paths: this.#paths, hasher: this.hasher, index: this.#index });
  }

  /** Takes in files' content. This store counts as writing from now on, unless only hashes are wanted. */
  openIngest(options: IngestOptions): Ingest {
    if (options.hashOnly !== true) this.beginWriting();
    return new Ingest({ ...options, store: this.#options, index: this.#index, paths: this.#paths });
  }

  /** Whether the key opens packs, as far as the three newest can tell; undefined when there are none that could be read. */
  opensPacks(): boolean | undefined {
    let opens: boolean | undefined;
    for (const { name } of this.#index.packs().slice(-3)) {
      try {
        using file = PackFile.open(
          this.#options.disk,
          this.#options.secrets,
          this.#paths.pack(name),
          `pack ${toHex(name)}`,
        );
        file.readDirectory();
        return true;
      } catch (error) {
        if (isKind(error, "corrupt") || isKind(error, "wrong-key")) opens = false;
        else if (!isKind(error)) throw error;
      }
    }
    return opens;
  }

  /** The packs that are here, oldest first. */
  packs(): StoredPack[] {
    return this.#index.packs().map(({ id: _, indexed: __, ...pack }) => pack);
  }

  /** Where a pack of that name is or would be. */
  packPath(name: Hash): string {
    return this.#paths.pack(name);
  }

  /** The folder for files that are on their way: on the same filesystem as the packs. */
  get temporaryFolder(): string {
    return this.#paths.temporary;
  }

  /** Where much can be put aside until it is needed. To be used only where the box can be written. */
  openSpill(): Spill {
    const { disk, random } = this.#options;
    return new Spill({ disk, path: () => `${this.#paths.temporary}/${temporaryPackPrefix}${toHex(random(8))}` });
  }

  /** Takes in packs that came from elsewhere. This store counts as writing from now on. */
  openAdoption(options: AdoptionOptions): Adoption {
    this.beginWriting();
    return new Adoption(this.#options, { ...this.#options, paths: this.#paths, index: this.#index }, options);
  }

  /** Runs `body` as a writer; what was so before is so afterwards. */
  #asWriter<T>(body: () => T): T {
    const wasHeld = this.#lock.isHeld;
    this.beginWriting();
    try {
      return body();
    } finally {
      if (!wasHeld) this.endWriting();
    }
  }

  /**
   * Removes a pack and what only it has. Nothing may need it: for packs that are damaged beyond use.
   * @throws OuroError "locked" when others are writing.
   */
  removePack(name: Hash): void {
    const { disk } = this.#options;
    withExclusive(this.#context, () => {
      const pack = this.#index.findPackNamed(name);
      if (pack !== undefined) this.#index.transaction(() => this.#index.removePacks([pack.id]));
      this.#frames.clear();
      try {
        disk.unlink(this.#paths.pack(name));
        disk.syncDirectory(this.#paths.packs);
      } catch (error) {
        if (errnoOf(error) !== "ENOENT") throw ioError(`Cannot remove pack ${toHex(name)}`, error, toHex(name));
      }
      reviveDuplicates(this.#context, this.#index);
    });
  }

  /**
   * Takes a damaged pack out of use: copies what is whole in it to new packs, and moves its file into a folder of the same file system. What only it
   * had and is damaged is no longer here then. Of a sparse pack whose directory can be trusted the damaged frames alone go.
   * @returns False when its bytes are what its name says, or could be made so: then it stays.
   * @throws OuroError "locked" when others are writing; "no-space" and its like.
   */
  setAside(name: Hash, folder: string): boolean {
    this.beginWriting();
    try {
      if (this.sparse.mend(name)) return false;
      return setAsidePack({ ...this.#context, random: this.#options.random, index: this.#index }, { name, folder });
    } finally {
      this.#frames.clear();
    }
  }

  /** Makes the index anew from the packs. @throws OuroError "locked" when others are writing. */
  rebuildIndex(onPacks?: OnPacks): void {
    const build = (): IndexDatabase => rebuildIndex(this.#context, this.#index, onPacks);
    this.#useIndex(this.#attempt("Cannot make the index anew", build));
  }

  /** What is wrong with the packs and the index; nothing is changed. */
  async *check(options: CheckOptions): AsyncGenerator<Damage, void, undefined> {
    try {
      yield* checkStore(this.#context, this.#index, this.hasher, options);
    } catch (error) {
      throw ioError("Cannot check the box", error, this.#options.directory);
    }
  }

  /** What packs objects anew under other names, here and for other places. */
  get repacking(): Repacking {
    const context = { ...this.#context, random: this.#options.random, index: this.#index };
    return new Repacking(context, { begin: () => this.beginWriting(), ended: () => this.#frames.clear() });
  }

  /** Removes and packs anew what nothing needs, or says what it would remove. Nothing else may write through this store meanwhile. */
  async gc(options: GcOptions): Promise<GcResult> {
    const context = { ...this.#context, random: this.#options.random, index: this.#index };
    try {
      const result = await collectGarbage(context, options);
      if (options.dryRun !== true) this.cache.tidy();
      return result;
    } catch (error) {
      throw ioError("Cannot clean up the box", error, this.#options.directory);
    } finally {
      this.#frames.clear();
    }
  }
}

/** A damaged pack, with what to do. That its header is not of this box, when its name is here, is damage too. */
function withHint(error: unknown): unknown {
  if (!(isKind(error, "corrupt") || isKind(error, "wrong-key")) || error.hint !== undefined) return error;
  const subject = error.subject === undefined ? {} : { subject: error.subject };
  const hint = "Run `ourobox check --read-data` to see what else is damaged, and what to do.";
  return new OuroError("corrupt", error.message, { ...subject, hint, cause: error });
}

function otherLength(hash: Hash, length: number, wanted: number): OuroError {
  const message = `Cannot read chunk ${toHex(hash)}: it has ${length} bytes (the tree says ${wanted})`;
  return new OuroError("corrupt", message, { subject: toHex(hash) });
}

function otherHash(what: string, hash: Hash): OuroError {
  return new OuroError("corrupt", `Cannot read ${what} ${toHex(hash)}: its bytes have another hash`, {
    subject: toHex(hash),
    hint: "Run `ourobox check --read-data` to see which pack is damaged and what to do.",
  });
}

function missing(what: string, hash: Hash, cause?: LackingContent): OuroError {
  return new OuroError("not-found", `Cannot find ${what} ${toHex(hash)} on this machine`, {
    subject: toHex(hash),
    hint: "Run `ourobox check` to see what is damaged and what to do.",
    ...(cause === undefined ? {} : { cause }),
  });
}

function absent(hash: Hash, length = 0): OuroError {
  return missing("chunk", hash, new LackingContent([{ hash, length }]));
}
