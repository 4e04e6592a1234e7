/**
 * Some writers, their states, and remotes that hold heads: what a simulated run acts on. Every join is made twice, by the program on
 * trees and by the reference on flat maps, and must give the same tree to the byte.
 */

import { toHex } from "../../src/base/bytes.ts";
import { nextClock } from "../../src/base/clock.ts";
import {
  type EventName,
  findVectorEntry,
  getHasher,
  joinVectors,
  kinds,
  rootId,
  type VersionVector,
  vectorEntry,
} from "../../src/format/mod.ts";
import {
  type ChainLink,
  type Fork,
  type ForkOptions,
  findForks,
  type JoinRules,
  type JoinState,
  joinAll,
  joinRules,
  joinTrees,
  renameBranch,
  TreeReader,
} from "../../src/history/mod.ts";
import { renameFlat } from "../support/flat-fork.ts";
import { type BentRule, joinFlat, unionVectors } from "../support/flat-join.ts";
import {
  describeNode,
  FlatBuilder,
  type FlatNode,
  type FlatState,
  type FlatVector,
  isPlainDirectory,
  loadFlat,
  type Nodes,
  rootKey,
} from "../support/flat-tree.ts";
import { MemoryMeta } from "../support/memory-meta.ts";
import type { Edit } from "./edit.ts";
import { Ledger } from "./ledger.ts";

/** A state, both ways. */
export interface SimState extends JoinState {
  readonly flat: FlatState;
  /** What it has taken in of whom: a copy of a box counts for itself, though it writes under the same id. */
  readonly truth: FlatVector;
}

export interface Peer {
  /** Changes when the peer finds that its box is a copy. */
  writer: bigint;
  /** Never the same for two. */
  readonly self: bigint;
  /** How far its clock is off. */
  readonly skewMs: number;
  state: SimState;
  /** States it had, for restores. */
  readonly older: Nodes[];
}

export interface WorldOptions {
  readonly peers: number;
  readonly skewsMs: readonly number[];
  readonly valuesMax: number;
  /** What is bent in the program, if anything. */
  readonly rules?: Partial<JoinRules>;
  /** What is bent in the reference; then the program's join is not made. */
  readonly bent?: BentRule;
  /** M7 bent: a join without a mend is dated, too. */
  readonly datesEveryJoin?: boolean;
  /** F2 bent: whether a greater clock continues what is known of its writer is not asked. */
  readonly ignoresForks?: boolean;
}

export interface Counts {
  /** To the tree. */
  changes: number;
  /** Commits of changes. */
  edits: number;
  joins: number;
  mends: number;
  brackets: number;
  /** Branches of writers that were renamed. */
  forks: number;
  /** Peers that went on as another writer. */
  renewals: number;
}

const hasher = getHasher("blake3");

const rootNode: FlatNode = {
  id: rootId,
  key: rootKey,
  kind: 2,
  parent: "",
  name: "",
  placeDot: rootId,
  meta: { mode: 0o755, uid: 1000, gid: 1000, atomic: false },
  metaDot: rootId,
  mtimeNs: 0n,
  mtimeDot: rootId,
  data: [],
};

export class World {
  readonly peers: Peer[] = [];
  readonly ledger: Ledger = new Ledger();
  readonly counts: Counts = { changes: 0, edits: 0, joins: 0, mends: 0, brackets: 0, forks: 0, renewals: 0 };
  readonly meta: MemoryMeta = new MemoryMeta();
  readonly #reader: TreeReader = new TreeReader(this.meta);
  readonly #builder = new FlatBuilder(this.meta);
  /** Every event that was made, by clock and the beginning of its id. */
  readonly #chains = new Map<string, ChainLink>();
  readonly #options: WorldOptions;
  readonly #rules: JoinRules;
  #nowMs = 1_700_000_000_000;

  constructor(options: WorldOptions) {
    this.#options = options;
    this.#rules = { ...joinRules, ...options.rules, valuesMax: options.valuesMax };
    const nodes = new Map([[rootKey, rootNode]]);
    const flat = { nodes, vector: new Map() };
    const state = { flat, tree: this.#builder.tree(nodes), vector: [], truth: new Map() };
    for (let at = 0; at < options.peers; at += 1)
      this.#addPeer(BigInt(at + 1) * 0x1111n, options.skewsMs[at] ?? 0, state);
  }

  #addPeer(writer: bigint, skewMs: number, state: SimState): void {
    this.peers.push({ writer, self: BigInt(this.peers.length + 1), skewMs, state, older: [] });
  }

  /** Whether a writer may be forked. */
  get hasClones(): boolean {
    return this.peers.length > this.#options.peers;
  }

  /** A copy of a peer's box, at work beside it. */
  clone({ writer, skewMs, state }: Peer): void {
    this.#addPeer(writer, skewMs, state);
  }

