/** Packs of which only some frames are here: what is here can be read, what is not is known to be missing, and nothing of it is damage. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Crash, FaultyDisk } from "../../test/support/faulty-disk.ts";
import { faultySqlite } from "../../test/support/faulty-sqlite.ts";
import { lie, makeLyingPack, truth } from "../../test/support/lying-pack.ts";
import { contentParts, type PackParts } from "../../test/support/pack-parts.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { Prng } from "../base/prng.ts";
import { defaultChunkSizes, type SuiteName } from "../format/mod.ts";
import type { Store } from "./store.ts";

const all = { isLiveChunk: () => true, isLiveMeta: () => true, remark: () => undefined };

/** Packs of content of a box of the same secrets, with several frames each. */
async function packsOf(prng: Prng, suite: SuiteName, count = 1): Promise<PackParts[]> {
  using from = new TestBox({ suite, chunk: defaultChunkSizes });
  const store = from.open();
  for (let pack = 0; pack < count; pack += 1) {
    const files = Array.from({ length: prng.int(4, 8) }, (_, file) =>
      from.file(`${pack}-${file}`, prng.bytes(prng.int(1, 90_000))),
    );
    await ingestAll(store, files);
  }
  return contentParts(store);
}

function damageOf(store: Store): Promise<string[]> {
  return Array.fromAsync(store.check({ readData: true }), ({ file, what }) => `${file}: ${what}`);
}

/** Which frames are thought to be here. */
class Model {
  readonly #here = new Set<string>();

  set(pack: PackParts, frame: number, isHere: boolean): void {
    const key = `${toHex(pack.name)} ${frame}`;
    if (isHere) this.#here.add(key);
    else this.#here.delete(key);
  }

  has(pack: PackParts, frame: number): boolean {
    return this.#here.has(`${toHex(pack.name)} ${frame}`);
  }

  check(store: Store, packs: readonly PackParts[]): void {
    for (const pack of packs) {
      const names = store.packs().filter(({ name }) => equalBytes(name, pack.name));
      assert.equal(names.length, 1);
      const isWhole = pack.frames.every((_, frame) => this.has(pack, frame));
      // After the index was lost it is not known whether a part has come to stay.
      const isCache = [...store.cache.oldestFirst()].some((part) => equalBytes(part.pack, pack.name));
      if (isCache) assert(isWhole || names[0]?.complete === false);
      else assert.equal(names[0]?.complete, isWhole);
      if (isWhole && !isCache) assert.deepEqual(readFileSync(store.packPath(pack.name)), pack.bytes);
      for (const [frame, objects] of pack.objects.entries()) {
        for (const { hash, length } of objects) {
          assert(store.knowsChunk(hash));
          assert.equal(store.hasChunk(hash), this.has(pack, frame));
          if (this.has(pack, frame)) assert.equal(store.getChunk(hash, length).length, length);
          else
            assert.throws(
              () => store.getChunk(hash, length),
              (error) => isKind(error, "not-found"),
            );
        }
      }
    }
  }
}

