import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { plainDirectory, plainFile } from "../../test/support/random-trees.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { toHex, toText, utf8 } from "../base/bytes.ts";
import { type Entry, type Hash, rootId } from "../format/mod.ts";
import { type Change, type DiffOptions, diffTrees, isShown } from "./diff.ts";
import { DirectoryBuilder, putRoot } from "./directory-builder.ts";
import { editDirectory } from "./edit-directory.ts";
import { comparePaths } from "./paths.ts";
import { directoryOf, TreeReader } from "./tree-reader.ts";

function describe({ type, path, oldPath, what }: Change): string {
  const from = oldPath === undefined ? "" : ` from ${toText(oldPath)}`;
  return `${type} ${toText(path)}${from}${what.size === 0 ? "" : ` (${[...what].sort().join()})`}`;
}

function diff(meta: MemoryMeta, before: ModelTree | undefined, after: ModelTree, options: DiffOptions = {}): string[] {
  const old = before?.build(meta);
  const changes = [...diffTrees(new TreeReader(meta), old, after.build(meta), options)];
  const order = changes.map(({ path }) => path);
  assert.deepEqual(order.map(toHex), order.toSorted(comparePaths).map(toHex), "in the order of a walk");
  return changes.map(describe);
}

/** The same, from the maps and slowly. */
function expected(before: ModelTree, after: ModelTree): string[] {
  const lines: string[] = [];
  const removed = new Map(
    [...before.nodes.values()].filter(({ id }) => !after.nodes.has(id)).map((node) => [before.path(node.id), node]),
  );
  for (const node of after.nodes.values()) {
    const old = before.nodes.get(node.id);
    const path = after.path(node.id);
    const content = old !== undefined && !node.isDirectory && old.size !== node.size ? " (content)" : "";
    if (old === undefined) {
      const replaced = removed.get(path);
      if (replaced !== undefined && replaced.isDirectory === node.isDirectory) {
        removed.delete(path);
        lines.push(`change ${path} (${node.isDirectory ? "" : "content,"}node)`);
      } else lines.push(`add ${path}`);
    } else if (old.parent !== node.parent || old.name !== node.name)
      lines.push(`rename ${path} from ${before.path(node.id)}${content}`);
    else if (content !== "") lines.push(`change ${path}${content}`);
  }
  for (const path of removed.keys()) lines.push(`remove ${path}`);
  return lines.sort();
}

testSeeds("differences are those of the flat maps, moves by node id", 150, (prng) => {
  const before = new ModelTree();
  for (let count = prng.int(0, 60); count > 0; count -= 1) before.act(prng, 5n);
  const after = before.copy();
  for (let count = prng.int(1, 25); count > 0; count -= 1) after.act(prng, prng.chance(0.2) ? 4n : 10n);
  assert.deepEqual(diff(new MemoryMeta(), before, after).sort(), expected(before, after));
});

testSeeds("with nothing before, all is new; with paths, all within them", 10, (prng) => {
  const meta = new MemoryMeta();
  const tree = new ModelTree();
  for (let count = 60; count > 0; count -= 1) tree.act(prng, 5n);
  const all = [...tree.nodes.keys()].map((id) => tree.path(id)).sort();
  assert.deepEqual(
    diff(meta, undefined, tree).sort(),
    all.map((path) => `add ${path}`),
  );
  const chosen = prng.pick([...all, "none"]);
  const within = all.filter((path) => path === chosen || path.startsWith(`${chosen}/`));
  assert.deepEqual(
    diff(meta, undefined, tree, { paths: [utf8(chosen)] }).sort(),
    within.map((path) => `add ${path}`),
  );
  assert.deepEqual(
    diff(meta, new ModelTree(), tree, { paths: [utf8(chosen)] }).sort(),
    within.map((path) => `add ${path}`),
  );
});

