/** Pushes and prunes beside one another: each rule by a schedule of its own, and all of them by runs of chance. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { isKind } from "../../src/base/errors.ts";
import { testSeeds } from "../support/seeds.ts";
import { playPruneRun } from "./prune-run.ts";
import { pruneSchedules } from "./prune-schedules.ts";
import { PruneWorld } from "./prune-world.ts";

for (const suite of ["aes-256-gcm", "plain"] as const) {
  for (const { rule, name, play } of pruneSchedules) {
    test(`prune, ${suite}, ${rule}: ${name}: every head is whole`, async () => {
      using world = new PruneWorld(suite);
      await play(world, {});
      assert.deepEqual(await world.damage(), []);
    });
    test(`prune, ${suite}, ${rule} bent: ${name}: something is lost`, async () => {
      using world = new PruneWorld(suite);
      try {
        await play(world, { [rule]: false });
      } catch (thrown) {
        // A later prune has seen that something is nowhere.
        assert.ok(isKind(thrown, "not-found"), String(thrown));
      }
      assert.notDeepEqual(await world.damage(), []);
    });
  }
}

testSeeds("prune: writers and prunes that stall and die lose nothing, and waste ends", 4, async (prng) => {
  await playPruneRun(prng);
});
