/** `sync`, `pull`, `merge`, `conflicts` and `resolve`: two folders that meet only through a remote. */
import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { CliBox } from "../../../test/support/cli-box.ts";

const first = { "a.txt": "1\n2\n3\n4\n5\n6\n7\n", "d/b.txt": "b\n", "d/e/c.txt": "c\n", "f/g.txt": "g\n" };
const box = new CliBox(first);

/** The other folder. */
class Other {
  get folder(): string {
    return join(box.top, "other");
  }

  ok(...args: string[]): Promise<string> {
    return box.ok("-C", this.folder, ...args);
  }

  write(path: string, text: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  read(path: string): string {
    return readFileSync(join(this.folder, path), "utf8");
  }
}

const other = new Other();
const at = (path: string): string => join(box.folder, path);
const there = (path: string): string => join(other.folder, path);
const read = (path: string): string => readFileSync(at(path), "utf8");

async function pair(): Promise<void> {
  await box.ok("remote", "add", "origin", join(box.top, "remote"));
  await box.ok("sync");
  await box.ok("clone", join(box.top, "remote"), other.folder);
}

function listing(folder: string, path = ""): string[] {
  return readdirSync(join(folder, path), { withFileTypes: true })
    .filter(({ name }) => name !== ".ourobox")
    .flatMap((each) => {
      const below = join(path, each.name);
      const { mode, mtimeMs } = statSync(join(folder, below));
      if (each.isDirectory()) return [`${below}/ ${(mode & 0o777).toString(8)}`, ...listing(folder, below)];
      return [`${below} ${(mode & 0o777).toString(8)} ${mtimeMs} ${readFileSync(join(folder, below), "utf8")}`];
    })
    .sort();
}

/** Syncs in turn until nothing moves; both folders are then the same, and say that nothing has changed. */
async function settle(): Promise<void> {
  for (let round = 0; round < 3; round += 1) {
    await box.ok("sync");
    await other.ok("sync");
  }
  assert.deepEqual(listing(box.folder), listing(other.folder));
  for (const where of [box.folder, other.folder]) {
    assert.equal(await box.ok("-C", where, "status", "-s"), "");
    const { err } = await box.run("-C", where, "sync");
    assert.equal(err, "", "a sync with nothing to do says nothing");
    assert.equal(await box.ok("-C", where, "check"), "");
  }
}

test("heads of three and more machines that were pushed at the same time are joined, and the trees are equal", async () => {
  await pair();
  const folders = [box.folder, other.folder];
  for (const name of ["third", "fourth"]) {
    const folder = join(box.top, name);
    await box.ok("clone", join(box.top, "remote"), folder);
    folders.push(folder);
  }
  for (const [index, folder] of folders.entries()) {
    // One directory is changed by all of them, one is made by each.
    writeFileSync(join(folder, `d/of-${index}`), `${index}\n`);
    mkdirSync(join(folder, `own-${index}`));
    writeFileSync(join(folder, `own-${index}/file`), `${index}\n`);
    await box.ok("-C", folder, "commit", "-m", `${index}`);
    await box.ok("-C", folder, "push");
  }
  for (const folder of folders) await box.ok("-C", folder, "pull");
  for (const folder of folders) {
    assert.deepEqual(listing(folder), listing(box.folder));
    assert.deepEqual(readdirSync(join(folder, "d")), ["b.txt", "e", "of-0", "of-1", "of-2", "of-3"]);
    assert.equal(await box.ok("-C", folder, "check", "--read-data"), "");
  }
  const heads = await Promise.all(folders.map((folder) => box.ok("-C", folder, "log", "--json", "-n", "1")));
  assert.equal(new Set(heads).size, 1, "the join is the same commit everywhere");
});

test("edits, renames and deletions of both sides come together", async () => {
  await pair();
  box.write("a.txt", "here\n");
  renameSync(at("d"), at("moved"));
  box.write("new/here.txt", "new\n");
  other.write("d/e/c.txt", "there\n");
  other.write("d/there.txt", "there\n");
  rmSync(there("f"), { recursive: true });
  await settle();
  assert.equal(read("moved/e/c.txt"), "there\n");
  assert.equal(read("moved/there.txt"), "there\n");
  assert.equal(other.read("a.txt"), "here\n");
  assert(!existsSync(at("f")) && !existsSync(at("d")));
});

test("a file that both have changed is in conflict, the same on both, until one resolves it for both", async () => {
  await pair();
  box.write("a.txt", "here\n");
  await box.ok("commit", "-m", "Here");
  other.write("a.txt", "there\n");
  await settle();
  assert.match(await box.ok("conflicts"), /^a\.txt +2 values\n$/);
  assert.equal(await other.ok("conflicts"), await box.ok("conflicts"));
  assert.equal(read("a.txt"), "there\n", "the latest is shown");
  assert.match(await box.ok("conflicts", "show", "a.txt"), /^a\.txt\n {2}\* +Ada .*\n +Ada .*\n$/);
  await box.ok("resolve", "--both", "a.txt");
  assert.equal(await box.ok("conflicts"), "");
  const [beside] = readdirSync(box.folder).filter((name) => name.startsWith("a ("));
  assert.match(beside ?? "", /^a \(Ada, 2026-11-01 10\.\d\d\)\.txt$/);
  assert.equal(read(beside ?? ""), "here\n");
  await settle();
  assert.equal(await other.ok("conflicts"), "");
});

test("a conflict can be merged line by line, picked, or settled with a file; or by an ordinary edit", async () => {
  await pair();
  const makeConflict = async (path: string, here: string, elsewhere: string): Promise<void> => {
    box.write(path, here);
    await box.ok("commit", "-m", "Here");
    other.write(path, elsewhere);
    await settle();
    assert.match(await box.ok("conflicts", path), /2 values/);
  };
  await makeConflict("a.txt", "one\n2\n3\n4\n5\n6\n7\n", "1\n2\n3\n4\n5\n6\nseven\n");
  await box.ok("resolve", "--merge", "a.txt");
  assert.equal(read("a.txt"), "one\n2\n3\n4\n5\n6\nseven\n");
  await settle();

  await makeConflict("d/b.txt", "here\n", "there\n");
  const { status, err } = await box.run("resolve", "--merge", "--all");
  assert.equal(status, 1);
  assert.match(err, /d\/b\.txt: Cannot merge: both have changed the lines from line 1 on/);
  const [, hereId = ""] = /\n.*? ([0-9a-f]{12})/.exec(await box.ok("conflicts", "show", "d/b.txt")) ?? [];
  const [commits] = JSON.parse(`[${(await box.ok("--json", "conflicts", "d/b.txt")).trim()}]`) as [
    { values: { commit: string; mine: boolean }[] },
  ];
  assert.notEqual(hereId, "");
  await box.ok("resolve", "--pick", commits.values[1]?.commit ?? "", "d/b.txt");
  assert.equal(read("d/b.txt"), "here\n");
  await settle();

  await makeConflict("d/b.txt", "here again\n", "there again\n");
  const file = join(box.top, "file");
  writeFileSync(file, "quite another\n");
  await box.ok("resolve", "--file", file, "d/b.txt");
  assert.equal(read("d/b.txt"), "quite another\n");
  await settle();

  await makeConflict("d/b.txt", "here once more\n", "there once more\n");
  other.write("d/b.txt", "edited\n");
  await settle();
  assert.equal(await box.ok("conflicts"), "");
  assert.equal(read("d/b.txt"), "edited\n");
});

test("patterns and folders choose conflicts", async () => {
  await pair();
  for (const path of ["a.txt", "d/b.txt", "d/e/c.txt"]) {
    box.write(path, "here\n");
    other.write(path, "there\n");
  }
  await settle();
  await box.ok("resolve", "--latest", "d/e/*.txt");
  assert.match(await box.ok("conflicts"), /^a\.txt .*\nd\/b\.txt .*\n$/);
  await box.runIn("d", "resolve", "--latest", "*.txt");
  assert.match(await box.ok("conflicts"), /^a\.txt .*\n$/);
  await box.ok("resolve", "--latest", "--all");
  const shown = await box.run("conflicts", "show", "nope");
  assert.deepEqual([shown.status, shown.out], [1, ""]);
  assert.match(shown.err, /Cannot show conflicts of nope: there is none/);
  assert.match((await box.run("resolve", "--latest", "--all")).err, /there is no conflict/);
  await settle();
});

test("the same name made on both sides, file against directory, opposite moves, delete against edit", async () => {
  await pair();
  box.write("both.txt", "here\n");
  other.write("both.txt", "there\n");
  box.write("kind", "a file\n");
  other.write("kind/inside.txt", "a directory\n");
  renameSync(at("d"), at("f/d"));
  renameSync(there("f"), there("d/f"));
  rmSync(at("a.txt"));
  other.write("a.txt", "edited\n");
  await settle();
  assert.equal(read("a.txt"), "edited\n", "an edit wins over a deletion");
  const all = listing(box.folder).join("\n");
  for (const text of ["here", "a file", "a directory", "b\n", "c\n", "g\n"])
    assert(all.includes(text) || text === "here", `${text} is somewhere`);
  assert.match(await box.ok("conflicts"), /^both\.txt/m);
});

test("mode and time changes come together with edits", async () => {
  await pair();
  chmodSync(at("a.txt"), 0o600);
  utimesSync(at("d/b.txt"), 1e9, 1e9);
  other.write("a.txt", "there\n");
  chmodSync(there("d/b.txt"), 0o755);
  await settle();
  assert.equal(statSync(at("a.txt")).mode & 0o777, 0o600);
  assert.equal(read("a.txt"), "there\n");
  assert.equal(statSync(at("d/b.txt")).mode & 0o777, 0o755);
});

test("a pull commits what is in its way, and leaves the rest as it is", async () => {
  await pair();
  other.write("a.txt", "there\n");
  await other.ok("sync");
  box.write("d/b.txt", "not in the way\n");
  await box.ok("pull");
  assert.equal(await box.ok("status", "-s"), " M d/b.txt\n");
  other.write("a.txt", "there again\n");
  await other.ok("sync");
  box.write("a.txt", "in the way\n");
  const { err } = await box.run("pull");
  assert.match(err, /Committed what was changed here/);
  assert.match(err, /1 file in conflict/);
  await settle();
});

test("a branch is merged, and merged again when there is more", async () => {
  await box.ok("switch", "-c", "idea");
  box.write("d/b.txt", "of the idea\n");
  await box.ok("commit", "-m", "Idea");
  await box.ok("switch", "main");
  box.write("a.txt", "of main\n");
  await box.ok("commit", "-m", "Main");
  await box.ok("merge", "idea");
  assert.equal(read("d/b.txt"), "of the idea\n");
  assert.equal(read("a.txt"), "of main\n");
  assert.match((await box.run("merge", "idea")).err, /Already up to date/);
  await box.ok("branch", "-d", "idea");
  assert.match(await box.ok("log", "--oneline"), / \(join\)\n/);
});

test("a sync that would remove most files stops and says whose work it is, until it is forced", async () => {
  for (let index = 0; index < 250; index += 1) box.write(`many/${index}`, `${index}\n`);
  await pair();
  rmSync(there("many"), { recursive: true });
  mkdirSync(there("many"));
  await other.ok("sync");
  const { status, err } = await box.run("sync");
  assert.equal(status, 1);
  assert.match(err, /would remove 250 and overwrite 0 of the 25\d files here; it comes from Ada/);
  assert.match(err, /--force/);
  assert(existsSync(at("many/7")));
  await box.ok("sync", "--force");
  assert(!existsSync(at("many/7")));
  await settle();
});

test("a remote that cannot be reached is left for the next time, and the others are served", async () => {
  await pair();
  await box.ok("remote", "add", "second", join(box.top, "second"));
  await box.ok("sync");
  renameSync(join(box.top, "remote"), join(box.top, "away"));
  box.write("a.txt", "here\n");
  const { status, err } = await box.run("sync");
  assert.equal(status, 3);
  assert.match(err, /origin: Cannot/);
  assert.match(err, /Pushed .* to second/);
  assert(!existsSync(join(box.top, "remote")), "a disk that is not mounted is not made anew");
  renameSync(join(box.top, "away"), join(box.top, "remote"));
  await settle();
});

test("conflicts are settled by attributes, on one side, for both", async () => {
  box.write(".ouroboxattributes", "*.txt merge=text\n/d/*.txt merge=keep-both\n");
  await pair();
  box.write("a.txt", "one\n2\n3\n4\n5\n6\n7\n");
  box.write("d/b.txt", "here\n");
  box.write("f/g.txt", "here\n");
  await box.ok("commit", "-m", "Here");
  other.write("a.txt", "1\n2\n3\n4\n5\n6\nseven\n");
  other.write("d/b.txt", "there\n");
  other.write("f/g.txt", "there\n");
  await settle();
  assert.equal(read("a.txt"), "one\n2\n3\n4\n5\n6\nseven\n");
  assert.equal(read("d/b.txt"), "there\n");
  const [beside] = readdirSync(at("d")).filter((name) => name.startsWith("b ("));
  assert.equal(read(`d/${beside}`), "here\n");
  assert.match(await box.ok("conflicts"), /^f\/g\.txt +2 values\n$/, "where lines are the same it is left to people");
});
