/** The commands of every day, as a user sees them: on a real folder, in this process. */
import assert from "node:assert/strict";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { runCli, type Seen } from "../../../test/support/cli.ts";

let top = "";
let box = "";
/** Each command is a second after the last. */
let nowMs = 0;

beforeEach(async () => {
  top = mkdtempSync(join(tmpdir(), "ourobox-everyday-"));
  box = join(top, "box");
  nowMs = Date.UTC(2026, 10, 1, 10);
  mkdirSync(join(box, "docs"), { recursive: true });
  writeFileSync(join(box, "a.txt"), "one\ntwo\nthree\n");
  writeFileSync(join(box, "docs/b.txt"), "b\n");
  await ok("init");
  await ok("commit", "-m", "First");
});
afterEach(() => rmSync(top, { recursive: true, force: true }));

function run(...args: string[]): Promise<Seen> {
  nowMs += 1000;
  return runCli(args, {
    cwd: box,
    nowMs,
    env: { XDG_CONFIG_HOME: join(top, "config"), OUROBOX_USER_NAME: "Ada", OUROBOX_PASSPHRASE: "secret" },
  });
}

/** Runs what should succeed. @returns Its stdout. */
async function ok(...args: string[]): Promise<string> {
  const { out, err, status } = await run(...args);
  assert.equal(status, 0, err);
  return out;
}

