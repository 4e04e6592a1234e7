/**
 * Push: brings to a remote what it lacks, then says so in this box's heads: one for each of its branches.
 *
 * The order is the safety: packs, then the index file that lists them, then the heads, each durable before the next. A push that
 * is cut off leaves packs that nobody needs yet, and the next one finds them by name and size. There are no locks: every
 * writer replaces its own head only, and everything else has a name that nobody else will give to other bytes. The head of a
 * branch that was deleted here is removed.
 *
 * Packs that a prune has condemned count as not there. `condemned/` is read before, between index and head, and after the head;
 * when there are more in it by then, all is done again. What a condemned pack has and this box keeps is sent under another name.
 */
import { equalBytes, fromHex, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  encodeHead,
  type Hash,
  type Head,
  hashBytes,
  headName,
  type PackInfo,
  type Sign,
  sealBlob,
  type WriterId,
  writerHex,
} from "../format/mod.ts";
import { CommitReader } from "../history/mod.ts";
import type { BlobInfo } from "../remote/mod.ts";
import type { IsLive } from "../store/mod.ts";
import { BoxOnRemote, packName, packPrefix, type SignedHead } from "./box-on-remote.ts";
import { findCovered, readObjects, readRemoved } from "./covered-packs.ts";
import { markKept } from "./kept-objects.ts";
import { knownPacks } from "./known-packs.ts";
import { hasTags, joinTags, mayReplace } from "./own-head.ts";
import { forEachParallel } from "./parallel.ts";
import { type PruneRules, pruneRules } from "./prune-rules.ts";
import { isToBeMerged, putIndexFile, type RemoteIndex, readRemoteIndex, removeReplaced } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import { publishRetention } from "./retentions.ts";
import { type SyncOptions, type SyncStore, transfersDefault } from "./sync-options.ts";
import { Unsettled } from "./unsettled.ts";

export interface PushOptions extends SyncOptions {
  readonly sign: Sign;
  /** This device's public key and what it is called. */
  readonly peer: Uint8Array;
  readonly peerName: string;
  /** Of a remote that is being made: packs are sent meanwhile, and all else when this has resolved (`beginRemote`). */
  readonly made?: Promise<unknown>;
  /** For tests. */
  readonly rules?: Partial<PruneRules>;
}

export interface PushResult {
  /** "empty": there is no commit yet. */
  readonly outcome: "pushed" | "up-to-date" | "empty";
  /** What the head of the branch at hand says now. */
  readonly commit?: Hash;
  /** Packs that were sent, and their bytes. */
  readonly packs: number;
  readonly bytes: number;
  /** Whether it was looked at which packs are there. */
  readonly isListed: boolean;
}

/** A merged file beyond this would be slow to write anew each time. */
const mergedPacksMax = 200_000;
/** How often a push begins again because something has moved under it: gc here, prune there, a commit. */
const roundsMax = 10;

/** A head to be written, and what it replaces. */
interface NewHead {
  readonly head: Head;
  readonly before: SignedHead | undefined;
}

/**
 * Pushes the box's heads with all that they need, and its tags. The remote must have been made (`initRemote`), or be about to be.
 * @throws OuroError "not-found" (no box there, or content that is not here either), "invalid" (another box), "diverged" (the remote
 * knows commits of this writer that the box does not), "offline", "no-space", "permission", "aborted", ….
 */
export async function push(options: PushOptions): Promise<PushResult> {
  const box = new BoxOnRemote(options.remote, options.secrets, options.verify, options);
  if (options.made === undefined) await box.checkIdentity();
  const pushing = new Pushing(box, options);
  try {
    for (let round = 1; ; round += 1) {
      const result = await pushing.round(round === roundsMax);
      await options.made;
      if (result !== "again") return result;
    }
  } finally {
    // The caller may close the remote now.
    if (options.made !== undefined) await Promise.allSettled([options.made]);
  }
}

