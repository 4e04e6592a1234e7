import assert from "node:assert/strict";
import { test } from "node:test";
import { collect, dayMs, died, forgetOlder, hourMs, PruneWorld } from "../../test/sim/prune-world.ts";
import { testPruneFaults } from "../../test/support/prune-faults.ts";
import type { TestBox } from "../../test/support/sync-box.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { writerHex } from "../format/mod.ts";
import { keepsAll, loadRetention, saveRetention } from "../history/mod.ts";
import { Unsettled } from "./unsettled.ts";

const prng = new Prng(1);
const old = prng.bytes(800_000);
const always = prng.bytes(400_000);

/** A box that has pushed, and has forgotten its first commit. */
async function forgetful(world: PruneWorld): Promise<TestBox> {
  const box = world.box();
  await box.init(world.remote());
  await box.commit({ always, old });
  await box.push(world.remote());
  await box.commit({ always, now: "1" });
  forgetOlder(box);
  await box.push(world.remote());
  return box;
}

async function step(world: PruneWorld, box: TestBox): Promise<void> {
  await box.commit({ always, now: `${world.nowMs}` });
  await box.push(world.remote());
}

test("prune: what was forgotten is condemned, then deleted, and the bytes are gone; a dry run says so before", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  const before = world.packBytes();
  const would = await world.prune(box, { dryRun: true });
  const names = [...world.place.blobs.keys()].sort();
  assert.ok(would.condemnedBytes > 800_000 && would.deleted === 0);
  assert.deepEqual([...world.place.blobs.keys()].sort(), names);
  const condemned = await world.prune(box);
  assert.equal(condemned.condemned, would.condemned);
  assert.ok(world.packBytes() >= before);
  // Too early, and the head is older.
  assert.equal((await world.prune(box)).deleted, 0);
  world.wait(7 * hourMs);
  const waiting = await world.prune(box);
  assert.deepEqual([waiting.deleted, waiting.waitsFor], [0, [writerHex(box.writer)]]);
  await step(world, box);
  world.wait(dayMs);
  const done = await world.prune(box);
  assert.ok(done.deleted >= would.condemned);
  assert.ok(world.packBytes() < before - 300_000, `${world.packBytes()}`);
  assert.deepEqual(await world.damage(), []);
});

test("prune: nothing that is kept goes, by tags, by other branches' heads, or by a writer that never forgot", async () => {
  using world = new PruneWorld();
  const box = world.box();
  await box.init(world.remote());
  const first = await box.commit({ always, old });
  await box.push(world.remote());
  const keeper = world.box();
  await keeper.fetch(world.remote());
  keeper.adopt(first);
  await keeper.commit({ always });
  await keeper.push(world.remote());
  await box.commit({ always, now: "1" });
  forgetOlder(box);
  await box.push(world.remote());
  assert.ok((await world.prune(box)).writtenBytes > 1_100_000);
  const kept = world.box();
  await kept.fetch(world.remote());
  assert.deepEqual(kept.files(first), keeper.files(first));
  forgetOlder(keeper);
  await step(world, keeper);
  const { condemnedBytes, writtenBytes } = await world.prune(box);
  assert.ok(condemnedBytes > 1_200_000 && writtenBytes < 500_000, `${condemnedBytes}, ${writtenBytes}`);
});

test("prune: a clone made after it takes in what was forgotten as forgotten, and promises nothing else", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  await world.prune(box);
  world.wait(dayMs);
  await step(world, box);
  world.wait(dayMs);
  assert.ok((await world.prune(box)).deleted > 0);
  const clone = world.box();
  const fetched = await clone.fetch(world.remote());
  assert.deepEqual([fetched.keptOut, [...fetched.failedPacks]], [[], []]);
  assert.notDeepEqual(loadRetention(clone.state), keepsAll);
  clone.adopt(clone.state.remoteHeads()[0]?.commit as Uint8Array);
  await clone.commit({ always, mine: "1" });
  await clone.push(world.remote());
  assert.deepEqual(await world.damage(), []);
  world.wait(hourMs);
  await world.prune(clone);
  assert.deepEqual(await world.damage(), []);
});

