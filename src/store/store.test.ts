import assert from "node:assert/strict";
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import type { ArrivedPack } from "./adopt-packs.ts";
import type { Store } from "./store.ts";

function putAll(store: Store, objects: readonly Uint8Array[]): Hash[] {
  const writer = store.openMetaWriter();
  const hashes = objects.map((bytes) => writer.put("tree", bytes));
  writer.finish();
  return hashes;
}

testSeeds("metadata reads back, in this store and after opening again, sealed and plain", 4, (prng) => {
  for (const suite of ["aes-256-gcm", "plain"] as const) {
    using box = new TestBox({ suite, hash: prng.pick(["blake3", "sha256"] as const) });
    const store = box.open();
    const objects = Array.from({ length: prng.int(1, 300) }, () =>
      prng.bytes(prng.int(1, prng.chance(0.1) ? 60_000 : 900)),
    );
    const hashes = putAll(store, objects);
    for (const reader of [store, box.open(), box.open({ readOnly: true })]) {
      hashes.forEach((hash, index) => {
        assert.deepEqual(Buffer.from(reader.getMeta(hash, "tree")), Buffer.from(objects[index] as Uint8Array));
      });
    }
    assert.equal(store.packs().length, 1);
    assert.deepEqual(box.notices, []);
  }
});

test("nothing can be read before it is finished, and nothing is left of what is aborted", () => {
  using box = new TestBox();
  const store = box.open();
  const writer = store.openMetaWriter();
  const hash = writer.put("tree", utf8("a tree"));
  assert(!store.hasMeta(hash));
  assert.throws(
    () => store.getMeta(hash, "tree"),
    (error) => isKind(error, "not-found"),
  );
  writer.abort();
  assert.deepEqual(readdirSync(join(box.directory, "tmp")), []);
  assert.deepEqual(store.packs(), []);
  {
    using unfinished = store.openMetaWriter();
    unfinished.put("tree", utf8("another"));
  }
  assert.deepEqual(readdirSync(join(box.directory, "tmp")), []);
});

test("an object is stored once, and what is stored already makes no pack", () => {
  using box = new TestBox();
  const store = box.open();
  const writer = store.openMetaWriter();
  const hash = writer.put("tree", utf8("a tree"));
  assert.deepEqual(writer.put("tree", utf8("a tree")), hash);
  assert.deepEqual(writer.put("list", utf8("a tree")), hash);
  writer.finish();
  assert.equal(store.packs()[0]?.objects, 2);
  putAll(store, [utf8("a tree")]);
  assert.equal(store.packs().length, 1);
});

test("kinds are spaces of their own, and chunks another", async () => {
  using box = new TestBox();
  const store = box.open();
  const [hash] = putAll(store, [utf8("one and the same")]);
  assert(hash !== undefined);
  assert.throws(
    () => store.getMeta(hash, "list"),
    (error) => isKind(error, "not-found"),
  );
  assert(!store.hasChunk(hash));
  await ingestAll(store, [box.file("a", "one and the same")]);
  assert(store.hasChunk(hash));
  assert.equal(store.packs().length, 2);
});

test("a commit is named by its body, without its signature", () => {
  using box = new TestBox();
  const store = box.open();
  const body = Buffer.concat([Buffer.from([1, 1]), Buffer.from("the body of an event commit")]);
  const id = store.hasher.hash(body);
  const stored = Buffer.concat([body, Buffer.alloc(64, 5)]);
  const joined = Buffer.concat([Buffer.from([1, 2]), Buffer.alloc(100, 3)]);
  const writer = store.openMetaWriter();
  writer.put("commit", stored, id);
  writer.put("commit", joined);
  writer.finish();
  assert.deepEqual(Buffer.from(store.getMeta(id, "commit")), stored);
  assert.deepEqual(Buffer.from(store.getMeta(store.hasher.hash(joined), "commit")), joined);
  assert.deepEqual(store.findCommits(id.subarray(0, 2), 10).map(toHex), [toHex(id)]);
  const wrong = store.openMetaWriter();
  wrong.put("commit", stored, store.hasher.hash(utf8("another")));
  wrong.finish();
  assert.throws(
    () => store.getMeta(store.hasher.hash(utf8("another")), "commit"),
    (error) => isKind(error, "corrupt"),
  );
});

/** Takes in one pack. */
async function adopt(store: Store, { path, name, class: packClass }: ArrivedPack): Promise<void> {
  await using adoption = store.openAdoption({ workers: 0, contentBytes: 0 });
  await adoption.adopt({ path, name, class: packClass });
}

/** Goal: a pack is the same bytes everywhere. Method: copy packs to another box of the same secrets and adopt them. */
test("packs of one box can be adopted by its copy, and by no other", async () => {
  using from = new TestBox();
  using to = new TestBox();
  using stranger = new TestBox();
  const [source, target] = [from.open(), to.open()];
  const [result] = await ingestAll(source, [from.file("a", utf8("content ".repeat(5000)))]);
  const [tree] = putAll(source, [utf8("a tree")]);
  for (const pack of source.packs()) {
    const temporary = join(target.temporaryFolder, "arriving");
    copyFileSync(source.packPath(pack.name), temporary);
    const other = pack.class === "meta" ? "content" : "meta";
    await assert.rejects(adopt(target, { ...pack, path: temporary, class: other }), (error) =>
      isKind(error, "corrupt"),
    );
    await adopt(target, { ...pack, path: temporary });
    assert(!existsSync(temporary));
    copyFileSync(source.packPath(pack.name), temporary);
    await adopt(target, { ...pack, path: temporary });
  }
  assert.equal(target.packs().length, 2);
  assert.deepEqual(
    target
      .packs()
      .map(({ name }) => toHex(name))
      .sort(),
    source
      .packs()
      .map(({ name }) => toHex(name))
      .sort(),
  );
  assert.equal(Buffer.from(readBack(target, result)).toString(), "content ".repeat(5000));
  assert.equal(Buffer.from(target.getMeta(tree as Hash, "tree")).toString(), "a tree");
  const strange = stranger.open();
  const pack = source.packs()[0];
  assert(pack !== undefined);
  const temporary = join(strange.temporaryFolder, "arriving");
  const bytes = readFileSync(source.packPath(pack.name));
  for (const at of [0, 70, bytes.length - 1]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] as number) ^ 1;
    writeFileSync(temporary, damaged);
    await assert.rejects(adopt(strange, { ...pack, path: temporary }), (error) => isKind(error, "corrupt"));
  }
  assert.equal(strange.packs().length, 0);
});

