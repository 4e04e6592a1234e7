import assert from "node:assert/strict";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { ModelTree } from "../../test/support/model-tree.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { toHex, toText } from "../base/bytes.ts";
import { dotKey, type Entry, type Hash, kinds } from "../format/mod.ts";
import { entryDifferences } from "./entry-difference.ts";
import { revertTree } from "./revert-tree.ts";
import { directoryOf, TreeReader } from "./tree-reader.ts";
import { walkEntries } from "./tree-walk.ts";

const event = { clock: 1000n, writer: 77n };

function entriesOf(reader: TreeReader, tree: Hash): Map<string, Entry> {
  const found = new Map<string, Entry>();
  const top = directoryOf(reader.root(tree));
  if (top === undefined) return found;
  for (const { path, entry } of walkEntries(reader, top, new Uint8Array())) found.set(toText(path), entry);
  return found;
}

/** Each register with its value as one text. */
function registersOf(entry: Entry, path: string): Record<string, { dot: string; value: string }> {
  const { data, meta, mtimeNs, metaDot, mtimeDot, placeDot } = entry;
  const show = (value: unknown): string =>
    JSON.stringify(value, (_key, each: unknown) => (typeof each === "bigint" ? String(each) : each));
  const values = data.map(({ value }) => (value.kind === kinds.directory ? "directory" : show(value)));
  return {
    place: { dot: dotKey(placeDot), value: path },
    meta: { dot: dotKey(metaDot), value: show(meta) },
    mtime: { dot: dotKey(mtimeDot), value: String(mtimeNs) },
    data: { dot: data.map(({ dot }) => dotKey(dot)).join(), value: values.join() },
  };
}

const sameName = (a: Entry, b: Entry): boolean => toHex(a.name) === toHex(b.name);

function check(meta: MemoryMeta, from: Hash, goal: Hash): void {
  const reader = new TreeReader(meta);
  const result = revertTree(reader, meta, { from, goal, event });
  const [old, wanted, made] = [from, goal, result].map((tree) => entriesOf(reader, tree));
  assert(old !== undefined && wanted !== undefined && made !== undefined);
  assert.deepEqual([...made.keys()], [...wanted.keys()]);
  const byId = new Map([...old].map(([path, entry]) => [dotKey(entry.id), { path, entry }]));
  for (const [path, entry] of made) {
    const goalEntry = wanted.get(path) as Entry;
    assert.deepEqual(
      [...entryDifferences(goalEntry, entry)].filter((each) => each !== "values"),
      [],
      path,
    );
    const now = registersOf(entry, path);
    const before = byId.get(dotKey(entry.id));
    const then = before === undefined ? undefined : registersOf(before.entry, before.path);
    if (before !== undefined && !sameName(before.entry, entry))
      assert.equal(now["place"]?.dot, dotKey({ ...event, counter: 0 }), `${path}: it is moved anew`);
    for (const [name, { dot, value }] of Object.entries(now)) {
      const isParentMoved = name === "place" && then !== undefined && before?.path !== path;
      const isSame = then?.[name]?.value === value;
      // A directory has one data for ever.
      if (isParentMoved || (name === "data" && entry.kind === kinds.directory)) continue;
      if (isSame) {
        const isTouched = name === "mtime" && then?.["data"]?.value !== now["data"]?.value;
        if (!isTouched) assert.equal(dot, then?.[name]?.dot, `${path}: ${name} stays`);
      } else assert.equal(dot, dotKey({ ...event, counter: 0 }), `${path}: ${name} is written anew`);
    }
  }
  if (toHex(from) === toHex(goal)) assert.equal(toHex(result), toHex(from));
}

testSeeds("a reverted tree is the other one, with new dots just where it differs", 200, (prng) => {
  const meta = new MemoryMeta();
  const before = new ModelTree();
  for (let count = prng.int(0, 60); count > 0; count -= 1) before.act(prng, 5n);
  const after = before.copy();
  for (let count = prng.int(0, 25); count > 0; count -= 1) after.act(prng, 10n);
  check(meta, after.build(meta), before.build(meta));
  check(meta, before.build(meta), after.build(meta));
});

test("directories that swapped places, or one another, come back", () => {
  const meta = new MemoryMeta();
  const make = (): { model: ModelTree; a: number; b: number } => {
    const model = new ModelTree();
    const a = model.add(0, "a", { born: 1n, isDirectory: true });
    const b = model.add(a, "b", { born: 1n, isDirectory: true });
    model.add(b, "file", { born: 1n, isDirectory: false });
    model.add(a, "file", { born: 1n, isDirectory: false });
    return { model, a, b };
  };
  const [one, two] = [make(), make()];
  const nodes = two.model.nodes;
  const [a, b] = [nodes.get(two.a), nodes.get(two.b)];
  assert(a !== undefined && b !== undefined);
  b.parent = 0;
  a.parent = two.b;
  check(meta, one.model.build(meta), two.model.build(meta));
  check(meta, two.model.build(meta), one.model.build(meta));
  b.name = "a";
  a.name = "b";
  check(meta, one.model.build(meta), two.model.build(meta));
  check(meta, two.model.build(meta), one.model.build(meta));
});