testSeeds(
  "frames come and go in any order, and whatever is done to the index the store knows which are here",
  12,
  async (prng) => {
    const suite = prng.pick(["aes-256-gcm", "plain"] as const);
    const packs = await packsOf(prng, suite, prng.int(1, 4));
    using box = new TestBox({ suite });
    let store = box.open();
    const other = box.open();
    const model = new Model();
    assert.deepEqual(
      store.sparse.add(packs.map(({ ends }) => ends)),
      packs.map(() => undefined),
    );
    for (let step = 0; step < 30; step += 1) {
      const pack = prng.pick(packs);
      const chosen = pack.frames.map((_, frame) => frame).filter(() => prng.chance(0.4));
      const what = prng.int(0, 9);
      if (what < 4) {
        const { refused } = prng.pick([store, other]).sparse.take(
          pack.name,
          chosen.map((frame) => pack.frames[frame] as (typeof pack.frames)[number]),
        );
        assert.equal(refused, undefined);
        for (const frame of chosen) model.set(pack, frame, true);
      } else if (what < 6) {
        store.sparse.evict(
          pack.name,
          chosen.map((frame) => pack.frames[frame]?.offset as number),
        );
        for (const frame of chosen) model.set(pack, frame, false);
      } else if (what === 6) store.rebuildIndex();
      else if (what === 7) {
        store[Symbol.dispose]();
        for (const name of prng.chance(0.5) ? readdirSync(box.directory) : [])
          if (name.startsWith("index.sqlite")) rmSync(join(box.directory, name));
        store = box.open();
      } else if (what === 8 && store.packs().filter(({ complete }) => complete).length < 2) await store.gc(all);
      else store.sparse.add([pack.ends]);
      store.endWriting();
      if (step % 5 === 4) model.check(prng.pick([store, box.open()]), packs);
    }
    model.check(store, packs);
    assert.deepEqual(await damageOf(store), []);
    for (const pack of packs) {
      store.sparse.take(pack.name, pack.frames);
      store.sparse.keep(
        pack.name,
        pack.frames.map(({ offset }) => offset),
      );
      for (const frame of pack.frames.keys()) model.set(pack, frame, true);
    }
    model.check(store, packs);
    assert.deepEqual(box.notices, []);
  },
);

test("wrong frames, ends and packs are refused, and right frames beside them are taken", async () => {
  for (const suite of ["aes-256-gcm", "plain"] as const) {
    const [pack] = await packsOf(new Prng(3), suite);
    assert(pack !== undefined && pack.frames.length > 2);
    using box = new TestBox({ suite });
    const store = box.open();
    const cut = { ...pack.ends, tail: pack.ends.tail.subarray(1) };
    const flipped = { ...pack.ends, tail: Uint8Array.from(pack.ends.tail, (byte, at) => (at === 3 ? byte ^ 1 : byte)) };
    const [first, second] = store.sparse.add([cut, { ...pack.ends, size: pack.ends.size + 1 }]);
    assert(isKind(first, "corrupt") && isKind(second, "corrupt"));
    if (suite === "aes-256-gcm") assert(isKind(store.sparse.add([flipped])[0], "corrupt"));
    assert.throws(
      () => store.sparse.take(pack.name, pack.frames),
      (error) => isKind(error, "not-found"),
    );
    store.sparse.add([pack.ends]);
    const [a, b, c] = pack.frames as [
      { offset: number; bytes: Uint8Array },
      { offset: number; bytes: Uint8Array },
      { offset: number; bytes: Uint8Array },
    ];
    const wrong = { offset: a.offset, bytes: Uint8Array.from(a.bytes, (byte, at) => (at === 7 ? byte ^ 1 : byte)) };
    const { taken, refused } = store.sparse.take(pack.name, [
      wrong,
      { ...b, offset: b.offset + 1 },
      { ...c, bytes: b.bytes },
      c,
    ]);
    assert.equal(taken, 1);
    assert(isKind(refused, "corrupt"));
    const model = new Model();
    model.set(pack, 2, true);
    model.check(store, [pack]);
  }
});