test("prune: what was pruned on a remote is not sent again, be it collected here or not, unless it is needed", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  await world.prune(box);
  world.wait(hourMs);
  await step(world, box);
  world.wait(dayMs);
  await world.prune(box);
  for (const collects of [false, true]) {
    if (collects) await collect(box);
    await box.commit({ always, now: `${collects}` });
    const { bytes } = await box.push(world.remote());
    assert.ok(bytes < 20_000, `${bytes}`);
  }
  await box.commit({ always, old });
  assert.ok((await box.push(world.remote())).bytes > 700_000);
  assert.deepEqual(await world.damage(), []);
});

test("prune: another machine that has fetched what was packed anew does not send it again", async () => {
  using world = new PruneWorld();
  const box = world.box();
  const other = world.box();
  await box.init(world.remote());
  const part = prng.bytes(80_000);
  await box.commit({ part, old });
  await box.push(world.remote());
  await other.fetch(world.remote());
  other.adopt(other.state.remoteHeads()[0]?.commit as Uint8Array);
  await box.commit({ part, now: "1" });
  forgetOlder(box);
  await box.push(world.remote());
  const { written } = await world.prune(box);
  assert.ok(written > 0);
  await other.fetch(world.remote());
  other.adopt(other.state.remoteHeads()[0]?.commit as Uint8Array);
  forgetOlder(other);
  await other.commit({ part, mine: "1" });
  const { bytes } = await other.push(world.remote());
  assert.ok(bytes < 30_000, `${bytes}`);
  assert.deepEqual(await world.damage(), []);
});

test("prune: a machine that has a part of a pack goes on pushing when it was packed anew", async () => {
  using world = new PruneWorld();
  const box = world.box();
  const other = world.box();
  await box.init(world.remote());
  const part = prng.bytes(80_000);
  await box.commit({ part, old });
  await box.push(world.remote());
  await other.fetch(world.remote());
  other.adopt(other.state.remoteHeads()[0]?.commit as Uint8Array);
  await other.commit({ part, mine: "1" });
  await other.push(world.remote());
  for (const { name, class: packClass } of other.store.packs()) {
    if (packClass === "content") other.store.sparse.evict(name, other.store.sparse.directory(name).frameOffsets);
  }
  assert.ok(other.store.packs().some(({ complete }) => !complete));
  await box.commit({ part, now: "1" });
  forgetOlder(box);
  forgetOlder(other);
  await box.push(world.remote());
  assert.ok((await world.prune(box)).written > 0);
  await other.commit({ mine: "2" }, { parents: [other.state.head()?.commit as Uint8Array] });
  assert.ok((await other.push(world.remote())).bytes < 30_000);
  assert.deepEqual(await world.damage(), []);
});

test("prune: a silent head is not waited for, and goes when another says all that it says", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  const quiet = world.box();
  await quiet.fetch(world.remote());
  quiet.adopt(quiet.state.remoteHeads()[0]?.commit as Uint8Array);
  const mine = await quiet.commit({ always, mine: "1" });
  await quiet.push(world.remote());
  await world.prune(box);
  for (let day = 0; day < 6; day += 1) {
    world.wait(dayMs);
    await step(world, box);
  }
  const report = await world.prune(box);
  assert.ok(report.deleted > 0);
  assert.deepEqual([report.silent, report.retired], [[writerHex(quiet.writer)], []]);
  // It has something that nobody else has; then somebody takes it in.
  await box.fetch(world.remote());
  const joiner = world.box();
  await joiner.fetch(world.remote());
  joiner.adopt(mine);
  await joiner.commit({ always, mine: "1", joined: "1" });
  await joiner.push(world.remote());
  assert.deepEqual((await world.prune(box)).retired, [writerHex(quiet.writer)]);
  assert.equal(world.place.blobs.has(`heads/${writerHex(quiet.writer)}`), false);
  // And it may come back.
  await quiet.commit({ always, mine: "2" });
  await quiet.push(world.remote());
  assert.deepEqual(await world.damage(), []);
});

