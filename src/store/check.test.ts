import assert from "node:assert/strict";
import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { ingestAll, readBack, TestBox } from "../../test/support/test-box.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Hash, MetaKind } from "../format/mod.ts";
import { IndexDatabase } from "./index-database.ts";
import type { IngestResult } from "./ingest-batch.ts";
import type { Store } from "./store.ts";

/** A box of three packs: two of content, one of metadata. */
async function makeBox(box: TestBox): Promise<{ store: Store; results: (IngestResult | undefined)[] }> {
  const store = box.open();
  const [first] = await ingestAll(store, [box.file("a", utf8("first ".repeat(3000)))]);
  const [second] = await ingestAll(store, [box.file("b", utf8("second ".repeat(3000)))]);
  const writer = store.openMetaWriter();
  writer.put("tree", utf8("a tree"));
  writer.finish();
  store.endWriting();
  return { store, results: [first, second] };
}

async function files(store: Store, readData = true): Promise<string[]> {
  return (await Array.fromAsync(store.check({ readData }))).map(({ file }) => file);
}

test("a whole box has no damage", async () => {
  using box = new TestBox();
  const { store } = await makeBox(box);
  assert.deepEqual(await files(store), []);
  assert.deepEqual(await files(store, false), []);
  const progress: number[] = [];
  for await (const _ of store.check({ onProgress: (done, total) => progress.push(done / total) })) assert.fail();
  assert.equal(progress.at(-1), 1);
});

test("a damaged pack costs only what was in it", async () => {
  using box = new TestBox();
  const { store, results } = await makeBox(box);
  const pack = store.packs()[0];
  assert(pack !== undefined);
  const path = store.packPath(pack.name);
  const bytes = readFileSync(path);
  bytes[100] = (bytes[100] as number) ^ 1;
  writeFileSync(path, bytes);
  using reader = box.open({ readOnly: true });
  assert.throws(
    () => readBack(reader, results[0]),
    (error) => isKind(error, "corrupt"),
  );
  assert.equal(readBack(reader, results[1]).length, 21_000);
  assert.deepEqual(await files(store, false), []);
  const found = await Array.fromAsync(store.check({ readData: true }));
  assert.deepEqual([...new Set(found.map(({ file }) => file))], [`packs/${toHex(pack.name)}`]);
  assert(found.every(({ hint }) => hint.includes("ourobox fetch")));
  store.removePack(pack.name);
  assert.deepEqual(await files(store), []);
  assert.throws(
    () => readBack(store, results[0]),
    (error) => isKind(error, "not-found"),
  );
  // What is still in the folder is stored anew.
  const [again] = await ingestAll(store, [box.file("a", utf8("first ".repeat(3000)))]);
  assert.deepEqual(Buffer.from(readBack(store, again)), Buffer.from("first ".repeat(3000)));
  assert.equal(readBack(store, results[0]).length, 18_000);
});

test("packs that are cut off, missing or no packs are named", async () => {
  using box = new TestBox();
  const { store } = await makeBox(box);
  const [first, second] = store.packs();
  assert(first !== undefined && second !== undefined);
  truncateSync(store.packPath(first.name), first.size - 1);
  rmSync(store.packPath(second.name));
  writeFileSync(join(box.directory, "packs/strange"), "x");
  const expected = [`packs/${toHex(first.name)}`, `packs/${toHex(second.name)}`, "packs/strange"].sort();
  assert.deepEqual((await files(store, false)).sort(), expected);
});

test("opening drops what is gone and says so", async () => {
  using box = new TestBox();
  const { store, results } = await makeBox(box);
  const [first] = store.packs();
  assert(first !== undefined);
  rmSync(store.packPath(first.name));
  using again = box.open();
  assert.equal(again.packs().length, 2);
  assert.match(box.notices.join(), new RegExp(`${toHex(first.name)} is gone`));
  assert.throws(
    () => readBack(again, results[0]),
    (error) => isKind(error, "not-found"),
  );
  assert.equal(readBack(again, results[1]).length, 21_000);
});

test("an index that is missing, damaged or of another version is made anew, and nobody sees a difference", async () => {
  using box = new TestBox();
  const { store, results } = await makeBox(box);
  store[Symbol.dispose]();
  const index = join(box.directory, "index.sqlite");
  const damages: readonly (() => void)[] = [
    () => rmSync(index),
    () => writeFileSync(index, "this is not a database, though it is long enough to be taken for one at first sight"),
    () => writeFileSync(index, ""),
    () => truncateSync(index, 5000),
    () => {
      using database = new DatabaseSync(index);
      database.exec("PRAGMA user_version = 77");
    },
    () => {
      using database = new DatabaseSync(index);
      database.exec("DROP TABLE chunks");
    },
    () => {
      // SQLite believes it, and its own check finds nothing.
      using database = new DatabaseSync(index, { defensive: false });
      database.exec("PRAGMA writable_schema = ON");
      database.exec("UPDATE sqlite_schema SET sql = replace(sql, 'pack ', 'qack ') WHERE name = 'metas'");
    },
    () => writeFileSync(index, readFileSync(index).fill(0xaa, 4096, 8192)),
  ];
  for (const damage of damages) {
    damage();
    using mended = box.open();
    if ((await files(mended, false)).length > 0) mended.rebuildIndex();
    assert.deepEqual(await files(mended), [], String(damage));
    assert.deepEqual(
      results.map((result) => readBack(mended, result).length),
      [18_000, 21_000],
    );
    assert.equal(mended.packs().length, 3);
  }
});

