import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runAsNobody } from "../../test/support/as-nobody.ts";
import { TestFolder } from "../../test/support/test-folder.ts";
import { isKind } from "../base/errors.ts";
import { lstat, setTimeAt } from "../base/posix.ts";
import { dotKey } from "../format/mod.ts";

const isRoot = process.geteuid?.() === 0;

function write(folder: TestFolder, path: string, text: string): void {
  mkdirSync(join(folder.path, path, ".."), { recursive: true });
  writeFileSync(join(folder.path, path), text);
}

const shown = (lines: readonly string[]): string[] => lines.filter((line) => !line.endsWith("(mtime)"));

test("what is ignored is not taken in, and what was taken in before stays", async () => {
  using folder = new TestFolder();
  write(folder, "tracked.o", "1");
  await folder.commit();
  write(folder, ".ouroboxignore", "*.o\n/build/\n!keep.o\n# comment\n");
  write(folder, "new.o", "2");
  write(folder, "keep.o", "3");
  write(folder, "build/x", "4");
  write(folder, "sub/build/y", "5");
  write(folder, "sub/.ouroboxignore", "!z.o\n*.tmp\n");
  write(folder, "sub/z.o", "6");
  write(folder, "sub/a.tmp", "7");
  write(folder, "sub/deep/er/b.tmp", "8");
  write(folder, "tracked.o", "edited");
  await folder.commit();
  assert.deepEqual(
    [...folder.entries().keys()],
    [
      "",
      ".ouroboxignore",
      "keep.o",
      "sub",
      "sub/.ouroboxignore",
      "sub/build",
      "sub/build/y",
      "sub/deep",
      "sub/deep/er",
      "sub/z.o",
      "tracked.o",
    ],
  );
  write(folder, "sub/build/more.o", "9");
  write(folder, "sub/build/new/more.tmp", "9");
  assert.deepEqual(shown(await folder.statusLines()), ["add sub/build/new"]);
  rmSync(join(folder.path, "tracked.o"));
  assert.deepEqual(shown(await folder.statusLines()), ["add sub/build/new", "remove tracked.o"]);
});

test("an ignored directory in place of a file that was committed is a deletion of the file", async () => {
  using folder = new TestFolder();
  write(folder, "build", "a file");
  write(folder, ".ouroboxignore", "build/\n");
  await folder.commit();
  assert(folder.entries().has("build"));
  rmSync(join(folder.path, "build"));
  write(folder, "build/out", "a product");
  assert.deepEqual(shown(await folder.statusLines()), ["remove build"]);
  await folder.commit();
  assert(!folder.entries().has("build"));
  assert.deepEqual(await folder.statusLines(), []);
});

test("a new directory is one line of the status, unless something in it was elsewhere", async () => {
  using folder = new TestFolder();
  for (const name of ["a", "b"]) write(folder, name, `content of ${name}`);
  await folder.commit();
  rmSync(join(folder.path, "b"));
  for (const name of ["n1/x/y", "n1/z", "n2/x/y", "n2/z"]) write(folder, name, `new ${name}`);
  renameSync(join(folder.path, "a"), join(folder.path, "n2/x/a"));
  assert.deepEqual(shown(await folder.statusLines()), [
    "remove b",
    "add n1",
    "add n2",
    "add n2/x",
    "rename n2/x/a from a",
    "add n2/x/y",
    "add n2/z",
  ]);
});

test("rules for names that are not UTF-8 count byte by byte", async () => {
  using folder = new TestFolder();
  writeFileSync(join(folder.path, ".ouroboxignore"), Buffer.from("caf\xe9*\n*.\xff\n", "latin1"));
  for (const name of ["caf\xe9-1", "x.\xff", "caf\xe8", "plain"])
    writeFileSync(Buffer.from(`${folder.path}/${name}`, "latin1"), "x");
  await folder.commit();
  assert.deepEqual([...folder.entries().keys()], ["", ".ouroboxignore", "caf\xe8", "plain"]);
});