class Pushing {
  readonly #box: BoxOnRemote;
  readonly #options: PushOptions;
  readonly #memory: RemoteMemory;
  readonly #commits: CommitReader;
  readonly #rules: PruneRules;
  readonly #unsettled: Unsettled;
  /** The last round did not end well: this one looks at everything, even if the head says so already. */
  #mustCheck: boolean;
  /** The sizes of the heads that were written, by writer. */
  readonly #written = new Map<WriterId, number>();
  #sentPacks = 0;
  #sentBytes = 0;
  #isListed = false;

  constructor(box: BoxOnRemote, options: PushOptions) {
    const { store, state, secrets, verify, remote } = options;
    this.#box = box;
    this.#options = options;
    this.#memory = RemoteMemory.load(state, remote.url);
    this.#commits = new CommitReader(store, { hasher: store.hasher, box: secrets.box, verify });
    this.#rules = { ...pruneRules, ...options.rules };
    this.#unsettled = new Unsettled(state, remote.url);
    this.#mustCheck = this.#unsettled.isSet && this.#rules.remembersUnsettled;
  }

  async round(isLast: boolean): Promise<PushResult | "again"> {
    const own = this.#makeHeads();
    const [current] = own;
    if (current === undefined) return this.#result("empty");
    const news = await this.#findNews(own);
    if (news.length === 0 && !this.#mustCheck && !this.#hasMadeOthers()) {
      const hasRemoved = await this.#removeDeleted();
      return this.#result(this.#sentPacks > 0 || hasRemoved ? "pushed" : "up-to-date", current.commit);
    }
    try {
      const moved = await this.#bring(news);
      this.#mustCheck = moved !== undefined;
      if (moved === undefined) await this.#removeDeleted();
      const isNewest = equalBytes(this.#options.state.head()?.commit ?? current.commit, current.commit);
      if (moved === undefined && (isNewest || isLast)) return this.#result("pushed", current.commit);
      if (moved === undefined || !isLast) return "again";
      throw new OuroError("stale", `Cannot push to ${this.#options.remote.url}: ${moved}`, {
        hint: "Run the push again.",
      });
    } finally {
      this.#memory.save(this.#options.state, this.#options.remote.url);
    }
  }

  #result(outcome: PushResult["outcome"], commit?: Hash): PushResult {
    const [packs, bytes, isListed] = [this.#sentPacks, this.#sentBytes, this.#isListed];
    return { outcome, packs, bytes, isListed, ...(commit === undefined ? {} : { commit }) };
  }

  /** That of the branch at hand first. */
  #makeHeads(): Head[] {
    const { state, peer, peerName } = this.#options;
    const tags = state.tags();
    return [state.head(), ...state.branches()].flatMap((own) => {
      if (own?.commit === undefined) return [];
      const { writer, branch, commit, last } = own;
      return [{ writer, branch, commit, ...(last === undefined ? {} : { last }), peer, peerName, tags }];
    });
  }

  /** Of the own heads those that say what the remote does not know. */
  async #findNews(own: readonly Head[]): Promise<NewHead[]> {
    const news: NewHead[] = [];
    for (const each of own) {
      const before = await this.#findOwnHead(each);
      const head = before === undefined ? each : { ...each, tags: joinTags(each.tags, before.head.tags) };
      const isNews =
        before === undefined ? !(await this.#isKnownByOthers(head)) : mayReplace(head, before.head, this.#commits);
      if (isNews || this.#mustCheck) news.push({ head, before });
      else if (before !== undefined) this.#noteHead(before);
    }
    return news;
  }

  /** What was there already, as in a copy of another remote, is known to be there from now on. */
  #noteHead({ head, raw }: SignedHead): void {
    const { state, remoteName, store } = this.#options;
    const known = state.remoteHeads(remoteName).find(({ writer }) => writer === head.writer);
    if (known !== undefined && equalBytes(known.commit, head.commit)) return;
    if (store.hasMeta(head.commit))
      state.setRemoteHead({ remote: remoteName, writer: head.writer, commit: head.commit, raw });
  }

