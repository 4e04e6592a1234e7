/** Content that is brought when it is needed: from whichever remote has it, few requests, nothing wrong, and plain words when it is not to be had. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { type Files, someSecrets, TestBox } from "../../test/support/sync-box.ts";
import { toHex } from "../base/bytes.ts";
import { type ErrorKind, isKind, OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import { contentItems, type Hash, kinds } from "../format/mod.ts";
import { directoryOf, TreeReader, walkEntries } from "../history/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import { type GetOptions, MemoryPlace, MemoryRemote, type Remote } from "../remote/mod.ts";
import type { CacheRoom, MissingChunk } from "../store/mod.ts";
import type { NamedSource } from "./content-place.ts";
import { RemoteContent, type RemoteContentOptions } from "./remote-content.ts";

type Answer = (name: string, options: GetOptions, get: () => Promise<Uint8Array>) => Promise<Uint8Array>;

/** A remote in memory whose answers to reads of packs a test may change. */
class PackRemote extends MemoryRemote {
  override readonly url: string;
  readonly reads: { readonly name: string; readonly bytes: number }[] = [];
  answer: Answer = (_, __, get) => get();

  constructor(url: string, place: MemoryPlace) {
    super(nodeDisk, place);
    this.url = url;
  }

  override get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    if (!name.startsWith("packs/")) return super.get(name, options);
    const { start, end } = options.range ?? { start: 0, end: 0 };
    this.reads.push({ name, bytes: end - start });
    return this.answer(name, options, () => super.get(name, options));
  }
}

const silent: Answer = () => new Promise(() => {});
const offline: Answer = async () => {
  throw new OuroError("offline", "the wire was cut");
};
const flipping: Answer = async (_, __, get) => (await get()).map((byte, at) => (at % 50 === 9 ? byte ^ 1 : byte));
const cutting: Answer = async (_, __, get) => (await get()).subarray(1);
const forgetting: Answer = async (name) => {
  throw new OuroError("not-found", `there is no ${name}`);
};
const sideways: Answer = async (_, __, get) => new Uint8Array((await get()).length);

interface Setup extends Disposable {
  readonly from: TestBox;
  readonly to: TestBox;
  readonly place: MemoryPlace;
  readonly remote: PackRemote;
}

/** A box whose commits are on a remote, and another that has brought their metadata only. */
async function setUp(commits: readonly Files[]): Promise<Setup> {
  const from = new TestBox(someSecrets());
  const to = new TestBox(from.secrets);
  const place = new MemoryPlace();
  const remote = new PackRemote("memory:a", place);
  await from.init(remote);
  for (const files of commits) {
    await from.commit(files);
    await from.push(remote);
  }
  await to.fetch(remote, { content: "none" });
  const head = to.state.remoteHeads()[0]?.commit;
  assert(head !== undefined);
  to.adopt(head);
  remote.reads.length = 0;
  return {
    ...{ from, to, place, remote },
    [Symbol.dispose]() {
      from[Symbol.dispose]();
      to[Symbol.dispose]();
    },
  };
}

let nowMs = 1000;

function open(
  to: TestBox,
  remotes: readonly Remote[],
  more: Pick<RemoteContentOptions, "stallMs" | "room" | "keepsLater"> = {},
): RemoteContent {
  const sources = remotes.map(
    (remote, index): NamedSource => ({ name: remote.url.slice(7), url: remote.url, cost: index, open: () => remote }),
  );
  const { secrets, state, store } = to;
  return new RemoteContent({ sources, secrets, state, store, verify: verifySignature, nowMs: () => nowMs, ...more });
}

/** The chunks of the head's files, by name. */
function chunksOf({ store, commits, state }: TestBox): Map<string, MissingChunk[]> {
  const reader = new TreeReader(store);
  const top = directoryOf(reader.root(commits.read(state.head()?.commit as Hash).commit.tree));
  assert(top !== undefined);
  const chunks = new Map<string, MissingChunk[]>();
  for (const { path, entry } of walkEntries(reader, top, new Uint8Array())) {
    const { value } = entry.data[0];
    if (value.kind !== kinds.file) continue;
    const items = [...contentItems(value.content, (hash) => store.getMeta(hash, "list"))];
    chunks.set(
      Buffer.from(path).toString(),
      items.flatMap((item) => (item.form === "chunk" ? [{ hash: item.hash, length: item.length }] : [])),
    );
  }
  return chunks;
}

