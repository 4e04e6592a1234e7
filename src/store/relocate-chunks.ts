/** Finding chunks in other packs than the index has them in, where those are absent: content moves to other packs when a remote is cleaned up. */
import { directoryHash, type Hash, hashKey, type PackDirectory } from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import { framesOfObjects } from "./index-rows.ts";
import { placeOfFrame } from "./pack-frames.ts";

/**
 * @param packs Which are known here. @param directoryOf What one says is in it.
 * @returns How many of the chunks are found in one of them now.
 */
export function relocateChunks(
  index: IndexDatabase,
  hashes: readonly Hash[],
  { packs, directoryOf }: { readonly packs: readonly Hash[]; readonly directoryOf: (name: Hash) => PackDirectory },
): number {
  const wanted = new Map(hashes.map((hash) => [hashKey(hash), hash]));
  let found = 0;
  for (const name of packs) {
    const row = index.findPackNamed(name);
    // Of one all of whose objects are found in it none is found elsewhere, or nowhere.
    if (row === undefined || row.indexed >= row.objects || wanted.size === 0) continue;
    const directory = directoryOf(name);
    const frameOf = framesOfObjects(directory);
    index.transaction(() => {
      for (let object = 0; object < directory.objects && wanted.size > 0; object += 1) {
        const hash = wanted.get(hashKey(directoryHash(directory, object)));
        if (hash === undefined) continue;
        const place = placeOfFrame(directory, frameOf[object] as number);
        const at = directory.objectOffsets[object] as number;
        const length = directory.objectLengths[object] as number;
        index.moveChunk(hash, { ...place, pack: row.id, at, length });
        wanted.delete(hashKey(hash));
        found += 1;
      }
    });
  }
  return found;
}
