import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelHistory } from "../../test/support/model-history.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { plainDirectory, plainFile, randomItems } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import {
  buildContent,
  buildXattrs,
  type DirectoryValue,
  type Entry,
  kinds,
  type NamedCommit,
  rootId,
} from "../format/mod.ts";
import { DirectoryBuilder, putRoot } from "./directory-builder.ts";
import { HashSet } from "./hash-set.ts";
import { checkHistory, type HistoryDamage, markLive } from "./object-walk.ts";

function randomHistory(prng: Prng): { history: ModelHistory; commits: NamedCommit[] } {
  const history = new ModelHistory();
  const tree = new ModelTree();
  const commits: NamedCommit[] = [];
  for (let round = 0; round < 5; round += 1) {
    for (let count = prng.int(1, 20); count > 0; count -= 1) tree.act(prng, BigInt(round + 1));
    commits.push(history.commit(tree));
  }
  return { history, commits };
}

testSeeds("everything that was written is alive, and after the loss of any object the check names it", 10, (prng) => {
  const { history, commits } = randomHistory(prng);
  const head = commits.at(-1);
  assert.ok(head !== undefined);
  const live = markLive(history.reader(), [head.id]);
  assert.equal(live.meta.size, history.meta.objects.size);
  for (const key of history.meta.objects.keys()) assert.ok(live.meta.has(Buffer.from(key, "hex")));
  assert.deepEqual(allDamage(history.reader(), [head.id]), []);
  const key = prng.pick([...history.meta.objects.keys()]);
  const lost = history.meta.objects.get(key);
  assert.ok(lost !== undefined);
  history.meta.objects.delete(key);
  const damage = allDamage(history.reader(), [head.id]);
  assert.deepEqual(
    damage.map(({ object, kind }) => [toHex(object), kind]),
    [[key, lost.kind]],
  );
  assert.throws(
    () => markLive(history.reader(), [head.id]),
    (error) => isKind(error, "corrupt"),
  );
});

test("only what the given commits need is alive", () => {
  const history = new ModelHistory();
  const tree = new ModelTree();
  const file = tree.add(0, "a", { born: 1n, isDirectory: false, size: 3 });
  const one = history.commit(tree);
  tree.remove(file);
  tree.add(0, "b", { born: 2n, isDirectory: false, size: 4 });
  const two = history.commit(tree);
  const before = markLive(history.reader(), [one.id]);
  assert.ok(before.meta.has(one.commit.tree) && !before.meta.has(two.commit.tree) && !before.meta.has(two.id));
  assert.equal(before.chunks.size, 1);
  assert.equal(markLive(history.reader(), [two.id, one.id]).chunks.size, 2);
});

test("trimmed history is damage only where it was not expected, and never at a head", () => {
  const history = new ModelHistory();
  const one = history.commit(new ModelTree());
  const two = history.commit(new ModelTree());
  history.meta.objects.delete(toHex(one.id));
  assert.equal(allDamage(history.reader(), [two.id]).length, 1);
  assert.deepEqual(allDamage(history.reader(), [two.id], { isTrimmed: true }), []);
  history.meta.objects.delete(toHex(two.id));
  assert.equal(allDamage(history.reader(), [two.id], { isTrimmed: true }).length, 1);
});

function commitEntries(
  history: ModelHistory,
  entries: readonly Entry[],
  change?: (value: DirectoryValue) => DirectoryValue,
): NamedCommit {
  const builder = new DirectoryBuilder(history.meta);
  for (const entry of entries) builder.add(entry);
  const value = builder.finish();
  return history.commit(putRoot(history.meta, plainDirectory(new Uint8Array(), rootId, change?.(value) ?? value)));
}

testSeeds("lists, attribute blocks and chunks are walked, and a lost chunk is named by its file", 3, (prng) => {
  const history = new ModelHistory();
  const id = { clock: 5n, writer: 9n, counter: 1 };
  const items = randomItems(prng, 500).filter(({ form }) => form === "chunk");
  const content = buildContent(items, (bytes) => history.meta.put("list", bytes));
  const large = [{ name: utf8("user.large"), value: prng.bytes(5000) }];
  const xattrs = buildXattrs(large, (bytes) => history.meta.put("xattrs", bytes));
  const file = plainFile(utf8("file"), id);
  assert.ok(xattrs !== undefined);
  const entry: Entry = {
    ...file,
    meta: { ...file.meta, xattrs },
    data: [{ dot: id, value: { kind: kinds.file, content } }],
  };
  const { id: head } = commitEntries(history, [entry]);
  const live = markLive(history.reader(), [head]);
  assert.deepEqual([live.meta.size, live.chunks.size], [history.meta.objects.size, items.length]);
  const lost = prng.pick(items);
  assert.ok(lost.form === "chunk");
  const hasChunk = (hash: Uint8Array): boolean => toHex(hash) !== toHex(lost.hash);
  const damage = allDamage(history.reader(), [head], { hasChunk });
  assert.deepEqual(
    damage.map(({ kind, path, object }) => [kind, toText(path ?? utf8("")), toHex(object)]),
    [["chunk", "file", toHex(lost.hash)]],
  );
});

test("a directory whose summary is not that of its entries is damage", () => {
  const history = new ModelHistory();
  const { id } = commitEntries(history, [plainFile(utf8("a"), { clock: 5n, writer: 9n, counter: 1 })], (value) => ({
    ...value,
    summary: { ...value.summary, bytes: 2 },
  }));
  assert.deepEqual(
    allDamage(history.reader(), [id]).map(({ kind }) => kind),
    ["tree"],
  );
});

testSeeds("a set of hashes has what was added and nothing else, also hashes of zeros", 3, (prng) => {
  const set = new HashSet();
  const all = new Set<string>();
  for (let index = 0; index < 20_000; index += 1) {
    const hash = index % 3 === 0 ? new Uint8Array(32).fill(prng.int(0, 3)) : prng.bytes(32);
    assert.equal(set.add(hash), !all.has(toHex(hash)));
    all.add(toHex(hash));
    assert.ok(set.has(hash));
  }
  assert.equal(set.size, all.size);
  for (let index = 0; index < 1000; index += 1) assert.ok(!set.has(prng.bytes(32)));
});

function allDamage(...of: Parameters<typeof checkHistory>): HistoryDamage[] {
  return [...checkHistory(...of)].filter((each) => each !== undefined);
}
