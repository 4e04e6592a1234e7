/** A branch that is mounted beside the box's folder: what is written there, killed there, and what others do with the branch meanwhile. */
import assert from "node:assert/strict";
import {
  chmodSync,
  cpSync,
  existsSync,
  lutimesSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { TestWorld } from "../../test/support/app-world.ts";
import { readAll, writeAll } from "../../test/support/fs-client.ts";
import { MountedBranch } from "../../test/support/mounted-branch.ts";
import {
  changesIn,
  contentOf,
  filesIn,
  namesIn,
  UnrealPair,
  writeAll as writeFiles,
} from "../../test/support/unreal-pair.ts";
import { toHex } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";
import { Box } from "./mod.ts";
import { clearGoal, setGoal } from "./move-goal.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-branch-")));
after(() => rmSync(world.folder, { recursive: true }));
process.umask(0o022);

const some = { a: "a\n", ".ouroboxignore": "*.tmp\n", "d/one": "one\n", "d/two": "two\n", "e/f/five": "5\n" };
let count = 0;

/** A box with one commit of some files. */
async function makeBox(options: { readonly bare?: boolean } = {}): Promise<Box> {
  count += 1;
  const path = join(world.folder, `box${count}`);
  if (options.bare !== true) writeFiles(path, some);
  const box = await Box.init(path, { ...world.initOptions, ...options }, world.context());
  if (options.bare !== true) await box.commit({ message: "first", all: true });
  return box;
}

const headOf = (box: Box): Hash => Uint8Array.from(box.head()?.commit as Hash);
const branchAt = (box: Box, name: string): Hash | undefined =>
  box.branches().find((each) => each.name === name)?.commit;

test("branch folder: all of a commit is there at once, nothing is copied, and what is written is the branch's alone", async () => {
  await using box = await makeBox();
  const first = headOf(box);
  await using side = await MountedBranch.open(box, "side/way", first);
  const { client } = side;
  assert.deepEqual((await client.readdir("")).sort(), [".ouroboxignore", "a", "d", "e"]);
  assert.equal((await readAll(client, "e/f/five")).toString(), "5\n");
  assert.deepEqual(readdirSync(side.files), [".ouroboxignore"]);
  assert.deepEqual(await changesIn(side.box), []);
  await writeAll(client, "new", "new\n");
  await client.rename("d", "moved");
  await client.unlink("moved/one");
  await writeAll(client, "moved/two", "2\n");
  await writeAll(client, "out.tmp", "ignored\n");
  const committed = await side.commit();
  assert.deepEqual(namesIn(side.box), [".ouroboxignore", "a", "e/f/five", "moved/two", "new"]);
  assert.deepEqual([box.branch, side.box.branch], ["main", "side/way"]);
  assert.deepEqual([headOf(box), branchAt(box, "side/way")], [first, committed]);
  assert.deepEqual(await changesIn(box), []);
  assert.deepEqual(filesIn(join(side.files, "../../../..")), some);
  const [own, main] = [side.box.commitOf(committed), box.commitOf(first)];
  assert(own.commit.type === "event" && main.commit.type === "event");
  assert.notEqual(own.commit.writer, main.commit.writer);
  assert.deepEqual(own.commit.parents.map(toHex), [toHex(first)]);
  assert.deepEqual([side.box.operations().length, box.operations().length], [1, 1]);
  await box.gc({ dryRun: false });
  assert.equal((await readAll(client, "moved/two")).toString(), "2\n");
  const damage = await Array.fromAsync(box.check({ readData: true }));
  assert.deepEqual(damage, []);
});

test("branch folder: it has the mode and time of the box's own, and no commit says otherwise", async () => {
  await using box = await makeBox();
  const { top } = box.layout;
  rmSync(join(top, ".ouroboxignore"));
  chmodSync(top, 0o750);
  lutimesSync(top, 1_000_000_000, 1_000_000_000);
  await box.commit({ message: "mode", all: true });
  await using side = await MountedBranch.open(box, "side", headOf(box));
  assert.deepEqual((await side.box.status()).changes, []);
  const { mode, mtimeNs } = await side.client.stat("");
  assert.deepEqual([mode & 0o777, mtimeNs], [0o750, 1_000_000_000n * 1_000_000_000n]);
});

