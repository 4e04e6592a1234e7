/** `restore --target` into a folder with things of its own. */
import assert from "node:assert/strict";
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "d/f": "f\n", "e/deep/g": "g\n", a: "a\n", b: "b\n" });

function target(): string {
  const folder = join(box.top, "target");
  mkdirSync(folder);
  return folder;
}

test("files in the way of folders are replaced, links too, and what they lead to stays as it is", async () => {
  const folder = target();
  const elsewhere = join(box.top, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(folder, "d"), "in the way\n");
  symlinkSync(elsewhere, join(folder, "e"));
  writeFileSync(join(folder, "own"), "stays\n");
  assert.match((await box.run("restore", "--target", folder)).err, /^Restored 4 files from /);
  assert.equal(readFileSync(join(folder, "d/f"), "utf8"), "f\n");
  assert.equal(readFileSync(join(folder, "e/deep/g"), "utf8"), "g\n");
  assert.deepEqual(readdirSync(elsewhere), []);
  assert.equal(readFileSync(join(folder, "own"), "utf8"), "stays\n");
});

test("an empty folder in the way of a file is replaced; one with files in it stays, is told, and the rest is written", async () => {
  const folder = target();
  symlinkSync("a", join(box.folder, "link"));
  linkSync(join(box.folder, "b"), join(box.folder, "hard"));
  await box.ok("commit");
  for (const name of ["b", "link/in", "hard/in"]) mkdirSync(join(folder, name), { recursive: true });
  mkdirSync(join(folder, "a"));
  writeFileSync(join(folder, "a/precious"), "kept\n");
  const { err, status } = await box.run("restore", "--target", folder);
  assert.equal(status, 3);
  const told = err.split("\n").filter((line) => line.startsWith("warning: "));
  const why = "left alone, for a folder with files in it is in its place";
  assert.deepEqual(told.sort(), [`warning: a: ${why}`, `warning: hard: ${why}`, `warning: link: ${why}`]);
  assert.equal(readFileSync(join(folder, "a/precious"), "utf8"), "kept\n");
  assert.equal(readFileSync(join(folder, "b"), "utf8"), "b\n");
  assert.equal(readFileSync(join(folder, "d/f"), "utf8"), "f\n");
  assert.ok(lstatSync(join(folder, "hard/in")).isDirectory());
});
