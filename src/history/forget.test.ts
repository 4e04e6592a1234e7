/** Forgetting commits: what a retention says, how a log goes on past them, and that check and gc do not ask for their trees. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { forgetOlder } from "../../test/sim/prune-world.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { toHex } from "../base/bytes.ts";
import type { Hash, NamedCommit } from "../format/mod.ts";
import { checkHistory, forgetAlso, keepsAll, keptParents, loadRetention, RetentionView, walkLog } from "./mod.ts";

async function boxWith(count: number): Promise<{ box: TestBox; ids: Hash[] }> {
  const box = new TestBox(someSecrets());
  const ids: Hash[] = [];
  for (let at = 0; at < count; at += 1) ids.push(await box.commit({ file: `${at}`.repeat(3000) }));
  return { box, ids };
}

testSeeds("forget: exactly what was dropped is forgotten, however often and in whatever order", 10, async (prng) => {
  const { box, ids } = await boxWith(12);
  using _ = box;
  const gone = new Set<string>();
  let retention = keepsAll;
  for (let round = 0; round < 4; round += 1) {
    for (const id of ids.slice(0, -1)) if (prng.chance(0.2)) gone.add(toHex(id));
    const isDropped = ({ id }: NamedCommit): boolean => gone.has(toHex(id));
    retention = forgetAlso(box.commits, [ids.at(-1) as Hash], retention, isDropped);
    const view = new RetentionView(retention);
    for (const id of ids) assert.equal(view.isForgotten(box.commits.read(id)), gone.has(toHex(id)));
    const kept = [...walkLog(box.commits, [ids.at(-1) as Hash], { isForgotten: (named) => view.isForgotten(named) })];
    assert.equal(kept.length, ids.length - gone.size);
  }
  // What is made afterwards is kept.
  const later = await box.commit({ file: "later" });
  assert.equal(new RetentionView(retention).isForgotten(box.commits.read(later)), false);
});

test("forget: the parents of a commit are the nearest that are kept", async () => {
  const { box, ids } = await boxWith(5);
  using _ = box;
  const [first, , , fourth, last] = ids as [Hash, Hash, Hash, Hash, Hash];
  const isForgotten = ({ id }: NamedCommit): boolean =>
    [ids[1], ids[2]].some((each) => each && toHex(each) === toHex(id));
  const of = (id: Hash): string[] =>
    keptParents(box.commits, box.commits.read(id).commit.parents, isForgotten).map((named) => toHex(named.id));
  assert.deepEqual([of(last), of(fourth), of(first)], [[toHex(fourth)], [toHex(first)], []]);
});

test("forget: gc gives up the trees and keeps the commits, and check misses nothing but what is not forgotten", async () => {
  const { collect } = await import("../../test/sim/prune-world.ts");
  const { box, ids } = await boxWith(6);
  using _ = box;
  const bytes = (): number => box.store.packs().reduce((sum, { size }) => sum + size, 0);
  forgetOlder(box, 2);
  await collect(box);
  assert.ok(bytes() > 0);
  const view = new RetentionView(loadRetention(box.state));
  const hasChunk = (hash: Hash): boolean => box.store.hasChunk(hash);
  const head = [ids.at(-1) as Hash];
  const damage = [...checkHistory(box.commits, head, { hasChunk, isForgotten: (named) => view.isForgotten(named) })];
  assert.deepEqual(
    damage.filter((each) => each !== undefined),
    [],
  );
  assert.notDeepEqual(
    [...checkHistory(box.commits, head, { hasChunk })].filter((each) => each !== undefined),
    [],
  );
  for (const id of ids) assert.equal(box.commits.read(id).commit.type, "event");
  assert.deepEqual(box.files(ids[4]), { file: "4".repeat(3000) });
});
