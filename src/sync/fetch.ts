/**
 * Fetch: brings here what a remote has, and takes in the heads that are whole.
 *
 * Heads are listed first, index files after them: a pusher writes packs, then index, then head, so every pack that a listed head
 * needs is in an index file listed afterwards. A head of which something is missing is kept out and tried again by the
 * next fetch: missing is "not yet", never empty. When no head has changed, the one listing is all that happens.
 *
 * The box's own head is not moved: that is for pull. Which packs are brought: all metadata, and content as asked.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import { clockMax } from "../base/clock.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  compareEvents,
  decodeHead,
  fullVector,
  type Hash,
  type Head,
  openBlob,
  type PackInfo,
  type VersionVector,
  writerHex,
} from "../format/mod.ts";
import { CommitReader, type RemoteHead } from "../history/mod.ts";
import type { BlobInfo } from "../remote/mod.ts";
import type { Adoption } from "../store/mod.ts";
import { BoxOnRemote, type SignedHead } from "./box-on-remote.ts";
import { ChunkLists } from "./chunk-list.ts";
import { Completeness, includes, joinAll } from "./completeness.ts";
import { FetchedPacks, fetchPacks } from "./fetch-packs.ts";
import { forEachParallel } from "./parallel.ts";
import { removeParts } from "./part-file.ts";
import { isDamage, readRemoteIndex } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import { noteForgotten, readRetentions } from "./retentions.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

export interface FetchOptions extends SyncOptions {
  /** Whether file contents are brought, too; "all" by default. */
  readonly content?: "all" | "none";
  /** Whether a head's signer may write to this box; everyone who has the box key by default. */
  readonly isTrusted?: (head: Head) => boolean;
  /** Tags that are dated later are not taken over; all are by default. */
  readonly latestClock?: bigint;
}

/** A head that was not taken in. */
export interface KeptOut {
  /** In hex. */
  readonly writer: string;
  /** "missing": something it needs is not there (yet). "older": it is behind what was there before. */
  readonly reason: "missing" | "damaged" | "forked" | "older" | "untrusted";
  readonly error: OuroError;
  /** What it says, where that could be read. What is here of that commit can be looked at by its id. */
  readonly commit?: Hash;
}

export interface FetchResult {
  /** The heads that are new or have moved, now taken in. */
  readonly heads: readonly Head[];
  readonly keptOut: readonly KeptOut[];
  /** Packs that are listed but could not be had, with the reason; by name in hex. */
  readonly failedPacks: ReadonlyMap<string, OuroError>;
  /** Index files that could not be read. */
  readonly damaged: readonly OuroError[];
  readonly packs: number;
  /** Bytes of the packs that came. */
  readonly bytes: number;
  /** Names of tags that are dated too late. */
  readonly lateTags: readonly string[];
  /** Whether it was looked at which packs are listed there. */
  readonly isListed: boolean;
}

const nothingNew: FetchResult = {
  heads: [],
  keptOut: [],
  failedPacks: new Map(),
  damaged: [],
  packs: 0,
  bytes: 0,
  lateTags: [],
  isListed: false,
};

/**
 * Brings what is new. What has arrived stays when it fails, and the next fetch goes on from there.
 * @throws OuroError "not-found" (no box there), "wrong-key" or "invalid" (another box), "offline", "no-space", "aborted", ….
 */
export async function fetch(options: FetchOptions): Promise<FetchResult> {
  const { remote, secrets, state } = options;
  const box = new BoxOnRemote(remote, secrets, options.verify, options);
  const memory = RemoteMemory.load(state, remote.url);
  const listed = await box.listHeads();
  if (listed.size === 0) await box.checkIdentity();
  const unread = [...listed].filter(([writer, info]) => !isKnown(memory, writer, info)).map(([writer]) => writer);
  const isGone = [...memory.heads.keys()].some((writer) => !listed.has(writer));
  if (unread.length === 0 && !isGone) return nothingNew;
  using aside = options.store.openSpill();
  const chunks = new ChunkLists(aside);
  return await new Fetching({ box, memory, listed, chunks }, options).run(unread);
}

function isKnown(memory: RemoteMemory, writer: string, info: BlobInfo): boolean {
  const known = memory.heads.get(writer);
  return known !== undefined && known.tag === info.tag && known.size === info.size;
}

interface Begun {
  readonly box: BoxOnRemote;
  readonly memory: RemoteMemory;
  /** The heads that are there, by writer. */
  readonly listed: ReadonlyMap<string, BlobInfo>;
  /** For which packs are to come. */
  readonly chunks: ChunkLists;
}

