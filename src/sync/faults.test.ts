import assert from "node:assert/strict";
import { test } from "node:test";
import { type Fault, FaultyRemote } from "../../test/support/faulty-remote.ts";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { MemoryPlace, MemoryRemote } from "../remote/mod.ts";

const faults: readonly Fault[] = ["before", "after", "middle"];
const operationsMax = 200;

/** Whoever comes now and knows nothing gets heads that are whole, or none. */
async function checkVisible(place: MemoryPlace, secrets: TestBox["secrets"]): Promise<string[]> {
  using visitor = new TestBox(secrets);
  if (!place.blobs.has("config")) return [];
  const fetched = await visitor.fetch(new MemoryRemote(nodeDisk, place));
  assert.deepEqual(fetched.keptOut, []);
  assert.deepEqual(visitor.damage(), []);
  return fetched.heads.map(({ commit }) => toHex(commit));
}

for (const fault of faults) {
  test(`faults: a push that fails ${fault} any operation leaves no dangling head, and the next one ends it`, async () => {
    const secrets = someSecrets();
    for (let failAt = 1; ; failAt += 1) {
      assert.ok(failAt < operationsMax);
      const place = new MemoryPlace();
      using box = new TestBox(secrets);
      const good = new MemoryRemote(nodeDisk, place);
      const first = await box.commit({ a: "1", "d/b": "2".repeat(9000) });
      const bad = new FaultyRemote(good, failAt, fault);
      const run = async (remote: FaultyRemote | MemoryRemote): Promise<void> => {
        await box.init(remote);
        await box.push(remote);
      };
      if (failAt % 2 === 0) {
        // Half of them fail in a second push, onto what is there.
        await run(good);
        await box.commit({ a: "1", c: "3" });
      }
      await run(bad).catch((thrown: unknown) => assert.ok(isKind(thrown, "offline"), String(thrown)));
      const visible = await checkVisible(place, secrets);
      await run(good);
      const head = toHex(box.state.head()?.commit ?? new Uint8Array());
      assert.deepEqual(await checkVisible(place, secrets), [head]);
      assert.ok(visible.every((commit) => commit === head || commit === toHex(first)));
      if (!bad.isDead && failAt % 2 === 1) break;
    }
  });

  test(`faults: a fetch that fails ${fault} any operation takes nothing in half, and the next one ends it`, async () => {
    const secrets = someSecrets();
    const place = new MemoryPlace();
    const good = new MemoryRemote(nodeDisk, place);
    using source = new TestBox(secrets);
    await source.init(good);
    const first = await source.commit({ a: "1", "d/b": "2".repeat(9000) });
    await source.push(good);
    const second = await source.commit({ a: "2", "d/b": "2".repeat(9000), "d/c": "3".repeat(5000) });
    await source.push(good);
    let resumed = 0;
    for (let failAt = 1; ; failAt += 1) {
      assert.ok(failAt < operationsMax);
      using box = new TestBox(secrets);
      const bad = new FaultyRemote(good, failAt, fault);
      await box.fetch(bad).catch((thrown: unknown) => assert.ok(isKind(thrown, "offline"), String(thrown)));
      assert.deepEqual(box.damage(), []);
      if (bad.isDead) assert.deepEqual(box.state.remoteHeads(), []);
      const watched = new FaultyRemote(good);
      const fetched = await box.fetch(watched);
      resumed += watched.log.filter((line) => /^download .* from [1-9]/.test(line)).length;
      assert.deepEqual(fetched.keptOut, []);
      assert.deepEqual(
        box.state.remoteHeads().map(({ commit }) => toHex(commit)),
        [toHex(second)],
      );
      assert.deepEqual(box.damage(), []);
      assert.deepEqual(box.files(second), source.files(second));
      assert.deepEqual(box.files(first), source.files(first));
      if (!bad.isDead) break;
    }
    if (fault === "middle") assert.ok(resumed > 0, "no download was resumed");
  });
}

test("faults: a part that is longer or other than the pack is fetched anew", async () => {
  const { readdirSync, writeFileSync } = await import("node:fs");
  const secrets = someSecrets();
  const good = new MemoryRemote(nodeDisk, new MemoryPlace());
  using source = new TestBox(secrets);
  await source.init(good);
  await source.commit({ a: "1".repeat(5000) });
  await source.push(good);
  for (const length of [1, 10_000_000]) {
    using box = new TestBox(secrets);
    for (const { name } of source.store.packs()) {
      writeFileSync(`${box.store.temporaryFolder}/fetch-${toHex(name)}`, new Uint8Array(length).fill(7));
    }
    assert.deepEqual((await box.fetch(good)).keptOut, []);
    assert.deepEqual(box.damage(), []);
    assert.deepEqual(readdirSync(box.store.temporaryFolder), []);
  }
});