test("branch folder: both go on by themselves, and are merged, undone and restored each in its folder", async () => {
  await using box = await makeBox();
  const top = box.layout.top;
  {
    await using side = await MountedBranch.open(box, "side", headOf(box));
    await writeAll(side.client, "d/one", "of the side\n");
    const committed = await side.commit();
    writeFileSync(join(top, "a"), "of main\n");
    await box.commit({ message: "main", all: true });
    await box.merge(committed, { name: "m", acceptClock: false });
    assert.equal(readFileSync(join(top, "d/one"), "utf8"), "of the side\n");
    await side.box.merge(headOf(box), { name: "m", acceptClock: false });
    assert.equal((await readAll(side.client, "a")).toString(), "of main\n");
    assert.deepEqual(headOf(side.box), headOf(box));
    await writeAll(side.client, "a", "again\n");
    await side.commit();
    await side.box.undo(side.box.findUndone());
    assert.equal((await readAll(side.client, "a")).toString(), "of main\n");
    const source = side.box.resolve("HEAD~1");
    await side.box.restore({ source, paths: [Buffer.from("a")], dryRun: false });
    assert.equal((await readAll(side.client, "a")).toString(), "again\n");
    await side.commit();
  }
  await box.switch({ name: "side" });
  assert.equal(readFileSync(join(top, "a"), "utf8"), "again\n");
  assert.deepEqual(readdirSync(join(top, ".ourobox/branches")), []);
});

test("branch folder: what was written and not committed is found by the next mount, and nobody goes over it", async () => {
  await using box = await makeBox();
  const { top } = box.layout;
  {
    await using side = await MountedBranch.open(box, "side", headOf(box));
    await assert.rejects(MountedBranch.open(box, "side"), { kind: "locked", message: /side.*on \/mnt\/side$/ });
    await writeAll(side.client, "d/one", "edited\n");
    await side.client.unlink("a");
    for (const act of [box.switch({ name: "side" }), box.deleteBranch("side", { force: true })])
      await assert.rejects(act, { kind: "locked", message: /mounted on \/mnt\/side$/ });
  }
  await assert.rejects(box.switch({ name: "side" }), { kind: "diverged", message: /not committed, as (a|d\/one)$/ });
  await assert.rejects(box.deleteBranch("side", { force: false }), { kind: "diverged" });
  {
    await using side = await MountedBranch.open(box, "side");
    assert.deepEqual((await side.client.readdir("")).sort(), [".ouroboxignore", "d", "e"]);
    await side.commit();
  }
  await box.switch({ name: "side" });
  assert.deepEqual(filesIn(top), {
    ".ouroboxignore": "*.tmp\n",
    "d/one": "edited\n",
    "d/two": "two\n",
    "e/f/five": "5\n",
  });
});

test("branch folder: what is ignored stays for the next mount, and goes with the branch only by force", async () => {
  await using box = await makeBox();
  const first = headOf(box);
  {
    await using side = await MountedBranch.open(box, "side", first);
    await writeAll(side.client, "d/out.tmp", "ignored\n");
    await writeAll(side.client, "d/one", "edited\n");
    await side.commit();
  }
  await box.switch({ name: "side" });
  assert.equal(existsSync(join(box.layout.top, "d/out.tmp")), false);
  await box.switch({ name: "main" });
  {
    await using side = await MountedBranch.open(box, "side");
    assert.deepEqual((await side.client.readdir("d")).sort(), ["one", "out.tmp", "two"]);
    assert.deepEqual(await changesIn(side.box), []);
  }
  await box.merge(branchAt(box, "side") as Hash, { name: "m", acceptClock: false });
  await assert.rejects(box.deleteBranch("side", { force: false }), { kind: "diverged", message: /ignored, as d$/ });
  await box.deleteBranch("side", { force: true });
  assert.deepEqual(readdirSync(box.layout.branches), []);
  await using again = await MountedBranch.open(box, "side", first);
  assert.deepEqual((await again.client.readdir("d")).sort(), ["one", "two"]);
  assert.equal((await readAll(again.client, "d/one")).toString(), "one\n");
});