test("prune: a remote that tells no times is condemned on, and nothing is deleted", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  for (const blob of world.place.blobs.keys())
    world.place.blobs.set(blob, { ...world.place.blobs.get(blob), modifiedMs: undefined } as never);
  await world.prune(box);
  for (const blob of world.place.blobs.keys())
    world.place.blobs.set(blob, { ...world.place.blobs.get(blob), modifiedMs: undefined } as never);
  assert.equal((await world.prune(box)).deleted, 0);
});

test("prune: a head that cannot be read, or needs what is nowhere, is said, and nothing is deleted", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  await world.prune(box);
  world.wait(dayMs);
  await step(world, box);
  world.wait(dayMs);
  const before = new Map(world.place.blobs);
  for (const name of world.packs()) world.place.blobs.delete(name);
  await assert.rejects(world.prune(box), (thrown) => isKind(thrown, "not-found"));
  for (const [name, blob] of before) world.place.blobs.set(name, blob);
  const head = `heads/${writerHex(box.writer)}`;
  world.place.hold(head, Buffer.alloc(100));
  await assert.rejects(world.prune(box), (thrown) => isKind(thrown));
  assert.equal(world.packs().length, [...before.keys()].filter((name) => name.startsWith("packs/")).length);
});

test("prune: one that stood still while others pushed and pruned looks again", async () => {
  for (const standsBefore of ["list index/", "list retention/"]) {
    using world = new PruneWorld();
    const box = await forgetful(world);
    const other = world.box();
    let isFirst = true;
    const standStill = async (operation: string): Promise<void> => {
      if (operation !== standsBefore || !isFirst) return;
      isFirst = false;
      for (let round = 0; round < 3; round += 1) {
        await step(world, box);
        forgetOlder(box);
        await step(world, box);
        await world.prune(box);
        world.wait(dayMs);
      }
    };
    await world.prune(other, { hooks: { before: standStill } });
    assert.equal(isFirst, false);
    assert.deepEqual(await world.damage(), []);
  }
});

test("a push that died after its head is looked at again by the next, and a forgotten remote forgets that", async () => {
  using world = new PruneWorld();
  const box = world.box();
  await box.init(world.remote());
  await box.commit({ always });
  let isDead = false;
  const hooks = {
    before: () => {
      if (isDead) throw died();
    },
    after: (operation: string) => {
      if (operation.startsWith("put heads/")) isDead = true;
    },
  };
  await assert.rejects(box.push(world.remote(hooks)), (thrown) => isKind(thrown, "offline"));
  assert.equal(new Unsettled(box.state, "memory:").isSet, true);
  const log: string[] = [];
  await box.push(world.remote({ before: (operation) => void log.push(operation) }));
  assert.ok(log.includes("list packs/"));
  assert.equal(new Unsettled(box.state, "memory:").isSet, false);
});

test("a box that has lost what it keeps takes it over from a remote, and does not promise what is gone", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  const kept = loadRetention(box.state);
  const other = world.box();
  await other.commit({ mine: "1" });
  await other.push(world.remote());
  saveRetention(box.state, keepsAll);
  await box.fetch(world.remote());
  assert.deepEqual(loadRetention(box.state), kept);
});

test("prune: a list that is damaged keeps nobody from fetching, and stops who writes with the reason", async () => {
  using world = new PruneWorld();
  const box = await forgetful(world);
  world.place.hold(`condemned/${"ab".repeat(32)}`, Buffer.alloc(100));
  const reader = world.box();
  assert.deepEqual((await reader.fetch(world.remote())).keptOut, []);
  const isSaid = (thrown: unknown): boolean =>
    isKind(thrown, "corrupt") && (thrown.hint?.includes("remove that file") ?? false);
  await assert.rejects(step(world, box), isSaid);
  await assert.rejects(world.prune(box), isSaid);
});

testPruneFaults({ step: 7 });
