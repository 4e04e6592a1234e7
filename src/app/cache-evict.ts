/**
 * Giving up what is in the cache: first what no tree names, then what one names, of each what was not used longest.
 *
 * Never what is to be here (kept-content.ts), and never what too few other places are known to have, which are asked. What is found to be real is no cache from
 * then on. A walk over trees is done once for as long as nothing that it depends on changes, and remotes are asked once a minute at most.
 */
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import { directoryHash, type Hash } from "../format/mod.ts";
import { HashSet, markLiveInTurns } from "../history/mod.ts";
import type { CachedPart } from "../store/mod.ts";
import { namedCommits } from "./box-upkeep.ts";
import { forgottenIn } from "./forgotten.ts";
import { addRuleChunks, addUnpushedChunks, realChunks } from "./kept-content.ts";
import type { OpenBox } from "./open-box.ts";
import { askCopies, copiesWanted, type PackCopies } from "./pack-copies.ts";
import { isUnreal, marksKey } from "./unreal-setting.ts";

/** So long is believed what a remote has said of its packs. */
const copiesMs = 60_000;
/** Another process may hold a pack: others are chosen instead, so often. */
const roundsMax = 4;

export interface EvictReport {
  readonly frames: number;
  /** On the disk. */
  readonly bytes: number;
  /** Frames that too few other places are known to have. */
  readonly uncopied: number;
  /** Places that could not be asked, and why. */
  readonly silent: readonly string[];
}

export class CacheEvictor {
  readonly #box: OpenBox;
  #copies: { readonly untilMs: number; readonly said: PackCopies } | undefined;
  #kept: { readonly key: string; readonly chunks: HashSet } | undefined;
  #unnamed: { readonly key: string; readonly parts: ReadonlySet<string> } | undefined;

  constructor(box: OpenBox) {
    this.#box = box;
  }

