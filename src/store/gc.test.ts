import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import type { Hash } from "../format/mod.ts";
import type { GcOptions } from "./gc.ts";
import type { IngestResult } from "./ingest-batch.ts";
import type { Store } from "./store.ts";

/** What is needed, as a commit's walk would say. */
class Marks {
  readonly #chunks = new Set<string>();
  readonly #metas = new Set<string>();

  addResult(result: IngestResult | undefined): void {
    if (result === undefined || "error" in result) throw new Error("there is no result");
    for (const item of result.items) if (item.form === "chunk") this.#chunks.add(toHex(item.hash));
  }

  addMeta(hash: Hash): void {
    this.#metas.add(toHex(hash));
  }

  options(more: Partial<GcOptions> = {}): GcOptions {
    return {
      isLiveChunk: (hash) => this.#chunks.has(toHex(hash)),
      isLiveMeta: (hash) => this.#metas.has(toHex(hash)),
      remark: () => undefined,
      ...more,
    };
  }
}

function textOf(prng: Prng, name: string): Uint8Array {
  return prng.chance(0.5) ? prng.bytes(prng.int(1, 20_000)) : utf8(`${name} `.repeat(prng.int(1, 3000)));
}

/** Goal: nothing needed is lost, and most of what is not needed goes. Method: random files, a random half of them needed. */
testSeeds("what is needed stays and what is not needed goes", 8, async (prng) => {
  using box = new TestBox({ suite: prng.pick(["aes-256-gcm", "plain"] as const) });
  const store = box.open();
  const marks = new Marks();
  const kept: { result: IngestResult; bytes: Uint8Array }[] = [];
  const keptTrees: { hash: Hash; bytes: Uint8Array }[] = [];
  for (let commit = prng.int(1, 5); commit > 0; commit -= 1) {
    const contents = Array.from({ length: prng.int(1, 10) }, (_, file) => textOf(prng, `file ${commit} ${file}`));
    const results = await ingestAll(
      store,
      contents.map((bytes, file) => box.file(`${commit}-${file}`, bytes)),
    );
    const writer = store.openMetaWriter();
    for (const [file, result] of results.entries()) {
      const bytes = contents[file] as Uint8Array;
      const tree = { bytes, hash: writer.put("tree", bytes) };
      if (!prng.chance(0.4)) continue;
      kept.push({ result, bytes });
      keptTrees.push(tree);
      marks.addResult(result);
      marks.addMeta(tree.hash);
    }
    writer.finish();
  }
  store.endWriting();
  const before = store.packs().reduce((sum, { size }) => sum + size, 0);
  const planned = await store.gc(marks.options({ dryRun: true }));
  const names = (): string[] =>
    store
      .packs()
      .map(({ name }) => toHex(name))
      .sort();
  assert.equal(
    store.packs().reduce((sum, { size }) => sum + size, 0),
    before,
  );
  const result = await store.gc(marks.options());
  assert.equal(result.removed, planned.removed);
  assert(!result.busy);
  for (const reader of [store, box.open()]) {
    for (const { result: each, bytes } of kept)
      assert.deepEqual(Buffer.from(readBack(reader, each)), Buffer.from(bytes));
    for (const { hash, bytes } of keptTrees)
      assert.deepEqual(Buffer.from(reader.getMeta(hash, "tree")), Buffer.from(bytes));
    assert.deepEqual(await Array.fromAsync(reader.check({ readData: true })), []);
  }
  assert.deepEqual(readdirSync(join(box.directory, "packs")).sort(), names());
  assert.deepEqual(readdirSync(join(box.directory, "tmp")), []);
  assert(store.packs().length <= 2);
  const again = await store.gc(marks.options());
  assert.equal(again.removed, 0, "a second gc finds nothing to do");
  assert.deepEqual(box.notices, []);
});

test("nothing is removed while another is writing, and all of it afterwards", async () => {
  using box = new TestBox();
  const [cleaner, writer] = [box.open(), box.open()];
  await ingestAll(cleaner, [box.file("a", "not needed")]);
  cleaner.endWriting();
  const marks = new Marks();
  const ingest = writer.openIngest({ workers: 0 });
  // The writer counts on a chunk that no head names: it must not vanish under it.
  const [result] = await ingest.ingest([box.file("b", "not needed")]);
  assert((await cleaner.gc({ ...marks.options(), lockTries: 2 })).busy);
  await ingest.finish();
  assert((await cleaner.gc({ ...marks.options(), lockTries: 2 })).busy);
  assert.equal(Buffer.from(readBack(writer, result)).toString(), "not needed");
  // Its head moves, and it is done.
  writer.endWriting();
  const seen = await cleaner.gc({ ...marks.options(), remark: () => marks.addResult(result) });
  assert.equal(seen.removed, 0);
  assert.equal(Buffer.from(readBack(writer, result)).toString(), "not needed");
  const unseen = await cleaner.gc(new Marks().options());
  assert.equal(unseen.removed, 1);
  assert(!unseen.busy);
  assert.throws(
    () => readBack(writer, result),
    (error) => isKind(error, "not-found"),
  );
});

