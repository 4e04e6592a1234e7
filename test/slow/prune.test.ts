/** A prune cut off at every operation, and more runs of chance than in the fast tests. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";
import { playPruneRun } from "../sim/prune-run.ts";
import { testPruneFaults } from "../support/prune-faults.ts";

testPruneFaults({ step: 1 });

const firstSeed = 1000;
const runs = 60;

test("prune: 60 runs of writers and prunes that stall and die lose nothing, and waste ends", async (t) => {
  const totals: Record<string, number> = {};
  for (let seed = firstSeed; seed < firstSeed + runs; seed += 1) {
    try {
      for (const [key, count] of Object.entries(await playPruneRun(new Prng(seed))))
        totals[key] = (totals[key] ?? 0) + count;
    } catch (thrown) {
      throw new Error(`SEED=${seed} fails`, { cause: thrown });
    }
  }
  t.diagnostic(JSON.stringify(totals));
  for (const [key, count] of Object.entries(totals)) assert.ok(count > 0, `${key} has never happened`);
});