  /**
   * Gives up as much.
   * @param bytes What is to go, as it is on the disk; less goes when there is no more that may.
   * @param options.dryRun Only says what would go.
   * @throws OuroError "corrupt" when it cannot be told what may go; "unsupported" where the file system gives no space back; "aborted".
   */
  async evict(bytes: number, { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<EvictReport> {
    const { store } = this.#box;
    const copies = await this.#askCopies();
    const report = { frames: 0, bytes: 0, uncopied: 0, silent: copies.silent };
    const wanted = copiesWanted(this.#box);
    const hasCopies = ({ pack }: { readonly pack: Hash }): boolean => copies.count(toHex(pack)) >= wanted;
    let elsewhere: HashSet | undefined;
    const mayGo = (part: CachedPart): boolean => {
      if (hasCopies(part)) return true;
      // Its pack may have been packed anew on the remotes since.
      elsewhere ??= chunksOfPacks(this.#box, hasCopies);
      const chunks = elsewhere;
      return chunks.size > 0 && store.cache.chunksOf(part).every((hash) => chunks.has(hash));
    };
    const tried = new Set<string>();
    for (let round = 1; round <= roundsMax && report.bytes < bytes; round += 1) {
      const chosen = await this.#choose(bytes - report.bytes, { mayGo, tried, dryRun });
      report.uncopied = chosen.uncopied;
      if (chosen.packs.size === 0) break;
      for (const { pack, parts } of chosen.packs.values()) {
        const isGone =
          dryRun ||
          store.cache.evict(
            pack,
            parts.map(({ offset }) => offset),
          ) > 0;
        if (!isGone) continue;
        report.frames += parts.length;
        report.bytes += parts.reduce((sum, part) => sum + part.bytes, 0);
      }
    }
    return report;
  }

  /** What of so many bytes may go, by pack. What is to be here is made to stay. */
  async #choose(
    bytes: number,
    options: {
      readonly mayGo: (part: CachedPart) => boolean;
      /** Not chosen, and what is chosen is added. */
      readonly tried: Set<string>;
      readonly dryRun: boolean;
    },
  ): Promise<{ readonly packs: ReadonlyMap<string, Chosen>; readonly uncopied: number }> {
    const { store } = this.#box;
    const { mayGo, tried, dryRun } = options;
    const candidates: CachedPart[] = [];
    let uncopied = 0;
    const turns = new Turns(this.#box.context.signal);
    for (const part of store.cache.oldestFirst()) {
      await turns.step();
      if (tried.has(keyOf(part))) continue;
      if (mayGo(part)) candidates.push(part);
      else uncopied += 1;
    }
    const packs = new Map<string, Chosen>();
    if (candidates.length === 0) return { packs, uncopied };
    const [kept, unnamed] = [await this.#keptChunks(), await this.#findUnnamed(candidates)];
    const staying = new Map<string, Chosen>();
    let sum = 0;
    for (const isNamed of [false, true]) {
      for (const part of candidates) {
        if (sum >= bytes) break;
        if (unnamed.has(keyOf(part)) === isNamed) continue;
        const isKept = kept.size > 0 && store.cache.chunksOf(part).some((hash) => kept.has(hash));
        addPart(isKept ? staying : packs, part);
        tried.add(keyOf(part));
        if (!isKept) sum += part.bytes;
      }
    }
    for (const { pack, parts } of dryRun ? [] : staying.values())
      store.sparse.keep(
        pack,
        parts.map(({ offset }) => offset),
      );
    return { packs, uncopied };
  }

  async #askCopies(): Promise<PackCopies> {
    const nowMs = this.#box.context.clock.nowMs();
    if (this.#copies === undefined || nowMs >= this.#copies.untilMs)
      this.#copies = { untilMs: nowMs + copiesMs, said: await askCopies(this.#box, { countsWebServers: true }) };
    return this.#copies.said;
  }

  async #keptChunks(): Promise<HashSet> {
    const { state } = this.#box;
    const marks = state.value(marksKey);
    const seen = state.remoteHeads().map(({ commit }) => toHex(commit));
    const key = [isUnreal(this.#box), marks === undefined ? "" : toHex(marks), this.#names(), ...seen.sort()].join();
    if (this.#kept?.key !== key) {
      const chunks = await realChunks(this.#box);
      await addRuleChunks(this.#box, chunks);
      await addUnpushedChunks(this.#box, chunks);
      this.#kept = { key, chunks };
    }
    return this.#kept.chunks;
  }

  /** The parts in which there is nothing that a tree names; those that have come since this was last looked for are not among them. */
  async #findUnnamed(parts: readonly CachedPart[]): Promise<ReadonlySet<string>> {
    const retention = this.#box.state.value("retention");
    const key = `${this.#names()} ${retention === undefined ? "" : toHex(retention)}`;
    if (this.#unnamed?.key === key) return this.#unnamed.parts;
    const box = this.#box;
    const unnamed = new Set<string>();
    try {
      const { signal } = box.context;
      const options = { isTrimmed: true, isForgotten: forgottenIn(box), signal };
      const { chunks } = await markLiveInTurns(box.commits, namedCommits(box), options);
      const turns = new Turns(signal);
      for (const part of parts) {
        await turns.step();
        if (!box.store.cache.chunksOf(part).some((hash) => chunks.has(hash))) unnamed.add(keyOf(part));
      }
    } catch (thrown) {
      // Of a damaged history it is not known: only the order depends on it.
      if (!isKind(thrown, "corrupt") && !isKind(thrown, "not-found")) throw thrown;
    }
    this.#unnamed = { key, parts: unnamed };
    return unnamed;
  }

  #names(): string {
    return namedCommits(this.#box).map(toHex).sort().join();
  }
}

/** What packs that are known here say is in them, of those that are wanted. */
function chunksOfPacks({ store }: OpenBox, isWanted: (place: { readonly pack: Hash }) => boolean): HashSet {
  const chunks = new HashSet();
  for (const { name, class: packClass } of store.packs()) {
    if (packClass !== "content" || !isWanted({ pack: name })) continue;
    const directory = store.sparse.directory(name);
    for (let object = 0; object < directory.objects; object += 1) chunks.add(directoryHash(directory, object));
  }
  return chunks;
}

interface Chosen {
  readonly pack: CachedPart["pack"];
  readonly parts: CachedPart[];
}

function addPart(packs: Map<string, Chosen>, part: CachedPart): void {
  const key = toHex(part.pack);
  const chosen = packs.get(key) ?? { pack: part.pack, parts: [] };
  packs.set(key, chosen);
  chosen.parts.push(part);
}

function keyOf({ pack, offset }: CachedPart): string {
  return `${toHex(pack)} ${offset}`;
}
