import assert from "node:assert/strict";
import { appendFileSync, lstatSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { changeFolder, compareFolder, freshPath, walkFolder } from "../../test/support/random-folder.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { lstat, setTimeAt } from "../base/posix.ts";
import { dotKey } from "../format/mod.ts";
import { State } from "../history/mod.ts";

testSeeds(
  "after any changes the tree is the folder, and the status is clean, with scan rows and without",
  12,
  async (prng) => {
    using folder = new TestFolder();
    for (let round = 0; round < 6; round += 1) {
      for (let count = prng.int(1, 25); count > 0; count -= 1) changeFolder(prng, folder.path);
      const announced = (await folder.status()).changes.length;
      const { tree } = await folder.commit();
      assert.equal(tree === undefined, announced === 0 && round > 0, "the status announces the commit");
      compareFolder(folder, folder.path);
      assert.deepEqual(await folder.statusLines(), []);
      using unseen = State.open(":memory:");
      assert.deepEqual(
        await folder.statusLines(undefined, { path: folder.path, state: unseen }),
        [],
        "without rows, too",
      );
    }
    assert.deepEqual(folder.warnings, []);
  },
);

testSeeds("what is moved keeps its id, wherever it goes", 8, async (prng) => {
  using folder = new TestFolder();
  for (let count = 40; count > 0; count -= 1) changeFolder(prng, folder.path);
  for (const path of walkFolder(folder.path)) {
    const full = join(folder.path, path);
    if (!lstatSync(full).isFile()) continue;
    // Other bytes in each, so that nothing is found by its content.
    if (lstat(full).nlink > 1) rmSync(full);
    else appendFileSync(full, path);
  }
  await folder.commit();
  const inodeOf = (path: string): bigint => lstat(join(folder.path, path)).inode;
  const before = new Map([...folder.entries()].map(([path, { id }]) => [inodeOf(path), dotKey(id)]));
  for (let count = 15; count > 0; count -= 1) {
    const path = join(folder.path, prng.pick(walkFolder(folder.path)));
    const fresh = join(folder.path, freshPath(prng, folder.path));
    if (!fresh.startsWith(`${path}/`)) renameSync(path, fresh);
    if (prng.chance(0.3)) mkdirSync(join(folder.path, freshPath(prng, folder.path)));
  }
  setTimeAt(-100, folder.path, 5n);
  await folder.commit();
  for (const [path, { id }] of folder.entries()) {
    const known = before.get(inodeOf(path));
    if (known !== undefined) assert.equal(dotKey(id), known, path);
  }
});
