/** What is here only because somebody has read it: it counts, it can go, and nothing else goes with it. */
import assert from "node:assert/strict";
import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { contentParts, type PackParts } from "../../test/support/pack-parts.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { toHex } from "../base/bytes.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import { defaultChunkSizes, type Hash } from "../format/mod.ts";
import { bytesOnDisk } from "./cached-frames.ts";
import type { ArrivedFrame } from "./sparse-packs.ts";
import type { Store } from "./store.ts";

async function makePack(prng: Prng, bytes = 600_000): Promise<PackParts> {
  using from = new TestBox({ chunk: defaultChunkSizes });
  const store = from.open();
  await ingestAll(store, [from.file("a", prng.bytes(bytes)), from.file("b", prng.bytes(bytes))]);
  const [pack] = contentParts(store);
  assert(pack !== undefined && pack.frames.length > 3);
  return pack;
}

const offsetOf = (pack: PackParts, frame: number): number => pack.frames[frame]?.offset as number;

function sizeOf(pack: PackParts, frames: Iterable<number>): number {
  let sum = 0;
  for (const frame of frames) sum += bytesOnDisk(offsetOf(pack, frame), pack.frames[frame]?.bytes.length as number);
  return sum;
}

function lendAndKeep(store: Store, name: Hash, frames: readonly ArrivedFrame[]): number {
  return store.sparse.keepLent(name, store.sparse.lend(name, frames).right);
}

function isReadable(store: Store, pack: PackParts, frame: number): boolean {
  const objects = pack.objects[frame] ?? [];
  const here = objects.filter(
    ({ hash, length }) => store.hasChunk(hash) && store.getChunk(hash, length).length === length,
  );
  assert(here.length === 0 || here.length === objects.length);
  return here.length > 0;
}

test("what is lent can be read at once, and is on the disk only as far as it is to be kept", async () => {
  const pack = await makePack(new Prng(1));
  using box = new TestBox();
  const store = box.open();
  store.sparse.add([pack.ends]);
  assert.equal(store.sparse.lend(pack.name, pack.frames).right.length, pack.frames.length);
  assert.deepEqual(store.cache.size, { frames: 0, bytes: 0 });
  for (const frame of pack.frames.keys()) assert(isReadable(store, pack, frame));
  assert.equal(store.sparse.keepLent(pack.name, pack.frames.slice(0, 1)), 1);
  for (const frame of pack.frames.keys()) assert(isReadable(store, pack, frame));
  const other = box.open();
  assert.deepEqual(
    [...pack.frames.keys()].filter((frame) => isReadable(other, pack, frame)),
    [0],
  );
  assert.deepEqual(other.cache.size, { frames: 1, bytes: sizeOf(pack, [0]) });
  const [object] = pack.objects[1] ?? [];
  assert(object !== undefined);
  assert.equal(store.findChunk(object.hash)?.isOnDisk, false);
});

test("a wrong frame is neither lent nor kept", async () => {
  const pack = await makePack(new Prng(2));
  using box = new TestBox();
  const store = box.open();
  store.sparse.add([pack.ends]);
  const [first, second] = pack.frames;
  assert(first !== undefined && second !== undefined);
  const wrong = { ...first, bytes: Uint8Array.from(first.bytes, (byte, at) => (at === 9 ? byte ^ 1 : byte)) };
  const { right, refused } = store.sparse.lend(pack.name, [wrong, second]);
  assert.deepEqual(right, [second]);
  assert.equal(refused?.kind, "corrupt");
  assert(!isReadable(store, pack, 0) && isReadable(store, pack, 1));
});

test("a full disk keeps nothing, leaves nothing behind, and what has come can be read", async () => {
  const pack = await makePack(new Prng(3));
  using box = new TestBox();
  let isFull = false;
  const disk = new Proxy(nodeDisk, {
    get(target, name) {
      if (name !== "write" || !isFull) return Reflect.get(target, name) as unknown;
      return (fd: number, bytes: Uint8Array, position: number): void => {
        target.write(fd, bytes.subarray(0, bytes.length / 2), position);
        throw Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" });
      };
    },
  });
  const store = box.open({ disk });
  store.sparse.add([pack.ends]);
  const before = statSync(store.packPath(pack.name)).blocks;
  isFull = true;
  assert.equal(lendAndKeep(store, pack.name, pack.frames), 0);
  for (const frame of pack.frames.keys()) assert(isReadable(store, pack, frame));
  assert.deepEqual(store.cache.size, { frames: 0, bytes: 0 });
  assert(statSync(store.packPath(pack.name)).blocks <= before + 8, "what was half written takes no space");
});

