/**
 * Making and reading commits. A commit that is read has the id it was asked for, belongs to this box, and an event's
 * signature is its peer's; whether that peer is trusted is for others to say. Format: doc/format.md, section 5.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import { nextClock } from "../base/clock.ts";
import { OuroError } from "../base/errors.ts";
import {
  commitId,
  commitSignedBytes,
  decodeStoredCommit,
  type EventCommit,
  type EventName,
  encodeCommit,
  encodeStoredCommit,
  findVectorEntry,
  greatestClock,
  type Hash,
  type Hasher,
  type NamedCommit,
  type VersionVector,
  type WriterId,
  writerHex,
} from "../format/mod.ts";
import type { MetaSink, MetaSource } from "../store/mod.ts";

/** How many commits are kept decoded. */
const cacheMax = 1000;

export type Sign = (message: Uint8Array) => Uint8Array;
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

/** What commits are checked against. */
export interface CommitKeys {
  readonly hasher: Hasher;
  /** The box's id. */
  readonly box: Uint8Array;
  readonly verify: Verify;
}

/**
 * Reads a commit.
 * @throws OuroError "not-found"; "corrupt" also where its id, box or signature is not right.
 */
export function readCommit(source: MetaSource, id: Hash, keys: CommitKeys): NamedCommit {
  const what = `commit ${toHex(id)}`;
  const { commit, body, signature } = decodeStoredCommit(source.getMeta(id, "commit"), what);
  const refuse = (why: string): OuroError =>
    new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: toHex(id) });
  if (!equalBytes(commitId(keys.hasher, body), id)) throw refuse("its bytes are those of another commit");
  if (!equalBytes(commit.box, keys.box)) throw refuse("it belongs to another box");
  if (
    commit.type === "event" &&
    (signature === undefined || !keys.verify(commit.peer, commitSignedBytes(id), signature))
  ) {
    throw refuse("its signature is wrong");
  }
  return { id, commit };
}

/** Reads commits and keeps the last thousand. */
export class CommitReader {
  readonly source: MetaSource;
  readonly #keys: CommitKeys;
  readonly #cache = new Map<string, NamedCommit>();

  constructor(source: MetaSource, keys: CommitKeys) {
    this.source = source;
    this.#keys = keys;
  }

  /** @throws As `readCommit`. */
  read(id: Hash): NamedCommit {
    const key = toHex(id);
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const named = readCommit(this.source, id, this.#keys);
    const [oldest] = this.#cache.size >= cacheMax ? this.#cache.keys() : [];
    if (oldest !== undefined) this.#cache.delete(oldest);
    this.#cache.set(key, named);
    return named;
  }
}

export interface EventOptions {
  readonly writer: WriterId;
  /** All that the event's state has taken in: the full vectors of what it is made on. Empty for a box's first. */
  readonly seen: VersionVector;
  /** The writer's own last event. */
  readonly last?: { readonly clock: bigint };
  readonly nowMs: number;
}

/**
 * The name of the writer's next event, with which its edits are dated: above all that it has seen.
 * @throws OuroError "stale" when that holds a later event of this writer than it knows itself: the box is an old
 * copy, and would give out the same dots again.
 */
export function nextEvent({ writer, seen, last, nowMs }: EventOptions): EventName {
  const own = findVectorEntry(seen, writer);
  if (own !== undefined && own.clock > (last?.clock ?? 0n)) {
    throw new OuroError(
      "stale",
      `Cannot commit: writer ${writerHex(writer)} has made commits that this box does not know`,
      {
        hint: "This box was copied or restored from a backup. Remove `.ourobox/writer` to give it a new writer id.",
      },
    );
  }
  const greatest = greatestClock(seen);
  return { writer, clock: nextClock(nowMs, last !== undefined && last.clock > greatest ? last.clock : greatest) };
}

/** An event commit without what follows from the rest. */
export interface EventDraft extends Omit<EventCommit, "type" | "vector"> {
  /** All that the tree has taken in: the full vectors of the parents, joined. */
  readonly seen: VersionVector;
}

export interface MadeCommit extends NamedCommit {
  /** As the store keeps it. */
  readonly stored: Uint8Array;
}

/**
 * Makes and signs an event commit; nothing is kept yet.
 * @throws OuroError "invalid" when the draft breaks a rule of the format, "too-large".
 */
export function makeEventCommit(draft: EventDraft, keys: { readonly hasher: Hasher; readonly sign: Sign }): MadeCommit {
  const { seen, ...rest } = draft;
  const commit: EventCommit = { ...rest, type: "event", vector: seen.filter(({ writer }) => writer !== draft.writer) };
  const body = encodeCommit(commit);
  const id = commitId(keys.hasher, body);
  return { id, commit, stored: encodeStoredCommit(body, keys.sign(commitSignedBytes(id))) };
}

/** Keeps a commit. @returns Its id. */
export function putCommit(sink: MetaSink, { id, stored }: MadeCommit): Hash {
  return sink.put("commit", stored, id);
}
