/** What `diff` and `log` show of new and removed directories, and of what was moved. */
import assert from "node:assert/strict";
import { mkdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "old/in/b.txt": "b\n", "gone/c.txt": "c\n", "kept.txt": "k\n" });

const rename = (from: string, to: string): void => renameSync(join(box.folder, from), join(box.folder, to));

test("diff of the folder shows every file of new and removed directories", async () => {
  box.write("new/deep/d.txt", "d\n");
  rmSync(join(box.folder, "gone"), { recursive: true });
  const names = "D  gone/\nD  gone/c.txt\nA  new/\nA  new/deep/\nA  new/deep/d.txt\n";
  assert.equal(await box.ok("diff", "--names"), names);
  const patch = await box.ok("diff");
  assert.match(patch, /^--- \/dev\/null\n\+\+\+ b\/new\/deep\/d\.txt\n@@ -0,0 \+1 @@\n\+d$/m);
  assert.match(patch, /^--- a\/gone\/c\.txt\n\+\+\+ \/dev\/null\n@@ -1 \+0,0 @@\n-c$/m);
  assert.match(await box.ok("diff", "--stat"), / 5 changed, 1 line added, 1 removed\n$/);
  assert.equal(await box.ok("diff", "--names", "--", "new"), "A  new/\nA  new/deep/\nA  new/deep/d.txt\n");
  await box.ok("commit");
  assert.equal(await box.ok("diff", "HEAD~1", "--names"), names);
  assert.equal(await box.ok("diff", "HEAD~1", "HEAD", "--names"), names);
});

test("with paths, what was moved to or from one of them is shown as moved", async () => {
  mkdirSync(join(box.folder, "new"));
  rename("a.txt", "z.txt");
  rename("old/in/b.txt", "new/b.txt");
  await box.ok("commit", "-m", "Second");
  const { out } = await box.run("log", "--names", "--", "z.txt");
  assert.match(out, /Second\n\nR {2}a\.txt -> z\.txt\n\ncommit [\s\S]*First\n\nA {2}a\.txt\n$/);
  assert.match(await box.ok("log", "-p", "-n1", "--", "new/b.txt"), /\nrenamed: old\/in\/b\.txt -> new\/b\.txt\n$/);
  const moved = "R  old/in/b.txt -> new/b.txt\n";
  assert.equal(await box.ok("diff", "--names", "HEAD~1", "HEAD", "--", "new/b.txt"), moved);
  assert.equal(await box.ok("diff", "--names", "HEAD~1", "HEAD", "--", "old"), moved);
  assert.equal(await box.ok("diff", "--names", "HEAD~1", "HEAD", "--", "kept.txt"), "");
});

test("with paths, a move of a directory above one of them is shown", async () => {
  rename("old", "young");
  await box.ok("commit", "-m", "Second");
  assert.match(await box.ok("log", "--names", "--", "young/in/b.txt"), /Second\n\nR {2}old\/ -> young\/\n\ncommit /);
});

test("diff of a folder that cannot be seen in full ends with 3, as status does", async () => {
  box.write(".OuroBox/f", "x\n");
  for (const command of ["status", "diff"]) {
    const { err, status } = await box.run(command);
    assert.match(err, /^warning: \.OuroBox: left alone: /);
    assert.equal(status, 3);
  }
  assert.equal((await box.run("diff", "HEAD", "HEAD")).status, 0);
});
