/** What a slip on the command line leads to: a message that says what to write, and nothing done. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runCli } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "a\n", "docs/b.txt": "b\n" });

test("a usage of several lines is printed as such", async () => {
  const { err, status } = await box.run("tag", "a", "b", "c");
  assert.equal(status, 2);
  assert.match(err, /\nUsage: ourobox tag\n {7}ourobox tag \[-f\] NAME \[COMMIT\]\n {7}ourobox tag -d NAME…\n$/);
});

test("-C with a folder that is not there does nothing, and makes none", async () => {
  for (const command of [["init"], ["status"], ["config"]]) {
    const { err, status } = await box.run("-C", "nope", ...command);
    assert.equal(err, `ourobox: Cannot work in ${join(box.folder, "nope")}: there is no such folder\n`);
    assert.equal(status, 2);
  }
  assert.equal(existsSync(join(box.folder, "nope")), false);
});

test("-C given twice goes from the first to the second, as in git", async () => {
  assert.equal((await box.run("-C", "docs", "-C", "..", "status")).status, 0);
  mkdirSync(join(box.folder, "docs/deep"));
  assert.match((await box.run("-C", "docs", "status", "-C", "nope")).err, /box\/docs\/nope: there is no such folder/);
  assert.equal((await box.run("-C", "nope", "-C", box.folder, "status")).status, 0);
});

test("an empty path is a variable that was not set, never the current folder", async () => {
  writeFileSync(join(box.folder, "a.txt"), "changed\n");
  for (const args of [
    ["restore", ""],
    ["add", ""],
    ["init", ""],
    ["restore", "--target", ""],
    ["log", "--", ""],
    ["cat", ""],
  ]) {
    const { err, status } = await box.run(...args);
    assert.match(err, /^ourobox: Cannot use "" as .*: it is empty\nWrite \. for the current folder\.\n$/);
    assert.equal(status, 2);
  }
  assert.equal(await box.ok("status", "--porcelain"), " M a.txt\n");
});

test("a folder to commit from that is not there, or is none, is said to be so", async () => {
  await box.ok("init", "--bare", "../bare");
  for (const [name, what] of [
    ["nope", "there is no such folder"],
    ["a.txt", "it is not a folder"],
    ["a.txt/below", "there is no such folder"],
  ] as const) {
    for (const flags of [[], ["--dry-run"]]) {
      const path = join(box.folder, name);
      const { err, status } = await box.run("-C", "../bare", "commit", "--from", path, ...flags);
      assert.equal(err, `ourobox: Cannot commit from ${path}: ${what}\nSay with --from where the files are.\n`);
      assert.equal(status, 1);
    }
  }
});

test("no box is made of a file, nor inside of a box's own files", async () => {
  assert.match(
    (await box.run("init", "a.txt")).err,
    /Cannot make a box in .*a\.txt: it is a file \(must be a folder\)/,
  );
  assert.match((await box.run("init", ".ourobox/sub")).err, /that is inside of a box's own files/);
  assert.equal(existsSync(join(box.folder, ".ourobox/sub")), false);
});

test("every size of chunks that is offered makes a box", async () => {
  for (const size of ["1K", "2M", "4M"]) {
    await box.ok("init", "--chunk-size", size, `../of-${size}`);
    assert.equal((await box.run("-C", `../of-${size}`, "status")).status, 0);
  }
});

test("words that every object in JavaScript has are no flags and no actions", async () => {
  assert.match((await box.run("status", "--constructor")).err, /has no such flag/);
  assert.match((await box.run("status", "--toString=1")).err, /has no such flag/);
  assert.match((await box.run("remote", "constructor")).err, /there is no such action/);
});

test("a flag of a command before its name is told from a wrong command", async () => {
  assert.match(
    (await box.run("-n", "1", "log")).err,
    /Cannot run "1".*\nThe flags of one command stand after its name/,
  );
});

test("--help without a command lists the commands", async () => {
  const { out } = await runCli([]);
  for (const args of [["--help"], ["-h"], ["-q", "--help"]]) assert.equal((await runCli(args)).out, out);
});

test("colour: a flag, then OUROBOX_COLOR, then NO_COLOR, then the config", async () => {
  const isRed = async (...args: string[]): Promise<boolean> => (await box.ok("log", ...args)).includes("\x1b[");
  await box.ok("config", "set", "ui.color", "always");
  assert.equal(await isRed(), true);
  box.env["NO_COLOR"] = "1";
  assert.equal(await isRed(), false);
  assert.equal(await isRed("--color=always"), true);
  box.env["OUROBOX_COLOR"] = "always";
  assert.equal(await isRed(), true);
  delete box.env["OUROBOX_COLOR"];
  box.env["NO_COLOR"] = "";
  assert.equal(await isRed(), true);
  delete box.env["NO_COLOR"];
});

test("--no-progress has a variable of its name", async () => {
  box.env["OUROBOX_NO_PROGRESS"] = "maybe";
  assert.match((await box.run("status")).err, /Cannot use OUROBOX_NO_PROGRESS maybe: it is true or false/);
  box.env["OUROBOX_NO_PROGRESS"] = "1";
  assert.equal((await box.run("status")).status, 0);
  delete box.env["OUROBOX_NO_PROGRESS"];
});

test("a tag does not take the name of a branch", async () => {
  const { err, status } = await box.run("tag", "main");
  assert.equal(err, 'ourobox: Cannot name a commit "main": that is a branch\n');
  assert.equal(status, 1);
});

test("a path where a commit is wanted, and the other way round, is told how to write it", async () => {
  box.write("new.txt", "n\n");
  const hints: readonly (readonly [readonly string[], RegExp])[] = [
    [["log", "a.txt"], /\nIt is a path: write `ourobox log -- a\.txt`\.\n$/],
    [["diff", "new.txt"], /\nIt is a path: write `ourobox diff -- new\.txt`\.\n$/],
    [["show", "docs"], /\nIt is a path: write `ourobox log -p -- docs`\.\n$/],
    [["log", "nothing"], /\nRun `ourobox log` to see the commits there are\.\n$/],
    [["ls", "HEAD"], /\nIt is a commit: write HEAD: or HEAD:PATH to look into it\.\n$/],
    [["restore", "HEAD", "a.txt"], /\nWrite `ourobox restore --source HEAD PATH`\.\n$/],
  ];
  for (const [args, hint] of hints) assert.match((await box.run(...args)).err, hint);
  box.write("x:y", "x\n");
  await box.ok("commit");
  assert.match((await box.run("cat", "x:y")).err, /\nA path with a colon in it is written \.\/x:y, or after --\.\n$/);
  assert.equal(await box.ok("cat", "./x:y"), "x\n");
});
