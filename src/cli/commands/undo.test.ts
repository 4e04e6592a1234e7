/** `undo` and `op`. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "d/b.txt": "b\n", "d/c.txt": "c\n" });

const at = (path: string): string => join(box.folder, path);
const read = (path: string): string => readFileSync(at(path), "utf8");

test("undo takes the last commit back as a new one, again the one before, and an undo can be undone", async () => {
  box.write("a.txt", "second\n");
  await box.ok("commit", "-m", "Second");
  renameSync(at("d"), at("e"));
  rmSync(at("e/c.txt"));
  await box.ok("commit", "-m", "Third");
  await box.ok("undo");
  assert.equal(read("d/c.txt"), "c\n");
  assert.equal(read("a.txt"), "second\n");
  assert(!existsSync(at("e")));
  assert.equal(await box.ok("status", "-s"), "");
  await box.ok("undo");
  assert.equal(read("a.txt"), "a\n");
  const log = await box.ok("op", "log");
  assert.match(log, /^5 .* undo 2 .*\n4 .* undo 3 .*\n3 .* commit .*\n2 .* commit .*\n1 .* commit .*nothing -> /);
  await box.ok("undo", "5");
  assert.equal(read("a.txt"), "second\n");
  const messages = (await box.ok("log", "--oneline")).replaceAll(/^[0-9a-f]+ /gm, "").split("\n");
  assert.deepEqual(messages, ["Undo: undo 2", "Undo: commit", "Undo: commit", "Third", "Second", "First", ""]);
  assert.equal(await box.ok("check"), "");
});

test("an earlier command is undone where later ones have not changed the same again", async () => {
  box.write("a.txt", "second\n");
  box.write("d/b.txt", "second\n");
  box.write("new.txt", "second\n");
  await box.ok("commit", "-m", "Second");
  box.write("d/b.txt", "third\n");
  box.write("other.txt", "third\n");
  await box.ok("commit", "-m", "Third");
  const { status, err } = await box.run("undo", "2");
  assert.equal(status, 3);
  assert.match(err, /d\/b\.txt: stays as it is/);
  assert.equal(read("a.txt"), "a\n");
  assert.equal(read("d/b.txt"), "third\n");
  assert.equal(read("other.txt"), "third\n");
  assert(!existsSync(at("new.txt")));
});

test("op restore goes back to what was after a command", async () => {
  for (const text of ["second\n", "third\n"]) {
    box.write("a.txt", text);
    await box.ok("commit", "-m", text);
  }
  await box.ok("op", "restore", "1");
  assert.equal(read("a.txt"), "a\n");
  await box.ok("op", "restore", "2");
  assert.equal(read("a.txt"), "second\n");
  assert.match((await box.run("op", "restore", "99")).err, /Cannot find operation 99/);
});

test("a switch is undone by going back, a first commit not at all", async () => {
  await box.ok("switch", "-c", "idea");
  box.write("a.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  await box.ok("switch", "main");
  await box.ok("undo");
  assert.match(await box.ok("branch"), /^\* idea/);
  assert.equal(read("a.txt"), "of the idea\n");
  assert.match((await box.run("undo", "1")).err, /there was nothing before it/);
});

test("uncommitted work in the way stops an undo, which then has changed nothing", async () => {
  box.write("a.txt", "second\n");
  await box.ok("commit", "-m", "Second");
  box.write("a.txt", "not committed\n");
  const { status, err } = await box.run("undo");
  assert.equal(status, 1);
  assert.match(err, /not committed: a\.txt/);
  assert.equal(read("a.txt"), "not committed\n");
  assert.match(await box.ok("log", "--oneline"), /^[0-9a-f]+ Second\n/);
});

test("undoing a pull takes others' work back: it is not done unasked", async () => {
  const remote = join(box.top, "remote");
  const other = join(box.top, "other");
  await box.ok("remote", "add", "origin", remote);
  await box.ok("push");
  await box.ok("clone", remote, other);
  writeFileSync(join(other, "a.txt"), "of the other\n");
  await box.ok("-C", other, "commit", "-m", "Other");
  await box.ok("-C", other, "push");
  await box.ok("pull");
  assert.match((await box.run("undo")).err, /without being sure/);
  assert.equal(read("a.txt"), "of the other\n");
  await box.ok("undo", "--yes");
  assert.equal(read("a.txt"), "a\n");
  await box.ok("push");
  await box.ok("-C", other, "pull");
  assert.equal(readFileSync(join(other, "a.txt"), "utf8"), "a\n");
});