test("a moved directory is one change, and collapsed new and removed ones are one each", () => {
  const before = new ModelTree();
  const a = before.add(0, "a", { born: 5n, isDirectory: true });
  const inner = before.add(a, "inner", { born: 5n, isDirectory: true });
  const file = before.add(inner, "file", { born: 5n, isDirectory: false });
  before.add(a, "other", { born: 5n, isDirectory: false });
  const moved = before.copy();
  const b = moved.add(0, "b", { born: 10n, isDirectory: true });
  const node = moved.nodes.get(inner);
  assert.ok(node !== undefined);
  node.parent = b;
  assert.deepEqual(diff(new MemoryMeta(), before, moved), ["add b", "rename b/inner from a/inner"]);
  const gone = moved.copy();
  gone.remove(a);
  assert.deepEqual(diff(new MemoryMeta(), before, gone), [
    "remove a",
    "remove a/other",
    "add b",
    "rename b/inner from a/inner",
  ]);
  assert.deepEqual(diff(new MemoryMeta(), before, gone, { isCollapsed: true }), [
    "remove a",
    "add b",
    "rename b/inner from a/inner",
  ]);
  const edited = gone.copy();
  const inside = edited.nodes.get(file);
  assert.ok(inside !== undefined);
  inside.size = 7;
  assert.deepEqual(diff(new MemoryMeta(), before, edited, { isCollapsed: true }), [
    "remove a",
    "add b",
    "rename b/inner from a/inner",
    "change b/inner/file (content)",
  ]);
  assert.deepEqual(diff(new MemoryMeta(), undefined, edited, { isCollapsed: true }), ["add b"]);
  assert.deepEqual(diff(new MemoryMeta(), before, edited, { paths: [utf8("b")] }), [
    "add b",
    "add b/inner",
    "add b/inner/file",
  ]);
  assert.deepEqual(diff(new MemoryMeta(), before, edited, { paths: [utf8("a/inner")] }), [
    "remove a/inner",
    "remove a/inner/file",
  ]);
});

function flat(meta: MemoryMeta, count: number): { tree: Hash; entries: Entry[] } {
  const builder = new DirectoryBuilder(meta);
  const entries = Array.from({ length: count }, (_, index) =>
    plainFile(utf8(`file-${String(index).padStart(6, "0")}`), { clock: 5n, writer: 9n, counter: index + 1 }),
  );
  for (const entry of entries) builder.add(entry);
  return { tree: putRoot(meta, plainDirectory(new Uint8Array(), rootId, builder.finish())), entries };
}

test("ten that differ among 100,000 are found by reading the nodes on the way to them", () => {
  const meta = new MemoryMeta();
  const { tree, entries } = flat(meta, 100_000);
  const root = new TreeReader(meta).root(tree);
  const old = directoryOf(root);
  assert.ok(old !== undefined);
  const edits = [5, 20_000, 20_001, 40_000, 50_000, 60_000, 70_000, 80_000, 90_000, 99_999].map((index) => {
    const entry = entries[index] as Entry;
    const [{ dot }] = entry.data;
    return { name: entry.name, entry: plainFile(entry.name, dot, 77) };
  });
  const value = editDirectory(meta, meta, old, edits);
  const changed = putRoot(meta, { ...root, data: [{ dot: rootId, value }] });
  meta.resetCounts();
  const changes = [...diffTrees(new TreeReader(meta), tree, changed)];
  assert.equal(changes.length, 10);
  assert.ok(meta.reads <= 2 + 2 * (10 * 2 + 6), `${meta.reads} nodes read`);
});

test("a change of time only is a change that need not be shown", () => {
  const meta = new MemoryMeta();
  const { tree } = flat(meta, 3);
  const root = new TreeReader(meta).root(tree);
  const touched = putRoot(meta, { ...root, mtimeNs: root.mtimeNs + 1n });
  const [change, ...rest] = [...diffTrees(new TreeReader(meta), tree, touched)];
  assert.ok(change !== undefined && rest.length === 0);
  assert.deepEqual(
    [change.type, change.path.length, [...change.what], isShown(change)],
    ["change", 0, ["mtime"], false],
  );
  assert.deepEqual([...diffTrees(new TreeReader(meta), tree, tree)], []);
});