test("branch folder: whatever a branch is called, it has one of its own, and can be deleted", async () => {
  await using box = await makeBox();
  const names = [".", "..", "a/../b", "a", "a.b", "%2F", `${"ü/".repeat(84)}xyz`, "b/c"];
  for (const name of names) {
    await using side = await MountedBranch.open(box, name, headOf(box));
    await writeAll(side.client, "name", name);
    await side.commit();
  }
  assert.equal(readdirSync(box.layout.branches).length, names.length);
  for (const name of names) {
    await using side = await MountedBranch.open(box, name);
    assert.equal((await readAll(side.client, "name")).toString(), name);
  }
  for (const name of names) await box.deleteBranch(name, { force: true });
  assert.deepEqual([readdirSync(box.layout.branches), box.branches().length], [[], 1]);
});

test("branch folder: what says how to read a folder of a branch is no cache", async () => {
  await using pair = await UnrealPair.make(world, some);
  await pair.a.switch({ name: "side", create: headOf(pair.a) });
  writeFiles(pair.pathA, { "d/.ouroboxattributes": "*.x conflict=ours\n" });
  await pair.pushA();
  await pair.b.fetch();
  await using side = await MountedBranch.open(pair.b, "side");
  await readAll(side.client, "d/.ouroboxattributes");
  // It is kept a moment after it was read.
  while ((await pair.b.cache()).bytes === 0) await setTimeout(20);
  await writeAll(side.client, "d/new", "new\n");
  await side.commit();
  await side.box.push();
  for (const each of [pair.b, side.box]) await each.shrinkCache({ to: 0, dryRun: false });
  rmSync(pair.remote, { recursive: true });
  assert.equal(await contentOf(side.box, "d/.ouroboxattributes"), "*.x conflict=ours\n");
  await writeAll(side.client, "d/new", "newer\n");
  await side.commit();
});

test("branch folder: not for a branch that an interrupted switch is on its way to", async () => {
  await using box = await makeBox();
  await box.makeBranch("side", headOf(box));
  setGoal(box, { commit: headOf(box), onto: { branch: "side", writer: 5n } });
  await assert.rejects(MountedBranch.open(box, "side"), { kind: "invalid", message: /at hand/ });
  clearGoal(box);
  await using _ = await MountedBranch.open(box, "side");
});

test("branch folder: not for the branch at hand, one that there is, and not within another", async () => {
  await using box = await makeBox();
  await box.makeBranch("there", headOf(box));
  await assert.rejects(MountedBranch.open(box, "main"), { kind: "invalid", message: /at hand/ });
  await assert.rejects(MountedBranch.open(box, "there", headOf(box)), { kind: "exists" });
  await assert.rejects(MountedBranch.open(box, "nowhere"), { kind: "not-found", message: /^Cannot mount/ });
  await assert.rejects(MountedBranch.open(box, "a b", headOf(box)), { kind: "invalid" });
  await using side = await MountedBranch.open(box, "there");
  await box.makeBranch("inside", headOf(box));
  for (const inside of [box.layout.top, join(box.layout.top, "d"), side.files])
    await assert.rejects(MountedBranch.open(box, "inside", undefined, inside), {
      kind: "usage",
      message: /in the folder/,
    });
  await box.deleteBranch("inside", { force: false });
  const refused = { kind: "usage", message: /here: this is the branch there/ };
  await assert.rejects(side.box.switch({ name: "main" }), refused);
  await assert.rejects(side.box.deleteBranch("main", { force: true }), refused);
  await assert.rejects(side.box.beginBranch({ name: "more", create: headOf(box) }), refused);
  await assert.rejects(side.box.repair([]), refused);
  await side.box.makeBranch("more", headOf(box));
  assert.equal(box.branches().length, 3);
});

test("branch folder: a box that has lost its state has what was committed there, and at hand what was", async () => {
  await using box = await makeBox();
  const { top } = box.layout;
  {
    await using side = await MountedBranch.open(box, "side", headOf(box));
    await writeAll(side.client, "a", "side\n");
    await side.commit();
  }
  const at = branchAt(box, "side");
  await box[Symbol.asyncDispose]();
  for (const ending of ["", "-wal", "-shm"]) rmSync(join(top, `.ourobox/state.sqlite${ending}`), { force: true });
  await using again = await Box.open(top, world.context());
  assert.deepEqual([again.branch, branchAt(again, "side")], ["main", at]);
  await using side = await MountedBranch.open(again, "side");
  assert.deepEqual(await changesIn(side.box), []);
  assert.equal((await readAll(side.client, "a")).toString(), "side\n");
});