/** One fetch that has something to look at. */
class Fetching {
  readonly #box: BoxOnRemote;
  readonly #memory: RemoteMemory;
  readonly #listed: ReadonlyMap<string, BlobInfo>;
  readonly #options: FetchOptions;
  readonly #commits: CommitReader;
  readonly #keptOut: KeptOut[] = [];
  readonly #chunks: ChunkLists;
  readonly #packs: FetchedPacks;
  readonly #lateTags = new Set<string>();

  constructor({ box, memory, listed, chunks }: Begun, options: FetchOptions) {
    this.#box = box;
    this.#memory = memory;
    this.#listed = listed;
    this.#chunks = chunks;
    this.#packs = new FetchedPacks(chunks);
    this.#options = options;
    const { store, secrets, verify } = options;
    this.#commits = new CommitReader(store, { hasher: store.hasher, box: secrets.box, verify });
  }

  async run(unread: readonly string[]): Promise<FetchResult> {
    const { store, disk, remote, state } = this.#options;
    const heads = await this.#readHeads(unread);
    // Before the index: what replaces a condemned pack is in it then.
    const condemned = await this.#readCondemned();
    const index = await readRemoteIndex(this.#box, this.#memory);
    const here = new Set(store.packs().map(({ name }) => toHex(name)));
    for (const pack of store.packs()) if (index.packs.has(toHex(pack.name))) this.#memory.noteShared(pack);
    const missing = [...index.packs].filter(([name]) => !here.has(name));
    // A pack that was here and was removed here holds nothing that this box needs, as far as it knew then; one that is condemned, nothing that anybody does.
    const isNeedless = (name: string): boolean => this.#memory.shared.has(name) || condemned.has(name);
    const wanted = missing.filter(([name]) => !isNeedless(name)).map(([, pack]) => pack);
    const removed = missing.filter(([name]) => isNeedless(name)).map(([, pack]) => pack);
    try {
      const taken = await this.#takeAll(heads, wanted, removed);
      await this.#forgiveDeleted();
      await this.#noteForgotten(taken);
      removeParts(disk, store.temporaryFolder);
      const moved = this.#record(taken);
      return {
        heads: moved,
        keptOut: this.#keptOut,
        failedPacks: this.#packs.failed,
        damaged: index.damaged,
        packs: this.#packs.arrived.size,
        bytes: this.#packs.bytes,
        lateTags: [...this.#lateTags],
        isListed: true,
      };
    } finally {
      for (const pack of store.packs()) if (this.#packs.arrived.has(toHex(pack.name))) this.#memory.noteShared(pack);
      this.#memory.save(state, remote.url);
    }
  }

  /** A list that is damaged is in the way of those who write; for a fetch the lists only save work. */
  async #readCondemned(): Promise<Set<string>> {
    try {
      return await this.#box.readCondemned(this.#memory.condemned);
    } catch (thrown) {
      if (!isDamage(thrown)) throw thrown;
      return new Set();
    }
  }

  /** A pack that was listed and is gone may have been deleted by a prune, which has named it before. */
  async #forgiveDeleted(): Promise<void> {
    const { failed } = this.#packs;
    const gone = [...failed].filter(([, error]) => isKind(error, "not-found")).map(([name]) => name);
    if (gone.length === 0) return;
    const condemned = await this.#readCondemned();
    for (const name of gone) if (condemned.has(name)) failed.delete(name);
  }

  /** After all packs have come: what has been deleted by then is said to be forgotten by then. */
  async #noteForgotten(taken: readonly SignedHead[]): Promise<void> {
    if (taken.length === 0) return;
    const { state, remoteName } = this.#options;
    const others = state.remoteHeads(remoteName).filter(({ writer }) => this.#listed.has(writerHex(writer)));
    const writers = new Set(taken.map(({ head }) => head.writer));
    const heads = [
      ...taken.map(({ head }) => head),
      ...others.filter(({ writer }) => !writers.has(writer)).map((each) => this.#openHead(each)),
    ];
    const keeping = await readRetentions(
      this.#box,
      heads.flatMap((head) => {
        const vector = this.#vectorOf(head.commit);
        return vector === undefined ? [] : [{ head, vector }];
      }),
    );
    if (keeping.every(({ keeps }) => keeps === undefined)) return;
    const known = joinAll(this.#knownCommits().vectors);
    noteForgotten(this.#options, this.#commits, { known, heads: keeping, taken: taken.map(({ head }) => head) });
  }

  #openHead({ writer, raw }: RemoteHead): Head {
    const { secrets, verify } = this.#options;
    const what = `the head of ${writerHex(writer)}`;
    return decodeHead(openBlob(secrets, "head", raw, what), secrets.box, verify, what);
  }

  /** The heads that can be read; the others are kept out. */
  async #readHeads(writers: readonly string[]): Promise<SignedHead[]> {
    const { transfers = transfersDefault, isTrusted } = this.#options;
    const heads: SignedHead[] = [];
    await forEachParallel(writers, transfers, async (writer) => {
      try {
        const signed = await this.#box.readHead(BigInt(`0x${writer}`));
        if (isTrusted === undefined || isTrusted(signed.head)) heads.push(signed);
        else this.#keepOut(writer, "untrusted", untrusted(signed.head));
      } catch (thrown) {
        if (isKind(thrown, "not-found")) this.#keepOut(writer, "missing", thrown);
        else if (isDamage(thrown)) this.#keepOut(writer, "damaged", thrown);
        else throw thrown;
      }
    });
    // Of one writer's heads none depends on another's; a fixed order makes a fetch repeatable.
    return heads.sort((a, b) => (a.head.writer < b.head.writer ? -1 : 1));
  }

  #keepOut(writer: string, reason: KeptOut["reason"], error: OuroError, commit?: Hash): void {
    this.#keptOut.push({ writer, reason, error, ...(commit === undefined ? {} : { commit }) });
  }

  /** Brings packs and checks the heads. @returns Those that are whole. */
  async #takeAll(
    heads: readonly SignedHead[],
    wanted: readonly PackInfo[],
    removed: readonly PackInfo[],
  ): Promise<SignedHead[]> {
    const { store, workers = 0, signal } = this.#options;
    const isSparse = this.#options.content === "none";
    const content = isSparse ? [] : wanted.filter((pack) => pack.class === "content");
    const meta = wanted.filter((pack) => pack.class === "meta");
    await using adoption = store.openAdoption({ workers, contentBytes: sizeOf(content) });
    await this.#bring("Fetching metadata", meta, adoption);
    const chunks = this.#chunks;
    // The check needs metadata only, and goes on while content is on its way.
    const [brought, checked] = await Promise.allSettled([
      this.#bring("Fetching content", content, adoption),
      this.#check(heads, isSparse ? undefined : (hash) => chunks.addNeeded(hash)),
    ]);
    if (brought.status === "rejected") throw brought.reason;
    if (checked.status === "rejected") throw checked.reason;
    const { whole, missing } = checked.value;
    const isHere = (hash: Hash): boolean => store.knowsChunk(hash);
    if (missing.length === 0 && (await chunks.hasAll(isHere, signal))) return whole;
    return await this.#takeCarefully(heads, removed, isSparse, adoption);
  }

