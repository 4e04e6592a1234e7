/** What brings content here and gives it up, for tests that fail each operation: whatever happens, nothing is taken for deleted, and all can be read. */
import assert from "node:assert/strict";
import { type AppContext, Box, cloneBox } from "../../src/app/mod.ts";
import { utf8 } from "../../src/base/bytes.ts";
import { isKind } from "../../src/base/errors.ts";
import { type FaultyPlace, listCommit, listFolder } from "./faulty-box.ts";
import { commitsOf, inBox, makeRemote, makeSecond, push, type Scenario } from "./faulty-scenarios.ts";

async function cloneUnreal(place: FaultyPlace, context: AppContext = place.context()): Promise<boolean> {
  try {
    const request = { bare: false, unreal: true };
    return !(await cloneBox(place.path("remote"), place.path("b"), request, context)).partial;
  } catch (thrown) {
    // The last run has ended it and could not say so.
    if (!isKind(thrown, "exists") || (await place.head("b")) === undefined) throw thrown;
    return true;
  }
}

async function prepareRemote(place: FaultyPlace): Promise<void> {
  await makeRemote(place);
  await makeSecond(place);
  await push(place);
}

/** Nothing that a box has is gone from its folder in the eyes of a scan. */
async function requireNoDeletion(place: FaultyPlace, name: string): Promise<void> {
  if ((await place.head(name)) === undefined) return;
  await inBox(place, name, place.context(), async (box) => {
    const { changes } = await box.status();
    const removed = changes.flatMap(({ type, path }) => (type === "remove" ? [Buffer.from(path).toString()] : []));
    assert.deepEqual(removed, []);
  });
}

const folders = ["d", "many", "moved", "d/b2.txt"];
const chosen = (name: string): boolean => folders.some((folder) => name === folder || name.startsWith(`${folder}/`));

/** Room for one of the frames that are read. */
const smallCacheBytes = 28_672;
const smallCache = { OUROBOX_CACHE_SIZE: String(smallCacheBytes), OUROBOX_CACHE_FREE: "0%" };

export const unrealScenarios: readonly Scenario[] = [
  {
    name: "clone --unreal",
    prepare: prepareRemote,
    run: cloneUnreal,
    always: (place) => requireNoDeletion(place, "b"),
    async finished(place) {
      assert.equal(await place.head("b"), commitsOf(place).at(-1));
      assert.deepEqual([...listFolder(place.path("b"))], []);
      await requireNoDeletion(place, "b");
    },
  },
  {
    name: "realize",
    async prepare(place) {
      await prepareRemote(place);
      await cloneUnreal(place);
    },
    run: (place, context) => inBox(place, "b", context, async (box) => !(await box.realize([utf8("")])).partial),
    always: (place) => requireNoDeletion(place, "b"),
    async finished(place) {
      await place.requireClean("b");
      assert.deepEqual(listFolder(place.path("b")), listFolder(place.path("a")));
    },
  },
  {
    name: "cat with a small cache, and cache clear",
    async prepare(place) {
      await prepareRemote(place);
      await cloneUnreal(place);
    },
    run: (place, context) =>
      inBox(place, "b", { ...context, env: { ...context.env, ...smallCache } }, async (box) => {
        const head = box.resolve("HEAD");
        for (const name of ["big.bin", "d/b2.txt", "big.bin"]) {
          const entry = box.find(head, utf8(name));
          assert(entry !== undefined);
          await Array.fromAsync(box.readFile(entry));
          assert((await box.cache()).bytes <= smallCacheBytes);
        }
        return !(await box.shrinkCache({ to: 0, dryRun: false })).partial;
      }),
    always: (place) => requireNoDeletion(place, "b"),
    finished: (place) =>
      inBox(place, "b", place.context(), async (box) => {
        assert.equal((await box.cache()).bytes, 0);
        assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
      }),
  },
  {
    name: "unrealize",
    prepare: prepareRemote,
    run: (place, context) =>
      inBox(place, "a", context, async (box) => !(await box.unrealize(folders.slice(0, 3).map(utf8))).partial),
    always: (place) => requireNoDeletion(place, "a"),
    async finished(place) {
      await requireNoDeletion(place, "a");
      const names = (listing: ReadonlyMap<string, string>): string[] => [...listing.keys()];
      await using box = await Box.open(place.path("a"), place.context());
      const all = names(await listCommit(box, commitsOf(place).at(-1) as string));
      assert.deepEqual(
        names(listFolder(place.path("a"))),
        all.filter((name) => !chosen(name)),
      );
    },
  },
];