test("branch folder: a bare box and an unreal one have them, too, and what is pushed from there others can have", async () => {
  await using pair = await UnrealPair.make(world, some);
  {
    await using side = await MountedBranch.open(pair.b, "side", headOf(pair.b));
    await writeAll(side.client, "d/one", "edited\n");
    await side.commit();
    await side.box.push();
    await pair.a.fetch();
    await pair.a.switch({ name: "side" });
    assert.equal(readFileSync(join(pair.pathA, "d/one"), "utf8"), "edited\n");
    writeFileSync(join(pair.pathA, "d/two"), "from the other\n");
    await pair.pushA();
    await side.box.sync([], { force: false, message: "sync" });
    assert.equal((await readAll(side.client, "d/two")).toString(), "from the other\n");
  }
  await using bare = await makeBox({ bare: true });
  const from = mkdtempSync(join(world.folder, "from-"));
  writeFiles(from, some);
  await bare.commit({ message: "all", all: true, from });
  await using side = await MountedBranch.open(bare, "side", headOf(bare));
  await writeAll(side.client, "d/one", "edited\n");
  await side.commit();
  assert.notDeepEqual(branchAt(bare, "side"), headOf(bare));
});

test("branch folder: a copy of the box goes on with what was written there, as a writer of its own", async () => {
  await using box = await makeBox();
  {
    await using side = await MountedBranch.open(box, "side", headOf(box));
    await writeAll(side.client, "a", "edited\n");
    await side.commit();
    await writeAll(side.client, "d/one", "not committed\n");
  }
  const copy = `${box.layout.top}-copy`;
  cpSync(box.layout.top, copy, { recursive: true, preserveTimestamps: true });
  await using other = await Box.open(copy, world.context());
  const writers: bigint[] = [];
  for (const each of [box, other]) {
    await using side = await MountedBranch.open(each, "side");
    assert.deepEqual(await changesIn(side.box), ["change d/one"]);
    const { commit } = side.box.commitOf(await side.commit());
    assert(commit.type === "event");
    writers.push(commit.writer);
  }
  assert.notEqual(writers[0], writers[1]);
});

test("branch folder: a large file that is changed where it lies is in no folder, and is not gone over either", async () => {
  await using box = await makeBox();
  const large = Buffer.alloc(9 * 2 ** 20, "large ");
  writeFileSync(join(box.layout.top, "large"), large);
  await box.commit({ message: "large", all: true });
  const edit = async ({ client }: MountedBranch, text: string, at: number): Promise<void> => {
    const fd = await client.open("large", { write: true });
    await client.write(fd, at, Buffer.from(text));
    await client.fsync(fd);
    await client.close(fd);
    large.write(text, at);
  };
  {
    await using side = await MountedBranch.open(box, "side", headOf(box));
    await edit(side, "first", 5_000_000);
    assert.equal(existsSync(join(side.files, "large")), false);
  }
  await assert.rejects(box.switch({ name: "side" }), { kind: "diverged", message: /not committed, as large$/ });
  await assert.rejects(box.deleteBranch("side", { force: false }), { kind: "diverged" });
  assert.deepEqual((await box.status()).changes, []);
  {
    await using side = await MountedBranch.open(box, "side");
    assert.deepEqual(await changesIn(side.box), ["change large"]);
    await side.commit();
    await edit(side, "second", 100);
    await side.commit();
    assert.ok((await readAll(side.client, "large")).equals(large));
  }
  await box.switch({ name: "side" });
  assert.ok(readFileSync(join(box.layout.top, "large")).equals(large));
  assert.deepEqual(readdirSync(box.layout.branches), []);
  await box.switch({ name: "main" });
  await using again = await MountedBranch.open(box, "side");
  assert.ok((await readAll(again.client, "large")).equals(large));
  assert.deepEqual(await changesIn(again.box), []);
});