  /** As something is not there, each head is asked for what it needs; and what was removed here is brought back if need be. */
  async #takeCarefully(
    heads: readonly SignedHead[],
    removed: readonly PackInfo[],
    isSparse: boolean,
    adoption: Adoption,
  ): Promise<SignedHead[]> {
    const out = new Set(this.#keptOut.map(({ writer }) => writer));
    const tried = heads.filter(({ head }) => !out.has(writerHex(head.writer)));
    const requireChunk = (hash: Hash): void => {
      if (!this.#options.store.knowsChunk(hash)) throw missingChunk(hash);
    };
    const onChunk = isSparse ? undefined : requireChunk;
    let result = await this.#check(tried, onChunk);
    if (result.missing.length > 0 && removed.length > 0) {
      const again = isSparse ? removed.filter((pack) => pack.class === "meta") : removed;
      await this.#bring("Fetching packs again", again, adoption);
      result = await this.#check(tried, onChunk);
    }
    this.#keptOut.push(...result.missing);
    return result.whole;
  }

  async #bring(phase: string, packs: readonly PackInfo[], adoption: Adoption): Promise<void> {
    if (packs.length === 0) return;
    this.#options.progress?.phase(phase, { files: packs.length, bytes: sizeOf(packs) });
    await fetchPacks(packs, this.#options, adoption, this.#packs);
  }

  /** Heads that are wrong are kept out for good; those of which something is missing are given back. */
  async #check(
    heads: readonly SignedHead[],
    onChunk: ((hash: Hash) => void) | undefined,
  ): Promise<{ readonly whole: SignedHead[]; readonly missing: KeptOut[] }> {
    const { store, secrets, signal } = this.#options;
    const bases = this.#knownCommits();
    const known = joinAll(bases.vectors);
    const completeness = new Completeness({
      store,
      commits: this.#commits,
      known,
      isOnePeer: secrets.suite === "plain",
      own: this.#ownWriters(),
      ...(onChunk === undefined ? {} : { onChunk }),
      ...(signal === undefined ? {} : { signal }),
    });
    const whole: SignedHead[] = [];
    const missing: KeptOut[] = [];
    let base = bases.newest;
    for (const signed of heads) {
      const writer = writerHex(signed.head.writer);
      const { commit } = signed.head;
      try {
        await completeness.check(signed.head, bases.byWriter.get(writer) ?? base);
        this.#requireProgress(signed.head);
        base = signed.head.commit;
        whole.push(signed);
      } catch (error) {
        if (isKind(error, "not-found")) missing.push({ writer, reason: "missing", error, commit });
        else if (isKind(error, "corrupt")) this.#keepOut(writer, "damaged", error, commit);
        else if (isKind(error, "diverged")) this.#keepOut(writer, "forked", error, commit);
        else if (isKind(error, "stale")) this.#keepOut(writer, "older", error, commit);
        else throw error;
      }
    }
    return { whole, missing };
  }

  /** A head never goes back: an older one is what a storage that lost something shows, or one that lies. */
  #requireProgress({ writer, commit }: Head): void {
    const { state, remoteName } = this.#options;
    const before = state.remoteHeads(remoteName).find((head) => head.writer === writer);
    const [now, then] = [fullVector(this.#commits.read(commit)), before && this.#vectorOf(before.commit)];
    if (then === undefined || includes(now, then)) return;
    throw new OuroError("stale", `Cannot take head ${writerHex(writer)}: it is older than what was there before`, {
      hint: "The remote was restored from a backup, or does not tell the truth. Push to bring it up to date.",
    });
  }

  /** What is known to be whole: this box's own head, and the heads taken in before. */
  #knownCommits(): { vectors: VersionVector[]; byWriter: Map<string, Hash>; newest: Hash | undefined } {
    const { state } = this.#options;
    const own = state.head();
    const seen = state.remoteHeads();
    const byWriter = new Map(seen.map(({ writer, commit }) => [writerHex(writer), commit]));
    const commits = [...(own === undefined ? [] : [own.commit]), ...seen.map(({ commit }) => commit)];
    const vectors = commits.map((commit) => this.#vectorOf(commit)).filter((vector) => vector !== undefined);
    return { vectors, byWriter, newest: commits[0] };
  }

  #ownWriters(): ReadonlySet<bigint> {
    const { state } = this.#options;
    return new Set([state.head(), ...state.branches()].flatMap((own) => (own === undefined ? [] : [own.writer])));
  }

  #vectorOf(commit: Hash): VersionVector | undefined {
    try {
      return fullVector(this.#commits.read(commit));
    } catch (thrown) {
      if (isKind(thrown, "not-found") || isKind(thrown, "corrupt")) return undefined;
      throw thrown;
    }
  }

  /** @returns Those that are new or have another commit than before. */
  #record(taken: readonly SignedHead[]): Head[] {
    const { state, remoteName, latestClock = clockMax } = this.#options;
    const before = new Map(state.remoteHeads(remoteName).map(({ writer, commit }) => [writer, commit]));
    const tags = new Map(state.tags().map((tag) => [tag.name, tag]));
    state.transaction(() => {
      for (const { writer } of state.remoteHeads(remoteName)) {
        if (!this.#listed.has(writerHex(writer))) state.deleteRemoteHeads(remoteName, writer);
      }
      for (const { head, raw } of taken) {
        state.setRemoteHead({ remote: remoteName, writer: head.writer, commit: head.commit, raw });
        for (const tag of head.tags) {
          const old = tags.get(tag.name);
          if (old !== undefined && compareEvents(old, tag) >= 0) continue;
          if (tag.clock <= latestClock) state.setTag(tag);
          else this.#lateTags.add(tag.name);
        }
      }
    });
    for (const writer of this.#memory.heads.keys()) if (!this.#listed.has(writer)) this.#memory.heads.delete(writer);
    for (const { head } of taken) this.#remember(writerHex(head.writer));
    return taken
      .map(({ head }) => head)
      .filter(({ writer, commit }) => {
        const old = before.get(writer);
        return old === undefined || !equalBytes(old, commit);
      });
  }

  #remember(writer: string): void {
    const info = this.#listed.get(writer);
    if (info?.tag === undefined) this.#memory.heads.delete(writer);
    else this.#memory.heads.set(writer, { tag: info.tag, size: info.size });
  }
}

function sizeOf(packs: readonly PackInfo[]): number {
  return packs.reduce((sum, { size }) => sum + size, 0);
}

function missingChunk(hash: Hash): OuroError {
  return new OuroError("not-found", `Cannot find chunk ${toHex(hash)}: it is neither here nor in a pack that came`, {
    subject: toHex(hash),
  });
}

function untrusted({ writer, peer, peerName }: Head): OuroError {
  return new OuroError(
    "permission",
    `Cannot take head ${writerHex(writer)}: its peer ${toHex(peer)} ("${peerName}") is not trusted`,
    {
      subject: toHex(peer),
    },
  );
}
