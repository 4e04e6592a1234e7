import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { describeChange, runScript, writerOf } from "../support/flat-script.ts";
import type { FlatState } from "../support/flat-tree.ts";
import { type SimState, World } from "./world.ts";

const page = readFileSync(`${import.meta.dirname}/../../doc/merge.md`, "utf8");
const rows = page
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter(([, a]) => a !== "A does");

const mender = { writer: writerOf("M"), self: writerOf("M"), skewMs: 0, older: [] };

test("the table of pairings has every pair of changes to a file and to a directory", () => {
  const verbs = ["create", "edit", "touch", "move", "delete", "chmod", "link"];
  const has = (one: string, two: string): boolean =>
    rows.some(([, a = "", b = ""]) => (a.includes(one) && b.includes(two)) || (a.includes(two) && b.includes(one)));
  const missing = verbs.flatMap((one) => verbs.filter((two) => !has(one, two)).map((two) => `${one} and ${two}`));
  assert.deepEqual(missing, []);
});

for (const [, a = "", b = "", expected = "", mend = "", why = ""] of rows) {
  test(`A does ${a}, B does ${b}: ${expected}`, () => {
    assert.match(why, /^(R[1-6]|M[1-6]|different nodes|what )/, "a reason");
    const world = new World({ peers: 1, skewsMs: [], valuesMax: 1024 });
    const files = "create f 0, create g 0, mkdir d, create d/x 0, create d/z 0, mkdir e, create e/y 0";
    const empty = (world.peers[0] as { readonly state: SimState }).state.flat;
    const before = runScript(empty, "S", 1n, `${files}, mkdir u, create u/m 0, create u/o 0`);
    const start = runScript(before, "S", 2n, "mark u");
    const state = (flat: FlatState): SimState => world.stateOf(flat);
    const [one, two] = [state(runScript(start, "A", 10n, a)), state(runScript(start, "B", 11n, b))];
    for (const [x, y] of [
      [one, two],
      [two, one],
    ] as const) {
      const mends = world.counts.mends;
      const joined = world.join({ ...mender, state: x }, x, y);
      assert.equal(describeChange(start.nodes, joined.flat.nodes).replaceAll("|", " or "), expected);
      assert.equal(world.counts.mends > mends ? "yes" : "", mend);
    }
  });
}