function some(prng: Prng, count: number, bytesMax = 200_000): Files {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`file${index}`, prng.bytes(prng.int(1, bytesMax))]),
  );
}

testSeeds(
  "any chunks of any commits come, each frame once, whoever asks for them at the same time",
  6,
  async (prng) => {
    const commits = Array.from({ length: prng.int(1, 5) }, () => some(prng, prng.int(1, 8)));
    using setup = await setUp(commits);
    const { to, remote, from } = setup;
    const source = open(to, [remote]);
    const all = [...chunksOf(to).values()].flat();
    assert(all.every(({ hash }) => !to.store.hasChunk(hash)));
    await Promise.all(
      Array.from({ length: 6 }, async () => {
        for (let round = 0; round < 4; round += 1) await source.fetch(all.filter(() => prng.chance(0.3)));
      }),
    );
    await source.fetch(all);
    assert.deepEqual(to.files(), from.files());
    const sizes = new Map(from.store.packs().map(({ name, size }) => [`packs/${toHex(name)}`, size]));
    for (const [name, size] of sizes) {
      const read = remote.reads.filter((each) => each.name === name).reduce((sum, { bytes }) => sum + bytes, 0);
      assert(read <= size, `${read} of ${size} bytes were read`);
    }
    const before = remote.reads.length;
    await source.fetch(all);
    assert.equal(remote.reads.length, before);
    assert.deepEqual(await Array.fromAsync(to.store.check({ readData: true })), []);
    await source[Symbol.asyncDispose]();
  },
);

test("a small file costs the two ends of its pack and one read; what is known is not looked for again", async () => {
  const prng = new Prng(1);
  using setup = await setUp([{ ...some(prng, 20), small: prng.bytes(3000) }]);
  const { to, remote } = setup;
  const chunks = chunksOf(to);
  {
    await using source = open(to, [remote]);
    await source.fetch(chunks.get("small") ?? []);
    assert.equal(remote.reads.length, 3);
    const bytes = remote.reads.reduce((sum, each) => sum + each.bytes, 0);
    assert(bytes < 400_000, `${bytes} bytes`);
  }
  await using source = open(to, [remote]);
  await source.fetch(chunks.get("file1") ?? []);
  assert(remote.reads.length <= 5);
});

test("what is where is known before the first read, of places that cost little", async () => {
  const prng = new Prng(9);
  using setup = await setUp([{ ...some(prng, 20), small: prng.bytes(3000) }]);
  const { to, remote } = setup;
  const small = chunksOf(to).get("small") ?? [];
  await using source = open(to, [remote]);
  await source.prepare({ costMax: -1 });
  assert.equal(remote.reads.length, 0);
  const preparing = source.prepare({ costMax: 0 });
  // Who reads meanwhile waits for it, and looks for nothing again.
  await source.fetch(small);
  await preparing;
  assert.equal(remote.reads.length, 3);
  assert.deepEqual(await Array.fromAsync(to.store.check({ readData: true })), []);
});

test("more packs than are looked into at one time are known before the first read", async () => {
  const prng = new Prng(12);
  using setup = await setUp(Array.from({ length: 10 }, (_, at) => ({ [`f${at}`]: prng.bytes(100_000) })));
  const { to, remote } = setup;
  await using source = open(to, [remote]);
  await source.prepare({ costMax: 0 });
  const { length } = to.store.packs().filter(({ class: kind }) => kind === "content");
  assert.deepEqual({ length, reads: remote.reads.length }, { length: 10, reads: 20 });
});

test("what a place cannot give before the first read is told to who reads", async () => {
  const prng = new Prng(10);
  using setup = await setUp([some(prng, 6)]);
  const { to, remote } = setup;
  remote.answer = offline;
  await using source = open(to, [remote]);
  await source.prepare({ costMax: 0 });
  const all = [...chunksOf(to).values()].flat();
  await assert.rejects(source.fetch(all), (error) => isKind(error, "offline"));
});

const wrongs: readonly (readonly [string, Answer, ErrorKind])[] = [
  ["is offline", offline, "offline"],
  ["never answers", silent, "offline"],
  ["flips bits", flipping, "corrupt"],
  ["cuts off bytes", cutting, "corrupt"],
  ["gives zeros", sideways, "corrupt"],
  ["has lost its packs", forgetting, "not-found"],
];

