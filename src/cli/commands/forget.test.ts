/** `forget`, and the space that it gives back with `gc`, here and on a remote. */
import assert from "node:assert/strict";
import { readdirSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";
import { Prng } from "../../base/prng.ts";

const box = new CliBox({ "a.txt": "0\n" });
const prng = new Prng(1);

function sizeBelow(folder: string): number {
  return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
}

/** Commits "1" to "9", each with a large file of its own. */
async function commitNine(): Promise<void> {
  for (let count = 1; count <= 9; count += 1) {
    box.write("a.txt", `${count}\n`);
    box.write("large", Buffer.from(prng.bytes(60_000)).toString("latin1"));
    await box.ok("commit", "-m", `${count}`);
  }
}

const logged = async (...args: string[]): Promise<string> =>
  (await box.ok("log", "--oneline", ...args))
    .replaceAll(/^[0-9a-f]+ /gm, "")
    .trim()
    .replaceAll("\n", " ");

test("forget keeps what its rules keep: log goes on past the rest, gc frees it, check misses nothing", async () => {
  await commitNine();
  await box.ok("tag", "v4", "HEAD~5");
  const before = sizeBelow(join(box.folder, ".ourobox/packs"));
  assert.match(await box.ok("forget", "--keep-last", "2", "--dry-run"), /^[0-9a-f]+ 7\n[0-9a-f]+ 6\n/);
  assert.equal(await logged(), "9 8 7 6 5 4 3 2 1 First");
  const { out, err, status } = await box.run("forget", "--keep-last", "2", "--prune");
  assert.deepEqual([out, status], ["", 0]);
  assert.match(err, /Forgot 7 commits: 3 kept\nFreed /);
  assert.equal(await logged(), "9 8 4");
  assert.equal(await logged("--", "a.txt"), "9 8 4");
  assert.match(await box.ok("log", "--stat", "--oneline"), /a\.txt/);
  assert.ok(sizeBelow(join(box.folder, ".ourobox/packs")) < before / 2);
  assert.equal(await box.ok("check", "--read-data"), "");
  assert.equal(await box.ok("cat", "v4:a.txt"), "4\n");
  assert.equal(await box.ok("cat", "HEAD~2:a.txt"), "4\n");
  // Once more changes nothing, and the rest goes on as ever.
  assert.match((await box.run("forget", "--keep-last", "2")).err, /Nothing to forget: 3 commits kept/);
  box.write("a.txt", "10\n");
  await box.ok("commit", "-m", "10");
  assert.equal(await logged(), "10 9 8 4");
  assert.equal(await box.ok("forget", "-q", "--keep-last", "1", "--keep-tag", "v4", "--prune"), "");
  assert.equal(await logged(), "10 4");
  assert.equal(await box.ok("check", "--read-data"), "");
});

test("a forgotten commit is not used: by its id, in op log, by undo", async () => {
  await commitNine();
  const id = (await box.ok("log", "--oneline", "-n", "3")).split("\n")[2]?.split(" ")[0] ?? "";
  await box.ok("forget", "--keep-last", "1", "--prune");
  for (const args of [
    ["show", id],
    ["restore", "--source", id, "a.txt"],
    ["log", id],
    ["undo"],
    ["op", "restore", "4"],
  ]) {
    const seen = await box.run(...args);
    assert.equal(seen.status, 1, args.join(" "));
    assert.match(seen.err, /forgotten/);
  }
  assert.match(await box.ok("op", "log"), /\(forgotten\) -> [0-9a-f]+\n/);
});

test("forget wants to be told what to keep, and which remote only with --prune", async () => {
  for (const args of [[], ["--keep-last", "0"], ["--keep-within", "soon"], ["--keep-last", "1", "--remote", "nas"]]) {
    const { status, out } = await box.run("forget", ...args);
    assert.deepEqual([status, out], [2, ""], args.join(" "));
  }
  assert.match((await box.run("forget", "--keep-last", "1", "--keep-tag", "none")).err, /no such tag/);
});

test("from cron: commit, push, forget with --prune on a remote: it stays small, and a clone has what is kept", async () => {
  const place = join(box.top, "nas");
  await box.ok("remote", "add", "nas", place);
  const sizes: number[] = [];
  for (let day = 1; day <= 6; day += 1) {
    await commitNine();
    assert.equal(await box.ok("push", "-q", "nas"), "");
    const { out, err, status } = await box.run("forget", "-q", "--keep-last", "2", "--prune", "--remote", "nas");
    assert.deepEqual([out, err, status], ["", "", 0]);
    sizes.push(sizeBelow(join(place, "packs")));
    // A day goes by there.
    for (const folder of ["heads", "condemned", "packs", "index", "retention"]) {
      for (const name of readdirSync(join(place, folder))) {
        const path = join(place, folder, name);
        const { mtimeMs } = statSync(path);
        utimesSync(path, mtimeMs / 1000 - 86_400, mtimeMs / 1000 - 86_400);
      }
    }
  }
  // Each day brings ten times as much as is kept of it. What was condemned a day ago is gone.
  assert.ok((sizes[5] ?? 0) < 3 * (sizes[0] ?? 0), sizes.join());
  await box.ok("clone", place, "../clone");
  const inClone = (await box.runIn("../clone", "log", "--oneline")).out.replaceAll(/^[0-9a-f]+ /gm, "");
  assert.equal(inClone, "9\n8\n");
  assert.equal((await box.runIn("../clone", "check", "--read-data")).out, "");
  const json = JSON.parse(await box.ok("gc", "--remote", "nas", "--dry-run", "--json")) as { readonly remote: string };
  assert.equal(json.remote, "nas");
});

test("what is committed automatically thins out by itself, and what a person commits stays", async () => {
  const minute = 60_000;
  const commit = async (name: string, ...args: string[]): Promise<void> => {
    box.write("a.txt", `${name}\n`);
    box.write("large", Buffer.from(prng.bytes(60_000)).toString("latin1"));
    await box.ok(...args);
  };
  const automatic = (name: string) => commit(name, "commit", "--automatic", "-m", name);
  for (let at = 0; at < 6; at += 1) {
    await automatic(`${at}`);
    box.pass(10 * minute);
  }
  await commit("mine", "commit", "-m", "mine");
  await commit("synced", "sync", "-m", "synced");
  const before = sizeBelow(join(box.folder, ".ourobox/packs"));
  box.pass(60 * minute);
  await box.ok("config", "history.automatic", "keep");
  await automatic("kept");
  assert.equal(await logged(), "kept synced mine 5 4 3 2 1 0 First");
  await box.ok("config", "unset", "history.automatic");
  await automatic("last");
  assert.equal(await logged(), "last kept synced mine 5 First");
  assert.ok(sizeBelow(join(box.folder, ".ourobox/packs")) < before, "their space is given back");
  assert.equal(await box.ok("check", "--read-data"), "");
  // No more than once an hour.
  box.pass(50 * minute);
  await automatic("again");
  box.pass(5 * minute);
  await commit("", "sync");
  assert.equal(await logged("-n", "3"), "(automatic) again last");
  box.pass(61 * minute);
  await commit("late", "sync");
  assert.equal(await logged(), "(automatic) (automatic) synced mine 5 First");
  const packs = readdirSync(join(box.folder, ".ourobox/packs")).length;
  box.pass(24 * 60 * minute);
  await commit("a day after", "sync");
  assert.ok(readdirSync(join(box.folder, ".ourobox/packs")).length < packs, "space is given back once a day");
  assert.equal(await box.ok("check", "--read-data"), "");
});
