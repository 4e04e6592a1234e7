/**
 * Whether all that a head refers to is here and right, before it is believed: its commits (with their signatures, as far back as
 * what is known) and every node of its tree; the chunks that it needs are told. What is also in a tree that is known to be whole
 * is not looked at again, so a change costs what it changed.
 *
 * Nothing is believed of a remote: a head whose tree has edits that its vector does not cover is refused (doc/merge.md, Commits), and so is
 * one whose writer's chain of events does not pass through what is known of that writer (F2).
 */
import { setImmediate } from "node:timers/promises";
import { equalBytes, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  type Content,
  covers,
  type DirectoryValue,
  type Entry,
  eventBytes,
  findVectorEntry,
  fullVector,
  type Hash,
  type Head,
  joinVectors,
  kinds,
  type LastEvent,
  type NamedCommit,
  type VectorEntry,
  type VersionVector,
  writerHex,
} from "../format/mod.ts";
import { type CommitReader, differingEntries, directoryOf, HashSet, TreeReader } from "../history/mod.ts";
import { type ContentWalk, walkContent } from "./content-walk.ts";
import type { SyncStore } from "./sync-options.ts";

/** How many entries are looked at before others have their turn. */
const entriesAtOnce = 1000;

export interface CompletenessOptions {
  readonly store: SyncStore;
  readonly commits: CommitReader;
  /** What this box has taken in: all of it is here. */
  readonly known: VersionVector;
  /** A writer's events are all of one peer: in a plain box nothing else says who may go on as that writer. */
  readonly isOnePeer: boolean;
  /** Writers of this box: where one has two histories, the other is taken in to be joined. */
  readonly own: ReadonlySet<bigint>;
  /** Called for every chunk that a head needs and its base has not; may be called twice for one. */
  readonly onChunk?: (hash: Hash) => void;
  readonly signal?: AbortSignal;
}

export class Completeness {
  readonly #options: CompletenessOptions;
  readonly #trees: TreeReader;
  /** Top nodes of directories all of which is here. */
  #whole = new HashSet();
  #contentWalk: ContentWalk;
  #left = entriesAtOnce;

  constructor(options: CompletenessOptions) {
    this.#options = options;
    this.#trees = new TreeReader(options.store);
    this.#contentWalk = this.#newContentWalk();
  }

