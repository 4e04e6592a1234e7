/**
 * Giving up content: frames whose every chunk is dispensable, in packs that enough remotes have. What is kept is what marks say is real: in the
 * commits that the own branches are at where the box is unreal, and in all that something names where it is real.
 */
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Content, contentItems, directoryHash, type Hash } from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";
import { addRuleChunks, realChunks } from "./kept-content.ts";
import type { OpenBox } from "./open-box.ts";
import { askCopies, copiesWanted } from "./pack-copies.ts";

/** Frames of one pack that can go. */
interface Dispensable {
  readonly pack: Hash;
  readonly offsets: readonly number[];
}

/**
 * Finds what can go of some contents.
 * @param settle Called when enough places have all of it: marks what is kept no more.
 * @returns What gives it up, and tells how many bytes of frames that was.
 * @throws OuroError "not-found" when too few places have some of it; "offline" when it cannot be asked.
 */
export async function evictContent(
  box: OpenBox,
  contents: Iterable<Content>,
  settle: () => void,
): Promise<() => number> {
  const { store } = box;
  const wanted = new HashSet();
  const packs = new Map<string, Hash>();
  for (const content of contents) {
    for (const item of contentItems(content, (hash) => store.getMeta(hash, "list"))) {
      const place = item.form === "chunk" && wanted.add(item.hash) ? store.findChunk(item.hash) : undefined;
      if (place?.isHere === true) packs.set(toHex(place.pack), place.pack);
    }
  }
  await requireCopies(box, packs);
  settle();
  const kept = await realChunks(box);
  await addRuleChunks(box, kept);
  const dispensable = [...packs.values()].map((pack): Dispensable => {
    const directory = store.sparse.directory(pack);
    const { frames, frameOffsets, frameObjects } = directory;
    const offsets: number[] = [];
    for (let frame = 0; frame < frames; frame += 1) {
      let [isWanted, isKept] = [false, false];
      for (let object = frameObjects[frame] as number; object < (frameObjects[frame + 1] as number); object += 1) {
        const hash = directoryHash(directory, object);
        isWanted ||= wanted.has(hash);
        isKept ||= kept.has(hash);
      }
      if (isWanted && !isKept) offsets.push(frameOffsets[frame] as number);
    }
    return { pack, offsets };
  });
  return () => dispensable.reduce((sum, { pack, offsets }) => sum + store.sparse.evict(pack, offsets), 0);
}

async function requireCopies(box: OpenBox, packs: ReadonlyMap<string, Hash>): Promise<void> {
  if (packs.size === 0) return;
  const wanted = copiesWanted(box);
  const { count, silent } = await askCopies(box);
  const lacking = [...packs.keys()].filter((pack) => count(pack) < wanted);
  if (lacking.length === 0) return;
  const places = wanted === 1 ? "no other place is" : `fewer than ${wanted} other places are`;
  const asked = silent.length === 0 ? "" : ` (${silent.join("; ")})`;
  throw new OuroError(
    silent.length === 0 ? "not-found" : "offline",
    `Cannot give up content: ${places} known to have ${lacking.length} of ${packs.size} packs that it is in${asked}`,
    { subject: lacking[0] as string, hint: "Push it first, or bring the setting `copies` down." },
  );
}