test("no spelling of .ourobox is taken in, at any depth", async () => {
  using folder = new TestFolder();
  for (const name of [".ourobox", "d/.ourobox", "d/.OuroBox", "d/.ourobox.", "d/\u200c.ourobox", "d/ourobo~1"])
    write(folder, `${name}/x`, "x");
  write(folder, "d/.ourobox.0123456789abcdef.tmp", "half a file");
  write(folder, "d/fine", "x");
  const { isPartial } = await folder.commit();
  assert.deepEqual([...folder.entries().keys()], ["", "d", "d/fine"]);
  assert.equal(isPartial, true);
  assert.equal(folder.warnings.length, 4);
});

test("an unreadable file or directory stays as it was committed, with a warning", async (t) => {
  if (isRoot) {
    // Root reads everything.
    const run = runAsNobody(import.meta.filename, "unreadable");
    if (run === undefined) return t.skip("nobody may not read this checkout");
    assert.equal(run.status, 0, run.output);
    return;
  }
  using folder = new TestFolder({ isRoot: false, keepsOwner: false });
  write(folder, "secret", "1");
  write(folder, "closed/in/f", "2");
  write(folder, "open", "3");
  await folder.commit();
  const before = folder.entries();
  write(folder, "secret", "changed");
  write(folder, "open", "changed");
  write(folder, "new-secret", "4");
  write(folder, "new-closed/f", "5");
  chmodSync(join(folder.path, "secret"), 0);
  chmodSync(join(folder.path, "closed"), 0);
  chmodSync(join(folder.path, "new-secret"), 0);
  chmodSync(join(folder.path, "new-closed"), 0);
  const { isPartial } = await folder.commit();
  assert.equal(isPartial, true);
  assert(folder.warnings.length >= 4);
  assert.deepEqual([...folder.entries().keys()], ["", "closed", "closed/in", "closed/in/f", "open", "secret"]);
  assert.deepEqual(folder.entry("secret").data, before.get("secret")?.data);
  chmodSync(join(folder.path, "secret"), 0o644);
  chmodSync(join(folder.path, "closed"), 0o755);
  assert.deepEqual(shown(await folder.statusLines()), [
    "change closed (mode)",
    "add new-secret",
    "change secret (content mtime)",
  ]);
  chmodSync(join(folder.path, "new-closed"), 0o755);
  // Moved, and then closed: what cannot be read is not deleted either.
  const moved = folder.entry("closed/in/f");
  renameSync(join(folder.path, "closed"), join(folder.path, "moved"));
  renameSync(join(folder.path, "secret"), join(folder.path, "moved-secret"));
  chmodSync(join(folder.path, "moved"), 0);
  chmodSync(join(folder.path, "moved-secret"), 0);
  await folder.commit();
  chmodSync(join(folder.path, "moved"), 0o755);
  chmodSync(join(folder.path, "moved-secret"), 0o644);
  assert.deepEqual(folder.entry("moved/in/f").id, moved.id);
  assert.deepEqual(folder.entry("moved-secret").data, before.get("secret")?.data);
  assert(!folder.entries().has("closed"));
});

test("an emptied folder is a deletion, another empty folder in its place is not", async () => {
  using folder = new TestFolder();
  write(folder, "a", "1");
  write(folder, "b/c", "2");
  await folder.commit();
  renameSync(folder.path, `${folder.path}-elsewhere`);
  mkdirSync(folder.path);
  await assert.rejects(folder.commit(), (error) => isKind(error, "stale"));
  await assert.rejects(folder.status(), (error) => isKind(error, "stale"));
  write(folder, "a", "1");
  assert.deepEqual(shown(await folder.statusLines()), ["remove b"]);
  rmSync(folder.path, { recursive: true });
  renameSync(`${folder.path}-elsewhere`, folder.path);
  rmSync(join(folder.path, "a"));
  rmSync(join(folder.path, "b"), { recursive: true });
  const { counts } = await folder.commit();
  assert.equal(counts.removed, 2);
});

