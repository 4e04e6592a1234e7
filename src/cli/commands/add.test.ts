/** Picking paths for the next commit: what is refused, and how it is taken back. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "b.txt": "b\n", ".ouroboxignore": "*.o\n/build/\n" });

test("what would never be committed is not picked: what is not there, what is ignored, the box itself", async () => {
  box.write("x.o", "x\n");
  box.write("build/y", "y\n");
  box.write("new.txt", "n\n");
  const missing = await box.run("add", "new.txt", "nope.txt");
  assert.equal(missing.status, 1);
  assert.match(missing.err, /^ourobox: Cannot pick nope\.txt: it is neither in the folder nor in the last commit\n/);
  for (const path of ["x.o", "build", "build/y"]) {
    const { err, status } = await box.run("add", path);
    assert.equal(status, 1);
    assert.match(err, /it is ignored\nA rule in \.ouroboxignore leaves it alone/);
  }
  assert.match((await box.run("add", ".ourobox/config")).err, /Cannot pick .*: the name \.ourobox is a spelling of/);
  assert.equal((await box.run("add", "--dry-run", "nope.txt")).status, 1);
  assert.equal(await box.ok("status", "--porcelain"), " A new.txt\n");
});

test("a file that is gone can be picked, and an empty directory", async () => {
  rmSync(join(box.folder, "a.txt"));
  box.write("new/deep/c.txt", "c\n");
  await box.ok("add", "a.txt", "new/deep");
  assert.match((await box.run("commit")).err, /^Committed what was picked: /);
  assert.equal(await box.ok("ls", "-R"), ".ouroboxignore\nb.txt\nnew/\nnew/deep/\nnew/deep/c.txt\n");
});

test("a commit of picked paths that have not changed says so, and so does status", async () => {
  box.write("b.txt", "other\n");
  await box.ok("add", "a.txt");
  assert.match(await box.ok("status"), /\n\nPicked, but not changed: 1 path \(/);
  assert.equal(
    (await box.run("commit")).err,
    "Nothing that is picked has changed: no commit (`ourobox commit -a` takes everything)\n",
  );
});

test("--undo takes back what was picked, also by the folder it is in", async () => {
  box.write("docs/c.txt", "c\n");
  box.write("b.txt", "other\n");
  await box.ok("add", "docs/c.txt", "b.txt");
  assert.equal((await box.run("add", "--undo", "b.txt")).err, "Took back 1 path\n");
  assert.match((await box.run("add", "--undo", "b.txt")).err, /Cannot take back b\.txt: it is not picked/);
  await box.ok("add", "--undo", "docs");
  assert.equal(await box.ok("status", "--porcelain"), " M b.txt\n A docs/\n");
  await box.ok("add", "b.txt");
  await box.ok("add", "--undo", ".");
  assert.match((await box.run("commit")).err, /^Committed everything changed: /);
});