test("a reader follows an object that was packed anew under it", async () => {
  using box = new TestBox();
  const [cleaner, reader] = [box.open(), box.open({})];
  const results: IngestResult[] = [];
  const marks = new Marks();
  for (const name of ["a", "b", "c"]) {
    const [result] = await ingestAll(cleaner, [box.file(name, `${name} `.repeat(9000))]);
    results.push(result as IngestResult);
    marks.addResult(result);
  }
  cleaner.endWriting();
  assert.equal(readBack(reader, results[0]).length, 18_000);
  assert.equal((await cleaner.gc(marks.options())).rewritten, 3);
  assert.equal(cleaner.packs().length, 1);
  for (const result of results) assert.equal(readBack(reader, result).length, 18_000);
});

test("a damaged pack is left as it is, and what can be read of it is kept", async () => {
  using box = new TestBox();
  const store = box.open();
  const marks = new Marks();
  const [first] = await ingestAll(store, [box.file("a", "first ".repeat(3000))]);
  const [second] = await ingestAll(store, [box.file("b", "second ".repeat(3000))]);
  marks.addResult(first);
  marks.addResult(second);
  store.endWriting();
  const damaged = store.packs()[0];
  assert(damaged !== undefined);
  const bytes = readFileSync(store.packPath(damaged.name));
  bytes[70] = (bytes[70] as number) ^ 1;
  writeFileSync(store.packPath(damaged.name), bytes);
  const result = await store.gc(marks.options());
  assert.equal(result.removed, 1);
  assert.equal(statSync(store.packPath(damaged.name)).size, bytes.length);
  assert.match(box.notices.join(), /ourobox check/);
  assert.equal(readBack(store, second).length, 21_000);
});

/** Goal: gc beside commits loses nothing that a head names. Method: interleave two writers and a cleaner at random. */
testSeeds("commits and gc of several stores interleave without loss", 10, async (prng) => {
  using box = new TestBox();
  const stores = [box.open(), box.open(), box.open()];
  /** All heads ever moved: result and bytes. A head that is replaced is no longer needed. */
  const heads = new Map<string, { result: IngestResult; bytes: Uint8Array }>();
  const contents = Array.from({ length: 6 }, (_, index) => utf8(`content ${index} `.repeat(prng.int(10, 2000))));
  const marksNow = (): Marks => {
    const marks = new Marks();
    for (const { result } of heads.values()) marks.addResult(result);
    return marks;
  };
  interface Running {
    readonly store: Store;
    readonly name: string;
    step: number;
    ingest?: ReturnType<Store["openIngest"]>;
    result?: IngestResult;
    bytes?: Uint8Array;
  }
  const writers: Running[] = [0, 1].map((index) => ({ store: stores[index] as Store, name: `head ${index}`, step: 0 }));
  for (let turn = 0; turn < 60; turn += 1) {
    if (prng.chance(0.3)) {
      let marks = marksNow();
      await stores[2]?.gc({
        isLiveChunk: (hash) => marks.options().isLiveChunk(hash),
        isLiveMeta: (hash) => marks.options().isLiveMeta(hash, "tree"),
        remark: () => {
          marks = marksNow();
        },
        lockTries: 1,
      });
      continue;
    }
    const writer = prng.pick(writers);
    if (writer.step === 0) {
      writer.ingest = writer.store.openIngest({ workers: 0 });
      writer.bytes = prng.pick(contents);
      [writer.result] = (await writer.ingest.ingest([box.file("f", writer.bytes)])) as [IngestResult];
    } else if (writer.step === 1) {
      await writer.ingest?.finish();
    } else {
      heads.set(writer.name, { result: writer.result as IngestResult, bytes: writer.bytes as Uint8Array });
      writer.store.endWriting();
    }
    writer.step = (writer.step + 1) % 3;
    for (const { result, bytes } of heads.values()) {
      assert.deepEqual(Buffer.from(readBack(prng.pick(stores), result)), Buffer.from(bytes));
    }
  }
  for (const writer of writers) await writer.ingest?.abort();
});

test("what is in two packs, and was found in the one that goes, is found in the other", async () => {
  using box = new TestBox();
  const [one, two] = [box.open(), box.open()];
  const [first, second] = [one.openIngest({ workers: 0 }), two.openIngest({ workers: 0 })];
  // Neither sees what the other writes at the same time.
  await first.ingest([box.file("a", "twice")]);
  const [, needed] = await second.ingest([box.file("b", "twice"), box.file("c", "needed once")]);
  await first.finish();
  await second.finish();
  one.endWriting();
  two.endWriting();
  assert.equal(one.packs().length, 2);
  const marks = new Marks();
  assert(needed !== undefined);
  marks.addResult(needed);
  const { removed, written } = await one.gc(marks.options());
  assert.deepEqual({ removed, written }, { removed: 1, written: 0 });
  assert.equal(Buffer.from(readBack(one, needed)).toString(), "needed once");
  assert.deepEqual(await Array.fromAsync(one.check({ readData: true })), []);
});