test("what was mounted is not deleted when it is unmounted", async (t) => {
  using folder = new TestFolder();
  mkdirSync(join(folder.path, "mnt"));
  if (spawnSync("mount", ["-t", "tmpfs", "none", join(folder.path, "mnt")]).status !== 0)
    return t.skip("no mounts here");
  try {
    write(folder, "mnt/on-it", "1");
    mkdirSync(join(folder.path, "mnt/emptied-later"));
    write(folder, "mnt/emptied-later/x", "2");
    await folder.commit();
    rmSync(join(folder.path, "mnt/emptied-later/x"));
    assert.deepEqual(shown(await folder.statusLines()), ["remove mnt/emptied-later/x"]);
  } finally {
    spawnSync("umount", [join(folder.path, "mnt")]);
  }
  const { isPartial } = await folder.commit();
  assert.equal(isPartial, true);
  assert(folder.entries().has("mnt/on-it"));
});

test("a file changed within a tick of the clock is read again, whatever its stat says", async () => {
  let nowMs = Date.now() + 1000;
  using folder = new TestFolder({ nowMs: () => nowMs });
  write(folder, "f", "aaaa");
  write(folder, "g", "gggg");
  nowMs = Number(lstat(join(folder.path, "f")).ctimeNs / 1_000_000n);
  await folder.commit();
  // As if within the tick: the row is made to say what the stat will be.
  const { row, find } = await rowsOf(folder);
  writeFileSync(join(folder.path, "f"), "bbbb");
  const stat = lstat(join(folder.path, "f"));
  const { mergeRow } = await import("./scan-row.ts");
  const record = { ...find("f"), mtimeNs: stat.mtimeNs, ctimeNs: stat.ctimeNs };
  folder.state.setScanRow(
    folder.entry("").id,
    mergeRow(row, { device: stat.device, put: [record], removed: new Set() }),
  );
  assert.deepEqual(await folder.statusLines(), ["change f (content mtime)"]);
  nowMs += 60_000;
  await folder.commit();
  assert.equal((await rowsOf(folder)).find("f").flags, 0);
  assert.equal((await rowsOf(folder)).find("g").flags, 0, "what was unsure and is as it was is sure from now on");
});

async function rowsOf(
  folder: TestFolder,
): Promise<{ row: import("./scan-row.ts").ScanRow; find: (name: string) => import("./scan-row.ts").ScanRecord }> {
  const { ScanRow } = await import("./scan-row.ts");
  const row = ScanRow.decode(folder.state.scanRow(folder.entry("").id) ?? new Uint8Array());
  assert(row !== undefined);
  return { row, find: (name) => row.record(row.find(name)) };
}

test("a damaged row costs a second look and nothing else", async () => {
  using folder = new TestFolder();
  write(folder, "d/a", "1");
  write(folder, "d/e/b", "2");
  await folder.commit();
  for (const damaged of [new Uint8Array(), new Uint8Array(100), new Uint8Array(16).fill(255)]) {
    folder.state.setScanRow(folder.entry("d").id, damaged);
    assert.deepEqual(await folder.statusLines(), []);
  }
  const { tree } = await folder.commit();
  assert.equal(tree, undefined);
  assert((folder.state.scanRow(folder.entry("d").id)?.length ?? 0) > 100, "the row is there again");
});

test("what a host cannot hold is no edit", async () => {
  using folder = new TestFolder({ keepsOwner: false, isRoot: false });
  write(folder, "f", "1");
  await folder.commit();
  const entry = folder.entry("f");
  // As on a file system that knows neither nanoseconds nor modes: what was observed is other than the tree.
  setTimeAt(-100, join(folder.path, "f"), (entry.mtimeNs / 2_000_000_000n) * 2_000_000_000n);
  chmodSync(join(folder.path, "f"), 0o777);
  const { recordOf, mergeRow } = await import("./scan-row.ts");
  const stat = lstat(join(folder.path, "f"));
  const { row } = await rowsOf(folder);
  folder.state.setScanRow(
    folder.entry("").id,
    mergeRow(row, { device: stat.device, put: [recordOf("f", stat)], removed: new Set() }),
  );
  assert.deepEqual(await folder.statusLines(), []);
  write(folder, "f", "edited");
  await folder.commit();
  assert.equal(folder.entry("f").meta.mode, entry.meta.mode);
  assert.equal(dotKey(folder.entry("f").metaDot), dotKey(entry.metaDot));
});

