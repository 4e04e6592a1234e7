import assert from "node:assert/strict";
import { test } from "node:test";
import { someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { copyBytes, equalBytes, fromHex, toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import {
  encodeCondemned,
  encodeHead,
  encodeIndexFile,
  type Head,
  headName,
  sealBlob,
  writerHex,
} from "../format/mod.ts";
import { MemoryPlace, MemoryRemote } from "../remote/mod.ts";
import { initRemote, readRemoteIdentity } from "./mod.ts";

interface Scene extends Disposable {
  readonly place: MemoryPlace;
  readonly remote: MemoryRemote;
  readonly box: TestBox;
}

/** A remote with two pushes of one box. */
async function scene(suite: "aes-256-gcm" | "plain" = "aes-256-gcm"): Promise<Scene> {
  const place = new MemoryPlace();
  const remote = new MemoryRemote(nodeDisk, place);
  const box = new TestBox(someSecrets(suite));
  await box.init(remote);
  await box.commit({ a: "1", "d/b": "2".repeat(6000) });
  await box.push(remote);
  await box.commit({ a: "1", "d/b": "2".repeat(6000), "d/c": "3".repeat(6000) });
  await box.push(remote);
  return { place, remote, box, [Symbol.dispose]: () => box[Symbol.dispose]() };
}

function random(length: number): Uint8Array {
  return new Prng(length).bytes(length);
}

function held(place: MemoryPlace, name: string): Uint8Array {
  const blob = place.blobs.get(name);
  assert.ok(blob !== undefined, name);
  return blob.bytes;
}

test("init: a place with other files, or with another box, is refused and left alone", async () => {
  using box = new TestBox(someSecrets());
  for (const name of ["photo.jpg", "documents/cv", "packs/aa"]) {
    const place = new MemoryPlace();
    place.hold(name, utf8("x"));
    await assert.rejects(box.init(new MemoryRemote(nodeDisk, place)), (thrown) => isKind(thrown, "not-empty"));
    assert.deepEqual([...place.blobs.keys()], [name]);
  }
  const remote = new MemoryRemote(nodeDisk);
  using other = new TestBox(someSecrets());
  await other.init(remote);
  await assert.rejects(box.init(remote), (thrown) => isKind(thrown, "invalid") && thrown.hint !== undefined);
  await box.commit({ a: "1" });
  await assert.rejects(box.push(remote), (thrown) => isKind(thrown, "invalid"));
  await other.init(remote);
});

test("init: of several at once one makes it, and all agree", async () => {
  const place = new MemoryPlace();
  using box = new TestBox(someSecrets());
  const results = await Promise.all(
    Array.from({ length: 5 }, () => initRemote(new MemoryRemote(nodeDisk, place), box.secrets, () => box.identity())),
  );
  assert.equal(results.filter(({ created }) => created).length, 1);
  const identity = await readRemoteIdentity(new MemoryRemote(nodeDisk, place));
  for (const result of results) assert.deepEqual(result.identity, identity);
});

test("init: somebody else's files that appear beside a box do not stop it", async () => {
  using at = await scene();
  at.place.hold("readme.txt", utf8("x"));
  await at.box.init(at.remote);
});

test("fetch: a place without a box is said to be none", async () => {
  using box = new TestBox(someSecrets());
  await assert.rejects(
    box.fetch(new MemoryRemote(nodeDisk)),
    (thrown) => isKind(thrown, "not-found") && thrown.hint !== undefined,
  );
  await box.commit({ a: "1" });
  await assert.rejects(box.push(new MemoryRemote(nodeDisk)), (thrown) => isKind(thrown, "not-found"));
});

for (const part of ["packs/", "index/"]) {
  test(`fetch: a head of which one file of ${part} is missing is "not yet", and comes when it is there`, async () => {
    using at = await scene();
    const names = [...at.place.blobs.keys()].filter((name) => name.startsWith(part));
    assert.ok(names.length >= 2);
    for (const name of names) {
      const bytes = held(at.place, name);
      at.place.blobs.delete(name);
      using box = new TestBox(at.box.secrets);
      const fetched = await box.fetch(at.remote);
      assert.deepEqual(fetched.heads, [], name);
      assert.deepEqual(
        fetched.keptOut.map(({ reason }) => reason),
        ["missing"],
      );
      assert.deepEqual(box.state.remoteHeads(), []);
      const again = await box.fetch(at.remote);
      assert.deepEqual(
        again.keptOut.map(({ reason }) => reason),
        ["missing"],
      );
      at.place.hold(name, bytes);
      assert.equal((await box.fetch(at.remote)).heads.length, 1);
      assert.deepEqual(box.damage(), []);
    }
  });
}

for (const suite of ["aes-256-gcm", "plain"] as const) {
  test(`fetch: a flipped bit anywhere on a ${suite} remote is noticed, and nothing wrong is taken in`, async () => {
    using at = await scene(suite);
    const expected = at.box.files();
    const prng = new Prng(4);
    for (const [name, { bytes }] of [...at.place.blobs]) {
      if (name === "config") continue;
      for (let count = 0; count < 6; count += 1) {
        const flipped = copyBytes(bytes);
        const byte = prng.int(0, bytes.length - 1);
        flipped[byte] = (flipped[byte] as number) ^ (1 << prng.int(0, 7));
        at.place.hold(name, count === 5 ? bytes.subarray(0, byte) : flipped);
        using box = new TestBox(at.box.secrets);
        const fetched = await box.fetch(at.remote);
        assert.deepEqual(fetched.heads, [], `${name} byte ${byte}`);
        assert.equal(fetched.keptOut.length, 1);
        assert.equal(fetched.failedPacks.size + fetched.damaged.length > 0, !name.startsWith("heads/"), name);
        at.place.hold(name, bytes);
        assert.equal((await box.fetch(at.remote)).heads.length, 1);
        assert.deepEqual(box.files(box.state.remoteHeads()[0]?.commit), expected);
      }
    }
  });
}

test("fetch: damage in one pack keeps out only the heads that need it", async () => {
  using at = await scene();
  using other = new TestBox(at.box.secrets);
  await other.commit({ z: "only here" });
  const before = new Set(at.place.blobs.keys());
  await other.push(at.remote);
  const [name] = [...at.place.blobs.keys()].filter((each) => each.startsWith("packs/") && !before.has(each));
  assert.ok(name !== undefined);
  at.place.hold(name, new Uint8Array(held(at.place, name).length));
  using box = new TestBox(at.box.secrets);
  const fetched = await box.fetch(at.remote);
  assert.deepEqual(
    fetched.heads.map(({ writer }) => writer),
    [at.box.writer],
  );
  assert.deepEqual(
    fetched.keptOut.map(({ writer, reason }) => [writer, reason]),
    [[writerHex(other.writer), "missing"]],
  );
  assert.deepEqual([...fetched.failedPacks.keys()], [name.slice("packs/".length)]);
});

test("fetch: names and sizes that a hostile remote makes up are passed over or refused", async () => {
  using at = await scene();
  const [index] = [...at.place.blobs.keys()].filter((name) => name.startsWith("index/"));
  const someHead = held(at.place, headName(at.box.writer));
  for (const name of [
    "heads/0000000000000000",
    "heads/xyz",
    "heads/sub/0123456789abcdef",
    "packs/zz",
    "index/zz",
    "index/sub/zz",
  ]) {
    at.place.hold(name, someHead);
  }
  at.place.hold("heads/00000000000000aa", new Uint8Array(2_000_000));
  at.place.hold("heads/00000000000000bb", someHead);
  at.place.hold("heads/00000000000000cc", held(at.place, index ?? ""));
  at.place.hold(`index/${"ab".repeat(32)}`, new Uint8Array(10));
  using box = new TestBox(at.box.secrets);
  const fetched = await box.fetch(at.remote);
  assert.deepEqual(fetched.keptOut.map(({ writer, reason }) => [writer.slice(-2), reason]).sort(), [
    ["aa", "damaged"],
    ["bb", "damaged"],
    ["cc", "damaged"],
  ]);
  assert.equal(fetched.heads.length, 1);
  assert.equal(fetched.damaged.length, 1);
  assert.deepEqual(box.damage(), []);
});

test("fetch: an index that promises packs that are not what it says brings nothing wrong in", async () => {
  using at = await scene();
  const { secrets } = at.box;
  const [pack] = at.box.store.packs();
  assert.ok(pack !== undefined);
  const lies = [
    { ...pack, size: pack.size + 1 },
    { ...pack, size: 1 },
    { ...pack, class: pack.class === "meta" ? ("content" as const) : ("meta" as const) },
    { ...pack, name: new Uint8Array(32).fill(9) },
  ];
  for (const lie of lies) {
    const names = [...at.place.blobs.keys()].filter((name) => name.startsWith("index/"));
    const kept = names.map((name) => [name, held(at.place, name)] as const);
    for (const name of names) at.place.blobs.delete(name);
    const packs = at.box.store.packs().map(({ name, size, directorySize, objects, class: packClass }) => ({
      name,
      class: packClass,
      size,
      directorySize,
      objects,
    }));
    const listed = packs.map((each) =>
      equalBytes(each.name, pack.name) ? { ...each, name: lie.name, size: lie.size, class: lie.class } : each,
    );
    const blob = sealBlob(secrets, "index", encodeIndexFile({ packs: listed, replaces: [] }), random);
    const lying = `index/${toHex(at.box.store.hasher.hash(blob))}`;
    at.place.hold(lying, blob);
    using box = new TestBox(secrets);
    const fetched = await box.fetch(at.remote);
    assert.equal(fetched.heads.length, 0);
    assert.equal(fetched.failedPacks.size + fetched.damaged.length, 1);
    at.place.blobs.delete(lying);
    for (const [name, bytes] of kept) at.place.hold(name, bytes);
    assert.equal((await box.fetch(at.remote)).heads.length, 1);
    assert.deepEqual(box.damage(), []);
  }
});

function signedHead(box: TestBox, change: Partial<Head>): Uint8Array {
  const own = box.state.head();
  assert.ok(own !== undefined);
  const head: Head = { ...own, peer: box.peer.publicKey, peerName: "test", tags: [], ...change };
  const payload = encodeHead(head, box.secrets.box, (message) => box.peer.sign(message));
  return sealBlob(box.secrets, "head", payload, random);
}

test("fetch: heads that lie about their commit or their last event are kept out", async () => {
  using at = await scene();
  const { writer } = at.box;
  const last = at.box.state.head()?.last;
  assert.ok(last !== undefined);
  const liar = 0xbadn;
  const lies: readonly (readonly [Partial<Head>, string])[] = [
    [{ writer: liar, commit: new Uint8Array(32).fill(1) }, "missing"],
    [{ writer: liar }, "damaged"],
    [{ writer, last: { clock: last.clock + 1n, id: last.id } }, "damaged"],
    [{ writer, last: { clock: last.clock, id: new Uint8Array(32).fill(1) } }, "damaged"],
  ];
  for (const [lie, reason] of lies) {
    const name = headName(lie.writer ?? writer);
    const before = at.place.blobs.get(name)?.bytes;
    at.place.hold(name, signedHead(at.box, lie));
    using box = new TestBox(at.box.secrets);
    const fetched = await box.fetch(at.remote);
    assert.deepEqual(
      fetched.keptOut.map((each) => each.reason),
      [reason],
      JSON.stringify(Object.keys(lie)),
    );
    if (before === undefined) at.place.blobs.delete(name);
    else at.place.hold(name, before);
  }
});

test("fetch: a head that goes back to an older one is not taken", async () => {
  using at = await scene();
  using box = new TestBox(at.box.secrets);
  const old = held(at.place, headName(at.box.writer));
  await box.fetch(at.remote);
  await at.box.commit({ a: "new" });
  await at.box.push(at.remote);
  await box.fetch(at.remote);
  at.place.hold(headName(at.box.writer), old);
  const fetched = await box.fetch(at.remote);
  assert.deepEqual(
    fetched.keptOut.map(({ reason }) => reason),
    ["older"],
  );
  assert.equal(
    toHex(box.state.remoteHeads()[0]?.commit ?? new Uint8Array()),
    toHex(at.box.state.head()?.commit ?? new Uint8Array()),
  );
});

test("fetch: a head of a peer that is not trusted is kept out until it is", async () => {
  using at = await scene("plain");
  using box = new TestBox(at.box.secrets);
  const fetched = await box.fetch(at.remote, { isTrusted: () => false });
  assert.deepEqual(
    fetched.keptOut.map(({ reason }) => reason),
    ["untrusted"],
  );
  assert.equal(
    (await box.fetch(at.remote, { isTrusted: ({ peer }) => equalBytes(peer, at.box.peer.publicKey) })).heads.length,
    1,
  );
});

test("fetch: in a plain box nobody goes on as a writer that is known under another key", async () => {
  for (const suite of ["plain", "aes-256-gcm"] as const) {
    using at = await scene(suite);
    using reader = new TestBox(at.box.secrets);
    await reader.fetch(at.remote);
    using thief = new TestBox(at.box.secrets, { writer: at.box.writer });
    await thief.fetch(at.remote);
    const head = at.box.state.head();
    assert.ok(head !== undefined);
    thief.state.setHead(head);
    await thief.commit({ a: "by the thief" });
    await thief.push(at.remote);
    const fetched = await reader.fetch(at.remote);
    assert.deepEqual(
      fetched.keptOut.map(({ reason }) => reason),
      suite === "plain" ? ["forked"] : [],
    );
  }
});

test("fetch: without content all metadata comes, and content when it is asked for", async () => {
  using at = await scene();
  using box = new TestBox(at.box.secrets);
  assert.equal((await box.fetch(at.remote, { content: "none" })).heads.length, 1);
  assert.ok(box.store.packs().every((pack) => pack.class === "meta"));
  assert.ok(box.damage().length > 0);
});

test("push: a box restored from an old backup is noticed, in the box and by others", async () => {
  using at = await scene();
  using reader = new TestBox(at.box.secrets);
  await reader.fetch(at.remote);
  // The backup: the first commit of the same writer, then another second one.
  using restored = new TestBox(at.box.secrets, { writer: at.box.writer });
  await restored.fetch(at.remote);
  const second = restored.commits.read(at.box.state.head()?.commit as Uint8Array);
  const [first] = second.commit.parents;
  assert.ok(first !== undefined && second.commit.type === "event" && second.commit.previous !== undefined);
  restored.state.setHead({ writer: at.box.writer, branch: "main", commit: first, last: second.commit.previous });
  await assert.rejects(restored.push(at.remote), (thrown) => isKind(thrown, "diverged") && thrown.hint !== undefined);
  await restored.commit({ a: "another second" });
  await restored.commit({ a: "and a third" });
  await assert.rejects(restored.push(at.remote), (thrown) => isKind(thrown, "diverged"));
  // Somebody who pushes all the same is not believed by those who know better.
  at.place.blobs.delete(headName(at.box.writer));
  await restored.push(at.remote);
  const fetched = await reader.fetch(at.remote);
  assert.deepEqual(
    fetched.keptOut.map(({ reason }) => reason),
    ["forked"],
  );
  assert.ok(fetched.keptOut[0]?.error.hint !== undefined);
});

test("push: a commit made while pushing is pushed, too, and a head never goes back", async () => {
  using at = await scene();
  const { box } = at;
  await box.commit({ a: "3" });
  class Racing extends MemoryRemote {
    left = 1;
    override async put(...args: Parameters<MemoryRemote["put"]>): Promise<void> {
      if (args[0].startsWith("heads/") && this.left > 0) {
        this.left -= 1;
        await box.commit({ a: "4" });
      }
      return super.put(...args);
    }
  }
  const pushed = await box.push(new Racing(nodeDisk, at.place));
  assert.equal(toHex(pushed.commit ?? new Uint8Array()), toHex(box.state.head()?.commit ?? new Uint8Array()));
  using reader = new TestBox(box.secrets);
  assert.equal(
    toHex((await reader.fetch(at.remote)).heads[0]?.commit ?? new Uint8Array()),
    toHex(pushed.commit ?? new Uint8Array()),
  );
});

test("push: garbage collected in the middle of it is no trouble", async () => {
  using at = await scene();
  const { box } = at;
  for (let count = 0; count < 4; count += 1) await box.commit({ a: new Prng(count).bytes(9000), count: `${count}` });
  class Collecting extends MemoryRemote {
    left = 1;
    override async put(...args: Parameters<MemoryRemote["put"]>): Promise<void> {
      if (args[0].startsWith("packs/") && this.left > 0) {
        this.left -= 1;
        assert.ok((await box.gc()).removed > 0);
      }
      return super.put(...args);
    }
  }
  assert.equal((await box.push(new Collecting(nodeDisk, at.place))).outcome, "pushed");
  using reader = new TestBox(box.secrets);
  assert.deepEqual((await reader.fetch(at.remote)).keptOut, []);
  assert.deepEqual(reader.damage(), []);
});

test("push: packs that a prune has condemned are not counted on, whenever that happens, and their names not given again", async () => {
  using at = await scene();
  const { box, place } = at;
  for (const when of ["index/", "heads/"]) {
    await box.commit({ a: when });
    const condemned = [...place.blobs.keys()].filter((name) => name.startsWith("packs/"));
    let isDone = false;
    class Pruning extends MemoryRemote {
      sent: string[] = [];
      override async put(...args: Parameters<MemoryRemote["put"]>): Promise<void> {
        await super.put(...args);
        this.sent.push(args[0]);
        if (isDone || !args[0].startsWith(when)) return;
        isDone = true;
        const names = condemned.map((name) => fromHex(name.slice("packs/".length), 32));
        const blob = sealBlob(box.secrets, "condemned", encodeCondemned(names), random);
        place.hold(`condemned/${toHex(box.store.hasher.hash(blob))}`, blob);
      }
    }
    const remote = new Pruning(nodeDisk, place);
    await box.push(remote);
    assert.ok(isDone && condemned.length > 0);
    assert.deepEqual(
      remote.sent.filter((name) => condemned.includes(name)),
      [],
      `condemned after ${when}`,
    );
    assert.ok(remote.sent.at(-1)?.startsWith("heads/"));
    for (const name of condemned) place.blobs.delete(name);
    using reader = new TestBox(box.secrets);
    const fetched = await reader.fetch(at.remote);
    assert.deepEqual([fetched.keptOut, [...fetched.failedPacks]], [[], []]);
    assert.deepEqual(reader.damage(), []);
  }
});

test("fetch: a tag that is dated too late is not taken over, and does not keep others from that name", async () => {
  using at = await scene();
  using other = new TestBox(at.box.secrets);
  const commit = at.box.state.head()?.commit as Uint8Array;
  const { writer } = at.box;
  at.box.state.setTag({ name: "near", clock: 5n, writer, commit });
  at.box.state.setTag({ name: "late", clock: 2n ** 64n - 1n, writer, commit });
  await at.box.push(at.remote);
  assert.deepEqual((await other.fetch(at.remote, { latestClock: 10n })).lateTags, ["late"]);
  assert.deepEqual(
    other.state.tags().map(({ name }) => name),
    ["near"],
  );
});

test("push: tags travel, and the later value of a name wins everywhere", async () => {
  using at = await scene();
  using other = new TestBox(at.box.secrets);
  const commit = at.box.state.head()?.commit as Uint8Array;
  await other.fetch(at.remote);
  other.adopt(commit);
  at.box.state.setTag({ name: "v1", clock: 10n, writer: at.box.writer, commit });
  other.state.setTag({ name: "v1", clock: 20n, writer: other.writer });
  other.state.setTag({ name: "v2", clock: 20n, writer: other.writer, commit });
  assert.equal((await at.box.push(at.remote)).outcome, "pushed");
  assert.equal((await other.push(at.remote)).outcome, "pushed");
  await at.box.fetch(at.remote);
  await other.fetch(at.remote);
  const tagsOf = (box: TestBox): unknown =>
    box.state.tags().map(({ name, clock, commit: at }) => [name, clock, at === undefined]);
  assert.deepEqual(tagsOf(at.box), [
    ["v1", 20n, true],
    ["v2", 20n, false],
  ]);
  assert.deepEqual(tagsOf(other), tagsOf(at.box));
});
