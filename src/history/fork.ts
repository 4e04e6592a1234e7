/**
 * Forked writers: a restored backup of a box or a cloned machine gives out the same clocks twice. Two states then disagree on what
 * a writer's event was, or one has a later event whose chain of previous events does not pass through the other's (rules F1 to F3 of doc/merge.md).
 *
 * The branch whose first event of its own is smaller by (clock, id) keeps the writer's id. What the other state has of that writer since the
 * fork belongs to another writer, whose id follows from that first event alone: every peer renames it the same, in whatever order forks are met.
 */
import { compareBytes, concatBytes, equalBytes, toHex, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import {
  eventBytes,
  findVectorEntry,
  type Hash,
  type Hasher,
  type VectorEntry,
  type VersionVector,
  vectorEntry,
  type WriterId,
  writerHex,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import type { JoinState } from "./join.ts";
import { renameWriter } from "./rename-writer.ts";
import type { TreeReader } from "./tree-reader.ts";

/** An event in its writer's chain: what its commit says of itself. */
export interface ChainLink {
  readonly clock: bigint;
  readonly id: Hash;
  /** The writer's own event before it. */
  readonly previous?: { readonly clock: bigint; readonly id: Hash };
}

export interface ForkOptions {
  readonly hasher: Hasher;
  /** An event by its clock and the beginning of its id; undefined when its commit is not there. */
  readonly findEvent: (event: { readonly clock: bigint; readonly event: Uint8Array }) => ChainLink | undefined;
}

export interface Fork {
  readonly writer: WriterId;
  /** The last event that both branches have, if there is one. */
  readonly common: ChainLink | undefined;
  /** The state whose branch is renamed. */
  readonly side: "a" | "b";
  readonly to: WriterId;
}

const renamePrefix = utf8("ourobox fork 1\0");

/**
 * The writers on whose events two vectors disagree.
 * @throws OuroError "not-found" when a commit of a chain is not there: then nothing can be said, and nothing must be joined.
 */
export function findForks(a: VersionVector, b: VersionVector, options: ForkOptions): Fork[] {
  const forks: Fork[] = [];
  for (const one of a) {
    const two = findVectorEntry(b, one.writer);
    const fork = two === undefined ? undefined : findFork(one, two, options);
    if (fork !== undefined) forks.push(fork);
  }
  return forks;
}

function findFork(one: VectorEntry, two: VectorEntry, options: ForkOptions): Fork | undefined {
  if (one.clock === two.clock && equalBytes(one.event, two.event)) return undefined;
  const heads = { a: getLink(one, options), b: getLink(two, options) };
  /** Of each branch the first event that the other does not have. */
  const firsts: { a?: ChainLink; b?: ChainLink } = {};
  let { a, b }: { a: ChainLink | undefined; b: ChainLink | undefined } = heads;
  while (a !== undefined && b !== undefined && !equalBytes(a.id, b.id)) {
    const [atA, atB] = [a, b];
    if (atA.clock >= atB.clock) {
      firsts.a = atA;
      a = previousOf(atA, one.writer, options);
    }
    if (atB.clock >= atA.clock) {
      firsts.b = atB;
      b = previousOf(atB, one.writer, options);
    }
  }
  const common = a !== undefined && b !== undefined ? a : undefined;
  if (common === undefined) {
    for (; a !== undefined; a = previousOf(a, one.writer, options)) firsts.a = a;
    for (; b !== undefined; b = previousOf(b, one.writer, options)) firsts.b = b;
  }
  if (firsts.a === undefined || firsts.b === undefined) return undefined;
  const isA = compareLinks(firsts.a, firsts.b) > 0;
  const branch = isA ? firsts.a : firsts.b;
  return { writer: one.writer, common, side: isA ? "a" : "b", to: branchWriter(branch, options.hasher) };
}

function compareLinks(a: ChainLink, b: ChainLink): number {
  if (a.clock !== b.clock) return a.clock < b.clock ? -1 : 1;
  return compareBytes(a.id, b.id);
}

/** The writer that a branch belongs to from its first event on. */
function branchWriter({ id }: ChainLink, hasher: Hasher): WriterId {
  const hash = hasher.hash(concatBytes([renamePrefix, id]));
  const writer = BigInt(`0x${toHex(hash.subarray(0, 8))}`);
  return writer === 0n ? 1n : writer;
}

function previousOf({ previous }: ChainLink, writer: WriterId, options: ForkOptions): ChainLink | undefined {
  if (previous === undefined) return undefined;
  return getLink({ writer, clock: previous.clock, event: previous.id.subarray(0, eventBytes) }, options);
}

function getLink(entry: VectorEntry, { findEvent }: ForkOptions): ChainLink {
  const link = findEvent(entry);
  if (link !== undefined) return link;
  throw new OuroError(
    "not-found",
    `Cannot join: the commit ${toHex(entry.event)} of writer ${writerHex(entry.writer)} is not there`,
    {
      hint: "Fetch from a remote that has it. A box may have been copied or restored, and what it wrote can't be told apart.",
    },
  );
}

/** The state with its branch of a forked writer renamed: dots and ids of that writer after the fork. */
export function renameBranch(
  reader: TreeReader,
  sink: MetaSink,
  { tree, vector }: JoinState,
  { writer, common, to }: Fork,
): JoinState {
  const own = findVectorEntry(vector, writer) as VectorEntry;
  const rest = vector.filter((entry) => entry.writer !== writer && entry.writer !== to);
  const rows = [...rest, { ...own, writer: to }];
  if (common !== undefined) rows.push(vectorEntry({ writer, clock: common.clock }, common.id));
  rows.sort((x, y) => (x.writer < y.writer ? -1 : 1));
  const after = common?.clock ?? 0n;
  return { tree: renameWriter(reader, sink, tree, { writer, after, to }), vector: rows };
}