test("a pack sealed with another key is refused as that", async () => {
  using box = new TestBox();
  const store = box.open();
  await ingestAll(store, [box.file("a", "some content")]);
  const pack = store.packs()[0];
  assert(pack !== undefined);
  using other = new TestBox();
  Object.assign(other.secrets, { key: Buffer.alloc(32, 99) });
  const strange = other.open();
  const temporary = join(strange.temporaryFolder, "arriving");
  copyFileSync(store.packPath(pack.name), temporary);
  await assert.rejects(adopt(strange, { ...pack, path: temporary }), (error) => isKind(error, "wrong-key"));
});

/** Goal: no flipped bit of a sealed pack goes unnoticed. Method: flip, then read everything from it. */
testSeeds("any flip in a pack is noticed when it is read, and by check", 8, async (prng) => {
  using box = new TestBox({ suite: prng.pick(["aes-256-gcm", "plain"] as const) });
  const writer = box.open();
  const files = Array.from({ length: 20 }, (_, index) =>
    prng.chance(0.5) ? prng.bytes(prng.int(1, 9000)) : utf8(`text ${index} `.repeat(prng.int(1, 900))),
  );
  const results = await ingestAll(
    writer,
    files.map((bytes, index) => box.file(`f${index}`, bytes)),
  );
  const pack = writer.packs()[0];
  assert(pack !== undefined);
  const path = writer.packPath(pack.name);
  const bytes = readFileSync(path);
  for (let times = 0; times < 20; times += 1) {
    const damaged = Buffer.from(bytes);
    const at = prng.int(0, bytes.length - 1);
    damaged[at] = (damaged[at] as number) ^ (1 << prng.int(0, 7));
    writeFileSync(path, prng.chance(0.2) ? damaged.subarray(0, at) : damaged);
    const store = box.open({ readOnly: true });
    let failures = 0;
    results.forEach((result, index) => {
      try {
        assert.deepEqual(Buffer.from(readBack(store, result)), Buffer.from(files[index] as Uint8Array));
      } catch (error) {
        if (!isKind(error)) throw error;
        failures += 1;
      }
    });
    const found = await Array.fromAsync(store.check({ readData: true }));
    assert(found.length > 0, `byte ${at} of ${bytes.length}`);
    assert(
      found.every(({ file }) => file === `packs/${toHex(pack.name)}`),
      JSON.stringify(found),
    );
    if (failures < results.length) assert((await Array.fromAsync(store.check({ readData: false }))).length <= 1);
    store[Symbol.dispose]();
  }
});

test("a store of wrong chunk sizes or without an index to read is refused", () => {
  using box = new TestBox({ chunk: { min: 1, avg: 2, max: 3 } });
  assert.throws(
    () => box.open(),
    (error) => isKind(error, "invalid"),
  );
  using other = new TestBox();
  assert.throws(
    () => other.open({ readOnly: true }),
    (error) => isKind(error),
  );
});

test("removing a pack leaves what another has too", async () => {
  using box = new TestBox();
  const [first, second] = [box.open(), box.open()];
  // Two writers at once store the same chunk twice.
  await using one = first.openIngest({ workers: 0 });
  await using two = second.openIngest({ workers: 0 });
  const [result] = await one.ingest([box.file("a", "the same")]);
  await two.ingest([box.file("b", "the same"), box.file("c", "not the same")]);
  await one.finish();
  await two.finish();
  first.endWriting();
  second.endWriting();
  const packs = first.packs();
  assert.equal(packs.length, 2);
  const [shared] = packs;
  assert(shared !== undefined);
  first.removePack(shared.name);
  assert(!existsSync(first.packPath(shared.name)));
  assert.equal(Buffer.from(readBack(first, result)).toString(), "the same");
  assert.equal(Buffer.from(readBack(second, result)).toString(), "the same");
  assert.deepEqual(await Array.fromAsync(first.check({ readData: true })), []);
});

test("packs are of the size they say, and the temporary folder is empty after all", async () => {
  using box = new TestBox();
  const store = box.open();
  await ingestAll(store, [box.file("a", "content")]);
  putAll(store, [utf8("a tree")]);
  for (const pack of store.packs()) {
    assert.equal(statSync(store.packPath(pack.name)).size, pack.size);
    assert.deepEqual(store.hasher.hash(readFileSync(store.packPath(pack.name))), Buffer.from(pack.name));
  }
  assert.deepEqual(readdirSync(store.temporaryFolder), []);
  rmSync(store.temporaryFolder, { recursive: true });
  assert.equal(box.open().packs().length, 2);
});