for (const [what, answer, kind] of wrongs) {
  test(`a remote that ${what} costs nothing when there is another, and is told of when there is none`, async () => {
    const prng = new Prng(2);
    using setup = await setUp([some(prng, 6)]);
    const { to, from, place, remote } = setup;
    const all = [...chunksOf(to).values()].flat();
    const other = new PackRemote("memory:b", place);
    await to.fetch(other, { content: "none" });
    other.reads.length = 0;
    remote.answer = answer;
    {
      await using alone = open(to, [remote], { stallMs: 50 });
      await assert.rejects(alone.fetch(all), (error) => isKind(error, kind) && error.message.includes("a"));
      // It is not asked again for a while.
      const before = remote.reads.length;
      await assert.rejects(alone.fetch(all), (error) => isKind(error, kind));
      if (kind !== "not-found") assert.equal(remote.reads.length, before);
      assert(all.every(({ hash }) => !to.store.hasChunk(hash)));
    }
    await using source = open(to, [remote, other], { stallMs: 50 });
    await source.fetch(all);
    assert(other.reads.length > 0);
    assert.deepEqual(to.files(), from.files());
    assert.deepEqual(await Array.fromAsync(to.store.check({ readData: true })), []);
  });
}

test("a remote that fails in the middle is gone on from at another, and asked again later", async () => {
  const prng = new Prng(3);
  using setup = await setUp([some(prng, 6), some(prng, 6), some(prng, 6)]);
  const { to, from, place, remote } = setup;
  const other = new PackRemote("memory:b", place);
  await to.fetch(other, { content: "none" });
  const chunks = [...chunksOf(to).values()];
  await using source = open(to, [remote, other]);
  let left = 4;
  remote.answer = (...args) => {
    left -= 1;
    return left < 0 ? offline(...args) : args[2]();
  };
  for (const each of chunks) await source.fetch(each);
  assert(left < 0);
  assert.deepEqual(to.files(), from.files());
  remote.answer = (_, __, get) => get();
  const head = to.state.head()?.commit as Hash;
  nowMs += 10 * 60_000;
  const parent = to.commits.read(head).commit.parents[0] as Hash;
  to.adopt(parent);
  const before = remote.reads.length;
  for (const each of chunksOf(to).values()) await source.fetch(each);
  assert(remote.reads.length > before);
});

test("content that has moved to other packs on the remote is found there", async () => {
  const prng = new Prng(4);
  const files = some(prng, 5);
  using setup = await setUp([files]);
  const { to, place, remote, from } = setup;
  const chunks = chunksOf(to);
  {
    await using source = open(to, [remote]);
    await source.fetch(chunks.get("file0") ?? []);
  }
  // Another box packs the same anew and pushes it elsewhere, with the same head.
  using again = new TestBox(from.secrets);
  await again.commit({ first: "1" });
  const elsewhere = new PackRemote("memory:c", new MemoryPlace());
  await again.init(elsewhere);
  await again.commit(files);
  await again.push(elsewhere);
  await to.fetch(elsewhere, { content: "none" });
  for (const name of [...place.blobs.keys()]) if (name.startsWith("packs/")) place.blobs.delete(name);
  await using source = open(to, [remote, elsewhere]);
  await source.fetch([...chunks.values()].flat());
  assert.deepEqual(to.files(to.state.head()?.commit), from.files());
});

test("who stops waiting does not stop others, and what nobody waits for is stopped", async () => {
  const prng = new Prng(5);
  using setup = await setUp([{ a: prng.bytes(200_000) }]);
  const { to, remote, from } = setup;
  const all = [...chunksOf(to).values()].flat();
  let release: () => void = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const signals: (AbortSignal | undefined)[] = [];
  remote.answer = async (_, { signal, range }, get) => {
    if ((range?.start ?? 0) !== 0 && (range?.end ?? 0) - (range?.start ?? 0) > 10_000) {
      signals.push(signal);
      await held;
    }
    return get();
  };
  await using source = open(to, [remote]);
  const stop = new AbortController();
  const first = source.fetch(all, { signal: stop.signal });
  const second = source.fetch(all);
  while (signals.length === 0) await new Promise((resolve) => setImmediate(resolve));
  stop.abort();
  await assert.rejects(first);
  assert(signals.every((signal) => signal?.aborted !== true));
  release();
  await second;
  assert.deepEqual(to.files(), from.files());
});

