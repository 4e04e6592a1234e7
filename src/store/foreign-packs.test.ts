/** Packs that came from elsewhere: taken in several at once, and never trusted to have what they say. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Claim, hashOf, lie, makeLyingPack, truth } from "../../test/support/lying-pack.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import type { DiskPath } from "../base/disk.ts";
import { isKind } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { ArrivedPack } from "./adopt-packs.ts";
import { IndexDatabase } from "./index-database.ts";
import type { Store } from "./store.ts";

const forced = { workers: 1, contentBytes: 2 ** 30 };
const local = { workers: 0, contentBytes: 0 };

function makePack(box: TestBox, claims: readonly Claim[]): ArrivedPack {
  return makeLyingPack(box.directory, box.secrets, claims);
}

async function adoptAll(store: Store, packs: readonly ArrivedPack[], options = local): Promise<unknown[]> {
  await using adoption = store.openAdoption(options);
  const outcomes = await Promise.allSettled(packs.map((pack) => adoption.adopt(pack)));
  return outcomes.map((outcome) => (outcome.status === "rejected" ? outcome.reason : undefined));
}

test("a chunk is stored although a pack from elsewhere says that it is there", async () => {
  using box = new TestBox();
  const store = box.open();
  const [mine, other] = ["what I am going to write, and somebody knew it", "what is as it should be"];
  const pack = makePack(box, [lie(mine), truth(other)]);
  assert.deepEqual(await adoptAll(store, [pack]), [undefined]);
  assert(store.hasChunk(hashOf(utf8(mine))));
  const [stored, known] = await ingestAll(store, [box.file("mine", mine), box.file("other", other)]);
  assert.equal(Buffer.from(readBack(store, stored)).toString(), mine);
  assert.equal(Buffer.from(readBack(store, known)).toString(), other);
  const own = store.packs().find(({ proven }) => proven);
  assert.equal(own?.objects, 1, "what was true in the lying pack is not stored again");
  const damage = await Array.fromAsync(store.check({ readData: true }));
  assert.deepEqual(
    damage.map(({ file }) => file),
    [`packs/${toHex(pack.name)}`],
  );
  // It stays so when the index is made anew, whichever pack is found first then.
  store.rebuildIndex();
  const [again] = await ingestAll(store, [box.file("mine-2", mine)]);
  assert.equal(Buffer.from(readBack(box.open(), again)).toString(), mine);
});

test("packs that come together are taken in together, unless too much is in them", async () => {
  for (const [objects, together] of [
    [undefined, 3],
    [100_000, 2],
    [1_000_000, 1],
  ] as const) {
    const syncs: string[] = [];
    const syncDirectory = (path: DiskPath): void => {
      syncs.push(String(path));
      nodeDisk.syncDirectory(path);
    };
    using box = new TestBox({ disk: { ...nodeDisk, syncDirectory } });
    const store = box.open();
    const packs = ["one", "two", "three"].map((text) => makePack(box, [truth(text)]));
    syncs.length = 0;
    const outcomes = await adoptAll(
      store,
      packs.map((pack) => (objects === undefined ? pack : { ...pack, objects })),
    );
    assert.deepEqual(outcomes, [undefined, undefined, undefined]);
    assert.equal(syncs.length, Math.ceil(3 / together));
    assert(["one", "two", "three"].every((text) => store.hasChunk(hashOf(utf8(text)))));
  }
});

test("what came is looked at once, and not stored again", async () => {
  using from = new TestBox();
  using box = new TestBox();
  const texts = Array.from({ length: 120 }, (_, index) => `content ${index} `.repeat(300));
  const source = from.open();
  await ingestAll(
    source,
    texts.map((text, index) => from.file(`f${index}`, text)),
  );
  const store = box.open();
  const packs = source.packs().map(({ name, class: packClass }) => {
    const path = join(store.temporaryFolder, `fetch-${toHex(name)}`);
    writeFileSync(path, readFileSync(source.packPath(name)));
    return { path, name, class: packClass };
  });
  await adoptAll(store, packs);
  assert(store.packs().every(({ proven }) => !proven));
  const files = texts.map((text, index) => box.file(`f${index}`, text));
  await ingestAll(store, files, 1);
  assert.equal(store.packs().length, packs.length);
  using index = IndexDatabase.open(join(box.directory, "index.sqlite"), { readOnly: true });
  const frames = new Set<string>();
  for (const { hash } of index.objects("content")) {
    const place = index.findChunk(hash);
    assert(place !== undefined && index.isFrameProven(place));
    frames.add(`${place.pack} ${place.offset}`);
  }
  assert(frames.size > 1);
});

test("a chunk is read from another pack when the one where it is found has other bytes", async () => {
  using box = new TestBox();
  const store = box.open();
  const text = "the same name in two packs, and one of them lies";
  await adoptAll(store, [makePack(box, [lie(text)])]);
  assert.throws(
    () => store.getChunk(hashOf(utf8(text)), text.length),
    (error) => isKind(error, "corrupt"),
  );
  await adoptAll(store, [makePack(box, [truth(text), truth("more")])]);
  for (const reader of [store, box.open(), box.open({ readOnly: true })])
    assert.equal(Buffer.from(reader.getChunk(hashOf(utf8(text)), text.length)).toString(), text);
});

test("of packs that come together those that are damaged are refused, and the others are there", async () => {
  for (const options of [local, forced]) {
    using box = new TestBox();
    const store = box.open();
    const packs = ["one", "two", "three", "four"].map((text) => makePack(box, [truth(text)]));
    const [, second, third] = packs as [ArrivedPack, ArrivedPack, ArrivedPack];
    const bytes = readFileSync(second.path);
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 1;
    writeFileSync(second.path, bytes);
    const outcomes = await adoptAll(
      store,
      [...packs.slice(0, 2), { ...third, class: "meta" }, ...packs.slice(3)],
      options,
    );
    assert.deepEqual(
      outcomes.map((error) => (isKind(error, "corrupt") ? "corrupt" : error)),
      [undefined, "corrupt", "corrupt", undefined],
    );
    assert.deepEqual(
      packs.map(({ path }) => existsSync(path)),
      [false, true, true, false],
    );
    assert.deepEqual(
      ["one", "two", "three", "four"].map((text) => store.hasChunk(hashOf(utf8(text)))),
      [true, false, false, true],
    );
    assert.deepEqual(await Array.fromAsync(store.check({ readData: true })), []);
  }
});

testSeeds("whatever packs say, what is taken in is there afterwards", 20, async (prng) => {
  using box = new TestBox();
  const store = box.open();
  const texts = Array.from({ length: prng.int(1, 30) }, (_, index) => `text ${index} `.repeat(prng.int(1, 20)));
  const options = prng.chance(0.2) ? forced : local;
  for (let round = prng.int(1, 4); round > 0; round -= 1) {
    const packs = Array.from({ length: prng.int(1, 3) }, () => {
      const claimed = texts.filter(() => prng.chance(0.5));
      return makePack(box, [truth(`${prng.int(0, 2 ** 32)}`), ...claimed.map(prng.chance(0.5) ? truth : lie)]);
    });
    assert((await adoptAll(store, packs, options)).every((error) => error === undefined));
    const taken = texts.filter(() => prng.chance(0.7));
    const files = taken.map((text, index) => box.file(`f${index}`, text));
    const results = await ingestAll(store, files, prng.chance(0.2) ? 1 : 0);
    const reader = prng.chance(0.5) ? store : box.open();
    taken.forEach((text, index) => {
      assert.equal(Buffer.from(readBack(reader, results[index])).toString(), text);
    });
  }
  assert.deepEqual(box.notices, []);
});
