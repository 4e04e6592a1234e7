/** What makes and takes away the folder of a branch, for tests that fail each operation: whatever happens, nothing in it is taken for deleted, or lost. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type AppContext, type Box, openLive } from "../../src/app/mod.ts";
import type { FaultyPlace } from "./faulty-box.ts";
import { inBox, makePlain, type Scenario } from "./faulty-scenarios.ts";
import { changesIn } from "./unreal-pair.ts";

const name = "side";
const files = `a/.ourobox/branches/${name}/files`;
const changed = { "a.txt": "one, on the side\n", "d/n": "new\n" };

const hasBranch = (box: Box): boolean => box.branches().some((each) => each.name === name && each.commit !== undefined);

/** As a mount does, but for the kernel. */
async function open(place: FaultyPlace, context: AppContext = place.context()): Promise<boolean> {
  return inBox(place, "a", context, async (box) => {
    await box.beginBranch({ name, ...(hasBranch(box) ? {} : { create: box.resolve("HEAD") }) });
    await using own = box.openBranch(name);
    const directory = place.path("mount");
    await using _ = await openLive(own, {
      directory,
      readOnly: false,
      onChange: () => {},
      settle: async () => {},
    });
    return true;
  });
}

async function makeBranch(place: FaultyPlace): Promise<void> {
  await makePlain(place);
  await open(place);
  place.write(files, changed);
  await inBox(place, "a", place.context(), async (box) => {
    await using own = box.openBranch(name);
    await own.commit({ message: name, all: true });
  });
}

/** As the branch has it; the folder may have gone, or be half taken away. */
async function requireNothingDeleted(place: FaultyPlace): Promise<void> {
  await inBox(place, "a", place.context(), async (box) => {
    if (box.branch === name || !hasBranch(box) || !existsSync(place.path(files))) return;
    await using own = box.openBranch(name);
    assert.deepEqual(await changesIn(own), []);
  });
}

export const branchScenarios: readonly Scenario[] = [
  {
    name: "mount -c",
    prepare: makePlain,
    run: open,
    always: requireNothingDeleted,
    async finished(place) {
      await requireNothingDeleted(place);
      await place.requireClean("a");
      assert.deepEqual(readdirSync(place.path(files)), []);
    },
  },
  {
    name: "switch to a branch with a folder of its own",
    prepare: makeBranch,
    run: (place, context) => inBox(place, "a", context, async (box) => !(await box.switch({ name })).isPartial),
    always: requireNothingDeleted,
    async finished(place) {
      await inBox(place, "a", place.context(), async (box) => {
        assert.deepEqual([box.branch, (await box.status()).changes.length], [name, 0]);
      });
      for (const [path, text] of Object.entries(changed))
        assert.equal(readFileSync(place.path(`a/${path}`), "utf8"), text);
      assert.equal(existsSync(place.path(files)), false);
    },
  },
  {
    name: "branch -d of a branch with a folder of its own",
    prepare: makeBranch,
    run: (place, context) =>
      inBox(place, "a", context, async (box) => {
        if (hasBranch(box)) await box.deleteBranch(name, { force: true });
        return true;
      }),
    always: requireNothingDeleted,
    async finished(place) {
      await place.requireClean("a");
      assert.equal(existsSync(place.path(files)), false);
    },
  },
];