test("a pack that was made here gives up frames, is not sent meanwhile, and is itself again when they have come back", async () => {
  using box = new TestBox({ chunk: defaultChunkSizes });
  const store = box.open();
  const prng = new Prng(5);
  const [file] = await ingestAll(store, [box.file("a", prng.bytes(300_000))]);
  store.endWriting();
  const [pack] = contentParts(store);
  assert(pack !== undefined);
  const blocks = (): number => statSync(store.packPath(pack.name)).blocks;
  const before = blocks();
  const offsets = pack.frames.map(({ offset }) => offset);
  {
    using held = store.sparse.hold(pack.name);
    assert(held !== undefined);
    assert.equal(box.open().sparse.evict(pack.name, offsets), 0, "not while it is sent");
  }
  const freed = store.sparse.evict(pack.name, offsets);
  assert(freed > 290_000);
  assert(blocks() < before / 4);
  assert.equal(store.sparse.hold(pack.name), undefined);
  assert.throws(
    () => readBack(store, file),
    (error) => isKind(error, "not-found"),
  );
  // What is not here does not stand for what is stored: it is stored again, and found.
  const [again] = await ingestAll(store, [box.file("b", new Prng(5).bytes(300_000))]);
  assert.equal(Buffer.compare(readBack(store, again), readBack(store, file)), 0);
  store.endWriting();
  store.sparse.take(pack.name, pack.frames);
  assert.deepEqual(readFileSync(store.packPath(pack.name)), Buffer.from(pack.bytes));
  using held = store.sparse.hold(pack.name);
  assert(held !== undefined);
  assert.deepEqual(await damageOf(store), []);
});

test("a pack that comes whole takes the place of its parts", async () => {
  const [pack] = await packsOf(new Prng(7), "aes-256-gcm");
  using box = new TestBox();
  const [store, other] = [box.open(), box.open()];
  assert(pack !== undefined);
  store.sparse.add([pack.ends]);
  store.sparse.take(pack.name, pack.frames.slice(0, 1));
  const path = join(store.temporaryFolder, "arriving");
  writeFileSync(path, pack.bytes);
  const model = new Model();
  model.set(pack, 0, true);
  model.check(other, [pack]);
  await using adoption = store.openAdoption({ workers: 0, contentBytes: 0 });
  await adoption.adopt({ path, name: pack.name, class: "content" });
  for (const frame of pack.frames.keys()) model.set(pack, frame, true);
  model.check(store, [pack]);
  model.check(other, [pack]);
  assert.deepEqual(await damageOf(store), []);
});

test("a bit that flips in a sparse pack is found, and what is repaired is missing, not wrong", async () => {
  for (const suite of ["aes-256-gcm", "plain"] as const) {
    const [pack] = await packsOf(new Prng(11), suite);
    assert(pack !== undefined && pack.frames.length > 2);
    const { size, tail } = pack.ends;
    const places = { frame: (pack.frames[1]?.offset ?? 0) + 9, header: 40, directory: size - tail.length + 9 };
    for (const [where, at] of Object.entries(places)) {
      using box = new TestBox({ suite });
      const store = box.open();
      store.sparse.add([pack.ends]);
      store.sparse.take(pack.name, pack.frames.slice(0, 2));
      store.endWriting();
      const path = store.packPath(pack.name);
      const bytes = readFileSync(path);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 4, at);
      writeFileSync(path, bytes);
      using again = box.open();
      const damage = await Array.fromAsync(again.check({ readData: true }));
      assert(damage.length > 0, `${suite} ${where}`);
      if (damage.some((each) => each.pack !== undefined)) again.setAside(pack.name, join(box.directory, "damaged"));
      else again.rebuildIndex();
      again.endWriting();
      assert.deepEqual(await damageOf(again), [], `${suite} ${where}`);
      // Whatever is left is right, and can be completed.
      assert.deepEqual(again.sparse.add([pack.ends]), [undefined]);
      again.sparse.take(pack.name, pack.frames);
      const model = new Model();
      for (const frame of pack.frames.keys()) model.set(pack, frame, true);
      model.check(again, [pack]);
    }
  }
});

/** What is done while the machine may stop: a pack becomes known, frames come and go, it becomes whole and sparse again. */
function work(store: Store, pack: PackParts, promised: { known: boolean; here: Set<number>; gone: Set<number> }): void {
  const take = (from: number, to: number): void => {
    const frames = pack.frames.slice(from, to);
    for (let frame = from; frame < to; frame += 1) promised.gone.delete(frame);
    store.sparse.take(pack.name, frames);
    for (let frame = from; frame < to; frame += 1) promised.here.add(frame);
  };
  const evict = (frames: readonly number[]): void => {
    for (const frame of frames) promised.here.delete(frame);
    store.sparse.evict(
      pack.name,
      frames.map((frame) => pack.frames[frame]?.offset as number),
    );
    for (const frame of frames) promised.gone.add(frame);
  };
  store.sparse.add([pack.ends]);
  promised.known = true;
  take(0, 2);
  evict([0]);
  take(0, pack.frames.length);
  evict([1, 2]);
  take(1, 3);
}

