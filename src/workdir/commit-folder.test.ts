import assert from "node:assert/strict";
import { chmodSync, linkSync, mkdirSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { MemoryMeta } from "../../test/support/memory-meta.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { equalBytes } from "../base/bytes.ts";
import { type Dot, dotKey, kinds } from "../format/mod.ts";
import { DirectoryBuilder, directoryOf } from "../history/mod.ts";

const none = { added: 0, changed: 0, removed: 0, renamed: 0, times: 0 };

function write(folder: TestFolder, path: string, text: string): void {
  mkdirSync(join(folder.path, path, ".."), { recursive: true });
  writeFileSync(join(folder.path, path), text);
}

/** A folder of a few files, committed. */
async function committed(paths: readonly string[]): Promise<TestFolder> {
  const folder = new TestFolder();
  for (const path of paths) write(folder, path, `content of ${path}`);
  await folder.commit();
  return folder;
}

test("a first commit takes in everything, and a second finds nothing", async () => {
  using folder = new TestFolder();
  write(folder, "a", "hello");
  write(folder, "d/e/f", "deep");
  mkdirSync(join(folder.path, "empty"));
  symlinkSync("nowhere", join(folder.path, "link"));
  const first = await folder.commit();
  assert.deepEqual(first.counts, { ...none, added: 6, ...{} });
  assert.deepEqual([...folder.entries().keys()], ["", "a", "d", "d/e", "d/e/f", "empty", "link"]);
  assert.deepEqual(await folder.statusLines(), []);
  const second = await folder.commit();
  assert.equal(second.tree, undefined);
  assert.deepEqual(second.counts, none);
  assert.deepEqual(folder.warnings, []);
});

test("an edit dates data and mtime, a touch the mtime alone, a chmod the meta alone", async () => {
  using folder = await committed(["edited", "touched", "chmodded"]);
  const before = folder.entries();
  write(folder, "edited", "something else");
  utimesSync(join(folder.path, "touched"), 1, 2);
  chmodSync(join(folder.path, "chmodded"), 0o600);
  assert.deepEqual(await folder.statusLines(), [
    "change chmodded (mode)",
    "change edited (content mtime)",
    "change touched (mtime)",
  ]);
  await folder.commit();
  const registers = (path: string): string[] => {
    const [one, two] = [before.get(path), folder.entry(path)];
    assert(one !== undefined);
    assert.deepEqual(two.id, one.id);
    const dots = {
      data: [one.data[0].dot, two.data[0].dot],
      mtime: [one.mtimeDot, two.mtimeDot],
      meta: [one.metaDot, two.metaDot],
      place: [one.placeDot, two.placeDot],
    };
    return Object.entries(dots).flatMap(([name, [a, b]]) => (dotKey(a as Dot) === dotKey(b as Dot) ? [] : [name]));
  };
  assert.deepEqual(registers("edited"), ["data", "mtime"]);
  assert.deepEqual(registers("touched"), ["mtime"]);
  assert.deepEqual(registers("chmodded"), ["meta"]);
  assert.deepEqual(await folder.statusLines(), []);
});

test("a renamed file keeps its id, by inode and by content", async () => {
  using folder = await committed(["a", "b", "sub/c", "stays"]);
  const ids = new Map([...folder.entries()].map(([path, { id }]) => [path, dotKey(id)]));
  renameSync(join(folder.path, "a"), join(folder.path, "sub/renamed"));
  rmSync(join(folder.path, "b"));
  write(folder, "new/copy", "content of b");
  const lines = (await folder.statusLines()).filter((line) => !line.endsWith("(mtime)"));
  assert.deepEqual(
    lines,
    ["add new", "rename new/copy from b (mtime)", "rename sub/renamed from a"].filter(
      (line) => !line.endsWith("(mtime)"),
    ),
  );
  const { counts } = await folder.commit();
  assert.equal(counts.renamed, 2);
  assert.equal(counts.removed, 0);
  assert.equal(dotKey(folder.entry("sub/renamed").id), ids.get("a"));
  assert.equal(dotKey(folder.entry("new/copy").id), ids.get("b"));
  assert.deepEqual(folder.entry("sub/renamed").placeDot, { clock: 2n, writer: 7n, counter: 0 });
  assert.deepEqual(await folder.statusLines(), []);
});

test("a moved directory is renamed as one, and what changed in it is found", async () => {
  using folder = await committed(["d/x", "d/in/y", "d/in/z", "other"]);
  const before = folder.entries();
  mkdirSync(join(folder.path, "new"));
  renameSync(join(folder.path, "d"), join(folder.path, "new/moved"));
  write(folder, "new/moved/in/y", "edited");
  write(folder, "new/moved/in/w", "added");
  const lines = (await folder.statusLines()).filter((line) => !line.includes("(mtime)"));
  assert.deepEqual(
    lines,
    ["add new", "rename new/moved from d", "add new/moved/in/w", "change new/moved/in/y (content mtime)"].filter(
      (line) => !line.includes("(mtime)"),
    ),
  );
  await folder.commit();
  for (const [old, now] of [
    ["d", "new/moved"],
    ["d/x", "new/moved/x"],
    ["d/in", "new/moved/in"],
    ["d/in/y", "new/moved/in/y"],
  ] as const)
    assert.deepEqual(folder.entry(now).id, before.get(old)?.id);
  assert.deepEqual(await folder.statusLines(), []);
});

test("a directory under its old name made anew keeps its id; swapped directories are two renames", async () => {
  using folder = await committed(["one/a", "two/b", "three/c"]);
  const before = folder.entries();
  renameSync(join(folder.path, "one"), join(folder.path, "t"));
  renameSync(join(folder.path, "two"), join(folder.path, "one"));
  renameSync(join(folder.path, "t"), join(folder.path, "two"));
  mkdirSync(join(folder.path, "fresh"));
  write(folder, "fresh/c", "content of three/c");
  rmSync(join(folder.path, "three"), { recursive: true });
  renameSync(join(folder.path, "fresh"), join(folder.path, "three"));
  await folder.commit();
  assert.deepEqual(folder.entry("one").id, before.get("two")?.id);
  assert.deepEqual(folder.entry("two").id, before.get("one")?.id);
  assert.deepEqual(folder.entry("two/a").id, before.get("one/a")?.id);
  assert.deepEqual(folder.entry("three").id, before.get("three")?.id);
  assert.deepEqual(folder.entry("three/c").id, before.get("three/c")?.id);
  assert.deepEqual(await folder.statusLines(), []);
});

test("a name of another kind is another node", async () => {
  using folder = await committed(["file", "dir/inside"]);
  const before = folder.entries();
  rmSync(join(folder.path, "file"));
  write(folder, "file/now", "a directory");
  rmSync(join(folder.path, "dir"), { recursive: true });
  symlinkSync("x", join(folder.path, "dir"));
  await folder.commit();
  assert.equal(folder.entry("file").kind, kinds.directory);
  assert.equal(folder.entry("dir").kind, kinds.symlink);
  assert.notDeepEqual(folder.entry("file").id, before.get("file")?.id);
  assert.deepEqual([...folder.entries().keys()], ["", "dir", "file", "file/now"]);
  assert.deepEqual(await folder.statusLines(), []);
});

test("only what is picked is committed", async () => {
  using folder = await committed(["a", "d/b", "d/c"]);
  write(folder, "a", "changed");
  write(folder, "d/b", "changed too");
  write(folder, "n/x/y", "new");
  write(folder, "n/z", "new too");
  rmSync(join(folder.path, "d/c"));
  await folder.commit(["d/b", "n/x"]);
  assert.deepEqual([...folder.entries().keys()], ["", "a", "d", "d/b", "d/c", "n", "n/x", "n/x/y"]);
  const lines = (await folder.statusLines()).filter((line) => !line.endsWith("(mtime)"));
  assert.deepEqual(
    lines,
    ["change a (content mtime)", "remove d/c", "add n/z"].filter((line) => !line.endsWith("(mtime)")),
  );
});

test("names of one file are one group, and an edit through one is an edit of all", async () => {
  using folder = await committed(["a"]);
  linkSync(join(folder.path, "a"), join(folder.path, "0"));
  mkdirSync(join(folder.path, "d"));
  linkSync(join(folder.path, "a"), join(folder.path, "d/b"));
  await folder.commit();
  const group = folder.entry("a").id;
  for (const path of ["0", "a", "d/b"]) assert.deepEqual(folder.entry(path).meta.link, group, path);
  write(folder, "0", "through another name");
  await folder.commit();
  const dots = ["0", "a", "d/b"].map((path) => folder.entry(path).data[0].dot);
  assert.deepEqual(
    dots,
    Array.from({ length: 3 }, () => ({ clock: 3n, writer: 7n, counter: 0 })),
  );
  // Saved by an editor that renames: no longer linked.
  write(folder, "t", "alone");
  renameSync(join(folder.path, "t"), join(folder.path, "0"));
  await folder.commit();
  assert.equal(folder.entry("0").meta.link, undefined);
  assert.deepEqual(folder.entry("a").meta.link, group);
  assert.deepEqual(await folder.statusLines(), []);
});

test("a directory with very many changes is what building it from scratch gives", async () => {
  using folder = await committed(["d/a", "d/m", "d/z", "d/sub/x"]);
  const before = folder.entry("d/m");
  for (let index = 0; index < 4500; index += 1)
    writeFileSync(join(folder.path, `d/${index % 2 === 0 ? "b" : "y"}${index}`), "");
  rmSync(join(folder.path, "d/a"));
  write(folder, "d/z", "edited");
  write(folder, "d/sub/y", "added");
  const { counts } = await folder.commit();
  assert.equal(counts.added, 4501);
  assert.deepEqual(await folder.statusLines(), []);
  const { reader } = folder;
  const value = directoryOf(folder.entry("d"));
  assert(value !== undefined);
  const entries = [...reader.entries(value)];
  assert.equal(entries.length, 4503);
  assert.deepEqual(
    entries.find(({ name }) => Buffer.from(name).toString() === "m"),
    before,
  );
  const builder = new DirectoryBuilder(new MemoryMeta());
  for (const entry of entries) builder.add(entry);
  const built = builder.finish();
  assert.deepEqual(built.summary, value.summary);
  assert(built.top !== undefined && value.top !== undefined && equalBytes(built.top, value.top));
});
