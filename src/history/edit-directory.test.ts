import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { plainFile } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { compareBytes, equalBytes, toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import { type DirectoryValue, type Entry, nameLevel } from "../format/mod.ts";
import { DirectoryBuilder } from "./directory-builder.ts";
import { type DirectoryEdit, editDirectory } from "./edit-directory.ts";
import { TreeReader } from "./tree-reader.ts";

function build(meta: MemoryMeta, entries: readonly Entry[]): DirectoryValue {
  const builder = new DirectoryBuilder(meta);
  for (const entry of entries) builder.add(entry);
  return builder.finish();
}

function file(name: Uint8Array, version: number): Entry {
  return plainFile(name, { clock: BigInt(version + 1), writer: 3n, counter: 1 });
}

/** A pool of names: ordinary ones, ones that never end a node, ones that end many levels. */
const pools: Record<string, readonly Uint8Array[]> = {
  ordinary: Array.from({ length: 6000 }, (_, index) => utf8(`name-${index}`)),
  endless: namesOfLevel(6000, (level) => level === 0),
  ending: namesOfLevel(800, (level) => level > 0),
};
pools["mixed"] = [...(pools["ordinary"] ?? []).slice(0, 1500), ...(pools["ending"] ?? [])];

function namesOfLevel(count: number, accepts: (level: number) => boolean): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let index = 0; names.length < count; index += 1) {
    const name = utf8(`n${index}`);
    if (accepts(nameLevel(name))) names.push(name);
  }
  return names;
}

function checkEdits(prng: Prng, pool: readonly Uint8Array[], rounds: number): void {
  const meta = new MemoryMeta();
  let current = new Map<string, Entry>();
  const share = prng.pick([0.02, 0.3, 0.9, 1]);
  for (const name of pool) if (prng.chance(share)) current.set(toHex(name), file(name, 0));
  const sorted = (): Entry[] => [...current.values()].sort((a, b) => compareBytes(a.name, b.name));
  let directory = build(meta, sorted());
  for (let round = 1; round <= rounds; round += 1) {
    const edits = new Map<string, DirectoryEdit>();
    const isRun = prng.chance(0.3);
    const removal = prng.pick([0, 0.5, 0.9, 1]);
    const count = prng.pick([1, 1, 2, 10, 300, pool.length]);
    const start = prng.int(0, pool.length - 1);
    const ordered = isRun ? pool.toSorted(compareBytes) : pool;
    for (let index = 0; index < count; index += 1) {
      const name = isRun ? ordered[(start + index) % pool.length] : prng.pick(pool);
      if (name === undefined) continue;
      edits.set(toHex(name), prng.chance(removal) ? { name } : { name, entry: file(name, round) });
    }
    current = new Map(current);
    for (const [key, { entry }] of edits) {
      if (entry === undefined) current.delete(key);
      else current.set(key, entry);
    }
    const list = [...edits.values()].sort((a, b) => compareBytes(a.name, b.name));
    directory = editDirectory(meta, meta, directory, list);
    const scratch = build(new MemoryMeta(), sorted());
    assert.deepEqual(directory, scratch, `round ${round}`);
  }
  assert.deepEqual(
    [...new TreeReader(meta).entries(directory)].map(({ name }) => toHex(name)),
    sorted().map(({ name }) => toHex(name)),
  );
}

for (const [kind, pool] of Object.entries(pools)) {
  testSeeds(`editing gives what building from scratch gives, ${kind} names`, 8, (prng) => checkEdits(prng, pool, 6));
}

testSeeds("editing gives what building from scratch gives, small directories emptied and filled", 20, (prng) => {
  checkEdits(prng, (pools["mixed"] ?? []).slice(prng.int(0, 1000)).slice(0, prng.int(1, 150)), 30);
});

test("one changed of 100,000 names reads little and writes under 64 KiB", () => {
  const meta = new MemoryMeta();
  const names = Array.from({ length: 100_000 }, (_, index) => utf8(`file-${String(index).padStart(6, "0")}`));
  const directory = build(
    meta,
    names.map((name) => file(name, 0)),
  );
  assert.equal(directory.summary.names, 100_000);
  for (const index of [0, 1, 50_000, 77_777, 99_999]) {
    meta.resetCounts();
    const name = names[index] as Uint8Array;
    const edited = editDirectory(new TreeReader(meta), meta, directory, [{ name, entry: file(name, 1) }]);
    assert.notDeepEqual(edited.top, directory.top);
    assert.ok(
      meta.bytesWritten < 65_536 && meta.reads < 10,
      `${meta.bytesWritten} bytes written, ${meta.reads} nodes read`,
    );
  }
});

test("an edit that changes nothing gives the same directory", () => {
  const meta = new MemoryMeta();
  const names = (pools["ordinary"] ?? []).toSorted(compareBytes);
  const directory = build(
    meta,
    names.map((name) => file(name, 0)),
  );
  meta.resetCounts();
  const name = names[3] as Uint8Array;
  assert.deepEqual(
    editDirectory(meta, meta, directory, [{ name, entry: file(name, 0) }, { name: utf8("not there") }]),
    directory,
  );
  assert.equal(meta.writes, 0);
});

test("edits out of order or under another name are refused", () => {
  const meta = new MemoryMeta();
  const directory = build(meta, [file(utf8("a"), 0)]);
  const [a, b] = [utf8("a"), utf8("b")];
  for (const edits of [[{ name: b }, { name: a }], [{ name: a }, { name: a }], [{ name: b, entry: file(a, 0) }]]) {
    assert.throws(
      () => editDirectory(meta, meta, directory, edits),
      (error) => isKind(error, "invalid"),
    );
  }
});

testSeeds("entries from a name on, and by name, are those of the whole", 5, (prng) => {
  const meta = new MemoryMeta();
  const names = (pools["ordinary"] ?? []).filter(() => prng.chance(0.5)).sort(compareBytes);
  const directory = build(
    meta,
    names.map((name) => file(name, 0)),
  );
  const reader = new TreeReader(meta);
  for (let round = 0; round < 20; round += 1) {
    const from = prng.chance(0.5) ? prng.pick(names) : utf8(`name-${prng.int(0, 9999)}x`);
    const rest = names.filter((name) => compareBytes(name, from) >= 0);
    assert.deepEqual(
      [...reader.entries(directory, { from })].map(({ name }) => toHex(name)),
      rest.map(toHex),
    );
    const found = reader.find(directory, from);
    assert.equal(
      found !== undefined,
      names.some((name) => equalBytes(name, from)),
    );
  }
});
