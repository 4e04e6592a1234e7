/** `push`, `fetch`, `pull` and `sync` with several remotes; what is known of each; and how many have what is committed. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const box = new CliBox({ "a.txt": "first\n", "d/b.txt": "second\n" });
const at = (name: string): string => join(box.top, name);
const headsIn = (name: string): number => readdirSync(join(at(name), "heads")).length;

async function addRemotes(...names: string[]): Promise<void> {
  for (const name of names) await box.ok("remote", "add", name, at(name));
}

test("push without names goes to all remotes; with names to these, each once", async () => {
  await addRemotes("one", "two", "three");
  await box.ok("push", "two", "two");
  assert.equal(headsIn("two"), 1);
  assert(!existsSync(at("one")) && !existsSync(at("three")));
  const { err, status } = await box.run("push");
  assert.equal(status, 0, err);
  assert.match(err, /^one: Pushed 2 packs, .*$/m);
  assert.match(err, /^two: Nothing to push$/m);
  assert.equal(headsIn("one") + headsIn("three"), 2);
  box.write("a.txt", "changed\n");
  await box.ok("commit", "-m", "Second");
  const out = await box.ok("push", "--all", "--json");
  const rows = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.deepEqual(
    rows.map(({ remote }) => remote),
    ["one", "three", "two"],
  );
  assert.equal((await box.run("push", "--all", "two")).status, 2);
  assert.equal((await box.run("push", "two", "nowhere")).status, 1);
});

test("a remote that is away does not stop the others: it has a line, and the status is 3", async () => {
  await addRemotes("one", "two");
  await box.ok("push");
  renameSync(at("one"), at("away"));
  box.write("a.txt", "changed\n");
  await box.ok("commit", "-m", "Second");
  const before = readFileSync(join(at("two"), "heads", readdirSync(join(at("two"), "heads"))[0] ?? ""));
  for (const command of ["push", "fetch", "pull", "sync"]) {
    const { err, status } = await box.run(command);
    assert.equal(status, 3, `${command}: ${err}`);
    assert.match(err, /^warning: one: Cannot .*$/m, command);
    assert(!existsSync(at("one")), "a disk that is not mounted is not made anew");
  }
  const after = readFileSync(join(at("two"), "heads", readdirSync(join(at("two"), "heads"))[0] ?? ""));
  assert.notDeepEqual(after, before);
  const { out, status } = await box.run("push", "--json");
  assert.equal(status, 3);
  assert.match(out, /^\{"failed":"one","kind":"offline","message":".*"\}$/m);
  renameSync(at("two"), at("away, too"));
  const none = await box.run("push");
  assert.equal(none.status, 1, none.err);
  assert.match(none.err, /warning: two: .*\n.*one/s);
  renameSync(at("away"), at("one"));
  assert.equal((await box.run("push", "one")).status, 0);
});

test("commit --push commits and pushes to all; what cannot be pushed is committed all the same", async () => {
  await addRemotes("one", "two");
  box.write("a.txt", "changed\n");
  const { out, err, status } = await box.run("commit", "--push", "-m", "Second");
  assert.deepEqual([status, out], [0, `${await box.ok("log", "-n", "1", "--oneline")}`.replace(" Second", "")], err);
  assert.match(err, /^Committed .*\none: Pushed 4 packs, .*\ntwo: Pushed 4 packs, /m);
  await box.ok("clone", at("one"), at("there"));
  assert.equal(readFileSync(join(at("there"), "a.txt"), "utf8"), "changed\n");
  assert.match((await box.run("commit", "--push")).err, /Nothing has changed: no commit\none: Nothing to push/);
  renameSync(at("one"), at("away"));
  box.write("a.txt", "third\n");
  const partly = await box.run("commit", "--push", "-m", "Third");
  assert.equal(partly.status, 3, partly.err);
  assert.match(partly.err, /^two: Pushed 2 packs.*\nwarning: one: Cannot /m);
  renameSync(at("two"), at("away, too"));
  box.write("a.txt", "fourth\n");
  const none = await box.run("commit", "--push", "-m", "Fourth");
  assert.equal(none.status, 1, none.err);
  assert.match(await box.ok("log", "--oneline"), / Fourth\n.* Third\n/);
  assert(!existsSync(at("one")) && !existsSync(at("two")));
  assert.match(await box.ok("commit", "--push", "--dry-run"), /^$/);
});

test("commit --push in a box without remotes says so, and commits nothing", async () => {
  box.write("a.txt", "changed\n");
  assert.equal((await box.run("commit", "--push", "-m", "Second")).status, 2);
  assert.match(await box.ok("log", "--oneline"), /^\S+ First\n$/);
});

test("fetch and pull bring what each of several remotes has; one that nobody has pushed to yet is no failure", async () => {
  await addRemotes("one");
  await box.ok("push");
  await box.ok("clone", at("one"), at("left"));
  await box.ok("clone", at("one"), at("right"));
  for (const [name, remote] of [
    ["left", "two"],
    ["right", "three"],
  ] as const) {
    writeFileSync(join(at(name), `${name}.txt`), name);
    await box.ok("-C", at(name), "commit", "-m", name);
    await box.ok("-C", at(name), "remote", "add", remote, at(remote));
    await box.ok("-C", at(name), "push", remote);
  }
  await addRemotes("two", "three", "four");
  await box.ok("fetch", "two");
  assert(!existsSync(join(box.folder, "left.txt")));
  await box.ok("pull");
  for (const name of ["left", "right"]) assert.equal(readFileSync(join(box.folder, `${name}.txt`), "utf8"), name);
  assert.equal((await box.run("fetch", "four")).status, 1, "who names it wants to know");
});

test("remote list -v says what a remote costs and when it was reached; the cheapest is read first", async () => {
  await addRemotes("one", "two");
  await box.ok("remote", "add", "web", "https://localhost:1/box");
  await box.ok("config", "set", "remote.one.cost", "20");
  assert.equal((await box.run("config", "set", "remote.one.cost", "dear")).status, 2);
  await box.ok("push", "two");
  const text = await box.ok("remote", "list", "-v");
  assert.match(text, /^one .*cost 20 +never reached$/m);
  assert.match(text, /^two .*cost 10 +reached 2026-11-01 \d\d:\d\d$/m);
  assert.match(text, /^web .*cost 100 +never reached$/m);
  assert.match(
    await box.ok("remote", "--json"),
    /^\{"remote":"two","url":".*","cost":10,"reached":"2026-11-01T10:00:.*Z"\}$/m,
  );
  assert.doesNotMatch(await box.ok("remote"), /cost/);
  await box.ok("push", "one");
  await box.ok("remote", "remove", "web");
  const { err } = await box.run("fetch");
  assert.match(err, /two: .*\none: /);
  await box.ok("remote", "rename", "one", "uno");
  assert.equal(await box.ok("config", "remote.uno.cost"), "20\n");
  await box.ok("remote", "remove", "uno");
  await addRemotes("one");
  assert.match(await box.ok("remote", "list", "-v"), /^one .*cost 10 +never reached$/m);
});

test("status says what is not yet in enough remotes, and wait waits until it is", async () => {
  assert.doesNotMatch(await box.ok("status"), /remote/, "where there is no remote nobody is asked for one");
  await addRemotes("one", "two");
  assert.match(await box.ok("status"), /^Not yet in any remote: 1 commit, up to .* to send$/m);
  await box.ok("push", "one");
  assert.doesNotMatch(await box.ok("status"), /Not yet/);
  await box.ok("config", "copies", "2");
  assert.match(await box.ok("status"), /^Not yet in 2 remotes: 1 commit, /m);
  box.write("a.txt", "changed\n");
  await box.ok("commit", "-m", "Second");
  const [first = ""] = (await box.ok("status", "--json")).split("\n");
  const { unsafe } = JSON.parse(first) as { unsafe: Record<string, number> };
  assert.deepEqual({ ...unsafe, bytes: 0 }, { copies: 2, remotes: 2, commits: 2, bytes: 0 });
  const late = await box.run("wait", "--timeout", "0");
  assert.equal(late.status, 3);
  assert.match(late.err, /Not yet in 2 remotes: 2 commits/);
  const waiting = box.run("wait");
  await box.ok("push");
  const { status, err } = await waiting;
  assert.equal(status, 0, err);
  assert.match(err, /All that is committed is in 2 remotes/);
  assert.equal((await box.run("wait", "--copies", "3")).status, 1);
  assert.equal((await box.run("wait", "--copies", "0")).status, 2);
});

test("status says what it can where an older commit is damaged", async () => {
  const packs = join(box.folder, ".ourobox/packs");
  const first = readdirSync(packs);
  box.write("a.txt", "changed\n");
  box.write("d/b.txt", "changed\n");
  await box.ok("commit", "-m", "Second");
  for (const name of first) {
    const bytes = readFileSync(join(packs, name));
    writeFileSync(
      join(packs, name),
      bytes.map((byte, index) => (index === 80 ? byte ^ 1 : byte)),
    );
  }
  await addRemotes("one");
  assert.match(await box.ok("status"), /^Not yet in any remote: 1 commit, /m);
});

test("wait counts what others bring to a remote", async () => {
  await addRemotes("one", "two");
  await box.ok("push", "one");
  await box.ok("clone", at("one"), at("other"));
  await box.ok("-C", at("other"), "remote", "add", "two", at("two"));
  await box.ok("-C", at("other"), "push", "two");
  assert.equal((await box.run("wait", "--copies", "2", "--timeout", "60")).status, 0);
});

test("a web server that gives out what another remote holds is no further copy", async () => {
  await addRemotes("one");
  await box.ok("remote", "add", "web", "http://localhost:1/box");
  await box.ok("push");
  const { status, err } = await box.run("wait", "--copies", "2");
  assert.equal(status, 1);
  assert.match(err, /there is 1 remote that could hold one/);
});

test("a push that finds all there already knows it from then on", async () => {
  await addRemotes("whole");
  await box.ok("push", "whole");
  await box.ok("remote", "copy", "whole", at("copied"));
  await addRemotes("copied");
  const others = (await box.ok("remote", "list", "--json"))
    .trim()
    .split("\n")
    .map((row) => JSON.parse(row).remote as string);
  for (const name of others) if (!["whole", "copied"].includes(name)) await box.ok("remote", "remove", name);
  await box.ok("config", "copies", "2");
  assert.match(await box.ok("status"), /Not yet in/);
  assert.match((await box.run("push", "copied")).err, /Nothing to push/);
  assert.doesNotMatch(await box.ok("status"), /Not yet in/);
});