testSeeds(
  "the cache counts what it takes on the disk, and what is here to stay is never given up as cache",
  10,
  async (prng) => {
    const pack = await makePack(prng, prng.int(300_000, 900_000));
    using box = new TestBox({ suite: "aes-256-gcm" });
    let store = box.open();
    store.sparse.add([pack.ends]);
    const ends = statSync(store.packPath(pack.name)).blocks * 512;
    const [cached, staying] = [new Set<number>(), new Set<number>()];
    for (let step = 0; step < 40; step += 1) {
      const chosen = [...pack.frames.keys()].filter(() => prng.chance(0.3));
      const frames = chosen.map((frame) => pack.frames[frame] as (typeof pack.frames)[number]);
      const what = prng.int(0, 5);
      if (what === 0) {
        store.sparse.take(pack.name, frames);
        for (const frame of chosen) {
          cached.delete(frame);
          staying.add(frame);
        }
      } else if (what <= 2) {
        lendAndKeep(store, pack.name, frames);
        for (const frame of chosen) if (!staying.has(frame)) cached.add(frame);
      } else if (what === 3) {
        store.cache.keepChunks(chosen.flatMap((frame) => pack.objects[frame] ?? []).map(({ hash }) => hash));
        for (const frame of chosen) if (cached.delete(frame)) staying.add(frame);
      } else if (what === 4) {
        store.cache.evict(
          pack.name,
          frames.map(({ offset }) => offset),
        );
        for (const frame of chosen) cached.delete(frame);
      } else {
        // What was lent is gone with the process.
        store[Symbol.dispose]();
        store = box.open();
      }
      store.endWriting();
      using other = box.open({ readOnly: true });
      assert.equal(other.cache.size.bytes, sizeOf(pack, cached));
      for (const frame of pack.frames.keys())
        assert.equal(isReadable(other, pack, frame), cached.has(frame) || staying.has(frame), `frame ${frame}`);
      const onDisk = statSync(store.packPath(pack.name)).blocks * 512;
      // A file system takes a block or two to remember where many pieces are.
      assert(onDisk <= ends + 8192 + sizeOf(pack, [...cached, ...staying]), `${onDisk} bytes on the disk`);
      // All of it is here to stay, and nothing is cache: then it is the pack.
      if (staying.size === pack.frames.length)
        assert.equal(store.packs().find(({ class: kind }) => kind === "content")?.complete, true);
    }
    assert.deepEqual(await Array.fromAsync(store.check({ readData: true })), []);
  },
);

test("a pack that came to be read goes on saying that it is sparse, so that a lost index does not make it one to stay", async () => {
  const pack = await makePack(new Prng(5));
  using box = new TestBox();
  const store = box.open();
  store.sparse.add([pack.ends]);
  lendAndKeep(store, pack.name, pack.frames);
  const all = { frames: pack.frames.length, bytes: sizeOf(pack, pack.frames.keys()) };
  assert.deepEqual(store.cache.size, all);
  store[Symbol.dispose]();
  for (const name of readdirSync(box.directory)) if (name.startsWith("index.sqlite")) rmSync(join(box.directory, name));
  const again = box.open();
  assert.deepEqual(again.cache.size, all);
  assert(again.cache.evict(pack.name, [offsetOf(pack, 1)]) > 0);
  assert(!isReadable(again, pack, 1) && isReadable(again, pack, 0));
  assert.deepEqual(await Array.fromAsync(again.check({ readData: true })), []);
  again.sparse.take(pack.name, pack.frames);
  using held = again.sparse.hold(pack.name);
  assert(held !== undefined, "all of it is to stay: it can be sent");
  assert.deepEqual(again.cache.size, { frames: 0, bytes: 0 });
});

test("what was read last goes last, whoever reads, and nothing that was made here is in the cache", async () => {
  const pack = await makePack(new Prng(6));
  using box = new TestBox({ chunk: defaultChunkSizes });
  const store = box.open();
  const [own] = await ingestAll(store, [box.file("own", new Prng(7).bytes(200_000))]);
  store.endWriting();
  store.sparse.add([pack.ends]);
  for (const frame of pack.frames) lendAndKeep(store, pack.name, [frame]);
  {
    using other = box.open();
    assert(isReadable(other, pack, 0));
    assert.equal(readBack(other, own).length, 200_000);
  }
  const order = [...store.cache.oldestFirst()].map(({ pack: name, offset }) => {
    assert.equal(toHex(name), toHex(pack.name));
    return pack.frames.findIndex((frame) => frame.offset === offset);
  });
  const frames = [...pack.frames.keys()];
  assert.deepEqual(order, [...frames.slice(1), 0]);
});

test("what a process has left that was killed while it wrote is given back", async () => {
  const pack = await makePack(new Prng(8));
  using box = new TestBox();
  let isDead = false;
  const disk = new Proxy(nodeDisk, {
    get(target, name) {
      if (name === "syncFile" && isDead)
        return () => {
          throw new Error("it was killed");
        };
      if (name === "punchHole" && isDead) return () => {};
      return Reflect.get(target, name) as unknown;
    },
  });
  const store = box.open({ disk });
  store.sparse.add([pack.ends]);
  const blocks = (): number => statSync(store.packPath(pack.name)).blocks;
  lendAndKeep(store, pack.name, pack.frames.slice(0, 1));
  const before = blocks();
  isDead = true;
  assert.throws(() => lendAndKeep(store, pack.name, pack.frames), /it was killed/);
  assert(blocks() > before + 100);
  const other = box.open();
  other.cache.tidy();
  assert(blocks() <= before + 16, `${blocks()} blocks, ${before} before`);
  assert(isReadable(other, pack, 0) && !isReadable(other, pack, 1));
  assert.deepEqual(await Array.fromAsync(other.check({ readData: true })), []);
});
