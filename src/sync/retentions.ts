/**
 * What the writers of a remote keep of history, and what follows for one commit: it is forgotten when every head that has taken it in has forgotten it. A
 * writer that says nothing keeps everything. That a remote hides a writer's retention, or shows an older one, so only keeps more.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import {
  covers,
  encodeRetention,
  encodeSignedRetention,
  fullVector,
  getHasher,
  type Hash,
  type Head,
  type NamedCommit,
  type Retention,
  type Sign,
  type SignedRetention,
  sealBlob,
  type VersionVector,
  type WriterId,
  writerHex,
} from "../format/mod.ts";
import { type CommitReader, forgetAlso, HashSet, loadRetention, RetentionView, saveRetention } from "../history/mod.ts";
import { type BoxOnRemote, retentionPrefix } from "./box-on-remote.ts";
import { includes } from "./completeness.ts";
import { isDamage } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import type { SyncOptions } from "./sync-options.ts";

/** A head, what it has taken in, and what its writer keeps of that. */
export interface KeepingHead {
  readonly head: Head;
  readonly vector: VersionVector;
  /** Undefined: everything. */
  readonly keeps: RetentionView | undefined;
}

/**
 * What the writers of some heads keep. A retention that another peer has signed than the head counts for nothing.
 * @throws OuroError "corrupt", and as `Remote.get`.
 */
export async function readRetentions(
  box: BoxOnRemote,
  heads: readonly { readonly head: Head; readonly vector: VersionVector }[],
): Promise<KeepingHead[]> {
  const listed = heads.length === 0 ? new Map() : await box.listRetentions();
  const keeping: KeepingHead[] = [];
  for (const { head, vector } of heads) {
    const found = listed.has(writerHex(head.writer)) ? await findWhole(box, head.writer) : undefined;
    const isOwn = found !== undefined && equalBytes(found.peer, head.peer);
    keeping.push({ head, vector, keeps: isOwn ? new RetentionView(found) : undefined });
  }
  return keeping;
}

/** One that is damaged says nothing: then everything is kept. */
async function findWhole(box: BoxOnRemote, writer: WriterId): Promise<SignedRetention | undefined> {
  try {
    return await box.findRetention(writer);
  } catch (thrown) {
    if (!isDamage(thrown)) throw thrown;
    return undefined;
  }
}

/** Whether a commit is forgotten by all of these heads. What heads themselves are never is, nor what none of them has taken in. */
export function isForgottenByAll(heads: readonly KeepingHead[]): (named: NamedCommit) => boolean {
  const tips = new Set(heads.map(({ head }) => toHex(head.commit)));
  return (named) => {
    if (tips.has(toHex(named.id))) return false;
    const events = named.commit.type === "event" ? [named.commit] : named.commit.vector;
    const takers = heads.filter(({ vector }) => events.every((event) => covers(vector, event)));
    return takers.length > 0 && takers.every(({ keeps }) => keeps?.isForgotten(named) === true);
  };
}

/**
 * Notes in the box's own retention which commits came that were forgotten before: their trees may be nowhere any more, and this box must not say that it
 * keeps them.
 * @param options.known What was here before. @param options.heads All that there are on the remote.
 */
export function noteForgotten(
  { state }: Pick<SyncOptions, "state">,
  commits: CommitReader,
  {
    known,
    heads,
    taken,
  }: { readonly known: VersionVector; readonly heads: readonly KeepingHead[]; readonly taken: readonly Head[] },
): void {
  const before = loadRetention(state);
  // What this box itself has said there was lost here, with the state.
  const ownWriters = new Set([state.head(), ...state.branches()].map((each) => each?.writer));
  const lost = before.seen.length > 0 ? [] : heads.filter(({ head }) => ownWriters.has(head.writer));
  const isForgotten = isForgottenByAll(heads);
  const isNew = (named: NamedCommit): boolean => !includes(known, fullVector(named));
  const isDropped = (named: NamedCommit): boolean =>
    (isNew(named) && isForgotten(named)) || lost.some(({ keeps }) => keeps?.isForgotten(named) === true);
  const roots = taken.map(({ commit }) => commit);
  if (!lost.some(({ keeps }) => keeps !== undefined) && !hasNew(commits, roots, isNew, isForgotten)) return;
  const own = [state.head()?.commit, ...state.branches().map(({ commit }) => commit)].filter((id) => id !== undefined);
  const all: Hash[] = [...own, ...state.remoteHeads().map(({ commit }) => commit), ...roots];
  saveRetention(state, forgetAlso(commits, all, before, isDropped));
}

/** Whether anything that is new is forgotten. */
function hasNew(
  commits: CommitReader,
  roots: readonly Hash[],
  isNew: (named: NamedCommit) => boolean,
  isForgotten: (named: NamedCommit) => boolean,
): boolean {
  const seen = new HashSet();
  const waiting = [...roots];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!seen.add(id)) continue;
    const named = commits.read(id);
    if (!isNew(named)) continue;
    if (isForgotten(named)) return true;
    waiting.push(...named.commit.parents);
  }
  return false;
}

/**
 * As `publishRetention`, for the writers of this box that have heads there, and without a push.
 * @throws As `Remote.put`.
 */
export async function publishOwnRetention(
  options: SyncOptions & { readonly sign: Sign; readonly peer: Uint8Array },
): Promise<void> {
  const { state, remote, remoteName } = options;
  const own = new Set([state.head(), ...state.branches()].map((each) => each?.writer));
  const writers = state.remoteHeads(remoteName).map(({ writer }) => writer);
  const memory = RemoteMemory.load(state, remote.url);
  const there = writers.filter((writer) => own.has(writer));
  await publishRetention(options, memory, there);
  memory.save(state, remote.url);
}

/** Writes the box's own retention beside the heads of its writers, where it is not what was written there last. */
export async function publishRetention(
  options: SyncOptions & { readonly sign: Sign; readonly peer: Uint8Array },
  memory: RemoteMemory,
  writers: Iterable<WriterId>,
): Promise<void> {
  const { state, secrets, remote, peer, sign, random, signal } = options;
  const retention: Retention = loadRetention(state);
  if (retention.seen.length === 0 && memory.retentions.size === 0) return;
  const hash = toHex(getHasher(secrets.hash).hash(encodeRetention(retention)));
  for (const writer of writers) {
    const name = writerHex(writer);
    if (memory.retentions.get(name) === hash) continue;
    const payload = encodeSignedRetention({ writer, peer, ...retention }, secrets.box, sign);
    const blob = sealBlob(secrets, "retention", payload, random);
    await remote.put(`${retentionPrefix}${name}`, blob, signal === undefined ? {} : { signal });
    memory.retentions.set(name, hash);
  }
}