test("rows that lie are found, and made anew", async () => {
  using box = new TestBox();
  const { store, results } = await makeBox(box);
  const index = join(box.directory, "index.sqlite");
  const lies = [
    "UPDATE chunks SET offset = offset + 1 WHERE hash = (SELECT min(hash) FROM chunks)",
    "DELETE FROM metas",
    "UPDATE chunks SET hash = zeroblob(32) WHERE hash = (SELECT max(hash) FROM chunks)",
  ];
  for (const lie of lies) {
    {
      using database = new DatabaseSync(index);
      database.exec(lie);
    }
    const found = await Array.fromAsync(store.check({ readData: true }));
    assert(found.length > 0 && found.every(({ file }) => file === "index.sqlite"), JSON.stringify(found));
    store.rebuildIndex();
    assert.deepEqual(await files(store), []);
    assert.equal(readBack(store, results[0]).length, 18_000);
  }
});

for (const number of [-22_158, 2n ** 52n, 2n ** 60n]) {
  for (const column of ["offset", "sealed", "decoded", "method", "at", "length"]) {
    test(`an index that says ${number} for ${column} is refused, found, and made anew`, async () => {
      using box = new TestBox();
      const { store, results } = await makeBox(box);
      {
        using database = new DatabaseSync(join(box.directory, "index.sqlite"));
        database.prepare(`UPDATE chunks SET ${column} = ?`).run(number);
      }
      assert.throws(
        () => readBack(store, results[0]),
        (error) => isKind(error, "corrupt"),
      );
      const found = await Array.fromAsync(store.check({ readData: true }));
      assert(found.length > 0 && found.every(({ file }) => file === "index.sqlite"), JSON.stringify(found));
      store.rebuildIndex();
      assert.deepEqual(await files(store), []);
      assert.equal(readBack(store, results[0]).length, 18_000);
    });
  }
}

test("packs without rows are taken in when the box is opened, and temporary files are removed", async () => {
  using box = new TestBox();
  const { store, results } = await makeBox(box);
  store[Symbol.dispose]();
  {
    using database = new DatabaseSync(join(box.directory, "index.sqlite"));
    database.exec("DELETE FROM chunks; DELETE FROM packs WHERE class = 1");
  }
  writeFileSync(join(box.directory, "tmp/pack-0123"), "half a pack");
  writeFileSync(join(box.directory, "tmp/of-someone-else"), "x");
  using again = box.open();
  assert.deepEqual(await files(again), []);
  assert.equal(readBack(again, results[1]).length, 21_000);
  assert.throws(() => readFileSync(join(box.directory, "tmp/pack-0123")));
  assert.equal(readFileSync(join(box.directory, "tmp/of-someone-else"), "utf8"), "x");
  using writing = box.open();
  using writer = writing.openMetaWriter();
  writer.put("tree", utf8("being written"));
  using third = box.open();
  assert.equal(third.packs().length, 3);
  writer.finish();
});

test("what others write and remove at the worst moment of a check is no damage", async (t) => {
  using box = new TestBox();
  const { store } = await makeBox(box);
  const other = box.open();
  const { countObjects, findMeta, packs } = IndexDatabase.prototype;
  let turn = "commit";
  function commit(tree: string): void {
    const writer = other.openMetaWriter();
    writer.put("tree", utf8(tree));
    writer.finish();
    other.endWriting();
  }
  t.mock.method(IndexDatabase.prototype, "countObjects", function (this: IndexDatabase): number {
    if (turn === "commit") {
      turn = "remove";
      commit("another tree");
    }
    return countObjects.call(this);
  });
  t.mock.method(IndexDatabase.prototype, "findMeta", function (this: IndexDatabase, hash: Hash, kind: MetaKind) {
    const place = findMeta.call(this, hash, kind);
    if (turn !== "remove") return place;
    turn = "removed";
    const pack = packs.call(this).find(({ id }) => id === place?.pack);
    assert(pack !== undefined);
    other.removePack(pack.name);
    return findMeta.call(this, hash, kind);
  });
  let listings = 0;
  t.mock.method(IndexDatabase.prototype, "packs", function (this: IndexDatabase) {
    listings += 1;
    if (turn !== "commit and remove" || listings < 2) return packs.call(this);
    turn = "over";
    commit("a third tree");
    const found = packs.call(this);
    const newest = found.at(-1);
    assert(newest !== undefined);
    other.removePack(newest.name);
    return found;
  });
  assert.deepEqual(await files(store), []);
  assert.equal(turn, "remove");
  assert.deepEqual(await files(store), []);
  assert.equal(turn, "removed");
  [turn, listings] = ["commit and remove", 0];
  assert.deepEqual(await files(store), []);
  assert.equal(turn, "over");
});
