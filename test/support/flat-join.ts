/**
 * The join of two states as flat maps, written from the rules (doc/merge.md) and not from the program: what the program's join on
 * trees is compared with. It looks at every node of both sides, and knows no summaries, hashes or shortcuts.
 */
import { isDeepStrictEqual } from "node:util";
import { compareDots, type Dot, type EventName, equalDots, kinds } from "../../src/format/mod.ts";
import { FlatMend } from "./flat-mend.ts";
import {
  childrenOf,
  type FlatNode,
  type FlatState,
  type FlatValue,
  type FlatVector,
  isPlainDirectory,
} from "./flat-tree.ts";

/** What tests bend, to see that it is noticed. */
export type BentRule = "R4" | "R5 birth" | "R5 all registers" | "R6" | "M2" | "M4" | "M5 equal values";

export interface FlatOptions {
  /** Most values of one register. */
  readonly valuesMax: number;
  /** How many nodes the event of the mends has made already. */
  readonly births?: number;
  readonly bent?: BentRule;
}

export interface FlatJoin {
  /** Its vector covers the event when there was a mend. */
  readonly state: FlatState;
  readonly isMended: boolean;
  readonly births: number;
}

export function isCovered(vector: FlatVector, { writer, clock }: EventName): boolean {
  return writer === 0n || clock <= (vector.get(writer) ?? 0n);
}

/** Whether `a` covers all that `b` covers. */
export function includesVector(a: FlatVector, b: FlatVector): boolean {
  return [...b].every(([writer, clock]) => isCovered(a, { writer, clock }));
}

export function unionVectors(a: FlatVector, b: FlatVector): FlatVector {
  const union = new Map(a);
  for (const [writer, clock] of b) if (clock > (union.get(writer) ?? 0n)) union.set(writer, clock);
  return union;
}

export interface JoinedNodes {
  readonly nodes: Map<string, FlatNode>;
  readonly survivors: ReadonlyMap<string, FlatNode>;
  /** Nodes that one side has unmarked, and the other has values of that this one has not seen. */
  readonly unmarked: readonly string[];
}

/** @param event The name of the mend, should there be one. */
export function joinFlat(a: FlatState, b: FlatState, event: () => EventName, options: FlatOptions): FlatJoin {
  let isTie = false;
  if (options.bent !== "R4") {
    const births = options.births ?? 0;
    const [isA, isB] = [includesVector(a.vector, b.vector), includesVector(b.vector, a.vector)];
    isTie = isA && isB && !isDeepStrictEqual(a.nodes, b.nodes);
    if (isA && !isTie) return { state: a, isMended: false, births };
    if (isB && !isTie) return { state: b, isMended: false, births };
  }
  const vector = new Map(unionVectors(a.vector, b.vector));
  const mend = new FlatMend(a.nodes, b.nodes, joinNodes(a, b, options), event, options);
  const nodes = mend.run();
  const { event: made, births } = mend;
  if (made !== undefined) vector.set(made.writer, made.clock);
  if (isTie && made === undefined)
    for (const state of [a, b]) if (isDeepStrictEqual(state.nodes, nodes)) return { state, isMended: false, births };
  return { state: { nodes, vector }, isMended: made !== undefined, births };
}

function joinNodes(a: FlatState, b: FlatState, options: FlatOptions): JoinedNodes {
  const nodes = new Map<string, FlatNode>();
  const unmarked: string[] = [];
  for (const [key, one] of a.nodes) {
    const two = b.nodes.get(key);
    if (two !== undefined) nodes.set(key, joinBoth(one, two, { a: a.vector, b: b.vector, unmarked, options }));
  }
  const survivors = new Map([...oneSided(a, b, nodes, options), ...oneSided(b, a, nodes, options)]);
  return { nodes, survivors, unmarked };
}

interface Both {
  readonly a: FlatVector;
  readonly b: FlatVector;
  readonly unmarked: string[];
  readonly options: FlatOptions;
}

/** R5 for a node that is in both. */
function joinBoth(one: FlatNode, two: FlatNode, { a, b, unmarked, options }: Both): FlatNode {
  const place = compareDots(one.placeDot, two.placeDot) >= 0 ? one : two;
  const meta = compareDots(one.metaDot, two.metaDot) >= 0 ? one : two;
  const mtime = compareDots(one.mtimeDot, two.mtimeDot) >= 0 ? one : two;
  const isIn = (data: readonly FlatValue[], dot: Dot): boolean => data.some((each) => equalDots(each.dot, dot));
  const fromOne = one.data.filter(({ dot }) => isIn(two.data, dot) || !isCovered(b, dot));
  const fromTwo = two.data.filter(({ dot }) => !isIn(one.data, dot) && !isCovered(a, dot));
  const all = [...fromOne, ...fromTwo].sort((x, y) => compareDots(y.dot, x.dot));
  const data = options.bent === "R6" ? withoutEqual(all) : all;
  const joined: FlatNode = {
    ...one,
    parent: place.parent,
    name: place.name,
    placeDot: place.placeDot,
    meta: meta.meta,
    metaDot: meta.metaDot,
    mtimeNs: mtime.mtimeNs,
    mtimeDot: mtime.mtimeDot,
    data,
  };
  if (isPlainDirectory(joined) && data.length > 0) unmarked.push(joined.key);
  return joined;
}

function withoutEqual(data: readonly FlatValue[]): readonly FlatValue[] {
  const seen = new Set<string>();
  return data.filter(({ value }) => {
    const looks =
      "content" in value
        ? `${value.content.size}`
        : JSON.stringify(value, (_, x) => (typeof x === "bigint" ? `${x}` : x));
    return !seen.has(looks) && seen.add(looks) !== undefined;
  });
}

/** The dots that keep a node from being deleted. A directory's mtime is none. */
function protectingDots(node: FlatNode): Dot[] {
  const dots = [node.id, node.placeDot, node.metaDot, ...node.data.map(({ dot }) => dot)];
  return node.kind === kinds.directory ? dots : [...dots, node.mtimeDot];
}

/** R5 for nodes that only `side` has: puts the new ones into `nodes`, and @returns the survivors. */
function oneSided(
  side: FlatState,
  other: FlatState,
  nodes: Map<string, FlatNode>,
  options: FlatOptions,
): Map<string, FlatNode> {
  const children = childrenOf(side.nodes.values());
  const survivors = new Map<string, FlatNode>();
  const keepSubtree = (directory: FlatNode): void => {
    for (const child of children.get(directory.key) ?? []) {
      if (other.nodes.has(child.key) || !isCovered(other.vector, child.id)) continue;
      survivors.set(child.key, keptOf(child, other.vector));
      if (isPlainDirectory(child)) keepSubtree(child);
    }
  };
  for (const node of side.nodes.values()) {
    if (other.nodes.has(node.key)) continue;
    const dots = protectingDots(node);
    const isNew =
      options.bent === "R5 birth"
        ? dots.slice(1).every((dot) => !isCovered(other.vector, dot))
        : !isCovered(other.vector, node.id);
    if (isNew) nodes.set(node.key, node);
    else if (dots.some((dot) => !isCovered(other.vector, dot))) {
      survivors.set(node.key, keptOf(node, other.vector));
      if (isPlainDirectory(node)) keepSubtree(node);
    }
  }
  return survivors;
}

/** A survivor before it is dated again: of its values those that the other side has not seen, if there are any. */
function keptOf(node: FlatNode, other: FlatVector): FlatNode {
  const unseen = node.data.filter(({ dot }) => !isCovered(other, dot));
  return unseen.length === 0 ? node : { ...node, data: unseen };
}