async function json(...args: string[]): Promise<Record<string, unknown>[]> {
  const out = await ok(...args, "--json");
  return out
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("a commit says what it took, and none is made when nothing has changed", async () => {
  appendFileSync(join(box, "a.txt"), "four\n");
  const { out, err } = await run("commit", "-m", "Second");
  assert.match(out, /^[0-9a-f]{12}\n$/);
  assert.match(err, /^Committed everything changed: 1 changed, .* added to the box\n$/);
  const again = await run("commit", "-m", "Third");
  assert.deepEqual(again, { out: "", err: "Nothing has changed: no commit\n", status: 0 });
  assert.equal((await json("commit"))[0]?.["commit"], null);
});

test("status tells new, changed, removed and renamed, in words, letters and JSON", async () => {
  appendFileSync(join(box, "a.txt"), "four\n");
  renameSync(join(box, "docs/b.txt"), join(box, "docs/c.txt"));
  writeFileSync(join(box, "new.txt"), "n\n");
  const long = await ok("status");
  assert.match(long, /^On branch main, commit [0-9a-f]{12} of 2026-11-01 \d\d:\d\d\n\nChanged:\n/);
  assert.match(long, /^ {2}changed: +a\.txt$/m);
  assert.match(long, /^ {2}renamed: +docs\/b\.txt -> docs\/c\.txt$/m);
  assert.match(long, /^ {2}new: +new\.txt$/m);
  assert.equal(await ok("status", "--porcelain"), " M a.txt\n R docs/b.txt -> docs/c.txt\n A new.txt\n");
  assert.equal(await ok("status", "--porcelain", "-z"), " M a.txt\0 R docs/c.txt\0docs/b.txt\0 A new.txt\0");
  const [first, ...changes] = await json("status");
  assert.equal(first?.["changes"], 3);
  assert.deepEqual(
    changes.map(({ change, path, oldPath }) => [change, path, oldPath]),
    [
      ["change", "a.txt", undefined],
      ["rename", "docs/c.txt", "docs/b.txt"],
      ["add", "new.txt", undefined],
    ],
  );
  await ok("commit", "-m", "All");
  assert.equal(await ok("status", "--porcelain"), "");
});

test("what is picked is what the next commit takes, as it is then", async () => {
  writeFileSync(join(box, "picked.txt"), "early\n");
  writeFileSync(join(box, "other.txt"), "x\n");
  await ok("add", "picked.txt");
  writeFileSync(join(box, "picked.txt"), "late\n");
  assert.equal(await ok("status", "--porcelain"), " A other.txt\nA  picked.txt\n");
  const { err } = await run("commit", "-m", "Picked");
  assert.match(err, /^Committed what was picked: 1 new, /);
  assert.equal(await ok("cat", "picked.txt"), "late\n");
  assert.equal(await ok("status", "--porcelain"), " A other.txt\n");
  await ok("add", "other.txt");
  writeFileSync(join(box, "third.txt"), "3\n");
  assert.match((await run("commit", "-a")).err, /^Committed everything changed: 2 new, /);
});

test("--dry-run of a commit says what it would take, and takes nothing", async () => {
  writeFileSync(join(box, "new.txt"), "n\n");
  const { out, err } = await run("commit", "--dry-run");
  assert.equal(out, "");
  assert.match(err, /^Would commit everything changed: 1 new/);
  assert.equal((await ok("log", "--oneline")).split("\n").length - 1, 1);
});

test("log lists commits newest first, and follows a path through its renames", async () => {
  renameSync(join(box, "a.txt"), join(box, "z.txt"));
  await ok("commit", "-m", "Rename");
  appendFileSync(join(box, "docs/b.txt"), "more\n");
  await ok("commit", "-m", "Elsewhere\n\nA longer text.");
  assert.match(await ok("log", "--oneline"), /^[0-9a-f]{12} Elsewhere\n[0-9a-f]{12} Rename\n[0-9a-f]{12} First\n$/);
  assert.match(await ok("log", "--oneline", "--", "z.txt"), /^[0-9a-f]{12} Rename\n[0-9a-f]{12} First\n$/);
  const full = await ok("log", "-n", "1", "--stat");
  assert.match(
    full,
    /^commit [0-9a-f]{12} \(HEAD, main\)\nAuthor: {2}Ada\nDate: {4}2026-11-01 .*\n\n {4}Elsewhere\n\n {4}A longer text\.\n\n/,
  );
  assert.match(full, /^ docs\/b\.txt \| 1 \+$/m);
  assert.match(await ok("log", "--names", "-n2"), /^R {2}a\.txt -> z\.txt$/m);
  assert.deepEqual(
    (await json("log", "-n", "1")).map(({ author, message }) => [author, message]),
    [["Ada", "Elsewhere\n\nA longer text."]],
  );
});

test("log says of a commit without a message that nobody asked for it", async () => {
  appendFileSync(join(box, "docs/b.txt"), "by itself\n");
  await ok("commit", "--automatic");
  assert.match(await ok("log", "--oneline", "-n", "1"), /^[0-9a-f]{12} \(automatic\)\n$/);
  await ok("undo");
});

test("diff shows hunks of text, names and line counts, of the folder and between commits", async () => {
  writeFileSync(join(box, "a.txt"), "one\nTWO\nthree\n");
  writeFileSync(join(box, "bin"), Uint8Array.of(0, 1, 2));
  const patch = "changed: a.txt\n--- a/a.txt\n+++ b/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+TWO\n three\n";
  assert.equal(await ok("diff", "--", "a.txt"), patch);
  assert.match(await ok("diff"), /^new: bin\nnothing to 3 B, not text\n/m);
  await ok("commit", "-m", "Second");
  assert.equal(await ok("diff"), "");
  assert.equal(await ok("diff", "HEAD~1", "HEAD", "--", "a.txt"), patch);
  assert.equal(await ok("diff", "HEAD~1", "--names"), "M  a.txt\nA  bin\n");
  assert.match(
    await ok("diff", "HEAD~1", "--stat"),
    /^ a\.txt \| 2 \+-\n bin +\| nothing to 3 B, not text\n 2 changed, 1 line added, 1 removed\n$/,
  );
  assert.match(await ok("show"), /^commit [\s\S]*Second\n\nchanged: a\.txt\n--- a/m);
});

test("ls, cat and du look into commits", async () => {
  writeFileSync(join(box, "a.txt"), "changed\n");
  await ok("commit", "-m", "Second");
  assert.equal(await ok("ls"), "a.txt\ndocs/\n");
  assert.equal(await ok("ls", "-R"), "a.txt\ndocs/\ndocs/b.txt\n");
  assert.match(
    await ok("ls", "-l", "HEAD~1:a.txt"),
    /^-rw-r--r-- +\d+ +\d+ +14 +20\d\d-\d\d-\d\d \d\d:\d\d +a\.txt\n$/,
  );
  assert.equal(await ok("cat", "HEAD~1:a.txt", "docs/b.txt"), "one\ntwo\nthree\nb\n");
  assert.deepEqual(await json("du"), [
    { path: "docs", bytes: 2, entries: 1 },
    { path: ".", bytes: 10, entries: 3 },
  ]);
  assert.match(await ok("du", "-b"), /^ 2 {4}1 entry {2}docs\n10 {2}3 entries {2}\.\n$/);
  const missing = await run("cat", "HEAD:nope");
  assert.equal(missing.status, 1);
  assert.match(missing.err, /^ourobox: Cannot find nope: it is not in HEAD\n/);
});

test("restore brings back a file of HEAD or of an older commit, and saves what it replaces", async () => {
  await ok("tag", "v1");
  writeFileSync(join(box, "a.txt"), "second\n");
  await ok("commit", "-m", "Second");
  rmSync(join(box, "a.txt"));
  await ok("restore", "a.txt");
  assert.equal(readFileSync(join(box, "a.txt"), "utf8"), "second\n");
  writeFileSync(join(box, "a.txt"), "never committed\n");
  const { err } = await run("restore", "--source", "v1", "a.txt");
  assert.match(err, /^Saved what was there as commit [0-9a-f]{12}\nRestored 1 file from /);
  assert.equal(readFileSync(join(box, "a.txt"), "utf8"), "one\ntwo\nthree\n");
  const saved = /commit ([0-9a-f]{12})/.exec(err)?.[1] ?? "";
  assert.equal(await ok("cat", `${saved}:a.txt`), "never committed\n");
});

test("restore --target writes elsewhere and leaves the folder alone", async () => {
  writeFileSync(join(box, "a.txt"), "changed\n");
  await ok("restore", "--source", "HEAD", "--target", "../copy");
  assert.equal(readFileSync(join(top, "copy/a.txt"), "utf8"), "one\ntwo\nthree\n");
  assert.equal(readFileSync(join(top, "copy/docs/b.txt"), "utf8"), "b\n");
  assert.equal(existsSync(join(top, "copy/.ourobox")), false);
  assert.equal(await ok("status", "--porcelain"), " M a.txt\n");
});

test("tags are listed, given, moved with --force and taken away", async () => {
  await ok("tag", "v1");
  assert.equal((await run("tag", "v1")).status, 1);
  writeFileSync(join(box, "a.txt"), "2\n");
  await ok("commit");
  await ok("tag", "-f", "v1");
  await ok("tag", "old", "HEAD~1");
  assert.match(await ok("tag"), /^old {2}[0-9a-f]{12}\nv1 {3}[0-9a-f]{12}\n$/);
  assert.match(await ok("log"), /^commit [0-9a-f]{12} \(HEAD, main, tag v1\)$/m);
  assert.equal(await ok("cat", "old:a.txt"), "one\ntwo\nthree\n");
  await ok("tag", "-d", "old");
  assert.equal((await run("cat", "old:a.txt")).status, 1);
});

test("a push, a clone elsewhere and a pull carry commits over a folder", async () => {
  await ok("remote", "add", "origin", join(top, "remote"));
  assert.equal(await ok("remote"), `origin  ${join(top, "remote")}\n`);
  await ok("push");
  assert.equal((await run("push")).err, "Nothing to push\n");
  const clone = join(top, "clone");
  await ok("clone", join(top, "remote"), clone);
  assert.equal(readFileSync(join(clone, "a.txt"), "utf8"), "one\ntwo\nthree\n");
  assert.equal(await ok("-C", clone, "status", "--porcelain"), "");
  writeFileSync(join(box, "a.txt"), "pushed\n");
  await ok("commit", "-m", "Second");
  await ok("push");
  await ok("-C", clone, "fetch");
  assert.equal(readFileSync(join(clone, "a.txt"), "utf8"), "one\ntwo\nthree\n");
  await ok("-C", clone, "pull");
  assert.equal(readFileSync(join(clone, "a.txt"), "utf8"), "pushed\n");
  assert.match((await run("-C", clone, "pull")).err, /Already up to date/);
});

test("a bare box takes commits of another folder, and gives them back elsewhere", async () => {
  const bare = join(top, "bare");
  await ok("init", "--bare", bare);
  rmSync(join(box, ".ourobox"), { recursive: true });
  await ok("-C", bare, "commit", "--from", box, "-m", "Backup");
  await ok("-C", bare, "restore", "--target", join(top, "back"));
  assert.equal(readFileSync(join(top, "back/docs/b.txt"), "utf8"), "b\n");
  assert.equal((await run("-C", bare, "restore", "a.txt")).status, 2);
});

test("check finds nothing wrong with a box, and gc leaves it whole", async () => {
  assert.equal((await run("check", "--read-data")).err, "No damage found\n");
  await ok("gc");
  assert.equal((await run("check", "--read-data")).status, 0);
  assert.equal(await ok("cat", "a.txt"), "one\ntwo\nthree\n");
});

test("config reads and writes settings with their origin", async () => {
  await ok("config", "set", "ui.progress", "false");
  assert.equal(
    await ok("config", "get", "ui.progress", "--show-origin"),
    `box ${join(box, ".ourobox/config")}:2\tfalse\n`,
  );
  assert.match(await ok("config", "list", "--show-origin"), /^environment OUROBOX_USER_NAME\tuser\.name = Ada$/m);
  assert.equal((await run("config", "set", "ui.color", "blue")).status, 2);
  await ok("config", "unset", "ui.progress");
  assert.equal(await ok("config", "get", "ui.progress"), "true\n");
});

test("a config file that was edited wrongly stops no command, and can be mended by one", async () => {
  writeFileSync(join(box, ".ourobox/config"), "ui.color = blue\n");
  const { err } = await run("status");
  assert.match(err, /config:1 is ignored: ui\.color cannot be "blue": it is one of auto, always, never\n$/);
  assert.equal((await run("config", "set", "ui.color", "auto")).status, 0);
  assert.equal((await run("status")).err, "");
  const unknown = await run("config", "set", "usr.name", "Ada");
  assert.match(unknown.err, /^ourobox: Cannot set "usr\.name": there is no such setting\nThere are box\.bare, /);
  assert.equal((await run("config", "toString")).err.split("\n")[1], "Run `ourobox config --help`.");
});

test("outside of a box a command ends with 10 and says how to make one", async () => {
  const { err, status } = await run("-C", top, "status");
  assert.equal(status, 10);
  assert.match(err, /ourobox init/);
});

test("a wrong passphrase ends with 12", async () => {
  await ok("remote", "add", "origin", join(top, "remote"));
  await ok("push");
  const env = { XDG_CONFIG_HOME: join(top, "config2"), OUROBOX_PASSPHRASE: "wrong" };
  assert.equal((await runCli(["clone", join(top, "remote"), "x"], { cwd: top, env })).status, 12);
});
