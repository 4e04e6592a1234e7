/**
 * The cache of a store: what of its content is here only because somebody has read it, and may be given up. How much there may be, and what may not
 * go, is for the caller to say.
 *
 * When a frame was last used is noted coarsely: in memory, and in the index now and then. That may be lost.
 */
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { directoryHash, type Hash } from "../format/mod.ts";
import type { CacheSize } from "./cached-frames.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { FrameKey, PackRow } from "./index-rows.ts";
import { frameAt } from "./pack-frames.ts";
import type { SparsePacks } from "./sparse-packs.ts";

/** So many uses are noted before they are written down. */
const usesMax = 1024;
/** A pack is shorter. */
const offsetMax = 2 ** 30;

export interface CachedPart {
  readonly pack: Hash;
  /** Where the frame begins. */
  readonly offset: number;
  /** On the disk. */
  readonly bytes: number;
}

export interface CacheContext {
  readonly index: () => IndexDatabase;
  readonly sparse: SparsePacks;
  readonly readOnly: boolean;
}

export class ContentCache {
  readonly #context: CacheContext;
  /** Packs' numbers and offsets, as one number each; the last use last. */
  readonly #uses = new Set<number>();
  #last = -1;

  constructor(context: CacheContext) {
    this.#context = context;
  }

  get #index(): IndexDatabase {
    return this.#context.index();
  }

  get size(): CacheSize {
    return this.#index.cached.size;
  }

  /** As in `size`, quicker. */
  get bytes(): number {
    return this.#index.cached.bytes;
  }

  /** Those not used longest first. Some may be given up, or made to stay, meanwhile. */
  *oldestFirst(): Generator<CachedPart> {
    this.saveUses();
    for (const { pack, offset, bytes } of this.#index.cached.oldestFirst()) {
      const row = this.#index.findPack(pack);
      if (row !== undefined) yield { pack: row.name, offset, bytes };
    }
  }

  /** The chunks of a frame. @throws OuroError "not-found", "corrupt": the pack is gone, or damaged. */
  chunksOf({ pack, offset }: CachedPart): Hash[] {
    const directory = this.#context.sparse.directory(pack);
    const frame = frameAt(directory, offset);
    if (frame < 0) return [];
    const [first, end] = [directory.frameObjects[frame] as number, directory.frameObjects[frame + 1] as number];
    return Array.from({ length: end - first }, (_, index) => directoryHash(directory, first + index));
  }

  /** Whether a chunk is here to stay. */
  stays(hash: Hash): boolean {
    const place = this.#index.findChunk(hash);
    const pack = place === undefined ? undefined : this.#index.findPack(place.pack);
    if (place === undefined || pack === undefined) return false;
    if (!pack.complete && this.#index.isAbsent(pack.id, place.offset)) return false;
    return !this.#index.cached.has(pack.id, place.offset);
  }

  /** Makes chunks that are here stay, with the frames that they lie in. */
  keepChunks(hashes: Iterable<Hash>): void {
    const packs = new Map<string, { readonly name: Hash; readonly offsets: Set<number> }>();
    for (const hash of hashes) {
      const place = this.#index.findChunk(hash);
      const row = place === undefined ? undefined : this.#index.findPack(place.pack);
      if (place === undefined || row === undefined || !this.#index.cached.has(row.id, place.offset)) continue;
      const key = toHex(row.name);
      const pack = packs.get(key) ?? { name: row.name, offsets: new Set() };
      packs.set(key, pack);
      pack.offsets.add(place.offset);
    }
    for (const { name, offsets } of packs.values()) this.#context.sparse.keep(name, offsets);
  }

  /** Gives up frames of a pack that are cache. @returns How many bytes of frames have gone. @throws OuroError as `SparsePacks.evict`. */
  evict(pack: Hash, offsets: Iterable<number>): number {
    return this.#context.sparse.evict(pack, offsets, { onlyCache: true });
  }

  /** Gives back what processes that were killed have left of frames that are not here. Where that cannot be done nothing is. */
  tidy(): void {
    for (const { name, class: packClass, complete } of this.#index.packs()) {
      if (packClass !== "content" || complete) continue;
      try {
        this.#context.sparse.tidy(name);
      } catch (thrown) {
        if (!isKind(thrown, "unsupported") && !isKind(thrown, "not-found")) throw thrown;
      }
    }
  }

  /** Notes that a frame was read. */
  noteUse(pack: PackRow, offset: number): void {
    if (this.#context.readOnly) return;
    const key = pack.id * offsetMax + offset;
    if (key === this.#last) return;
    this.#last = key;
    this.#uses.delete(key);
    this.#uses.add(key);
    if (this.#uses.size >= usesMax) this.saveUses();
  }

  /** Writes down what was noted. That it cannot be is no reason to fail. */
  saveUses(): void {
    if (this.#uses.size === 0) return;
    const frames = [...this.#uses].map(
      (key): FrameKey => ({ pack: Math.floor(key / offsetMax), offset: key % offsetMax }),
    );
    this.#uses.clear();
    this.#last = -1;
    try {
      this.#index.transaction(() => this.#index.cached.noteUses(frames));
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
    }
  }
}
