import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { plainFile, randomNames } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { DirectoryValue } from "../format/mod.ts";
import { DirectoryBuilder } from "./directory-builder.ts";
import { entryAt, findPlace, placesFrom } from "./tree-place.ts";
import { TreeReader } from "./tree-reader.ts";

const id = { clock: 5n, writer: 7n, counter: 1 };

function build(meta: MemoryMeta, names: readonly Uint8Array[]): DirectoryValue {
  const builder = new DirectoryBuilder(meta);
  for (const name of names) builder.add(plainFile(name, id));
  return builder.finish();
}

testSeeds("entries are found by name and by position, and again by their places", 12, (prng) => {
  const meta = new MemoryMeta();
  const names = randomNames(prng, prng.pick([0, 1, 3, 200, 5000]));
  const directory = build(meta, names);
  const reader = new TreeReader(meta);
  for (const start of [0, 1, Math.floor(names.length / 2), names.length - 1, names.length, names.length + 9]) {
    const from = Math.max(0, start);
    const found = Array.from(placesFrom(reader, directory, from), ({ entry }) => entry.name);
    assert.deepEqual(found, names.slice(from));
  }
  for (let round = 0; round < 50 && names.length > 0; round += 1) {
    const at = prng.int(0, names.length - 1);
    const name = names[at] as Uint8Array;
    const [byPosition] = placesFrom(reader, directory, at);
    const byName = findPlace(reader, directory, name);
    assert.deepEqual(byName, byPosition);
    assert.deepEqual(byName && entryAt(reader, byName.leaf, byName.index).name, name);
  }
  assert.equal(findPlace(reader, directory, utf8("not there, surely")), undefined);
});

test("a large directory is read from the middle without what comes before", () => {
  const meta = new MemoryMeta();
  const names = Array.from({ length: 50_000 }, (_, index) => utf8(`file-${String(index).padStart(6, "0")}`));
  const directory = build(meta, names);
  meta.resetCounts();
  const [found] = placesFrom(new TreeReader(meta), directory, 40_000);
  assert.deepEqual(found?.entry.name, names[40_000]);
  assert.ok(meta.reads < 8, `${meta.reads} nodes`);
});

test("a directory that says how many names it has, and lies, is corrupt", () => {
  const meta = new MemoryMeta();
  const directory = build(meta, [utf8("a"), utf8("b")]);
  const lying = { ...directory, summary: { ...directory.summary, names: 3 } };
  assert.throws(
    () => [...placesFrom(new TreeReader(meta), lying, 0)],
    (error) => isKind(error, "corrupt"),
  );
});