  /** The name of the peer's next event, above all in these states. */
  nextEvent({ writer, skewMs }: Peer, states: readonly SimState[]): EventName {
    this.#nowMs += 1;
    let greatest = 0n;
    for (const { vector } of states) for (const { clock } of vector) if (clock > greatest) greatest = clock;
    return { writer, clock: nextClock(this.#nowMs + skewMs, greatest) };
  }

  commit(peer: Peer, edit: Edit, event: EventName): void {
    const vector = new Map(peer.state.flat.vector).set(event.writer, event.clock);
    this.counts.edits += 1;
    checkValid(edit.nodes);
    const truth = new Map(peer.state.truth).set(peer.self, event.clock);
    this.ledger.note(edit, { clock: event.clock, writer: peer.self }, truth);
    peer.older.push(peer.state.flat.nodes);
    peer.state = this.#state({ nodes: edit.nodes, vector }, peer.state.vector, truth, peer, event);
  }

  /** A state that came about by other ways than a commit here. */
  stateOf(flat: FlatState): SimState {
    const tree = this.#builder.tree(flat.nodes);
    const rows = [...flat.vector].sort(([x], [y]) => (x < y ? -1 : 1));
    const vector = rows.map(([writer, clock]) => ({ writer, clock, event: new Uint8Array(8) }));
    return { flat, tree, vector, truth: flat.vector };
  }

  #state(
    flat: FlatState,
    vector: VersionVector,
    truth: FlatVector,
    peer: Peer,
    event: EventName | undefined,
  ): SimState {
    const tree = this.#builder.tree(flat.nodes);
    if (event === undefined) return { flat, tree, vector, truth };
    return { flat, tree, vector: this.#withEvent(vector, event, peer, tree), truth };
  }

  /** Notes the event in its writer's chain. What it is known by depends on who made it, as a commit's id does. */
  #withEvent(vector: VersionVector, event: EventName, peer: Peer, tree: Uint8Array): VersionVector {
    const own = findVectorEntry(peer.state.vector, peer.writer);
    const previous = own === undefined ? undefined : this.#findEvent(own);
    const id = hasher.hash(Buffer.concat([tree, Buffer.from(`${event.clock} ${event.writer} ${peer.self}`)]));
    this.#chains.set(chainKey({ clock: event.clock, event: id }), {
      clock: event.clock,
      id,
      ...(previous === undefined ? {} : { previous }),
    });
    const rest = vector.filter(({ writer }) => writer !== event.writer);
    return joinVectors(rest, [vectorEntry(event, id)]);
  }

  #findEvent(event: { readonly clock: bigint; readonly event: Uint8Array }): ChainLink | undefined {
    return this.#chains.get(chainKey(event));
  }

  /** Renames branches of forked writers, until no two of the states disagree. */
  #unfork(peer: Peer, given: readonly SimState[]): SimState[] {
    const states = [...given];
    const options: ForkOptions = { hasher, findEvent: (event) => this.#findEvent(event) };
    for (let isDone = false; !isDone; ) {
      isDone = true;
      for (const [at, one] of states.entries()) {
        for (const [other, two] of states.entries()) {
          if (other <= at || one !== states[at] || two !== states[other]) continue;
          const [fork] = findForks(one.vector, two.vector, options);
          if (fork === undefined) continue;
          isDone = false;
          states[fork.side === "a" ? at : other] = this.#renamed(fork.side === "a" ? one : two, fork);
        }
      }
    }
    const own = given.indexOf(peer.state);
    const isForked = own >= 0 && !sameEntry(states[own]?.vector, peer.state.vector, peer.writer);
    if (isForked || isKnownBeyond(peer, given)) this.#renew(peer);
    return states;
  }

  #renew(peer: Peer): void {
    this.counts.renewals += 1;
    peer.writer = 0xf0000n + peer.self * 0x1000n + BigInt(this.counts.renewals);
  }

  #renamed(state: SimState, fork: Fork): SimState {
    this.counts.forks += 1;
    const { writer, common, to } = fork;
    const flat = renameFlat(state.flat, { writer, after: common?.clock ?? 0n, to });
    const { tree, vector } = renameBranch(this.#reader, this.meta, state, fork);
    if (Buffer.compare(tree, this.#builder.tree(flat.nodes)) !== 0)
      throw new Error(`a branch is renamed otherwise than on flat maps:\n${this.#differences(flat.nodes, tree)}`);
    return { flat, tree, vector, truth: state.truth };
  }

  /** The join of two states, as the peer would make it. */
  join(peer: Peer, a: SimState, b: SimState): SimState {
    return this.joinMany(peer, [a, b]);
  }

  /** The join of states one after another, with one event for all mends. */
  joinMany(peer: Peer, given: readonly [SimState, ...SimState[]]): SimState {
    const unforked = this.#options.ignoresForks === true || !this.hasClones ? [...given] : this.#unfork(peer, given);
    const clockOf = ({ flat }: SimState): bigint => flat.vector.get(peer.writer) ?? 0n;
    const start = unforked.reduce((best, each) => (clockOf(each) > clockOf(best) ? each : best));
    const states = [start, ...unforked.toSpliced(unforked.indexOf(start), 1)] as const;
    this.counts.joins += states.length - 1;
    let event: EventName | undefined;
    const name = (): EventName => {
      event ??= this.nextEvent(peer, states);
      return event;
    };
    const expected = this.#joinFlat(states, name);
    const truth = states.reduce((all: FlatVector, each) => unionVectors(all, each.truth), new Map());
    const same = states.find(({ flat }) => flat === expected);
    if (same !== undefined) return { ...same, truth };
    if (event !== undefined) this.counts.mends += 1;
    checkValid(expected.nodes);
    const { bent, datesEveryJoin } = this.#options;
    if (bent !== undefined) {
      const vector = states.reduce((all: VersionVector, each) => joinVectors(all, each.vector), []);
      return this.#state(expected, vector, truth, peer, event);
    }
    const made = joinAll(states, {
      reader: this.#reader,
      sink: this.meta,
      writer: peer.writer,
      event: name,
      rules: this.#rules,
    });
    const state = this.#state(expected, made.vector, truth, peer, made.event);
    if (Buffer.compare(state.tree, made.tree) !== 0 || made.event !== event)
      throw new Error(`the join differs from the reference:\n${this.#differences(expected.nodes, made.tree)}`);
    return datesEveryJoin === true && event === undefined ? this.#dated(peer, states, state) : state;
  }

  #joinFlat([first, ...rest]: readonly [SimState, ...SimState[]], event: () => EventName): FlatState {
    const { bent, valuesMax } = this.#options;
    let joined = { state: first.flat, births: 0 };
    for (const { flat } of rest) {
      const { births } = joined;
      joined = joinFlat(joined.state, flat, event, { valuesMax, births, ...(bent === undefined ? {} : { bent }) });
    }
    return joined.state;
  }

  /** M7 bent. */
  #dated(peer: Peer, states: readonly SimState[], state: SimState): SimState {
    const event = this.nextEvent(peer, states);
    const flat = { nodes: state.flat.nodes, vector: new Map(state.flat.vector).set(event.writer, event.clock) };
    return { ...state, flat, vector: this.#withEvent(state.vector, event, peer, state.tree) };
  }

  /** The join of two states where no step mends; undefined where it would. */
  pureJoin(a: JoinState | undefined, b: JoinState | undefined): JoinState | undefined {
    if (a === undefined || b === undefined) return undefined;
    try {
      return joinTrees({ reader: this.#reader, sink: this.meta, a, b, event: refuse, rules: this.#rules });
    } catch (error) {
      if (error instanceof NeedsMend) return undefined;
      throw error;
    }
  }

  #differences(expected: Nodes, tree: Uint8Array): string {
    const found = loadFlat(this.#reader, tree);
    const lines: string[] = [];
    for (const key of new Set([...expected.keys(), ...found.keys()])) {
      const [one, two] = [expected.get(key), found.get(key)].map((node) =>
        node === undefined ? "nothing" : describeNode(node),
      );
      if (one !== two) lines.push(`  expected ${one}\n  found    ${two}`);
    }
    return lines.join("\n");
  }
}

class NeedsMend extends Error {}

function refuse(): never {
  throw new NeedsMend();
}

function chainKey({ clock, event }: { readonly clock: bigint; readonly event: Uint8Array }): string {
  return `${clock} ${toHex(event.subarray(0, 8))}`;
}

/** Whether two vectors say the same of a writer. */
function sameEntry(a: VersionVector | undefined, b: VersionVector, writer: bigint): boolean {
  const [one, two] = [findVectorEntry(a ?? [], writer), findVectorEntry(b, writer)];
  return one === two || (one !== undefined && two !== undefined && chainKey(one) === chainKey(two));
}

/** Whether a state has a later event of the peer's writer than its own has: then another is at work under this id (F2). */
function isKnownBeyond({ writer, state }: Peer, states: readonly SimState[]): boolean {
  const own = state.flat.vector.get(writer) ?? 0n;
  return states.some(({ flat }) => (flat.vector.get(writer) ?? 0n) > own);
}

/** @throws Error unless every node is below the root, under a name of its own, in a directory. */
export function checkValid(nodes: Nodes): void {
  const places = new Set<string>();
  const kindsWithoutData: readonly number[] = [kinds.fifo, kinds.socket];
  for (const node of nodes.values()) {
    if (node.key === rootKey) continue;
    const place = `${node.parent}/${node.name}`;
    if (places.has(place)) throw new Error(`two nodes are at ${place}`);
    places.add(place);
    const isBare = kindsWithoutData.includes(node.kind) || isPlainDirectory(node);
    if (isBare !== (node.data.length === 0)) throw new Error(`the node ${node.key} has lost its last value`);
    const parent = nodes.get(node.parent);
    if (parent === undefined || parent.kind !== 2 || (parent.meta.atomic && parent.key !== rootKey))
      throw new Error(`the node ${node.key} is in no directory`);
    let steps = 0;
    for (let at: FlatNode | undefined = node; at !== undefined && at.key !== rootKey; at = nodes.get(at.parent)) {
      steps += 1;
      if (steps > nodes.size) throw new Error(`the node ${node.key} is within itself`);
    }
  }
}
