import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultyRemote } from "../../test/support/faulty-remote.ts";
import { type Files, someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import { MemoryPlace, MemoryRemote } from "../remote/mod.ts";

test("efficiency: a fetch that finds nothing new is one listing, also after the box's own push", async () => {
  const secrets = someSecrets();
  const place = new MemoryPlace();
  const remote = (): FaultyRemote => new FaultyRemote(new MemoryRemote(nodeDisk, place));
  using a = new TestBox(secrets);
  using b = new TestBox(secrets);
  await a.init(remote());
  await a.commit({ a: "1" });
  await a.push(remote());
  await b.fetch(remote());
  for (const box of [a, b, a]) {
    const watched = remote();
    const fetched = await box.fetch(watched);
    assert.deepEqual(watched.log, ["list heads/"]);
    assert.deepEqual([fetched.heads, fetched.packs], [[], 0]);
  }
});

test("efficiency: a small push to a known remote is few requests, and a push of nothing is two", async () => {
  const place = new MemoryPlace();
  const remote = (): FaultyRemote => new FaultyRemote(new MemoryRemote(nodeDisk, place));
  using a = new TestBox(someSecrets());
  await a.init(remote());
  for (let count = 0; count < 5; count += 1) {
    await a.commit({ a: `${count}` });
    await a.push(remote());
  }
  await a.commit({ a: "last" });
  const watched = remote();
  await a.push(watched);
  assert.ok(watched.log.length < 15, watched.log.join("\n"));
  const idle = remote();
  await a.push(idle);
  assert.equal(idle.log.length, 2, idle.log.join("\n"));
});

test("efficiency: only what changed is sent and fetched", async () => {
  const prng = new Prng(1);
  const secrets = someSecrets();
  const remote = new MemoryRemote(nodeDisk, new MemoryPlace());
  using a = new TestBox(secrets);
  using b = new TestBox(secrets);
  await a.init(remote);
  const files: Record<string, Uint8Array> = {};
  for (let index = 0; index < 50; index += 1) files[`f${index}`] = prng.bytes(4000);
  await a.commit(files);
  const whole = await a.push(remote);
  await b.fetch(remote);
  await a.commit({ ...files, f7: prng.bytes(4000) });
  const part = await a.push(remote);
  const fetched = await b.fetch(remote);
  assert.ok(part.bytes * 5 < whole.bytes, `${part.bytes} of ${whole.bytes}`);
  assert.equal(fetched.bytes, part.bytes);
});

test("efficiency: after garbage was collected, nothing is sent or fetched twice", async () => {
  const prng = new Prng(2);
  const secrets = someSecrets();
  const place = new MemoryPlace();
  const remote = new MemoryRemote(nodeDisk, place);
  using a = new TestBox(secrets);
  using b = new TestBox(secrets);
  await a.init(remote);
  const files: Record<string, Uint8Array> = {};
  for (let index = 0; index < 8; index += 1) {
    files[`f${index}`] = prng.bytes(300_000);
    await a.commit(files);
    await a.push(remote);
  }
  await b.fetch(remote);
  const before = a.store.packs().length;
  assert.ok((await a.gc()).written > 0);
  assert.ok(a.store.packs().length < before);
  const idle = new FaultyRemote(remote);
  await a.commit({ ...files, g: prng.bytes(3000) });
  const pushed = await a.push(idle);
  assert.ok(pushed.bytes < 20_000, `${pushed.bytes} bytes sent\n${idle.log.join("\n")}`);
  assert.deepEqual(a.damage(), []);
  // The packs that the collection removed are not brought back.
  await b.fetch(remote);
  await b.adopt(b.state.remoteHeads()[0]?.commit as Uint8Array);
  await b.commit({ ...files, h: "small" });
  await b.push(remote);
  const fetched = await a.fetch(remote);
  assert.ok(fetched.bytes < 20_000, `${fetched.bytes} bytes fetched`);
  assert.deepEqual(fetched.keptOut, []);
  assert.deepEqual(a.damage(), []);
  // And what was covered stays so without asking again.
  await a.commit({ ...files, i: "small" }, { parents: [b.state.head()?.commit as Uint8Array] });
  const later = new FaultyRemote(remote);
  await a.push(later);
  assert.deepEqual(
    later.log.filter((line) => line.startsWith("get packs/")),
    [],
  );
});

test("efficiency: what was collected here and is needed again is brought back", async () => {
  const prng = new Prng(3);
  const secrets = someSecrets();
  const remote = new MemoryRemote(nodeDisk, new MemoryPlace());
  using a = new TestBox(secrets);
  using b = new TestBox(secrets);
  await a.init(remote);
  const lost = prng.bytes(30_000);
  await a.commit({ lost });
  await a.push(remote);
  await b.fetch(remote);
  // b forgets the commit and its content; a makes a new commit of the same content.
  b.state.deleteRemoteHeads("origin");
  await b.gc();
  assert.equal(b.store.packs().length, 0);
  await a.commit({ lost, more: "1" });
  await a.push(remote);
  const fetched = await b.fetch(remote);
  assert.deepEqual(fetched.keptOut, []);
  assert.deepEqual(b.damage(), []);
  assert.deepEqual(b.files(b.state.remoteHeads()[0]?.commit), a.files());
});

test("efficiency: many index files become one, and whoever comes late reads little", async () => {
  const secrets = someSecrets("plain");
  const place = new MemoryPlace();
  const remote = new MemoryRemote(nodeDisk, place);
  using a = new TestBox(secrets);
  using b = new TestBox(secrets);
  await a.init(remote);
  await a.commit({ a: "0" });
  await a.push(remote);
  await b.fetch(remote);
  const files: Files = { a: "x" };
  for (let count = 1; count < 70; count += 1) {
    await a.commit({ ...files, count: `${count}` });
    await a.push(remote);
  }
  const indexes = [...place.blobs.keys()].filter((name) => name.startsWith("index/"));
  assert.ok(indexes.length < 10, `${indexes.length} index files`);
  using late = new TestBox(secrets);
  for (const box of [b, late]) {
    const watched = new FaultyRemote(remote);
    assert.deepEqual((await box.fetch(watched)).keptOut, []);
    assert.ok(watched.log.filter((line) => line.startsWith("get index/")).length <= 10);
    assert.deepEqual(box.damage(), []);
  }
});

test("efficiency: index files stay few where several writers push at the same moment, over and over", async () => {
  const secrets = someSecrets("plain");
  const place = new MemoryPlace();
  const remote = new MemoryRemote(nodeDisk, place);
  using a = new TestBox(secrets);
  using b = new TestBox(secrets);
  using c = new TestBox(secrets);
  await a.init(remote);
  let most = 0;
  for (let count = 0; count < 40; count += 1) {
    await Promise.all(
      [a, b, c].map(async (box, at) => {
        await box.commit({ [`f${at}`]: `${count}` });
        await box.push(remote);
      }),
    );
    most = Math.max(most, [...place.blobs.keys()].filter((name) => name.startsWith("index/")).length);
  }
  assert.ok(most < 100, `${most} index files`);
  using late = new TestBox(secrets);
  assert.deepEqual((await late.fetch(remote)).keptOut, []);
  assert.equal(late.state.remoteHeads().length, 3);
  assert.deepEqual(late.damage(), []);
});

test("efficiency: an index file that is merged away while it is being read is no trouble", async () => {
  const secrets = someSecrets();
  const place = new MemoryPlace();
  const remote = new MemoryRemote(nodeDisk, place);
  using a = new TestBox(secrets);
  await a.init(remote);
  for (let count = 0; count < 64; count += 1) {
    await a.commit({ count: `${count}` });
    await a.push(remote);
  }
  /** Between listing and reading, the next pushes merge all there was. */
  class Racing extends FaultyRemote {
    raced = false;
    override async *list(prefix: string): ReturnType<FaultyRemote["list"]> {
      const names = await Array.fromAsync(super.list(prefix));
      if (prefix === "index/" && !this.raced) {
        this.raced = true;
        for (const count of [65, 66]) {
          await a.commit({ count: `${count}` });
          await a.push(remote);
        }
      }
      yield* names;
    }
  }
  using b = new TestBox(secrets);
  const racing = new Racing(remote);
  const fetched = await b.fetch(racing);
  assert.ok(racing.raced && racing.log.filter((line) => line === "list index/").length === 2);
  assert.deepEqual([fetched.keptOut, fetched.damaged], [[], []]);
  assert.deepEqual(b.damage(), []);
});
