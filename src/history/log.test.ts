import assert from "node:assert/strict";
import { test } from "node:test";
import { ModelHistory } from "../../test/support/model-history.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { NamedCommit } from "../format/mod.ts";
import { followPaths, walkLog } from "./log.ts";
import { TreeReader } from "./tree-reader.ts";

const messages = (commits: Iterable<NamedCommit>): string[] =>
  [...commits].map(({ commit }) => (commit.type === "event" ? commit.message : "join"));

testSeeds("the log gives every commit once, and none before one that was made on it", 10, (prng) => {
  const history = new ModelHistory();
  const tree = new ModelTree().build(history.meta);
  const all: NamedCommit[] = [];
  for (let index = 0; index < 60; index += 1) {
    const writer = BigInt(prng.int(1, 4));
    const own = all.findLast(({ commit }) => commit.type === "event" && commit.writer === writer);
    const others = all.filter(() => prng.chance(0.03)).filter((each) => each !== own);
    all.push(history.commit(tree, { writer, parents: own === undefined ? others : [own, ...others] }));
  }
  const order = [
    ...walkLog(
      history.reader(),
      all.map(({ id }) => id),
    ),
  ].map(({ id }) => toHex(id));
  assert.deepEqual(order.toSorted(), all.map(({ id }) => toHex(id)).sort());
  for (const { id, commit } of all) {
    for (const parent of commit.parents) assert.ok(order.indexOf(toHex(id)) < order.indexOf(toHex(parent)));
  }
});

test("a missing parent ends the log there, if that is wanted", () => {
  const history = new ModelHistory();
  const tree = new ModelTree().build(history.meta);
  const [one, , three] = ["one", "two", "three"].map((message) => history.commit(tree, { message }));
  assert.ok(one !== undefined && three !== undefined);
  history.meta.objects.delete(toHex(one.id));
  assert.throws(
    () => [...walkLog(history.reader(), [three.id])],
    (error) => isKind(error, "not-found"),
  );
  const missing: string[] = [];
  assert.deepEqual(messages(walkLog(history.reader(), [three.id], { onMissing: (id) => missing.push(toHex(id)) })), [
    "three",
    "two",
  ]);
  assert.deepEqual(missing, [toHex(one.id)]);
});

test("a path is followed through its own renames and those of its directories", () => {
  const history = new ModelHistory();
  const tree = new ModelTree();
  const commit = (message: string): NamedCommit => history.commit(tree, { message });
  const edit = (id: number, change: { name?: string; parent?: number; size?: number }): void =>
    void Object.assign(tree.nodes.get(id) ?? {}, change);
  const a = tree.add(0, "a", { born: 1n, isDirectory: true });
  const file = tree.add(a, "file", { born: 1n, isDirectory: false });
  const other = tree.add(0, "other", { born: 1n, isDirectory: false });
  commit("made");
  edit(other, { size: 5 });
  commit("other");
  edit(file, { size: 6 });
  commit("edited");
  edit(a, { name: "b" });
  commit("directory renamed");
  edit(file, { name: "new", size: 7 });
  commit("renamed and edited");
  const c = tree.add(0, "c", { born: 9n, isDirectory: true });
  edit(file, { parent: c });
  commit("moved into a new directory");
  edit(other, { size: 9 });
  const head = commit("other again");
  const follow = (path: string): string[] =>
    [...followPaths(history.reader(), new TreeReader(history.meta), [head.id], [utf8(path)])].map(
      ({ commit: each, paths }) => `${each.type === "event" ? each.message : ""}: ${paths.map(toText).join()}`,
    );
  assert.deepEqual(follow("c/new"), [
    "moved into a new directory: c/new",
    "renamed and edited: b/new",
    "directory renamed: b/file",
    "edited: a/file",
    "made: a/file",
  ]);
  assert.deepEqual(follow("other"), ["other again: other", "other: other", "made: other"]);
  tree.remove(file);
  const gone = commit("removed");
  assert.deepEqual(
    [...followPaths(history.reader(), new TreeReader(history.meta), [gone.id], [utf8("c/new")])].length,
    6,
  );
});

test("where one parent has a path as it is, only that one is followed", () => {
  const history = new ModelHistory();
  const tree = new ModelTree();
  const file = tree.add(0, "file", { born: 1n, isDirectory: false });
  const base = history.commit(tree, { message: "base" });
  const mine = history.commit(tree, { message: "mine", parents: [base] });
  Object.assign(tree.nodes.get(file) ?? {}, { size: 8 });
  const theirs = history.commit(tree, { message: "theirs", writer: 2n, parents: [base] });
  const merged = history.commit(tree, { message: "merged", parents: [mine, theirs] });
  const found = followPaths(history.reader(), new TreeReader(history.meta), [merged.id], [utf8("file")]);
  assert.deepEqual(messages(found), ["theirs", "base"]);
});
