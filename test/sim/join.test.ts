import assert from "node:assert/strict";
import { test } from "node:test";
import { playSeeds } from "./play-seeds.ts";
import { playSeed } from "./shrink.ts";

const runs = 5000;
const batch = 500;
const only = process.env["SEED"];

if (only === undefined) {
  for (let first = 1; first <= runs; first += batch) {
    test(`many writers: nothing is lost, all end with one tree, as on flat maps (runs ${first} to ${first + batch - 1})`, async () => {
      const totals = { runs: 0, mends: 0, brackets: 0, forks: 0 };
      await playSeeds({ first, count: batch, options: {} }, ({ mends, brackets, forks }) => {
        totals.runs += 1;
        totals.mends += mends;
        totals.brackets += brackets;
        totals.forks += forks;
      });
      assert.equal(totals.runs, batch);
      assert.ok(totals.mends > batch && totals.brackets > batch && totals.forks > 0, "the runs have something to show");
    });
  }
} else test(`many writers (SEED=${only})`, () => void playSeed({ seed: Number(only) }));

test("eight writers in lockstep are at rest after six rounds", () => {
  for (let seed = 1; seed <= 20; seed += 1) assert.ok(playSeed({ seed, peers: 8, changes: 60 }).rounds <= 6);
});