  /**
   * Whether what was pushed is in packs here by now of which the remote knows nothing, as after a collection of garbage: until they are sent, or found to be repetitions,
   * nothing in them can be given up here.
   */
  #hasMadeOthers(): boolean {
    const { shared, covered } = this.#memory;
    const { packs } = knownPacks(this.#options.state, this.#options.remote.url);
    const isKnown = (name: string): boolean => packs.has(name) || shared.has(name) || covered.has(name);
    const others = this.#options.store.packs().filter(({ name }) => !isKnown(toHex(name)));
    return others.length > 0 && others.every(({ complete }) => complete);
  }

  /** Removes the heads of branches that were deleted here. @returns Whether there were any. */
  async #removeDeleted(): Promise<boolean> {
    const { state, remote, remoteName, signal } = this.#options;
    const seen = new Set(state.remoteHeads(remoteName).map(({ writer }) => writer));
    const deleted = state.branches().filter(({ commit, writer }) => commit === undefined && seen.has(writer));
    for (const { writer } of deleted) {
      await remote.remove(headName(writer), signal === undefined ? {} : { signal });
      state.deleteRemoteHeads(remoteName, writer);
      this.#memory.heads.delete(writerHex(writer));
    }
    if (deleted.length > 0) this.#memory.save(state, remote.url);
    return deleted.length > 0;
  }

  async #findOwnHead({ writer }: Head): Promise<SignedHead | undefined> {
    try {
      return await this.#box.readHead(writer);
    } catch (thrown) {
      if (isKind(thrown, "not-found")) return undefined;
      throw thrown;
    }
  }

  /** A writer that has written nothing itself says nothing that other heads say already. */
  async #isKnownByOthers(head: Head): Promise<boolean> {
    if (head.last !== undefined) return false;
    const { state, remoteName } = this.#options;
    const candidates = state.remoteHeads(remoteName).filter(({ commit }) => equalBytes(commit, head.commit));
    for (const { writer } of candidates) {
      try {
        const other = await this.#box.readHead(writer);
        const isSame = equalBytes(other.head.commit, head.commit) && other.head.branch === head.branch;
        if (isSame && hasTags(other.head, head.tags)) return true;
      } catch (thrown) {
        if (!isKind(thrown, "not-found") && !isKind(thrown, "corrupt")) throw thrown;
      }
    }
    return false;
  }

  /** @returns What has moved meanwhile, so that it must be done again; undefined when it is done. */
  async #bring(heads: readonly NewHead[]): Promise<string | undefined> {
    // All at once, as each is a round trip: what is condemned stays listed so, also when it is gone, and what came meanwhile is only sent again.
    const [listed, index, present] = await Promise.all([
      this.#readCondemned(),
      readRemoteIndex(this.#box, this.#memory),
      this.#box.listHashes(packPrefix),
    ]);
    const condemned = this.#rules.avoidsCondemned ? listed : new Set<string>();
    this.#isListed = true;
    const there = packsThere(index, present, condemned);
    // The heads were read before the packs: all that they need is in them.
    const here = this.#options.store.packs();
    for (const pack of here) if (there.has(toHex(pack.name))) this.#memory.noteShared(pack);
    try {
      const lacking = here.filter(({ name }) => !there.has(toHex(name)));
      await findCovered(lacking, there, this.#memory, this.#options);
      const needed = await this.#chooseNeeded(lacking, there, condemned);
      if (needed === undefined) return "its packs were packed anew";
      requireComplete(needed);
      await this.#sendPacks(needed.filter((pack) => !isPresent(pack, present) || condemned.has(toHex(pack.name))));
      await this.#options.made;
      await this.#sendIndex(needed, index);
    } catch (thrown) {
      // A collection of garbage has moved objects to other packs since they were listed.
      if (isKind(thrown, "not-found") && hasLostPack(here, this.#options.store))
        return "its packs were collected meanwhile";
      throw thrown;
    }
    for (const pack of here) this.#memory.noteShared(pack);
    for (const name of this.#memory.covered) this.#memory.shared.delete(name);
    if (await this.#hasCondemned(listed)) return "packs there were condemned meanwhile";
    await publishRetention(this.#options, this.#memory, this.#writers());
    this.#unsettled.set(this.#options.random);
    for (const { head, before } of heads) {
      if (!isSameRaw(await this.#findOwnHead(head), before))
        return `head ${writerHex(head.writer)} was written by another process`;
      await this.#sendHead(head);
    }
    const [isCondemned] = await Promise.all([
      this.#hasCondemned(listed),
      ...heads.map(({ head }) => this.#noteTag(head.writer)),
    ]);
    if (isCondemned) return "packs there were condemned meanwhile";
    this.#unsettled.clear();
    await removeReplaced(this.#options, index);
    return undefined;
  }

  #writers(): Set<bigint> {
    return new Set(this.#makeHeads().map(({ writer }) => writer));
  }

  #readCondemned(): Promise<Set<string>> {
    return this.#box.readCondemned(this.#memory.condemned);
  }

  async #hasCondemned(before: ReadonlySet<string>): Promise<boolean> {
    if (!this.#rules.looksAgain) return false;
    return [...(await this.#readCondemned())].some((name) => !before.has(name));
  }

  /**
   * Of the packs that the remote lacks those to be sent. One that it had and has no more was deleted there by a prune, and is sent only if something is in it that
   * this box keeps. One that is condemned is packed anew: a name that was condemned is not given again, as a deletion may be late.
   * @returns Undefined when packs were packed anew: then the packs here are others now.
   */
  async #chooseNeeded<P extends PackInfo & { readonly complete: boolean }>(
    lacking: readonly P[],
    there: ReadonlyMap<string, PackInfo>,
    condemned: ReadonlySet<string>,
  ): Promise<P[] | undefined> {
    const { covered, shared } = this.#memory;
    const uncovered = lacking.filter(({ name }) => !covered.has(toHex(name)));
    const isDoubtful = ({ name }: P): boolean => condemned.has(toHex(name)) || shared.has(toHex(name));
    const doubtful = uncovered.filter(isDoubtful);
    if (doubtful.length === 0) return uncovered;
    const { store, signal } = this.#options;
    const kept = await markKept(this.#options);
    const removed = await readRemoved(doubtful, there, this.#memory, this.#options);
    const live: IsLive = {
      isLiveMeta: (hash) => kept.isLiveMeta(hash) && removed?.meta.has(hash) !== true,
      isLiveChunk: (hash) => kept.isLiveChunk(hash) && removed?.content.has(hash) !== true,
      ...(signal === undefined ? {} : { signal }),
    };
    const names = doubtful.filter(({ complete }) => complete).map(({ name }) => name);
    const needed = store.repacking.findNeeded(names, live, (name) => there.has(toHex(name)));
    const renamed = names.filter((name) => needed.names.has(toHex(name)) && condemned.has(toHex(name)));
    if (renamed.length > 0 && this.#rules.givesNewNames) {
      await store.repacking.renew(renamed, needed.live);
      return undefined;
    }
    const parts = doubtful.filter(({ complete }) => !complete).map(({ name }) => name);
    const lacked = await this.#findLacked(parts, live, there);
    const isNeeded = (name: string): boolean => needed.names.has(name) || lacked.has(name);
    return uncovered.filter((pack) => !isDoubtful(pack) || isNeeded(toHex(pack.name)));
  }

  /** Of packs of which only a part is here, so that they cannot be sent, those with something that is kept and that no pack there lists. */
  async #findLacked(
    parts: readonly Hash[],
    live: IsLive,
    there: ReadonlyMap<string, PackInfo>,
  ): Promise<ReadonlySet<string>> {
    const { repacking } = this.#options.store;
    const kept = parts.length === 0 ? new Set<string>() : repacking.findNeeded(parts, live, () => false).names;
    if (kept.size === 0) return kept;
    const objects = await readObjects([...there.values()], this.#options);
    const isElsewhere = (packClass: "content" | "meta", hash: Hash): boolean => objects?.[packClass].has(hash) === true;
    const left: IsLive = {
      ...live,
      isLiveMeta: (hash) => live.isLiveMeta(hash) && !isElsewhere("meta", hash),
      isLiveChunk: (hash) => live.isLiveChunk(hash) && !isElsewhere("content", hash),
    };
    return repacking.findNeeded(parts, left, () => false).names;
  }

  async #sendPacks(packs: readonly PackInfo[]): Promise<void> {
    if (packs.length === 0) return;
    const { remote, store, signal, progress, transfers = transfersDefault } = this.#options;
    const bytes = packs.reduce((sum, { size }) => sum + size, 0);
    progress?.phase("Pushing packs", { files: packs.length, bytes });
    // The largest first: so the last to end are small.
    const ordered = [...packs].sort((a, b) => b.size - a.size);
    await forEachParallel(ordered, transfers, async ({ name, size }) => {
      // Another process must not give up a part of it meanwhile.
      using held = store.sparse.hold(name);
      if (held === undefined) throw notWhole(1, name);
      await remote.put(
        packName(name),
        { path: store.packPath(name), size },
        { onBytes: (count) => progress?.add(0, count), ...(signal === undefined ? {} : { signal }) },
      );
      progress?.add(1, 0);
      this.#sentPacks += 1;
      this.#sentBytes += size;
    });
  }

  /** Lists what is new; and all that others list, too, when there are too many index files. */
  async #sendIndex(added: readonly PackInfo[], index: RemoteIndex): Promise<void> {
    const isMerged = isToBeMerged(index) && index.packs.size + added.length <= mergedPacksMax;
    if (added.length === 0) return;
    const packs = new Map(isMerged ? index.packs : []);
    for (const { name, class: packClass, size, directorySize, objects } of added) {
      packs.set(toHex(name), { name, class: packClass, size, directorySize, objects });
    }
    const replaces = isMerged ? [...index.files.keys()].map((name) => fromHex(name, hashBytes)) : [];
    await putIndexFile(this.#options, this.#memory, { packs: [...packs.values()], replaces });
  }

  async #sendHead(head: Head): Promise<void> {
    const { remote, remoteName, secrets, state, sign, random, signal } = this.#options;
    const blob = sealBlob(secrets, "head", encodeHead(head, secrets.box, sign), random);
    const [name, options] = [headName(head.writer), signal === undefined ? {} : { signal }];
    await remote.put(name, blob, options);
    state.setRemoteHead({ remote: remoteName, writer: head.writer, commit: head.commit, raw: blob });
    this.#written.set(head.writer, blob.length);
  }

  /** So that the next fetch need not read what this one wrote. */
  async #noteTag(writer: WriterId): Promise<void> {
    const { remote, signal } = this.#options;
    const info = await remote.stat(headName(writer), signal === undefined ? {} : { signal });
    if (info?.tag !== undefined && info.size === this.#written.get(writer)) {
      this.#memory.heads.set(writerHex(writer), { tag: info.tag, size: info.size });
    }
  }
}

/** The packs that can be counted on: listed in the index, there in full, and not condemned. */
function packsThere(
  index: RemoteIndex,
  present: ReadonlyMap<string, BlobInfo>,
  condemned: ReadonlySet<string>,
): Map<string, PackInfo> {
  return new Map([...index.packs].filter(([name, pack]) => isPresent(pack, present) && !condemned.has(name)));
}

function isPresent(pack: PackInfo, present: ReadonlyMap<string, BlobInfo>): boolean {
  return present.get(toHex(pack.name))?.size === pack.size;
}

/** @throws OuroError "not-found" for packs of which only a part is here: they cannot be sent. */
function requireComplete(packs: readonly { readonly name: Hash; readonly complete: boolean }[]): void {
  const sparse = packs.filter(({ complete }) => !complete);
  if (sparse[0] !== undefined) throw notWhole(sparse.length, sparse[0].name);
}

function notWhole(count: number, first: Hash): OuroError {
  return new OuroError("not-found", `Cannot push: of ${count} packs that the remote lacks only a part is here`, {
    subject: toHex(first),
    hint: "Fetch their content from a remote that has it first.",
  });
}

function hasLostPack(packs: readonly { readonly name: Hash }[], store: SyncStore): boolean {
  const now = new Set(store.packs().map(({ name }) => toHex(name)));
  return packs.some(({ name }) => !now.has(toHex(name)));
}

function isSameRaw(a: SignedHead | undefined, b: SignedHead | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a.raw, b.raw);
}
