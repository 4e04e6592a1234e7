import assert from "node:assert/strict";
import { test } from "node:test";
import {
  mutate,
  plainDirectory,
  plainFile,
  randomDirectory,
  randomEntry,
  randomEvents,
  randomNames,
} from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { equalBytes, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import { type Dot, rootId } from "./dot.ts";
import { type Entry, kinds, type Reference, type TreeNode } from "./entry.ts";
import { nameLevel } from "./name.ts";
import { emptySummary } from "./summary.ts";
import { decodeRootNode, decodeTreeNode, encodeRootNode, encodeTreeNode } from "./tree-node.ts";

const id: Dot = { clock: 5n, writer: 7n, counter: 1 };

/** Names of one node: none but the last ends a node of this level. */
function nodeNames(prng: Prng, count: number, level: number): Uint8Array[] {
  const names = randomNames(prng, count);
  return names.filter((name, index) => index === names.length - 1 || nameLevel(name) <= level);
}

function randomNode(prng: Prng): TreeNode {
  const events = randomEvents(prng, prng.int(1, 8));
  if (prng.chance(0.6)) {
    return { level: 0, entries: nodeNames(prng, prng.int(1, 40), 0).map((name) => randomEntry(prng, events, name)) };
  }
  const level = prng.int(1, 8);
  const references = nodeNames(prng, prng.int(1, 40), level).map((last): Reference => {
    let value = randomDirectory(prng, events);
    while (value.summary.names === 0) value = randomDirectory(prng, events);
    return { last, hash: prng.bytes(32), summary: value.summary };
  });
  return { level, references };
}

/** As the decoder makes them: plain arrays. */
function plain(value: unknown): unknown {
  if (value instanceof Uint8Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}

testSeeds("a node is read as it was written, and written as it was read", 200, (prng) => {
  const node = randomNode(prng);
  const bytes = encodeTreeNode(node);
  const read = decodeTreeNode(bytes, "node");
  assert.deepEqual(plain(read), plain(node));
  assert.ok(equalBytes(encodeTreeNode(read), bytes));
});

testSeeds("a damaged node is refused as corrupt, or is another node's only encoding", 40, (prng) => {
  const bytes = encodeTreeNode(randomNode(prng));
  for (let round = 0; round < 200; round += 1) {
    const damaged = mutate(prng, bytes);
    let node: TreeNode;
    try {
      node = decodeTreeNode(damaged, "node");
    } catch (error) {
      assert.ok(isKind(error, "corrupt"), String(error));
      continue;
    }
    assert.ok(equalBytes(encodeTreeNode(node), damaged), `round ${round}`);
  }
});

test("a few bytes that announce many things are refused at once", () => {
  const million = [0xc0, 0x84, 0x3d];
  for (const bytes of [
    [1, 0, 0x80, 0x80, 0x04],
    [1, 0, 0, ...million],
    [1, 0, 0, 0, 0x80, 0x08],
    [1, 9],
    [2],
    [],
    [1, 0, 0, 0, 0],
  ]) {
    assert.throws(
      () => decodeTreeNode(new Uint8Array(bytes), "node"),
      (error) => isKind(error, "corrupt"),
    );
  }
});

test("a node with a name twice, out of order or refused is neither written nor read", () => {
  const entries = ["a", "b"].map((name) => plainFile(utf8(name), id));
  const bytes = encodeTreeNode({ level: 0, entries });
  const swap = (from: string, to: string): Uint8Array => {
    const copy = new Uint8Array(bytes);
    copy[copy.lastIndexOf(from.charCodeAt(0))] = to.charCodeAt(0);
    return copy;
  };
  for (const [from, to] of [
    ["b", "a"],
    ["b", "A"],
    ["b", "/"],
    ["b", "\0"],
    ["a", "."],
  ] as const) {
    assert.throws(
      () => decodeTreeNode(swap(from, to), "node"),
      (error) => isKind(error, "corrupt"),
      `${from} ${to}`,
    );
  }
  for (const names of [["a", "a"], ["b", "a"], ["."], [".OUROBOX"], ["a/b"], [""]]) {
    const refused = names.map((name) => plainFile(utf8(name), id));
    assert.throws(
      () => encodeTreeNode({ level: 0, entries: refused }),
      (error) => isKind(error, "invalid"),
      `${names}`,
    );
  }
  assert.throws(
    () => encodeTreeNode({ level: 0, entries: [] }),
    (error) => isKind(error, "invalid"),
  );
});

test("a node goes on after no name that ends a node", () => {
  const ending = Array.from({ length: 500 }, (_, index) => utf8(`n${String(index).padStart(3, "0")}`)).find(
    (name) => nameLevel(name) > 0,
  );
  assert.ok(ending !== undefined);
  const entries = [plainFile(ending, id), plainFile(utf8("z"), id)];
  assert.throws(() => encodeTreeNode({ level: 0, entries }), /ends a node/);
});

test("a root is read as it was written, and is no other node", () => {
  const root: Entry = {
    ...plainDirectory(new Uint8Array(), rootId, { kind: kinds.directory, summary: emptySummary }),
    metaDot: id,
  };
  const bytes = encodeRootNode(root);
  assert.deepEqual(plain(decodeRootNode(bytes, "root")), plain(root));
  assert.throws(
    () => decodeTreeNode(bytes, "node"),
    (error) => isKind(error, "corrupt"),
  );
  const other = encodeTreeNode({
    level: 0,
    entries: [plainDirectory(utf8("d"), id, { kind: kinds.directory, summary: emptySummary })],
  });
  assert.throws(
    () => decodeRootNode(other, "root"),
    (error) => isKind(error, "corrupt"),
  );
  assert.throws(
    () => encodeRootNode({ ...root, name: utf8("x") }),
    (error) => isKind(error, "invalid"),
  );
  assert.throws(
    () => encodeRootNode({ ...root, placeDot: id }),
    (error) => isKind(error, "invalid"),
  );
});

test("dots of one event are one object where they are equal, and share their clock where not", () => {
  const entry = plainFile(utf8("a"), id);
  const node = decodeTreeNode(encodeTreeNode({ level: 0, entries: [entry] }), "node");
  const read = "entries" in node ? node.entries[0] : undefined;
  assert.equal(read?.placeDot, read?.id);
  assert.equal(read?.data[0].dot, read?.id);
});

test("what the format forbids within an entry is not written", () => {
  const file = plainFile(utf8("a"), id);
  const value = file.data[0].value;
  const bad: Partial<Entry>[] = [
    { meta: { ...file.meta, atomic: true } },
    { meta: { ...file.meta, mode: 0o10000 } },
    { meta: { ...file.meta, uid: -1 } },
    { data: [{ dot: id, value: { kind: kinds.fifo } }] },
    {
      data: [
        { dot: id, value },
        { dot: id, value },
      ],
    },
    { kind: kinds.symlink, data: [{ dot: id, value: { kind: kinds.symlink, target: new Uint8Array() } }] },
    { kind: kinds.fifo, data: [{ dot: { ...id, counter: 9 }, value: { kind: kinds.fifo } }] },
    { mtimeNs: 2n ** 90n },
  ];
  for (const change of bad) {
    const entries = [{ ...file, ...change }];
    assert.throws(
      () => encodeTreeNode({ level: 0, entries }),
      (error) => isKind(error, "invalid"),
      Object.keys(change).join(),
    );
  }
});
