/**
 * Schedules by hand, each for one rule of the join that random runs need too seldom (doc/merge.md): with the rule as it is a
 * schedule ends well, and with the rule bent it does not.
 */
import assert from "node:assert/strict";
import type { JoinRules } from "../../src/history/mod.ts";
import type { BentRule } from "../support/flat-join.ts";
import { describeChange, runScript, writerOf } from "../support/flat-script.ts";
import type { FlatState } from "../support/flat-tree.ts";
import { type Peer, type SimState, World } from "./world.ts";

/** What is bent while a schedule is played. */
export interface Bent {
  readonly rules?: Partial<JoinRules>;
  readonly bent?: BentRule;
  /** R2: a pick leaves the value's dot as it was. */
  readonly keepsPickedDot?: boolean;
}

export interface Schedule {
  readonly rule: string;
  readonly name: string;
  readonly bend: Bent;
  /** @throws Error where a law does not hold. */
  readonly play: (bent: Bent) => void;
}

/** A clock above those that mends give out here. */
const afterMends = 10n ** 18n;

class Stage {
  readonly #world: World;
  readonly empty: SimState;
  #mends = 0;

  constructor(bent: Bent) {
    const { rules, bent: rule } = bent;
    this.#world = new World({
      peers: 1,
      skewsMs: [],
      valuesMax: 1024,
      ignoresForks: true,
      ...(rules === undefined ? {} : { rules }),
      ...(rule === undefined ? {} : { bent: rule }),
    });
    this.empty = (this.#world.peers[0] as Peer).state;
  }

  act(state: SimState, letter: string, clock: bigint, text: string, older?: SimState): SimState {
    return this.#world.stateOf(runScript(state.flat, letter, clock, text, older?.flat.nodes));
  }

  stateOf(flat: FlatState): SimState {
    return this.#world.stateOf(flat);
  }

  join(letter: string, a: SimState, b: SimState): SimState {
    this.#mends = this.#world.counts.mends;
    return this.#world.join({ writer: writerOf(letter), self: writerOf(letter), skewMs: 0, older: [], state: a }, a, b);
  }

  get hasMended(): boolean {
    return this.#world.counts.mends > this.#mends;
  }
}

/** R2 bent: picked is what it was, with the dot that it had. */
function keepDot(stage: Stage, picked: SimState, before: SimState): SimState {
  const nodes = new Map(picked.flat.nodes);
  for (const [key, node] of nodes) {
    const text = JSON.stringify(node.data[0]?.value);
    const kept = before.flat.nodes.get(key)?.data.filter(({ value }) => JSON.stringify(value) === text);
    if (kept !== undefined && kept.length > 0) nodes.set(key, { ...node, data: kept });
  }
  return stage.stateOf({ ...picked.flat, nodes });
}

function shows(state: SimState, before: SimState): string {
  return describeChange(before.flat.nodes, state.flat.nodes);
}

export const schedules: readonly Schedule[] = [
  {
    rule: "R2",
    name: "two peers settle a conflict, each by another value: both are there",
    bend: { keepsPickedDot: true },
    play: (bent) => {
      const stage = new Stage(bent);
      const start = stage.act(stage.empty, "S", 1n, "create f 0");
      const conflict = stage.join("M", stage.act(start, "A", 10n, "edit f"), stage.act(start, "B", 11n, "edit f"));
      const picked = (letter: string, clock: bigint, value: string): SimState => {
        const state = stage.act(conflict, letter, clock, `pick f ${value}`);
        return bent.keepsPickedDot === true ? keepDot(stage, state, conflict) : state;
      };
      const joined = stage.join("M", picked("A", 20n, "A"), picked("B", 21n, "B"));
      assert.equal(shows(joined, start), "f=B|A");
    },
  },
  {
    rule: "R4",
    name: "who takes in a state that has seen all of the own has that state, without a mend",
    bend: { bent: "R4" },
    play: (bent) => {
      const stage = new Stage(bent);
      const start = stage.act(stage.empty, "S", 1n, "create f 0");
      const deleted = stage.act(start, "A", 10n, "delete f");
      const restored = stage.act(deleted, "B", 11n, "restore f", start);
      const joined = stage.join("A", deleted, restored);
      assert.deepEqual([stage.hasMended, joined.flat.nodes], [false, restored.flat.nodes]);
    },
  },
  {
    rule: "R5 birth",
    name: "a directory that was moved and changed survives with all that was in it",
    bend: { bent: "R5 birth" },
    play: (bent) => {
      const stage = new Stage(bent);
      const start = stage.act(stage.empty, "S", 1n, "mkdir d, create d/x 0");
      const moved = stage.act(start, "A", 10n, "move d h, chmod h");
      const joined = stage.join("M", moved, stage.act(start, "B", 11n, "delete d"));
      assert.equal(shows(joined, start), "h/ mode A, h/x=0, -d/, -d/x");
    },
  },
  {
    rule: "M5 equal values",
    name: "what was written again survives who replaced an equal value in another file of that name",
    bend: { bent: "M5 equal values" },
    play: (bent) => {
      const stage = new Stage(bent);
      const [first, later] = [
        stage.act(stage.empty, "C", 5n, "create f 9"),
        stage.act(stage.empty, "A", 10n, "create f 0"),
      ];
      const both = stage.join("C", first, later);
      assert.equal(shows(both, first), "f=0|9");
      const restored = stage.act(
        stage.act(later, "A", afterMends, "delete f"),
        "A",
        afterMends + 1n,
        "restore f",
        later,
      );
      const replaced = stage.act(both, "C", afterMends + 9n, "edit f");
      const joined = stage.join("M", stage.join("A", restored, both), replaced);
      assert.equal(shows(joined, first), "f=C|0");
    },
  },
];
