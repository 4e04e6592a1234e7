import assert from "node:assert/strict";
import { existsSync, globSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { runCli, type Seen } from "../../../test/support/cli.ts";
import { CliBox } from "../../../test/support/cli-box.ts";
import { StaticServer } from "../../../test/support/static-server.ts";

const box = new CliBox({ file: "one" });
const remoteFolder = (name = "remote"): string => join(box.top, name);

beforeEach(async () => {
  box.env["OUROBOX_PASSPHRASE"] = "first";
  delete box.env["OUROBOX_NEW_PASSPHRASE"];
  await box.ok("remote", "add", "origin", "../remote");
  await box.ok("push");
});

/** Clones to a folder of its own. @param passphrase Or a recovery key. */
async function clone(passphrase: string, folder: string, remote = "remote"): Promise<Seen> {
  const env = { ...box.env, OUROBOX_PASSPHRASE: passphrase, XDG_CONFIG_HOME: join(box.top, `config-${folder}`) };
  return await runCli(["clone", remoteFolder(remote), folder], { cwd: box.top, env });
}

async function opens(passphrase: string, folder: string, remote = "remote"): Promise<boolean> {
  const { status, err } = await clone(passphrase, folder, remote);
  assert(status === 0 || status === 12, err);
  assert.equal(existsSync(join(box.top, folder, "file")), status === 0);
  if (status === 12) assert(err.includes(remoteFolder(remote)), err);
  return status === 0;
}

async function keys(): Promise<{ readonly [name: string]: string }[]> {
  return (await box.ok("key", "--json"))
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

function withNew(passphrase: string, ...args: string[]): Promise<Seen> {
  box.env["OUROBOX_NEW_PASSPHRASE"] = passphrase;
  return box.run(...args);
}

/** All that is on a remote, but for its packs. */
function textOfRemote(): string {
  return globSync("{config,keys/*}", { cwd: remoteFolder() })
    .map((name) => readFileSync(join(remoteFolder(), name), "utf8"))
    .join("\n");
}

test("key: a second passphrase opens the remote beside the first, and when that is removed, alone", async () => {
  const [first] = await keys();
  assert.deepEqual([first?.["remote"], first?.["label"], first?.["kind"]], ["origin", "passphrase", "passphrase"]);
  const added = await withNew("second", "key", "add", "--label", "Ada's laptop");
  assert.equal(added.status, 0, added.err);
  assert.equal(await opens("first", "a"), true);
  assert.equal(await opens("second", "b"), true);
  assert.equal((await withNew("x", "key", "add", "--label", "Ada's laptop")).status, 1);
  assert.match(await box.ok("key", "list"), /origin +[0-9a-f]{16} +passphrase +passphrase +2026-11-01 .* Ada\n/);
  const removed = await box.run("key", "remove", "passphrase");
  assert.equal(removed.status, 0, removed.err);
  assert.match(removed.err, /key of the box stays the same/);
  assert.equal(await opens("first", "c"), false);
  assert.equal(await opens("second", "d"), true);
  assert(!textOfRemote().includes(first?.["id"] as string) || /"removed":\["/.test(textOfRemote()));
  assert(!textOfRemote().includes("laptop"));
  const last = await box.run("key", "remove", "Ada's laptop");
  assert.equal(last.status, 1);
  assert.match(last.err, /last key/);
  assert.equal(await opens("second", "e"), true);
  // Another machine, which came by the passphrase, changes it; the first sees so.
  const env = { ...box.env, OUROBOX_PASSPHRASE: "second", OUROBOX_NEW_PASSPHRASE: "third" };
  assert.equal((await runCli(["key", "passwd"], { cwd: join(box.top, "d"), env })).status, 0);
  assert.equal(await opens("second", "f"), false);
  assert.equal(await opens("third", "g"), true);
  assert.deepEqual(
    (await keys()).map(({ label }) => label),
    ["Ada's laptop"],
  );
  await box.ok("fetch");
  await box.ok("push");
});

test("key passwd: a wrong passphrase is said at once, with the remote, and changes nothing", async () => {
  const before = textOfRemote();
  box.env["OUROBOX_PASSPHRASE"] = "wrong";
  for (const names of [[], ["origin"]]) {
    const { status, err } = await withNew("second", "key", "passwd", ...names);
    assert.equal(status, 12, err);
    assert(err.includes(remoteFolder()), err);
  }
  assert.equal(textOfRemote(), before);
});

test("key export: a recovery key opens the box however it is typed, and says where it is mistyped", async () => {
  const key = (await box.ok("key", "export")).trim();
  assert.match(key, /^ouro(-[0-9A-Z]{5}){8}$/);
  assert.equal(await opens(key, "a"), true);
  assert.equal(await opens(key.toLowerCase().replace("ouro-", "").replaceAll("-", " "), "b"), true);
  const groups = key.split("-");
  const third = groups[3] as string;
  const wrong = groups.with(3, `${third.slice(0, 4)}${third.endsWith("7") ? "8" : "7"}`).join("-");
  const { status, err } = await clone(wrong, "c");
  assert.equal(status, 12);
  assert.match(err, /mistyped: group 3 is wrong/);
  const [row] = (await keys()).filter(({ kind }) => kind === "recovery");
  box.env["OUROBOX_PASSPHRASE"] = key;
  assert.equal((await withNew("x", "key", "passwd")).status, 2);
  assert.equal((await box.run("key", "remove", row?.["id"] as string)).status, 0);
  assert.equal(await opens(key, "d"), false);
});

test("key export --out: a new file that only its owner can read, and none where no remote takes the key", async () => {
  const path = join(box.top, "recovery");
  assert.equal(await box.ok("key", "export", "--out", "../recovery"), "");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(await opens(readFileSync(path, "utf8"), "a"), true);
  const before = readFileSync(path, "utf8");
  const again = await box.run("key", "export", "--out", path);
  assert.equal(again.status, 1, again.err);
  assert.equal(readFileSync(path, "utf8"), before);
  assert.equal((await keys()).length, 2);
  assert.equal((await box.run("key", "export", "--out", join(box.top, "other"), "--label", "recovery")).status, 1);
  assert.equal(existsSync(join(box.top, "other")), false);
});

test("key forget: nothing is read until a fetch brings the key back, and a wrong passphrase drops nothing", async () => {
  const keyFile = join(box.folder, ".ourobox/keys");
  const before = readFileSync(keyFile, "utf8");
  box.env["OUROBOX_PASSPHRASE"] = "wrong";
  assert.equal((await box.run("key", "forget")).status, 12);
  assert(existsSync(keyFile));
  box.env["OUROBOX_PASSPHRASE"] = "first";
  await box.ok("key", "forget");
  assert(!existsSync(keyFile));
  const closed = await box.run("log");
  assert.equal(closed.status, 12);
  assert.match(closed.err, /ourobox fetch/);
  box.env["OUROBOX_PASSPHRASE"] = "wrong";
  assert.equal((await box.run("fetch")).status, 12);
  assert(!existsSync(keyFile));
  box.env["OUROBOX_PASSPHRASE"] = "first";
  await box.ok("fetch");
  assert.equal(readFileSync(keyFile, "utf8"), before);
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  assert.match(await box.ok("log"), /First/);
});

test("key: all remotes are changed, but for those that are named; what fails is warned of, what holds no box is not", async () => {
  await box.ok("remote", "add", "nas", "../nas");
  mkdirSync(remoteFolder("later"));
  await box.ok("remote", "add", "later", "../later");
  await box.ok("push", "nas");
  assert.equal((await withNew("second", "key", "add", "--label", "second")).status, 0);
  const only = await withNew("third", "key", "add", "--label", "third", "nas");
  assert.equal(only.status, 0, only.err);
  assert.equal(await opens("second", "a", "nas"), true);
  assert.equal(await opens("second", "b"), true);
  assert.equal(await opens("third", "c"), false);
  assert.equal(await opens("third", "d", "nas"), true);
  // Both have a first passphrase of their own.
  const both = await box.run("key", "remove", "passphrase");
  assert.equal(both.status, 2, both.err);
  assert.equal((await box.run("key", "remove", "passphrase", "nas")).status, 0);
  assert.equal(await opens("first", "e", "nas"), false);
  assert.equal(await opens("first", "f"), true);
  await box.ok("remote", "add", "away", "sftp://127.0.0.1:1/box");
  box.env["OUROBOX_SSH"] = "false";
  const partly = await box.run("key", "remove", "second");
  assert.equal(partly.status, 3, partly.err);
  assert.match(partly.err, /warning: .*127\.0\.0\.1/);
  assert.equal(await opens("second", "g"), false);
  assert.equal((await box.run("key", "list", "away")).status, 1);
});

test("key: mistakes are told", async () => {
  assert.match((await box.run("key", "ad")).err, /key add/);
  assert.equal((await box.run("key", "remove")).status, 2);
  assert.equal((await box.run("key", "remove", "nobody")).status, 1);
  assert.equal((await box.run("key", "forget", "origin")).status, 2);
  assert.equal((await box.run("key", "list", "--label", "x")).status, 2);
  assert.equal((await box.run("key", "add", "--out", "x")).status, 2);
  assert.equal((await withNew("x", "key", "add", "--label", "a\nb")).status, 2);
  assert.equal((await box.run("key", "list", "nowhere")).status, 1);
  delete box.env["OUROBOX_NEW_PASSPHRASE"];
  const nobody = await box.run("key", "add");
  assert.equal(nobody.status, 12);
  assert.match(nobody.err, /OUROBOX_NEW_PASSPHRASE/);
});

test("key: a plain box has none, and a published remote is to be published again", async () => {
  await box.ok("remote", "publish", "origin");
  assert.match((await withNew("second", "key", "add")).err, /remote publish origin/);
  writeFileSync(join(box.top, "note"), "");
  const cwd = join(box.top, "plain");
  assert.equal((await runCli(["init", "--plain", cwd], { cwd: box.top, env: box.env })).status, 0);
  const { status, err } = await runCli(["key"], { cwd, env: box.env });
  assert.equal(status, 1);
  assert.match(err, /plain/);
});

test("key: who reads through a web server sees the keys of the last publishing, and is told when these are gone", async () => {
  await box.ok("remote", "publish", "origin");
  await using server = await StaticServer.start(remoteFolder());
  const clone = (passphrase: string, folder: string): Promise<Seen> => {
    const env = { ...box.env, OUROBOX_PASSPHRASE: passphrase };
    return runCli(["clone", `${server.url}/`, folder], { cwd: box.top, env });
  };
  assert.equal((await withNew("second", "key", "passwd")).status, 0);
  const early = await clone("second", "a");
  assert.notEqual(early.status, 0);
  assert.match(early.err, /remote publish/);
  await box.ok("remote", "publish", "origin");
  const late = await clone("second", "b");
  assert.equal(late.status, 0, late.err);
  assert.equal((await clone("first", "c")).status, 12);
  // There the keys can only be read.
  await box.ok("remote", "add", "web", `${server.url}/`);
  const refused = await withNew("third", "key", "add", "web");
  assert.equal(refused.status, 1);
  assert.match(refused.err, /read/);
  const both = await withNew("third", "key", "add");
  assert.equal(both.status, 0, both.err);
  assert.equal(await opens("third", "d"), true);
});
