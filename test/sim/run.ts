/**
 * One simulated run: steps made from a seed, each with a seed of its own, so that a run can be played again and again with
 * fewer of them. At the end every peer takes in every head, round by round, until nothing changes; then all is checked.
 */
import { Prng } from "../../src/base/prng.ts";
import type { JoinRules } from "../../src/history/mod.ts";
import type { BentRule } from "../support/flat-join.ts";
import { Edit } from "./edit.ts";
import { type Counts, type Peer, type SimState, World } from "./world.ts";

export interface SimOptions {
  readonly seed: number;
  /** 2 to 8; by default the seed's. */
  readonly peers?: number;
  /** How many changes to the tree at least; by default the seed's. */
  readonly changes?: number;
  readonly valuesMax?: number;
  readonly bent?: BentRule;
  readonly rules?: Partial<JoinRules>;
  readonly keepsPickedDot?: boolean;
  readonly datesEveryJoin?: boolean;
  readonly ignoresForks?: boolean;
}

/** The acts of one step: what a peer does, with whom. */
export interface Step {
  readonly kind: "edit" | "publish" | "fetch" | "direct" | "crash" | "share" | "clone" | "forget";
  readonly peer: number;
  readonly seed: number;
  /** Of an edit: how many changes to the tree are one commit. */
  readonly changes: number;
}

export interface Plan {
  readonly peers: number;
  readonly skewsMs: readonly number[];
  readonly valuesMax: number;
  readonly names: readonly string[];
  readonly steps: readonly Step[];
  readonly remotes: number;
  /** Whether at the end all heads are joined in one go, with one event for all mends. */
  readonly joinsAtOnce: boolean;
}

export interface RunResult extends Counts {
  readonly rounds: number;
  readonly nodes: number;
}

/** Short names, of which some end a node of a directory: small directories then have nodes of several levels. */
const allNames = ["a", "n7", "b", "n30", "c", "n121", "d", "n171", "e.txt", "n197", "notes"];
/** After all were told of all: more than this many rounds is too many. */
const roundsMax = 6;

export function makePlan(options: SimOptions): Plan {
  const prng = new Prng(options.seed);
  const peers = options.peers ?? (prng.chance(0.7) ? prng.int(2, 4) : prng.int(5, 8));
  const changesMin = options.changes ?? prng.int(8, 20 + peers * 5);
  const skewsMs = Array.from({ length: peers }, () =>
    prng.chance(0.2) ? prng.int(-1, 1) * 86_400_000 : prng.int(-9, 9),
  );
  const names = allNames.slice(0, prng.int(2, allNames.length));
  /** Gone after its first edits, and back at the end. */
  const gone = prng.chance(0.3) ? prng.int(0, peers - 1) : -1;
  const valuesMax = prng.chance(0.1) ? peers + 1 : 1024;
  const editShare = prng.int(3, 7) / 10;
  /** Copies of a box, or boxes restored from a backup, that go on beside it: they come after the others. */
  const copies = prng.chance(0.15) ? prng.int(1, 2) : 0;
  const steps: Step[] = [];
  if (prng.chance(0.6))
    steps.push(editStep(prng, 0, 12), editStep(prng, 0, 8), { kind: "share", peer: 0, seed: 0, changes: 0 });
  for (let changes = 0; changes < changesMin; ) {
    const peer = prng.int(0, peers + copies - 1);
    const others = ["publish", "fetch", "fetch", "direct", "direct", "crash"] as const;
    const isAway = peer === gone && changes > changesMin / 4;
    const isEdit = prng.chance(editShare) || isAway;
    const kind: Step["kind"] = prng.chance(0.05) ? "forget" : prng.pick(others);
    const step = isEdit ? editStep(prng, peer, 5) : { kind, peer, seed: prng.u32(), changes: 0 };
    steps.push(step);
    changes += step.changes;
  }
  for (let left = copies; left > 0; left -= 1)
    steps.splice(prng.int(0, steps.length >> 1), 0, {
      kind: "clone",
      peer: prng.int(0, peers - 1),
      seed: 0,
      changes: 0,
    });
  return {
    peers,
    skewsMs,
    valuesMax: options.valuesMax ?? valuesMax,
    names,
    steps,
    remotes: prng.int(1, 2),
    joinsAtOnce: prng.chance(0.5),
  };
}

