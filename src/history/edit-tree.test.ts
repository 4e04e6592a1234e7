import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { plainFile } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { editTree, type TreeEdit } from "./edit-tree.ts";
import { splitPath } from "./paths.ts";
import { TreeReader } from "./tree-reader.ts";

testSeeds("an edited tree is what building it from scratch gives", 100, (prng) => {
  const meta = new MemoryMeta();
  const reader = new TreeReader(meta);
  const before = new ModelTree();
  for (let count = prng.int(1, 80); count > 0; count -= 1) before.act(prng, 5n);
  const after = before.copy();
  const goal = (): ReturnType<TreeReader["root"]> => reader.root(after.build(meta));
  const edited = new Map<string, TreeEdit>();
  for (let count = prng.int(0, 10); count > 0; count -= 1) {
    const nodes = [...after.nodes.values()].filter((node) => {
      const path = after.path(node.id);
      // What is below something put or removed is no edit of its own here.
      return ![...edited.keys()].some(
        (each) => each === path || path.startsWith(`${each}/`) || each.startsWith(`${path}/`),
      );
    });
    if (nodes.length === 0) break;
    const node = prng.pick(nodes);
    const path = after.path(node.id);
    if (prng.chance(0.4)) {
      after.remove(node.id);
      edited.set(path, { path: utf8(path) });
    } else if (!node.isDirectory) {
      after.nodes.set(node.id, { ...node, size: node.size + 100 });
      const entry = reader.findPath(goal(), splitPath(utf8(path)));
      assert(entry !== undefined);
      edited.set(path, { path: utf8(path), entry });
    }
  }
  const tree = editTree(reader, meta, before.build(meta), edited.values());
  assert.equal(toHex(tree), toHex(after.build(meta)));
});

test("below a directory that is put somewhere, edits are made in what was put", () => {
  const meta = new MemoryMeta();
  const reader = new TreeReader(meta);
  const model = new ModelTree();
  const d = model.add(0, "d", { born: 1n, isDirectory: true });
  model.add(d, "a", { born: 1n, isDirectory: false });
  model.add(d, "b", { born: 1n, isDirectory: false });
  const tree = model.build(meta);
  const directory = reader.findPath(reader.root(tree), [utf8("d")]);
  assert(directory !== undefined);
  const moved = editTree(reader, meta, tree, [
    { path: utf8("e/a") },
    { path: utf8("e"), entry: { ...directory, name: utf8("e") } },
    { path: utf8("d") },
  ]);
  const names = [...reader.entries(reader.root(moved).data[0].value as never)].map(({ name }) =>
    Buffer.from(name).toString(),
  );
  assert.deepEqual(names, ["e"]);
  assert.equal(reader.findPath(reader.root(moved), [utf8("e"), utf8("a")]), undefined);
  assert.notEqual(reader.findPath(reader.root(moved), [utf8("e"), utf8("b")]), undefined);
});

test("an edit below what is no directory is refused, and so is one of the root away", () => {
  const meta = new MemoryMeta();
  const reader = new TreeReader(meta);
  const model = new ModelTree();
  model.add(0, "file", { born: 1n, isDirectory: false });
  const tree = model.build(meta);
  const entry = plainFile(utf8("x"), { clock: 1n, writer: 1n, counter: 1 });
  for (const path of ["file/x", "none/x"])
    assert.throws(
      () => editTree(reader, meta, tree, [{ path: utf8(path), entry }]),
      (error) => isKind(error, "invalid"),
    );
  assert.throws(
    () => editTree(reader, meta, tree, [{ path: utf8("") }]),
    (error) => isKind(error, "invalid"),
  );
});
