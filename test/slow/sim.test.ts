/** 50,000 simulated runs, other ones than in the fast tests, and long ones. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { playSeed } from "../sim/shrink.ts";

const firstSeed = 1_000_000;

for (let batch = 0; batch < 50; batch += 1) {
  test(`many writers, 1,000 runs from seed ${firstSeed + batch * 1000}`, () => {
    for (let at = 0; at < 1000; at += 1) playSeed({ seed: firstSeed + batch * 1000 + at });
  });
}

test("100 runs of 5 writers and 200 operations", () => {
  for (let seed = 1; seed <= 100; seed += 1) assert.ok(playSeed({ seed, peers: 5, changes: 200 }).changes >= 200);
});
