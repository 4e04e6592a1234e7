/**
 * Join, then mend: two states of a box become one, with no common ancestor and no tombstones. The laws are in doc/merge.md.
 *
 * The cost is that of what differs: equal subtrees are skipped by hash, new ones taken by reference, deleted ones dropped
 * unread. In memory is what differs, about 1 KB a node.
 */
import { equalBytes } from "../base/bytes.ts";
import {
  compareVectors,
  type EventName,
  findVectorEntry,
  type Hash,
  joinVectors,
  type VersionVector,
  type WriterId,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { JoinMatch } from "./join-match.ts";
import { Coverage, isKnown } from "./join-registers.ts";
import { JoinNode, JoinResult, otherSide, type Side, type Standing } from "./join-result.ts";
import { type JoinRules, joinRules } from "./join-rules.ts";
import { writeResult } from "./join-write.ts";
import { type Mend, MendEvent } from "./mend-event.ts";
import { separateNames, splitLongRegisters } from "./mend-names.ts";
import { breakCycles, keepSurvivor, restoreParents } from "./mend-parents.ts";
import { closeUnits, markAgain, sortMixed } from "./mend-units.ts";
import type { TreeReader } from "./tree-reader.ts";

/** A tree and all that it has taken in. */
export interface JoinState {
  readonly tree: Hash;
  readonly vector: VersionVector;
}

export interface JoinOptions {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  readonly a: JoinState;
  readonly b: JoinState;
  /**
   * Names the event of the mends, called once at the first: the joining writer's next, its clock above every clock in both
   * vectors. Not called where nothing is to be mended, so that the writer's clock stays where it is.
   */
  readonly event: () => EventName;
  /** How many nodes the same event has made already, where several joins share it. */
  readonly births?: number;
  readonly rules?: JoinRules;
}

export interface JoinedTrees extends JoinState {
  /** "a" or "b" where that state is the result as it is, because it has taken in the other. `vector` does not name the event. */
  readonly is?: Side;
  /** Of the mends, if there were any. */
  readonly event?: EventName;
  readonly births: number;
  readonly mends: readonly Mend[];
}

/**
 * Joins two states.
 * @throws OuroError "diverged" when the vectors disagree on what an event was (a writer's clocks were given out twice);
 * "not-found", "corrupt".
 */
export function joinTrees(options: JoinOptions): JoinedTrees {
  const { reader, sink, a, b, births = 0, rules = joinRules } = options;
  const order = compareVectors(a.vector, b.vector);
  const isTie = order === "equal" && !equalBytes(a.tree, b.tree);
  if (rules.takesGreater && order !== "concurrent" && !isTie) {
    const is: Side = order === "before" ? "b" : "a";
    return { ...(is === "a" ? a : b), is, births, mends: [] };
  }
  const vector = joinVectors(a.vector, b.vector);
  const mend = new MendEvent(options.event, births);
  const tree = joinAndMend(options, { reader, sink, rules, mend });
  const { event, mends } = mend;
  // Who has the result of a tie already keeps it.
  const is =
    isTie && event === undefined
      ? (["a", "b"] as const).find((side) => equalBytes(options[side].tree, tree))
      : undefined;
  if (is !== undefined) return { ...options[is], is, births, mends: [] };
  return { tree, vector, births: mend.births, mends, ...(event === undefined ? {} : { event }) };
}

export interface JoinAllOptions extends Omit<JoinOptions, "a" | "b" | "births"> {
  /** Who joins: the writer of `event`. */
  readonly writer: WriterId;
}

export interface JoinedAll extends Omit<JoinedTrees, "is"> {
  /** The index of the state that is the result as it is, because it has taken in all others. */
  readonly is?: number;
}

/**
 * Joins any number of states, one after another; their mends are one event. Which comes first is not the caller's choice: what is
 * mended covers all of its writer's events up to then, so the state that has seen most of them must be in it.
 * @param options.event As of `joinTrees`, its clock above every clock in all of the vectors.
 * @throws As `joinTrees`.
 */
export function joinAll(states: readonly [JoinState, ...JoinState[]], options: JoinAllOptions): JoinedAll {
  let event: EventName | undefined;
  const name = (): EventName => {
    event ??= options.event();
    return event;
  };
  const seen = states.map(({ vector }) => findVectorEntry(vector, options.writer)?.clock ?? 0n);
  const start = seen.reduce((best, clock, at) => (clock > (seen[best] as bigint) ? at : best), 0);
  const first = states[start] as JoinState;
  let joined: JoinedAll = { ...first, births: 0, mends: [], is: start };
  const mends: Mend[] = [];
  for (const [index, state] of states.entries()) {
    if (index === start) continue;
    const { is: before } = joined;
    const a = withEvent(joined, event);
    const { is, ...step } = joinTrees({ ...options, a, b: state, births: joined.births, event: name });
    mends.push(...step.mends);
    const at = is === "a" ? before : is === "b" ? index : undefined;
    joined = { ...step, ...(at === undefined ? {} : { is: at }) };
  }
  const { clock, writer } = event ?? { clock: 0n, writer: 0n };
  const vector = joined.vector.filter((entry) => entry.clock !== clock || entry.writer !== writer);
  return { ...joined, vector, mends, ...(event === undefined ? {} : { event }) };
}

/** What has been mended so far covers the mends. */
function withEvent({ tree, vector }: JoinState, event: EventName | undefined): JoinState {
  return event === undefined
    ? { tree, vector }
    : { tree, vector: joinVectors(vector, [{ ...event, event: new Uint8Array(8) }]) };
}

interface Work {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  readonly rules: JoinRules;
  readonly mend: MendEvent;
}

function joinAndMend({ a, b }: JoinOptions, work: Work): Hash {
  const { reader, sink, rules, mend } = work;
  const [rootA, rootB] = [reader.root(a.tree), reader.root(b.tree)];
  const root = new JoinNode(rootA);
  root.a = { entry: rootA, parent: undefined };
  root.b = { entry: rootB, parent: undefined };
  const result = new JoinResult(reader, root);
  const seenBy: Record<Side, Coverage> = { a: new Coverage(a.vector), b: new Coverage(b.vector) };
  const match = new JoinMatch(result, { reader, rules, seenByA: seenBy.a, seenByB: seenBy.b });
  match.run();
  settle(result, match, seenBy, work);
  mendAll(result, match, { reader, sink, rules, mend });
  return writeResult(result, sink);
}

/** Decides what is in the result, and puts it in its place. */
function settle(
  result: JoinResult,
  match: JoinMatch,
  seenBy: Readonly<Record<Side, Coverage>>,
  { mend, rules }: Work,
): void {
  for (const node of result.nodes.values()) {
    if (node.a === undefined || node.b === undefined) {
      const side: Side = node.a === undefined ? "b" : "a";
      const { entry, parent } = node[side] as Standing;
      const other = seenBy[otherSide(side)];
      if (match.survives(node, side)) keepSurvivor(node, side, other, mend, rules);
      else if (!isKnown(entry, other, rules)) {
        node.isKept = true;
        node.entry = entry;
        node.parent = parent;
      }
    }
    if (node.isKept) result.attach(node);
  }
}

function mendAll(result: JoinResult, match: JoinMatch, { reader, sink, rules, mend }: Work): void {
  const options = { reader, sink, births: mend };
  const mixed = sortMixed(match.mixed);
  markAgain(mixed, mend);
  for (let isChanged = true; isChanged; ) {
    const changes = [
      restoreParents(result, mend, rules),
      breakCycles(result, mend),
      closeUnits(result, mixed, { mend, options, rules }),
      splitLongRegisters(result, { mend, options, rules }),
      separateNames(result, { mend, options, rules }),
    ];
    isChanged = changes.includes(true);
  }
}
