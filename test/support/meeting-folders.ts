/** Real folders that meet only through a remote: random work in each, syncs in any order, and in the end all are the same. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareTrees } from "../../scripts/compare-trees.ts";
import { attributesFileName } from "../../src/app/attributes.ts";
import { Box, cloneBox } from "../../src/app/mod.ts";
import type { Prng } from "../../src/base/prng.ts";
import { isShown } from "../../src/history/mod.ts";
import { TestWorld } from "./app-world.ts";
import { requireOwnIds } from "./own-ids.ts";
import { changeFolder } from "./random-folder.ts";

const request = { force: true, message: "" };
/** Syncs in turn after which all must be at rest. */
const settleRounds = 8;
/** Directories that are marked atomic, of the names that random changes give. */
const unitRules = ["a* atomic\n", "a* atomic\nb* atomic\n", "a* atomic\na1* -atomic\n", "b* atomic\n", ""];

export async function meet(
  prng: Prng,
  { folders, rounds, changes }: { readonly folders: number; readonly rounds: number; readonly changes: number },
): Promise<void> {
  const top = mkdtempSync(join(tmpdir(), "ourobox-meet-"));
  const boxes: Box[] = [];
  const hasUnits = prng.chance(0.5);
  try {
    const pathOf = (index: number): string => join(top, `folder${index}`);
    for (let index = 0; index < folders; index += 1) {
      // Each on a machine of its own.
      const world = new TestWorld(join(top, `machine${index}`));
      mkdirSync(world.folder);
      const context = world.context();
      if (index === 0) {
        mkdirSync(join(pathOf(0), "w"), { recursive: true });
        for (let count = prng.int(0, 20); count > 0; count -= 1) changeFolder(prng, join(pathOf(0), "w"));
        const box = await Box.init(pathOf(0), { ...world.initOptions, plain: true }, context);
        boxes.push(box);
        await box.addRemote("origin", join(top, "remote"));
        await box.sync([], request);
      } else {
        await cloneBox(join(top, "remote"), pathOf(index), { bare: false }, context);
        boxes.push(await Box.open(pathOf(index), context));
      }
    }
    for (let round = 0; round < rounds; round += 1) {
      for (const [index, box] of boxes.entries()) {
        const work = join(pathOf(index), "w");
        mkdirSync(work, { recursive: true });
        for (let count = prng.int(0, changes); count > 0; count -= 1) changeFolder(prng, work);
        if (hasUnits && prng.chance(0.4)) writeFileSync(join(work, attributesFileName), prng.pick(unitRules));
        if (prng.chance(0.3)) await box.commit({ message: "", all: true });
        if (prng.chance(0.6)) await box.sync([], request);
      }
    }
    await settle(boxes, pathOf);
  } finally {
    for (const box of boxes) await box[Symbol.asyncDispose]();
    rmSync(top, { recursive: true, force: true });
  }
}

/** Syncs in turn until nobody has anything to do; then all are the same, and as committed. */
async function settle(boxes: readonly Box[], pathOf: (index: number) => string): Promise<void> {
  for (let round = 0; ; round += 1) {
    assert(round < settleRounds, "they do not come to rest");
    let isQuiet = true;
    for (const box of boxes) {
      const { committed, moved, pushed, partial } = await box.sync([], request);
      assert(!partial);
      isQuiet &&= committed === undefined && moved === undefined && pushed.every(({ packs }) => packs === 0);
    }
    if (isQuiet) break;
  }
  for (const [index, box] of boxes.entries()) {
    const { differences } = compareTrees(pathOf(0), pathOf(index));
    assert.deepEqual(differences, [], `folder ${index} is as folder 0`);
    assert.deepEqual((await box.status()).changes.filter(isShown), [], `folder ${index} is as committed`);
    assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
    requireOwnIds(box);
  }
}
