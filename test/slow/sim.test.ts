/** 50,000 simulated runs, other ones than in the fast tests, and long ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { playSeeds } from "../sim/play-seeds.ts";

const firstSeed = 1_000_000;
const batches = 5;
const batchRuns = 10_000;

for (let batch = 0; batch < batches; batch += 1) {
  const first = firstSeed + batch * batchRuns;
  test(`many writers, 10,000 runs from seed ${first}`, async (t) => {
    const totals = { runs: 0, changes: 0, joins: 0, mends: 0, forks: 0, rounds: 0 };
    await playSeeds({ first, count: batchRuns, options: {} }, ({ changes, joins, mends, forks, rounds }) => {
      totals.runs += 1;
      totals.changes += changes;
      totals.joins += joins;
      totals.mends += mends;
      totals.forks += forks;
      totals.rounds = Math.max(totals.rounds, rounds);
    });
    t.diagnostic(JSON.stringify(totals));
    assert.equal(totals.runs, batchRuns);
    assert.ok(totals.forks > 0 && totals.mends > 0, "no writer was ever forked, or nothing ever mended");
  });
}

// Long runs find what short ones do not: seeds 944 and 1028 each lost a value once.
test("1,100 runs of 5 writers and 200 operations", async () => {
  let runs = 0;
  await playSeeds({ first: 1, count: 1100, options: { peers: 5, changes: 200 } }, ({ changes }) => {
    runs += 1;
    assert.ok(changes >= 200);
  });
  assert.equal(runs, 1100);
});
