import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { plainDirectory, plainFile } from "../../test/support/random-trees.ts";
import { toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { type Dot, type Entry, type EventName, kinds, rootId, type VersionVector } from "../format/mod.ts";
import { DirectoryBuilder, putRoot } from "./directory-builder.ts";
import { editDirectory } from "./edit-directory.ts";
import { type JoinedTrees, type JoinState, joinAll, joinTrees } from "./join.ts";
import { joinRules } from "./join-rules.ts";
import { directoryOf, TreeReader } from "./tree-reader.ts";

const [writerS, writerA, writerB, writerM] = [1n, 10n, 11n, 20n];
const manyFiles = 20_000;

function vector(clocks: Readonly<Record<string, bigint>>): VersionVector {
  return Object.entries(clocks).map(([writer, clock]) => ({ writer: BigInt(writer), clock, event: new Uint8Array(8) }));
}

const seen = { S: vector({ 1: 1n }), A: vector({ 1: 1n, 10: 5n }), B: vector({ 1: 1n, 11: 6n }) };
const dotA: Dot = { clock: 5n, writer: writerA, counter: 0 };
const dotB: Dot = { clock: 6n, writer: writerB, counter: 0 };
const event = (): EventName => ({ clock: 9n, writer: writerM });

function fileName(index: number): Uint8Array {
  return utf8(`file-${index.toString().padStart(6, "0")}`);
}

/** A directory of many files, and the tree that has it at its top. */
class Big {
  readonly meta: MemoryMeta = new MemoryMeta();
  readonly directory: Entry;

  constructor() {
    const builder = new DirectoryBuilder(this.meta);
    for (let index = 0; index < manyFiles; index += 1)
      builder.add(plainFile(fileName(index), { clock: 1n, writer: writerS, counter: index + 2 }));
    this.directory = plainDirectory(utf8("big"), { clock: 1n, writer: writerS, counter: 1 }, builder.finish());
  }

  tree(entries: readonly Entry[]): Uint8Array {
    const builder = new DirectoryBuilder(this.meta);
    for (const entry of entries) builder.add(entry);
    return putRoot(this.meta, plainDirectory(new Uint8Array(), rootId, builder.finish()));
  }

  /** The directory with some of its files written again. */
  edited(indexes: readonly number[], dot: Dot, directory: Entry = this.directory): Entry {
    const value = directoryOf(directory);
    assert.ok(value !== undefined);
    const reader = new TreeReader(this.meta);
    const edits = indexes.map((index) => {
      const entry = reader.find(value, fileName(index)) as Entry;
      const content = {
        size: 7,
        items: [{ form: "chunk", hash: new Uint8Array(32).fill(Number(dot.writer)), length: 7 }],
      } as const;
      return {
        name: entry.name,
        entry: { ...entry, data: [{ dot, value: { kind: kinds.file, content } }], mtimeDot: dot } as Entry,
      };
    });
    return plainDirectory(directory.name, directory.id, editDirectory(reader, this.meta, value, edits));
  }

  /** Joins, and counts objects read and written. */
  join(a: JoinState, b: JoinState): { readonly joined: JoinedTrees; readonly reads: number; readonly writes: number } {
    const reader = new TreeReader(this.meta);
    this.meta.resetCounts();
    const joined = joinTrees({ reader, sink: this.meta, a, b, event });
    return { joined, reads: this.meta.reads, writes: this.meta.writes };
  }
}

test("of two large directories that differ in little, only what differs is read and written", () => {
  const big = new Big();
  const a = { tree: big.tree([big.edited([10, 9_000], dotA)]), vector: seen.A };
  const b = { tree: big.tree([big.edited([500, 15_000], dotB)]), vector: seen.B };
  const { joined, reads, writes } = big.join(a, b);
  assert.ok(reads <= 24 && writes <= 12, `${reads} objects read, ${writes} written`);
  const both = big.edited([500, 15_000], dotB, big.edited([10, 9_000], dotA));
  assert.deepEqual(joined.tree, big.tree([both]));
  assert.equal(joined.event, undefined);
});

test("a large directory that was moved is not opened", () => {
  const big = new Big();
  const moved: Entry = { ...big.directory, name: utf8("moved"), placeDot: dotA };
  const a = { tree: big.tree([moved]), vector: seen.A };
  const b = { tree: big.tree([big.directory, plainFile(utf8("other"), { ...dotB, counter: 1 })]), vector: seen.B };
  const { joined, reads, writes } = big.join(a, b);
  assert.ok(reads <= 4 && writes <= 3, `${reads} objects read, ${writes} written`);
  assert.deepEqual(joined.tree, big.tree([moved, plainFile(utf8("other"), { ...dotB, counter: 1 })]));
});

test("a large directory that is new is taken, and one that was deleted is dropped, unopened", () => {
  const big = new Big();
  const a = { tree: big.tree([]), vector: seen.A };
  const b = { tree: big.tree([big.directory, plainFile(utf8("other"), { ...dotB, counter: 1 })]), vector: seen.B };
  const dropped = big.join(a, b);
  assert.ok(dropped.reads <= 4, `${dropped.reads} objects read`);
  assert.deepEqual(dropped.joined.tree, big.tree([plainFile(utf8("other"), { ...dotB, counter: 1 })]));
  const taken = big.join({ ...a, vector: vector({ 10: 5n }) }, b);
  assert.ok(taken.reads <= 4, `${taken.reads} objects read`);
  assert.deepEqual(taken.joined.tree, b.tree);
});

test("of a large directory that was deleted here and changed in one place there, one way down is read", () => {
  const big = new Big();
  const a = { tree: big.tree([]), vector: seen.A };
  const b = { tree: big.tree([big.edited([777], dotB)]), vector: seen.B };
  const { joined, reads } = big.join(a, b);
  assert.ok(reads <= 7, `${reads} objects read`);
  const reader = new TreeReader(big.meta);
  const path = [utf8("big"), fileName(777)];
  assert.ok(reader.findPath(reader.root(joined.tree), path) !== undefined);
  assert.equal(directoryOf(reader.root(joined.tree))?.summary.entries, 2);
  assert.deepEqual([joined.event, joined.mends.map(({ kind }) => kind).sort()], [event(), ["kept", "parent"]]);
});

test("of comparable states the greater one is the result, and nothing is read", () => {
  const big = new Big();
  const old = { tree: big.tree([]), vector: seen.S };
  const newer = { tree: big.tree([big.directory]), vector: seen.A };
  for (const [a, b, is] of [
    [old, newer, "b"],
    [newer, old, "a"],
    [newer, newer, "a"],
  ] as const) {
    const { joined, reads } = big.join(a, b);
    assert.deepEqual([joined.is, joined.tree, joined.vector, reads], [is, newer.tree, newer.vector, 0]);
  }
});

test("many states are joined in one event", () => {
  const big = new Big();
  const file = (counter: number, writer: bigint): Entry =>
    plainFile(utf8("n"), { clock: 5n, writer, counter }, counter);
  const state = (writer: bigint): JoinState => ({
    tree: big.tree([file(Number(writer), writer)]),
    vector: vector({ [String(writer)]: 5n }),
  });
  const states = [state(2n), state(3n), state(4n)] as const;
  let count = 0;
  const named = (): EventName => {
    count += 1;
    return event();
  };
  const joined = joinAll(states, { reader: new TreeReader(big.meta), sink: big.meta, writer: writerM, event: named });
  const reader = new TreeReader(big.meta);
  const entry = reader.findPath(reader.root(joined.tree), [utf8("n")]);
  assert.deepEqual(
    entry?.data.map(({ value }) => (value.kind === kinds.file ? value.content.size : 0)),
    [4, 3, 2],
  );
  assert.deepEqual(
    entry?.data.map(({ dot }) => dot.writer),
    [writerM, writerM, 2n],
  );
  assert.deepEqual([joined.event, count, joined.vector.map(({ writer }) => writer)], [event(), 1, [2n, 3n, 4n]]);
});

test("what the joining writer has made itself is not taken for deleted, whatever the order of the states", () => {
  const big = new Big();
  const file = (name: string, writer: bigint): Entry => plainFile(utf8(name), { clock: 5n, writer, counter: 1 });
  const state = (name: string, writer: bigint): JoinState => ({
    tree: big.tree([file(name, writer)]),
    vector: vector({ [String(writer)]: 5n }),
  });
  // The first two need a mend, whose event covers all of M's; M's own file is in the last.
  const states = [state("n", 2n), state("n", 3n), state("own", writerM)] as const;
  const reader = new TreeReader(big.meta);
  const joined = joinAll(states, { reader, sink: big.meta, writer: writerM, event });
  assert.ok(reader.findPath(reader.root(joined.tree), [utf8("own")]) !== undefined);
});

test("a name too long for its ending is cut between characters", () => {
  const big = new Big();
  const name = utf8(`${"é".repeat(127)}x`);
  const a = { tree: big.tree([plainFile(name, { clock: 5n, writer: writerA, counter: 1 })]), vector: seen.A };
  const directory = new DirectoryBuilder(big.meta).finish();
  const made = plainDirectory(name, { clock: 6n, writer: writerB, counter: 1 }, directory);
  const b = { tree: big.tree([made]), vector: seen.B };
  const { joined } = big.join(a, b);
  const reader = new TreeReader(big.meta);
  const top = directoryOf(reader.root(joined.tree));
  const names = top === undefined ? [] : [...reader.entries(top)].map((entry) => toText(entry.name));
  assert.deepEqual(names.sort(), [`${"é".repeat(119)}~000000000000000a`, toText(name)].sort());
});

test("a register keeps no more values than it may, and the oldest go to a file beside", () => {
  const big = new Big();
  const file = (writer: bigint, clock: bigint, size: number): JoinState => {
    const born = plainFile(utf8("f"), { clock: 1n, writer: writerS, counter: 1 });
    const dot = { clock, writer, counter: 0 };
    const content = { size, items: [{ form: "chunk", hash: new Uint8Array(32).fill(size), length: size }] } as const;
    const entry: Entry = { ...born, data: [{ dot, value: { kind: kinds.file, content } }] };
    return { tree: big.tree([entry]), vector: vector({ 1: 1n, [String(writer)]: clock }) };
  };
  const states = [file(2n, 3n, 3), file(3n, 4n, 4), file(4n, 5n, 5), file(5n, 6n, 5)] as const;
  const rules = { ...joinRules, valuesMax: 2 };
  const joined = joinAll(states, { reader: new TreeReader(big.meta), sink: big.meta, writer: writerM, event, rules });
  const reader = new TreeReader(big.meta);
  const top = directoryOf(reader.root(joined.tree));
  assert.ok(top !== undefined);
  const sizes = [...reader.entries(top)].map(({ name, data }) => [
    toText(name),
    ...data.map(({ value }) => (value.kind === kinds.file ? value.content.size : 0)),
  ]);
  assert.deepEqual(sizes, [
    ["f", 5, 4],
    ["f~0000000000000001", 3],
  ]);
});

test("vectors that disagree on an event are refused", () => {
  const big = new Big();
  const other = [{ writer: writerA, clock: 5n, event: new Uint8Array(8).fill(1) }];
  const a = { tree: big.tree([]), vector: seen.A };
  assert.throws(
    () => big.join(a, { tree: big.tree([]), vector: other }),
    (error) => isKind(error, "diverged"),
  );
});

test("a tree that has a node twice is refused", () => {
  const big = new Big();
  const id = { ...dotB, counter: 1 };
  const a = { tree: big.tree([]), vector: seen.A };
  const b = { tree: big.tree([plainFile(utf8("x"), id), plainFile(utf8("y"), id)]), vector: seen.B };
  assert.throws(
    () => big.join(a, b),
    (error) => isKind(error, "corrupt"),
  );
});

test("two that have seen the same, and differ, as a fork was renamed before or after a join, have one result", () => {
  const big = new Big();
  const born = plainFile(utf8("f"), { clock: 1n, writer: writerS, counter: 1 });
  const changed = (writer: bigint, mode: number): JoinState => {
    const entry = { ...born, meta: { ...born.meta, mode }, metaDot: { clock: 5n, writer, counter: 0 } };
    return { tree: big.tree([entry]), vector: vector({ 1: 1n, 10: 5n, 11: 5n }) };
  };
  const [a, b] = [changed(writerA, 0o600), changed(writerB, 0o640)];
  for (const [one, two] of [
    [a, b],
    [b, a],
  ] as const) {
    const { joined } = big.join(one, two);
    assert.deepEqual(joined.tree, b.tree);
    assert.equal(joined.is, two === b ? "b" : "a", "who has the result already keeps it");
    assert.equal(joined.event, undefined);
  }
});