test("a chain of renames, as of rotated logs, keeps every id", async () => {
  using folder = new TestFolder();
  for (const name of ["log", "log.1", "log.2"]) write(folder, name, `this is ${name}`);
  await folder.commit();
  const before = folder.entries();
  rmSync(join(folder.path, "log.2"));
  renameSync(join(folder.path, "log.1"), join(folder.path, "log.2"));
  renameSync(join(folder.path, "log"), join(folder.path, "log.1"));
  write(folder, "log", "a fresh one");
  assert.deepEqual(
    shown(await folder.statusLines()),
    ["add log", "rename log.1 from log", "rename log.2 from log.1", "remove log.2"].sort((a, b) =>
      (a.split(" ")[1] ?? "").localeCompare(b.split(" ")[1] ?? ""),
    ),
  );
  await folder.commit();
  assert.deepEqual(folder.entry("log.1").id, before.get("log")?.id);
  assert.deepEqual(folder.entry("log.2").id, before.get("log.1")?.id);
  assert.notDeepEqual(folder.entry("log").id, before.get("log")?.id);
  assert.deepEqual(await folder.statusLines(), []);
});

test("a file saved by an editor that renames stays the same file", async () => {
  using folder = new TestFolder();
  write(folder, "f", "before");
  await folder.commit();
  const { id } = folder.entry("f");
  write(folder, ".f.swp", "after");
  renameSync(join(folder.path, ".f.swp"), join(folder.path, "f"));
  assert.deepEqual(shown(await folder.statusLines()), ["change f (content mtime)"]);
  await folder.commit();
  assert.deepEqual(folder.entry("f").id, id);
});

test("an inode that was given to another file is no rename", async () => {
  using folder = new TestFolder();
  for (let index = 0; index < 20; index += 1) write(folder, `old${index}`, `old content ${index}`);
  await folder.commit();
  for (let index = 0; index < 20; index += 1) rmSync(join(folder.path, `old${index}`));
  for (let index = 0; index < 20; index += 1) write(folder, `new${index}`, `new content ${index}`);
  const { counts } = await folder.commit();
  assert.deepEqual(counts, { added: 20, changed: 0, removed: 20, renamed: 0, times: 1 });
});

test("symlinks are not followed, also in place of a directory that was committed", async () => {
  using folder = new TestFolder();
  write(folder, "d/f", "inside");
  await folder.commit();
  mkdirSync(join(folder.place, "outside"));
  writeFileSync(join(folder.place, "outside/f"), "outside");
  rmSync(join(folder.path, "d"), { recursive: true });
  symlinkSync("../outside", join(folder.path, "d"));
  await folder.commit();
  assert.deepEqual([...folder.entries().keys()], ["", "d"]);
  assert.equal(readFileSync(join(folder.path, "d/f"), "utf8"), "outside");
});

test("one name of a linked file is touched: every name shows it, and stays linked", async () => {
  using folder = new TestFolder();
  write(folder, "a", "x");
  linkSync(join(folder.path, "a"), join(folder.path, "b"));
  await folder.commit();
  utimesSync(join(folder.path, "a"), 5, 5);
  assert.deepEqual(await folder.statusLines(), ["change a (mtime)", "change b (mtime)"]);
  await folder.commit();
  assert.deepEqual(folder.entry("a").meta.link, folder.entry("b").meta.link);
  rmSync(join(folder.path, "b"));
  assert.deepEqual(shown(await folder.statusLines()), ["remove b"], "the last name of a group is as it was");
});