  #newContentWalk(): ContentWalk {
    const { store, onChunk } = this.#options;
    return { getList: (hash) => store.getMeta(hash, "list"), seen: new HashSet(), onChunk };
  }

  /**
   * @param base A commit whose tree is whole, to compare with; chosen for speed only.
   * @throws OuroError "not-found" when something is not here, "corrupt" when something is wrong, "diverged" for a fork.
   */
  async check(head: Head, base: Hash | undefined): Promise<void> {
    const named = this.#options.commits.read(head.commit);
    await this.#checkCommits(named);
    this.#checkLast(head, named);
    const root = this.#trees.root(named.commit.tree);
    checkCovered(root, fullVector(named), toHex(named.id));
    const before = base === undefined ? undefined : this.#findTree(base);
    try {
      await this.#checkTree(root, before);
    } catch (thrown) {
      this.#whole = new HashSet();
      this.#contentWalk = this.#newContentWalk();
      if (before === undefined || !isKind(thrown, "not-found")) throw thrown;
      // Perhaps it is the base that is not whole.
      await this.#checkTree(root, undefined);
    }
  }

  /** The commits that are new, each read and verified. */
  async #checkCommits(head: NamedCommit): Promise<void> {
    const { commits, known } = this.#options;
    const waiting = [head];
    const seen = new HashSet();
    for (let named = waiting.pop(); named !== undefined; named = waiting.pop()) {
      await this.#breathe();
      const vector = fullVector(named);
      for (const id of named.commit.parents) {
        if (!seen.add(id)) continue;
        const parent = commits.read(id);
        const above = fullVector(parent);
        if (!includes(vector, above)) {
          throw new OuroError(
            "corrupt",
            `Cannot use commit ${toHex(named.id)}: it has not seen all that its parents have`,
          );
        }
        if (!includes(known, above)) waiting.push(parent);
      }
    }
  }

  /** The head's last event is its writer's, is in the commit, and follows on what is known of that writer. */
  #checkLast({ writer, last, peer }: Head, named: NamedCommit): void {
    const refuse = (why: string): OuroError => new OuroError("corrupt", `Cannot use head ${writerHex(writer)}: ${why}`);
    const entry = findVectorEntry(fullVector(named), writer);
    if (last === undefined) {
      if (entry !== undefined) throw refuse("it leaves out its writer's last event");
      return;
    }
    if (entry?.clock !== last.clock || !equalBytes(entry.event, last.id.subarray(0, eventBytes))) {
      throw refuse("its commit does not have its last event");
    }
    const known = findVectorEntry(this.#options.known, writer);
    // A head that lags is no fork; whether it may is for others to say.
    if (known === undefined || last.clock < known.clock) return;
    const { commits, isOnePeer, own } = this.#options;
    if (!passesThrough(commits, last, known)) {
      if (own.has(writer)) return;
      throw forked(writer);
    }
    if (isOnePeer && !isByPeer(commits, last, known, peer)) throw takenOver(writer);
  }

  #findTree(commit: Hash): DirectoryValue | undefined {
    try {
      return directoryOf(this.#trees.root(this.#options.commits.read(commit).commit.tree));
    } catch (thrown) {
      if (isKind(thrown, "not-found") || isKind(thrown, "corrupt")) return undefined;
      throw thrown;
    }
  }

  async #checkTree(root: Entry, before: DirectoryValue | undefined): Promise<void> {
    const work: DirectoryPair[] = [];
    // Node ids are in a tree once, so no directory is in it twice: a few nodes could stand for more files than there are atoms.
    const places = new HashSet();
    const addDirectory = (after: DirectoryValue, old: DirectoryValue | undefined, isShown: boolean): void => {
      const { top } = after;
      if (top === undefined || (old?.top !== undefined && equalBytes(old.top, top))) return;
      if (isShown && !places.add(top)) throw twoPlaces(top);
      if (this.#whole.add(top)) work.push({ before: old, after, isShown });
    };
    const addEntry = (entry: Entry, old: Entry | undefined, isShown: boolean): void => {
      this.#checkXattrs(entry);
      for (const [index, { value }] of entry.data.entries()) {
        const above = old === undefined ? undefined : directoryOf(old);
        if (value.kind === kinds.directory) addDirectory(value, above, isShown && index === 0);
        else if (value.kind === kinds.file) this.#checkContent(value.content, old);
      }
    };
    addEntry(root, before === undefined ? undefined : { ...root, data: [{ dot: root.id, value: before }] }, true);
    for (let pair = work.pop(); pair !== undefined; pair = work.pop()) {
      for (const { before: old, after } of differingEntries(this.#trees, pair.before, pair.after)) {
        if (after !== undefined) addEntry(after, old, pair.isShown);
        this.#left -= 1;
        if (this.#left <= 0) await this.#breathe(entriesAtOnce);
      }
    }
  }

  async #breathe(cost = 10): Promise<void> {
    this.#left -= cost;
    if (this.#left > 0) return;
    this.#left = entriesAtOnce;
    await setImmediate();
    if (this.#options.signal?.aborted === true) throw new OuroError("aborted", "Cannot go on checking: it was stopped");
  }

  #checkXattrs({ meta: { xattrs } }: Entry): void {
    if (xattrs?.form === "block") this.#options.store.getMeta(xattrs.hash, "xattrs");
  }

  #checkContent(content: Content, old: Entry | undefined): void {
    const before = old?.data[0].value;
    walkContent(content, before?.kind === kinds.file ? before.content : undefined, this.#contentWalk);
  }
}

interface DirectoryPair {
  readonly before: DirectoryValue | undefined;
  readonly after: DirectoryValue;
  /** It is part of what is written to a folder, not of another value of a conflict. */
  readonly isShown: boolean;
}

function twoPlaces(top: Hash): OuroError {
  return new OuroError("corrupt", `Cannot use tree node ${toHex(top)}: its directory is in two places of one tree`);
}

/** Whether `vector` covers all of `other`. */
export function includes(vector: VersionVector, other: VersionVector): boolean {
  return other.every((event) => covers(vector, event));
}

/** Every edit in a tree must be covered by its commit's vector. @throws OuroError "corrupt". */
function checkCovered(root: Entry, vector: VersionVector, commit: string): void {
  const below = root.data.flatMap(({ value }) => (value.kind === kinds.directory ? value.summary.max : []));
  const events = [root.placeDot, root.metaDot, root.mtimeDot, ...root.data.map(({ dot }) => dot), ...below];
  if (events.every((event) => covers(vector, event))) return;
  throw new OuroError("corrupt", `Cannot use commit ${commit}: its tree has edits that its vector does not cover`);
}

/**
 * Whether a writer's chain of events, from `last` back, passes through the event that is known of it.
 * @throws OuroError "not-found" when the chain is not here as far as that.
 */
export function passesThrough(commits: CommitReader, last: LastEvent, known: VectorEntry): boolean {
  let at: LastEvent | undefined = last;
  while (at !== undefined && at.clock > known.clock) {
    const { commit } = commits.read(at.id);
    if (commit.type !== "event" || commit.clock !== at.clock || commit.writer !== known.writer) return false;
    at = commit.previous;
  }
  return at !== undefined && at.clock === known.clock && equalBytes(at.id.subarray(0, eventBytes), known.event);
}

/** Whether all events from `last` back to the known one, which is in the chain, are signed by `peer`. */
function isByPeer(commits: CommitReader, last: LastEvent, known: VectorEntry, peer: Uint8Array): boolean {
  for (let at: LastEvent | undefined = last; at !== undefined && at.clock >= known.clock; ) {
    const { commit } = commits.read(at.id);
    if (commit.type !== "event" || !equalBytes(commit.peer, peer)) return false;
    at = commit.previous;
  }
  return true;
}

function takenOver(writer: bigint): OuroError {
  return new OuroError("diverged", `Cannot take head ${writerHex(writer)}: another peer has gone on as that writer`, {
    subject: writerHex(writer),
    hint: "If a device has a new key, remove `.ourobox/writer` there, then commit and push from there.",
  });
}

export function forked(writer: bigint): OuroError {
  return new OuroError(
    "diverged",
    `Cannot take head ${writerHex(writer)}: that writer has written two different histories`,
    {
      subject: writerHex(writer),
      hint: "A box was copied or restored from a backup and used twice. Remove `.ourobox/writer` in one of the two, then commit and push from there.",
    },
  );
}

/** All that a box has taken in. Of two histories of one writer, which only a fork has, the first one given counts. */
export function joinAll(vectors: Iterable<VersionVector>): VersionVector {
  let joined: VersionVector = [];
  for (const vector of vectors) {
    try {
      joined = joinVectors(joined, vector);
    } catch (thrown) {
      if (!isKind(thrown, "diverged")) throw thrown;
    }
  }
  return joined;
}
