/**
 * Giving up content: frames whose every chunk is dispensable, in packs that enough remotes have. What is kept is what marks say is real: in the
 * commits that the own branches are at where the box is unreal, and in all that something names where it is real.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { type Content, contentItems, directoryHash, type Entry, type Hash, kinds } from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import { presentPacks } from "../sync/mod.ts";
import { openBoxRemote } from "./box-remotes.ts";
import { namedCommits } from "./box-upkeep.ts";
import { holdersOf } from "./commit-places.ts";
import { type Mark, MarkedTree } from "./marks.ts";
import type { OpenBox } from "./open-box.ts";
import { remotesOf } from "./remote-list.ts";
import { isUnreal } from "./unreal-setting.ts";

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
  const kept = keptChunks(box);
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

/** Remotes are asked what they have now: what is remembered of them may be long ago. */
async function requireCopies(box: OpenBox, packs: ReadonlyMap<string, Hash>): Promise<void> {
  if (packs.size === 0) return;
  const { context, secrets, state } = box;
  const wanted = Number(box.settings.findRow("copies")?.value ?? 1);
  const counts = new Map<string, number>();
  const silent: string[] = [];
  for (const { name, url } of holdersOf(box)) {
    const row = remotesOf(box).find((each) => each.name === name) ?? { name, url };
    try {
      await using remote = openBoxRemote(box, row, { create: false });
      const present = await presentPacks({ remote, secrets, state, verify: verifySignature, signal: context.signal });
      for (const pack of packs.keys()) if (present.has(pack)) counts.set(pack, (counts.get(pack) ?? 0) + 1);
    } catch (thrown) {
      if (!isKind(thrown) || thrown.kind === "aborted") throw thrown;
      silent.push(`${name}: ${thrown.message}`);
    }
  }
  const lacking = [...packs.keys()].filter((pack) => (counts.get(pack) ?? 0) < wanted);
  if (lacking.length === 0) return;
  const places = wanted === 1 ? "no other place is" : `fewer than ${wanted} other places are`;
  const asked = silent.length === 0 ? "" : ` (${silent.join("; ")})`;
  throw new OuroError(
    silent.length === 0 ? "not-found" : "offline",
    `Cannot give up content: ${places} known to have ${lacking.length} of ${packs.size} packs that it is in${asked}`,
    { subject: lacking[0] as string, hint: "Push it first, or bring the setting `copies` down." },
  );
}

/** The chunks of what is real. */
function keptChunks(box: OpenBox): HashSet {
  const { reader, store, state } = box;
  const chunks = new HashSet();
  const seen = { real: new HashSet(), unreal: new HashSet() };
  const add = (content: Content): void => {
    for (const item of contentItems(content, (hash) => store.getMeta(hash, "list")))
      if (item.form === "chunk") chunks.add(item.hash);
  };
  const walk = (marked: MarkedTree, root: Entry): void => {
    const open: { readonly entry: Entry; readonly mark: Mark }[] = [{ entry: root, mark: marked.ofRoot }];
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      const { entry, mark } = each;
      for (const { value } of entry.data) {
        if (value.kind === kinds.file && mark === "real") add(value.content);
        if (value.kind !== kinds.directory || value.top === undefined || !seen[mark].add(value.top)) continue;
        for (const inner of reader.entries(value)) open.push({ entry: inner, mark: marked.below(mark, inner) });
      }
    }
  };
  const own = [state.head(), ...state.branches()].flatMap((each) => each?.commit ?? []);
  for (const id of isUnreal(box) ? own : namedCommits(box)) {
    const root = reader.root(box.commits.read(id).commit.tree);
    walk(new MarkedTree(box, reader, root), root);
  }
  return chunks;
}
