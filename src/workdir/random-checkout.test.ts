import assert from "node:assert/strict";
import { join } from "node:path";
import { changeFolder, compareFolder } from "../../test/support/random-folder.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { State } from "../history/mod.ts";

testSeeds(
  "a checkout from any state to any other makes the folder that was committed, and its status is clean",
  12,
  async (prng) => {
    using folder = new TestFolder();
    using state = State.open(":memory:");
    const copy = join(folder.place, "copy");
    let copied = folder.tree;
    for (let round = 0; round < 6; round += 1) {
      for (let count = prng.int(1, 25); count > 0; count -= 1) changeFolder(prng, folder.path);
      await folder.commit();
      assert(folder.tree !== undefined);
      if (prng.chance(0.4)) continue;
      await folder.checkout(copy, folder.tree, { state, ...(copied === undefined ? {} : { from: copied }) });
      copied = folder.tree;
      compareFolder(folder, copy);
      assert.deepEqual(await folder.statusLines(undefined, { path: copy, state }), []);
    }
  },
);
