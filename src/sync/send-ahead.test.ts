/** Packs that go to a remote while there is no commit yet that needs them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { FaultyRemote } from "../../test/support/faulty-remote.ts";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import { MemoryPlace, MemoryRemote } from "../remote/mod.ts";
import { sendAhead } from "./mod.ts";

const isPut = (line: string): boolean => line.startsWith("put packs/");

async function begin(): Promise<{ readonly box: TestBox; readonly remote: MemoryRemote }> {
  const remote = new MemoryRemote(nodeDisk, new MemoryPlace());
  const box = new TestBox(someSecrets());
  await box.init(remote);
  await box.commit({ a: "1" });
  await box.push(remote);
  return { box, remote };
}

test("content that is stored is on the remote before the push, which sends it no more", async () => {
  const { box, remote } = await begin();
  using _ = box;
  const isOver = new AbortController();
  const watched = new FaultyRemote(remote);
  const sending = sendAhead(box.pushOptions(watched), isOver.signal);
  await box.commit({ a: new Prng(1).bytes(200_000) });
  while (!watched.log.some(isPut)) await sleep(10);
  isOver.abort();
  const { packs, bytes } = await sending;
  assert.deepEqual([packs, watched.log.length], [1, 1]);
  assert(bytes > 200_000);
  const later = new FaultyRemote(remote);
  const pushed = await box.push(later);
  assert.deepEqual([pushed.outcome, pushed.packs, later.log.filter(isPut).length], ["pushed", 1, 1], "the metadata");
  using other = new TestBox(box.secrets);
  assert.deepEqual((await other.fetch(remote)).keptOut, []);
  assert.deepEqual(other.damage(), []);
});

test("what goes wrong meanwhile is for the push to tell, and to mend", async () => {
  const { box, remote } = await begin();
  using _ = box;
  for (const fault of ["before", "after"] as const) {
    const isOver = new AbortController();
    const faulty = new FaultyRemote(remote, 1, fault);
    const sending = sendAhead(box.pushOptions(faulty), isOver.signal);
    await box.commit({ a: new Prng(2).bytes(100_000), fault });
    while (!faulty.isDead) await sleep(10);
    assert.deepEqual(await sending, { packs: 0, bytes: 0 }, "it has ended by itself");
    assert.equal((await box.push(remote)).outcome, "pushed");
  }
  using other = new TestBox(box.secrets);
  assert.deepEqual((await other.fetch(remote)).keptOut, []);
  assert.deepEqual(other.damage(), []);
});