for (const [kind, stride] of [
  ["EIO", 3],
  ["full", 4],
  ["crash", 1],
] as const) {
  test(`${kind} at any operation on a sparse pack leaves what was promised, and no damage`, async () => {
    const [pack] = await packsOf(new Prng(13), "aes-256-gcm");
    assert(pack !== undefined && pack.frames.length > 2);
    let runs = 0;
    for (let at = 1; ; at += stride) {
      using box = new TestBox();
      box.open()[Symbol.dispose]();
      const graveyard = mkdtempSync(join(tmpdir(), "ourobox-graves-"));
      const disk = new FaultyDisk(nodeDisk, { graveyard, fault: { at, kind, passesReads: kind === "crash" } });
      const promised = { known: false, here: new Set<number>(), gone: new Set<number>() };
      {
        using _ = faultySqlite(disk);
        let store: Store | undefined;
        try {
          store = box.open({ disk });
          work(store, pack, promised);
        } catch (thrown) {
          if (!(thrown instanceof Crash) && !isKind(thrown)) throw thrown;
        }
        try {
          store?.[Symbol.dispose]();
        } catch (thrown) {
          if (!(thrown instanceof Crash)) throw thrown;
        }
      }
      const failed = disk.failedAt;
      if (kind === "crash" && failed !== undefined) disk.losePower(new Prng(at));
      else disk.end();
      rmSync(graveyard, { recursive: true });
      for (const isRebuilt of [false, true]) {
        using store = box.open();
        if (isRebuilt) store.rebuildIndex();
        assert.deepEqual(await damageOf(store), [], `operation ${at}`);
        for (const [frame, objects] of pack.objects.entries()) {
          for (const { hash, length } of objects) {
            if (promised.here.has(frame)) assert(store.hasChunk(hash), `operation ${at}: frame ${frame} is here`);
            if (promised.gone.has(frame) && failed === undefined) assert(!store.hasChunk(hash));
            if (store.hasChunk(hash)) assert.equal(store.getChunk(hash, length).length, length);
          }
        }
        store.sparse.add([pack.ends]);
        store.endWriting();
      }
      using store = box.open();
      store.sparse.take(pack.name, pack.frames);
      {
        using held = store.sparse.hold(pack.name);
        assert(held !== undefined);
      }
      assert.deepEqual(readFileSync(store.packPath(pack.name)), Buffer.from(pack.bytes));
      if (failed === undefined) break;
      runs += 1;
    }
    assert(runs > 10, `${runs} runs`);
  });
}

test("the names of frames do not tell what is in them: an object that is not what the directory says makes its frame no use", async () => {
  using from = new TestBox();
  from.open();
  const { path, name, size, directorySize } = makeLyingPack(from.directory, from.secrets, [
    lie("what is"),
    truth("what is not"),
  ]);
  const bytes = readFileSync(path);
  using box = new TestBox();
  const store = box.open();
  const tail = bytes.subarray(size - 32 - directorySize);
  assert.deepEqual(store.sparse.add([{ name, size, header: bytes.subarray(0, 64), tail }]), [undefined]);
  const directory = store.sparse.directory(name);
  const frame = bytes.subarray(64, 64 + (directory.frameSealed[0] as number));
  assert(isKind(store.sparse.take(name, [{ offset: 64, bytes: frame }]).refused, "corrupt"));
  assert(!store.hasChunk(lie("what is").hash));
  const [stored] = await ingestAll(store, [box.file("a", "what is")]);
  assert.equal(Buffer.from(readBack(store, stored)).toString(), "what is");
});