test("a remote that has the content under a pack of other bytes cannot make that pack count as whole", async () => {
  const prng = new Prng(6);
  using setup = await setUp([{ a: prng.bytes(3000), b: prng.bytes(90_000) }]);
  const { to, remote } = setup;
  await using source = open(to, [remote]);
  await source.fetch([...chunksOf(to).values()].flat());
  for (const pack of to.store.packs()) assert(pack.class === "meta" || pack.complete);
  // What came in parts can be pushed like any other.
  const place = new MemoryPlace();
  const fresh = new MemoryRemote(nodeDisk, place);
  await to.init(fresh);
  await to.commit({ c: "new" });
  await to.push(fresh);
  using third = new TestBox(to.secrets);
  assert.deepEqual((await third.fetch(fresh)).keptOut, []);
  assert.deepEqual(third.files(to.state.head()?.commit), { c: "new" });
});

/** Room for so many frames. */
function roomFor(frames: number): CacheRoom {
  let left = frames;
  return {
    keep: async (sizes, take) => {
      const count = Math.min(left, sizes.length);
      left -= count;
      return take(count);
    },
    failed: (reason) => assert.fail(reason),
  };
}

test("what is read can be read, whether or not there is room to keep it, and what is to stay comes all the same", async () => {
  const prng = new Prng(7);
  const files = some(prng, 12);
  for (const frames of [0, 1, 1000]) {
    using setup = await setUp([files]);
    const { to, from, remote } = setup;
    const all = [...chunksOf(to).values()].flat();
    {
      await using source = open(to, [remote], { room: roomFor(frames) });
      await source.fetch(all);
      for (const { hash, length } of all) assert.equal(to.store.getChunk(hash, length).length, length);
    }
    const { size } = to.store.cache;
    assert(frames === 1000 ? size.frames > 1 : size.frames === frames, `${size.frames} frames are kept`);
    await using source = open(to, [remote]);
    await source.fetch(all);
    to.store.cache.keepChunks(all.map(({ hash }) => hash));
    assert(all.every(({ hash }) => to.store.cache.stays(hash)));
    assert.deepEqual(to.store.cache.size, { frames: 0, bytes: 0 });
    assert.deepEqual(to.files(), from.files());
    assert.deepEqual(await Array.fromAsync(to.store.check({ readData: true })), []);
  }
});

test("what is served is answered before it is kept, and kept when it is closed, within the quota", async () => {
  const prng = new Prng(11);
  for (const frames of [0, 2, 1000]) {
    using setup = await setUp([some(prng, 6)]);
    const { to, remote } = setup;
    const all = [...chunksOf(to).values()].flat();
    {
      await using source = open(to, [remote], { room: roomFor(frames), keepsLater: true });
      await source.fetch(all);
      for (const { hash, length } of all) assert.equal(to.store.getChunk(hash, length).length, length);
      assert.deepEqual(to.store.cache.size, { frames: 0, bytes: 0 });
      const before = remote.reads.length;
      await source.fetch(all);
      assert.equal(remote.reads.length, before);
    }
    const { size } = to.store.cache;
    assert(frames === 1000 ? size.frames > 1 : size.frames === frames, `${size.frames} frames are kept`);
    assert.deepEqual(await Array.fromAsync(to.store.check({ readData: true })), []);
  }
});

test("more than memory holds is fetched once and then asked for again, bit by bit", async () => {
  const prng = new Prng(8);
  // Content that is small on the wire and large when it is read.
  const files = Object.fromEntries(
    Array.from({ length: 40 }, (_, at) => [`f${at}`, Buffer.concat([prng.bytes(100), Buffer.alloc(1_000_000, at)])]),
  );
  using setup = await setUp([files]);
  const { to, remote } = setup;
  const all = [...chunksOf(to).values()].flat();
  await using source = open(to, [remote], { room: roomFor(0) });
  await source.fetch(all);
  let rounds = 0;
  for (let left = all; left.length > 0; rounds += 1) {
    await source.fetch(left);
    const before = left.length;
    left = left.filter(({ hash }) => !to.store.hasChunk(hash));
    assert(left.length < before);
  }
  assert(rounds < all.length);
});
