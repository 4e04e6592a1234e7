import assert from "node:assert/strict";
import { test } from "node:test";
import { playSeed } from "./shrink.ts";

const runs = 5000;
const batch = 100;
const only = process.env["SEED"];

if (only === undefined) {
  for (let first = 1; first <= runs; first += batch) {
    test(`many writers: nothing is lost, all end with one tree, as on flat maps (runs ${first} to ${first + batch - 1})`, () => {
      const totals = { mends: 0, brackets: 0 };
      for (let seed = first; seed < first + batch; seed += 1) {
        const { mends, brackets } = playSeed({ seed });
        totals.mends += mends;
        totals.brackets += brackets;
      }
      assert.ok(totals.mends > batch && totals.brackets > batch, "the runs have something to show");
    });
  }
} else test(`many writers (SEED=${only})`, () => void playSeed({ seed: Number(only) }));

test("eight writers in lockstep are at rest after six rounds", () => {
  for (let seed = 1; seed <= 20; seed += 1) assert.ok(playSeed({ seed, peers: 8, changes: 60 }).rounds <= 6);
});
