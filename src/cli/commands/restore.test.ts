/** What `restore` says: names that are not UTF-8, and each warning once. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "d/b.txt": "b\n" });
/** "café" in Latin-1. */
const cafe = Buffer.from("caf\xe9", "latin1");
const inBox = (name: Buffer): Buffer => Buffer.concat([Buffer.from(`${box.folder}/`), name]);

test("a name that is not UTF-8 is told as it can be typed, in errors and warnings", async () => {
  const options = { cwd: box.folder, env: box.env, argumentBytes: [Buffer.from("restore"), cafe] };
  const { err } = await runCli(["restore", "caf\ufffd"], options);
  assert.match(
    err,
    /^ourobox: Cannot restore \$'caf\\351': it is not in [0-9a-f]{12}\nRun `ourobox log -- \$'caf\\351'` /,
  );
  writeFileSync(inBox(cafe), "coffee\n");
  await box.ok("commit");
  const target = join(box.top, "target");
  mkdirSync(Buffer.concat([Buffer.from(`${target}/`), cafe, Buffer.from("/in")]), { recursive: true });
  assert.match((await box.run("restore", "--target", target)).err, /^warning: \$'caf\\351': left alone, /);
});

test("what is wrong in the folder is told once, however often restore looks at it", async () => {
  box.write(".OuroBox/f", "x\n");
  box.write("a.txt", "changed\n");
  const { err, status } = await box.run("restore", ".");
  assert.equal(err.match(/^warning: \.OuroBox: left alone/gm)?.length, 1);
  assert.equal(status, 3, err);
});

test("a file comes back though the directory that it was in is gone, and so does a directory", async () => {
  box.write("d/other.txt", "other\n");
  box.write("d/e/deep.txt", "deep\n");
  await box.ok("commit");
  const at = (path: string): string => join(box.folder, path);
  rmSync(at("d"), { recursive: true });
  assert.match(await box.ok("diff", "--names", "--", "d/b.txt"), /^D {2}d\/b\.txt\n$/);
  assert.match((await box.run("restore", "d/b.txt")).err, /^Restored 1 file /);
  assert.equal(readFileSync(at("d/b.txt"), "utf8"), "b\n");
  assert.match((await box.run("restore", "d/e")).err, /^Restored 1 file /);
  assert.equal(await box.ok("status", "--porcelain"), " D d/other.txt\n");
  assert.deepEqual([existsSync(at("d/e/deep.txt")), existsSync(at("d/other.txt"))], [true, false]);
  rmSync(at("d"), { recursive: true });
  await box.ok("add", "d/e/deep.txt");
  await box.ok("commit");
  assert.equal(await box.ok("ls", "-R"), "a.txt\nd/\nd/b.txt\nd/e/\nd/other.txt\n");
  await box.ok("commit");
  assert.equal(await box.ok("ls", "-R"), "a.txt\n");
});

test("what is below a directory in whose place something else stands is not restored, and that is said", async () => {
  rmSync(join(box.folder, "d"), { recursive: true });
  box.write("d", "a file\n");
  const { err, status } = await box.run("restore", "d/b.txt");
  assert.equal(status, 1, err);
  assert.match(
    err,
    /^ourobox: Cannot restore d\/b\.txt: d is no folder any more\nBring it back whole: `ourobox restore d`\./,
  );
  assert.match((await box.run("restore", "d")).err, /^Saved what was there [\s\S]*Restored 1 file/);
  assert.equal(readFileSync(join(box.folder, "d/b.txt"), "utf8"), "b\n");
});
