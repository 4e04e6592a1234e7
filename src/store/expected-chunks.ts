/**
 * Chunks that will be read soon: which of them cannot be read here, and where the others are on the disk, so that it begins to read them. A disk reads much at once
 * faster than piece by piece, and reads on while what came before is opened and hashed.
 *
 * Where a chunk is is remembered until it is read, as asking the index costs 6 us. Like the index it is not trusted: what is read by it is verified.
 */
import { type Hash, hashKey } from "../format/mod.ts";
import type { MissingChunk } from "./content-source.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { ObjectPlace, PackRow } from "./index-rows.ts";
import type { LentFrames } from "./lent-frames.ts";

/** Those that were expected last: some files that are read at one time. */
const placesMax = 1024;

/** Of a pack, in bytes. */
export interface ExpectedRange {
  readonly pack: PackRow;
  readonly start: number;
  end: number;
}

export class ExpectedChunks {
  /** Expected last, last. */
  readonly #places = new Map<string, ObjectPlace>();

  /** Forgets where chunks are, after packs may have changed. */
  clear(): void {
    this.#places.clear();
  }

  /** Where a chunk was when it was expected, once. */
  take(hash: Hash): ObjectPlace | undefined {
    if (this.#places.size === 0) return undefined;
    const key = hashKey(hash);
    const place = this.#places.get(key);
    if (place !== undefined) this.#places.delete(key);
    return place;
  }

  /** @param chunks In the order in which they will be read: frames that follow one another are one range. */
  expect(
    chunks: readonly MissingChunk[],
    { index, lent }: { readonly index: IndexDatabase; readonly lent: LentFrames },
  ): { readonly missing: MissingChunk[]; readonly ranges: ExpectedRange[] } {
    const missing: MissingChunk[] = [];
    const ranges: ExpectedRange[] = [];
    for (const chunk of chunks) {
      const place = index.findChunk(chunk.hash);
      const pack = place === undefined ? undefined : index.findPack(place.pack);
      if (place === undefined || pack === undefined) {
        missing.push(chunk);
        continue;
      }
      const [start, end] = [place.offset, place.offset + place.sealed];
      if (!pack.complete && index.isAbsent(pack.id, start)) {
        if (lent.find(pack.name, start) === undefined) missing.push(chunk);
        continue;
      }
      this.#remember(chunk.hash, place);
      const last = ranges.at(-1);
      if (last?.pack.id === pack.id && (last.end === start || last.end === end)) last.end = end;
      else ranges.push({ pack, start, end });
    }
    return { missing, ranges };
  }

  #remember(hash: Hash, place: ObjectPlace): void {
    this.#places.set(hashKey(hash), place);
    if (this.#places.size <= placesMax) return;
    const [oldest] = this.#places.keys();
    if (oldest !== undefined) this.#places.delete(oldest);
  }
}
