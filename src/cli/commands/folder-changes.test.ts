/** What is told of the folder's changes: before the first commit, with picks inside of new folders, in numbers, and without reading what is new. */
import assert from "node:assert/strict";
import { chmodSync, mkdirSync, rmSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runAsNobody } from "../../../test/support/as-nobody.ts";
import { CliBox } from "../../../test/support/cli-box.ts";
import { changeFolder } from "../../../test/support/random-folder.ts";
import { testSeeds } from "../../../test/support/seeds.ts";

const box = new CliBox({});

test("before the first commit every name in the folder is new, not the folder itself", async () => {
  box.write("a.txt", "a\n");
  box.write("n/b.txt", "b\n");
  assert.equal(await box.ok("status", "--porcelain"), " A a.txt\n A n/\n");
  await box.ok("add", "a.txt");
  assert.equal(await box.ok("status", "--porcelain"), "A  a.txt\n A n/\n");
  assert.match((await box.run("commit", "--dry-run")).err, /^Would commit what was picked: 1 new\n$/);
});

test("before the first commit, too, what is ignored is not picked", async () => {
  box.write(".ouroboxignore", "*.o\n");
  box.write("x.o", "x\n");
  assert.match((await box.run("add", "x.o")).err, /^ourobox: Cannot pick x\.o: it is ignored\n/);
});

test("a path picked inside a new folder does not show all of the folder as picked", async () => {
  for (const path of ["n1/n2/q", "n1/n2/r", "n1/other/s", "n1/t"]) box.write(path, "\n");
  await box.ok("add", "n1/n2/q");
  assert.equal(await box.ok("status", "--porcelain"), "A  n1/n2/q\n A n1/n2/r\n A n1/other/\n A n1/t\n");
  await box.ok("commit");
  assert.equal(await box.ok("ls", "-R"), "n1/\nn1/n2/\nn1/n2/q\n");
});

test("a new folder of which only something is picked that is gone again is not picked", async () => {
  box.write("n1/q", "\n");
  await box.ok("add", "n1/q");
  rmSync(join(box.folder, "n1/q"));
  assert.equal(await box.ok("status", "--porcelain"), " A n1/\n");
});

test("a folder above what is picked is not picked with it", async () => {
  box.write("d/a", "\n");
  await box.ok("commit");
  chmodSync(join(box.folder, "d"), 0o700);
  box.write("d/b", "\n");
  await box.ok("add", "d/b");
  assert.equal(await box.ok("status", "--porcelain"), " m d/\nA  d/b\n");
  await box.ok("commit");
  assert.equal(await box.ok("status", "--porcelain"), " m d/\n");
});

test("a commit counts names, not the folders around them whose time moved, and --dry-run counts the same", async () => {
  box.write("d/e/a", "a\n");
  box.write("gone/b", "b\n");
  const counts = async (...args: string[]): Promise<unknown> => {
    const { added, changed, removed, renamed, times } = JSON.parse(await box.ok("commit", "--json", ...args));
    return { added, changed, removed, renamed, times };
  };
  const first = { added: 5, changed: 0, removed: 0, renamed: 0, times: 0 };
  assert.deepEqual(await counts("--dry-run"), first);
  assert.deepEqual(await counts(), first);
  box.write("d/e/new/c", "c\n");
  box.write("d/e/a", "other\n");
  rmSync(join(box.folder, "gone"), { recursive: true });
  box.write("gone", "a file\n");
  const second = { added: 2, changed: 2, removed: 0, renamed: 0, times: 2 };
  assert.deepEqual(await counts("--dry-run"), second);
  assert.deepEqual(await counts(), second);
});

test("a commit of which the only news is a folder's time says so", async () => {
  mkdirSync(join(box.folder, "d"));
  await box.ok("commit");
  utimesSync(join(box.folder, "d"), 1, 1);
  assert.equal(
    (await box.run("commit", "--dry-run")).err,
    "Would commit everything changed: only the time of a folder\n",
  );
  assert.match((await box.run("commit")).err, /^Committed everything changed: only the time of a folder, /);
});

test("unread: diff names what is new without reading it, and shows the rest around what it cannot read", async (t) => {
  if (process.geteuid?.() === 0) {
    // Root reads everything.
    const run = runAsNobody(import.meta.filename, "^unread");
    if (run === undefined) return t.skip("nobody may not read this checkout");
    assert.equal(run.status, 0, run.output);
    return;
  }
  box.write("a", "a\n");
  await box.ok("commit");
  box.write("new/b", "b\n");
  box.write("new/c", "c\n");
  chmodSync(join(box.folder, "new/b"), 0);
  const names = "A  new/\nA  new/b\nA  new/c\n";
  assert.deepEqual(await box.run("diff", "--names"), { out: names, err: "", status: 0 });
  const { out, err, status } = await box.run("diff");
  assert.match(out, /^new: new\/b\nnothing to 2 B, not readable\nnew: new\/c\n--- [\s\S]*\n\+c\n$/m);
  assert.equal(err, "warning: new/b: it cannot be read (permission denied)\n");
  assert.equal(status, 3);
});

test("unread: what cannot be read is left as it was in the last commit, and left out where it was not", async (t) => {
  if (process.geteuid?.() === 0) {
    const run = runAsNobody(import.meta.filename, "^unread");
    if (run === undefined) return t.skip("nobody may not read this checkout");
    assert.equal(run.status, 0, run.output);
    return;
  }
  for (const name of ["old", "new"]) {
    box.write(`${name}-file`, "1\n");
    box.write(`${name}-folder/x`, "x\n");
    if (name === "old") await box.ok("commit");
    box.write(`${name}-file`, "22\n");
    chmodSync(join(box.folder, `${name}-file`), 0);
    chmodSync(join(box.folder, `${name}-folder`), 0);
  }
  const { err, status } = await box.run("commit");
  assert.deepEqual(err.split("\n").slice(0, 4).sort(), [
    "warning: new-file: not committed: it cannot be read (permission denied)",
    "warning: new-folder: not committed: it cannot be read (permission denied)",
    "warning: old-file: left as in the last commit: it cannot be read (permission denied)",
    "warning: old-folder: left as in the last commit: it cannot be read (permission denied)",
  ]);
  assert.equal(status, 3);
  for (const name of ["old", "new"]) chmodSync(join(box.folder, `${name}-folder`), 0o755);
});

testSeeds("diff names the same whether new files are read (--json) or not", 6, async (prng) => {
  const folder = join(box.folder, "in");
  mkdirSync(folder);
  for (let round = 0; round < 4; round += 1) {
    for (let count = prng.int(3, 20); count > 0; count -= 1) changeFolder(prng, folder);
    const rows = (await box.ok("diff", "--names", "--json")).split("\n").filter(Boolean);
    const names = rows.map((row) => {
      const { change, path, oldPath, kind } = JSON.parse(row);
      const mark = kind === "directory" ? "/" : "";
      return `${change === "add" ? "A" : change === "remove" ? "D" : change === "rename" ? "R" : "*"}  ${oldPath === undefined ? "" : `${oldPath}${mark} -> `}${path}${mark}`;
    });
    assert.deepEqual(
      (await box.ok("diff", "--names"))
        .replaceAll(/^[mMT] /gm, "* ")
        .trimEnd()
        .split("\n"),
      names,
    );
    await box.ok("commit");
    assert.deepEqual(await box.ok("diff", "--names"), "");
  }
});
