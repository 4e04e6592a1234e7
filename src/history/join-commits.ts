/**
 * Joining commits. Of heads that have taken in one another the greatest is the result as it is (doc/merge.md, R4). Else their trees are joined: where
 * nothing had to be mended the commit says no more than what was joined, so equal joins have equal ids on every peer (C2); mends are an event of
 * whoever joins (C1).
 */
import { compareBytes, equalBytes } from "../base/bytes.ts";
import {
  commitId,
  compareVectors,
  type EventName,
  encodeCommit,
  encodeStoredCommit,
  fullVector,
  type Hash,
  type Hasher,
  type JoinCommit,
  joinVectors,
  type NamedCommit,
  type VersionVector,
  type WriterId,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import type { MadeCommit } from "./commits.ts";
import { joinAll } from "./join.ts";
import type { Mend } from "./mend-event.ts";
import { OverlayMeta } from "./overlay-meta.ts";
import { TreeReader } from "./tree-reader.ts";

export interface JoinCommitsOptions {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  readonly hasher: Hasher;
  /** The box's id. */
  readonly box: Uint8Array;
  /** Who joins: the writer of the event. */
  readonly writer: WriterId;
  /** Names the event of the mends: above all that the vector has seen. Called only when there are some. */
  readonly event: (seen: VersionVector) => EventName;
  /** Makes the event's commit. */
  readonly makeEvent: (event: EventName, draft: JoinDraft) => MadeCommit;
}

export interface JoinDraft {
  readonly tree: Hash;
  readonly seen: VersionVector;
  readonly parents: readonly Hash[];
}

export type JoinedCommits =
  /** One of them has taken in all others. */
  | { readonly type: "greatest"; readonly commit: NamedCommit }
  /** Nothing was mended. */
  | { readonly type: "join"; readonly commit: MadeCommit }
  | { readonly type: "mend"; readonly commit: MadeCommit; readonly event: EventName; readonly mends: readonly Mend[] };

/** A commit names no more parents than this. */
const parentsMax = 64;

/**
 * @param commits Of one branch, in any order.
 * @returns What is not kept yet is for the caller to put (`putCommit`); trees are in the sink.
 * @throws OuroError "diverged" when two disagree on what an event was; "not-found", "corrupt".
 */
export function joinCommits(
  commits: readonly [NamedCommit, ...NamedCommit[]],
  options: JoinCommitsOptions,
): JoinedCommits {
  const [first, ...others] = greatest(commits);
  if (others.length === 0) return { type: "greatest", commit: first };
  const { reader, sink, hasher, box } = options;
  // More than a commit can name are joined by the next ones.
  const joined: readonly [NamedCommit, ...NamedCommit[]] = [first, ...others.slice(0, parentsMax - 1)];
  const [one, ...more] = joined.map((each) => ({ tree: each.commit.tree, vector: fullVector(each) }));
  if (one === undefined) throw new TypeError("Cannot join nothing");
  const seen = [one, ...more].map(({ vector }) => vector);
  // One is joined after the other: what has been joined so far is read again, which the sink cannot give.
  const overlay = more.length > 1 ? new OverlayMeta(reader.source, hasher) : undefined;
  const { tree, vector, event, mends, is } = joinAll([one, ...more], {
    reader: overlay === undefined ? reader : new TreeReader(overlay),
    sink: overlay ?? sink,
    writer: options.writer,
    event: () => options.event(joinedVector(seen)),
  });
  const same = is === undefined ? undefined : joined[is];
  if (same !== undefined) return { type: "greatest", commit: same };
  overlay?.copyTree(tree, sink);
  const parents = joined.map(({ id }) => id).sort(compareBytes);
  if (event !== undefined) {
    const commit = options.makeEvent(event, { tree, seen: vector, parents });
    return { type: "mend", commit, event, mends };
  }
  const commit: JoinCommit = { type: "join", box, tree, vector, parents };
  const body = encodeCommit(commit);
  return { type: "join", commit: { id: commitId(hasher, body), commit, stored: encodeStoredCommit(body) } };
}

/**
 * Those that no other has taken in, and of equal vectors one for each tree, in an order that does not depend on who asks. Of equal ones the first
 * that was given stays.
 */
function greatest(commits: readonly [NamedCommit, ...NamedCommit[]]): [NamedCommit, ...NamedCommit[]] {
  const [first, ...others] = commits;
  let kept: NamedCommit[] = [first];
  for (const commit of others) {
    const orders = kept.map((each) => compareVectors(fullVector(commit), fullVector(each)));
    const isKnown = kept.some(
      (each, at) =>
        orders[at] === "before" || (orders[at] === "equal" && equalBytes(each.commit.tree, commit.commit.tree)),
    );
    if (isKnown) continue;
    kept = [...kept.filter((_, index) => orders[index] !== "after"), commit];
  }
  const [one = first, ...more] = kept.sort((a, b) => compareBytes(a.id, b.id));
  return [one, ...more];
}

function joinedVector(vectors: readonly VersionVector[]): VersionVector {
  return vectors.reduce((all, each) => joinVectors(all, each), []);
}