function editStep(prng: Prng, peer: number, changesMax: number): Step {
  return { kind: "edit", peer, seed: prng.u32(), changes: prng.int(1, changesMax) };
}

export class Run {
  readonly #world: World;
  readonly #plan: Plan;
  readonly #options: Partial<SimOptions>;
  /** Per remote and writer the heads that were put there, oldest first. */
  readonly #remotes: Map<bigint, SimState[]>[];
  readonly #reached: SimState[] = [];
  #tokens = 100;

  constructor(plan: Plan, options: Partial<SimOptions> = {}) {
    this.#plan = plan;
    this.#options = options;
    const { bent, rules, datesEveryJoin, ignoresForks } = options;
    this.#world = new World({
      peers: plan.peers,
      skewsMs: plan.skewsMs,
      valuesMax: plan.valuesMax,
      ...(bent === undefined ? {} : { bent }),
      ...(rules === undefined ? {} : { rules }),
      ...(datesEveryJoin === undefined ? {} : { datesEveryJoin }),
      ...(ignoresForks === undefined ? {} : { ignoresForks }),
    });
    this.#remotes = Array.from({ length: plan.remotes }, () => new Map());
  }

  /** @throws Error at the first law that is broken. */
  play(): RunResult {
    for (const step of this.#plan.steps) this.#act(step);
    this.#checkBrackets();
    const rounds = this.#quiesce();
    const [first] = this.#world.peers as [Peer];
    this.#world.ledger.check(first.state.flat.nodes);
    return { ...this.#world.counts, rounds, nodes: first.state.flat.nodes.size };
  }

  #act({ kind, peer: at, seed, changes }: Step): void {
    const prng = new Prng(seed);
    const peer = this.#world.peers[at % this.#world.peers.length] as Peer;
    if (kind === "edit") this.#edit(peer, prng, changes);
    else if (kind === "publish") this.#publish(peer, prng);
    else if (kind === "fetch") this.#fetch(peer, prng);
    else if (kind === "clone") this.#world.clone(peer);
    else if (kind === "forget") this.#forget(peer);
    else if (kind === "share")
      for (const each of this.#world.peers) each.state = this.#world.join(each, each.state, peer.state);
    else {
      const other = prng.pick(this.#world.peers);
      const joined = this.#world.join(peer, peer.state, other.state);
      // A crash before the head is moved: what was joined is gone, and was never seen.
      if (kind === "direct") peer.state = joined;
    }
    this.#reached.push(peer.state);
  }

  #edit(peer: Peer, prng: Prng, changes: number): void {
    const event = this.#world.nextEvent(peer, [peer.state]);
    const newToken = (): number => {
      this.#tokens += 1;
      return this.#tokens;
    };
    const { keepsPickedDot } = this.#options;
    const edit = new Edit(peer.state.flat.nodes, {
      prng,
      names: this.#plan.names,
      event,
      newToken,
      ...(keepsPickedDot === undefined ? {} : { keepsPickedDot }),
    });
    const isFirst = peer.state.flat.nodes.size < 6;
    for (let count = changes; count > 0; count -= 1) this.#change(edit, peer, prng, isFirst);
    this.#world.counts.changes += changes;
    this.#world.commit(peer, edit, event);
  }

  #change(edit: Edit, peer: Peer, prng: Prng, isFirst: boolean): void {
    const kind = prng.int(isFirst ? 0 : -3, isFirst ? 5 : 20);
    if (kind < 0) edit.moveDirectory();
    else if (kind <= 4) edit.create();
    else if (kind <= 8) edit.move();
    else if (kind <= 11) edit.edit();
    else if (kind <= 13) edit.remove();
    else if (kind <= 14) edit.chmod();
    else if (kind <= 15) edit.touch();
    else if (kind <= 16) edit.link();
    else if (kind <= 17) edit.mark();
    else if (kind <= 18) edit.editUnit();
    else if (kind <= 19) edit.resolve();
    else if (peer.older.length > 0) edit.restore(prng.pick(peer.older));
  }

  #publish(peer: Peer, prng: Prng): void {
    const remote = prng.pick(this.#remotes);
    const heads = remote.get(peer.writer);
    if (heads === undefined) remote.set(peer.writer, [peer.state]);
    else heads.push(peer.state);
  }

  /** Retention: of the peer's own states, and of those on the remotes, only the last are left. */
  #forget(peer: Peer): void {
    peer.older.length = 0;
    for (const remote of this.#remotes) for (const heads of remote.values()) heads.splice(0, heads.length - 1);
  }

  /** Takes in some of the heads on a remote, which may show an older one of a writer. */
  #fetch(peer: Peer, prng: Prng): void {
    const others: SimState[] = [];
    for (const [, heads] of [...prng.pick(this.#remotes)].sort(([x], [y]) => (x < y ? -1 : 1)))
      if (prng.chance(0.7)) others.push(prng.chance(0.3) ? prng.pick(heads) : (heads.at(-1) as SimState));
    peer.state = this.#world.joinMany(peer, [peer.state, ...others]);
  }

  /** Every bracketing of states that were reached gives the same tree, where no step mends. Branches of forked writers must be renamed first. */
  #checkBrackets(): void {
    if (this.#reached.length === 0 || this.#options.bent !== undefined || this.#world.hasClones) return;
    const world = this.#world;
    const prng = new Prng(this.#reached.length);
    for (let count = 0; count < 4; count += 1) {
      const [a, b, c] = [prng.pick(this.#reached), prng.pick(this.#reached), prng.pick(this.#reached)];
      const [ab, bc, ac] = [world.pureJoin(a, b), world.pureJoin(b, c), world.pureJoin(a, c)];
      const ways = [
        [world.pureJoin(ab, c), world.pureJoin(c, ab)],
        [world.pureJoin(a, bc), world.pureJoin(bc, a)],
        [world.pureJoin(ac, b), world.pureJoin(b, ac)],
        [world.pureJoin(world.pureJoin(a, bc), ab), world.pureJoin(world.pureJoin(ac, b), a)],
      ];
      const trees = ways
        .flat()
        .flatMap((state) => (state === undefined ? [] : Buffer.from(state.tree).toString("hex")));
      if (new Set(trees).size > 1) throw new Error("two bracketings of the same states differ");
      world.counts.brackets += trees.length;
    }
  }

  /** All take in all, in lockstep, until nothing changes. @returns How many rounds changed something. */
  #quiesce(): number {
    const { peers } = this.#world;
    let rounds = 0;
    for (let isResting = false; !isResting; ) {
      const heads = peers.map(({ state }) => state);
      for (const peer of peers) {
        if (this.#plan.joinsAtOnce) peer.state = this.#world.joinMany(peer, heads as [SimState, ...SimState[]]);
        else for (const head of heads) peer.state = this.#world.join(peer, peer.state, head);
      }
      isResting = peers.every(({ state }, at) => describeState(state) === describeState(heads[at] as SimState));
      if (!isResting) rounds += 1;
      if (rounds > roundsMax) throw new Error(`there is no rest after ${roundsMax} rounds`);
    }
    const [first, ...rest] = peers.map(({ state }) => describeState(state));
    if (rest.some((each) => each !== first)) throw new Error("peers that have seen all have other trees or vectors");
    return rounds;
  }
}

function describeState({ tree, vector }: SimState): string {
  return [Buffer.from(tree).toString("hex"), ...vector.map(({ writer, clock }) => `${writer}:${clock}`)].join(" ");
}
