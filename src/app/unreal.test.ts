/** Boxes that hold metadata only: the folder shows what is real, nothing that is not here is taken for deleted, and what is read is brought. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { testSeeds } from "../../test/support/seeds.ts";
import { changesIn, contentOf, filesIn, namesIn, UnrealPair, writeAll } from "../../test/support/unreal-pair.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-unreal-")));
after(() => rmSync(world.folder, { recursive: true }));

const some = { "a.txt": "a\n", "d/one": "one\n", "d/two": "two\n", "d/deep/three": "three\n", "e/four": "four\n" };

test("an unreal clone has every name and no content; what is read is brought and can be read without the remote", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathB, remote } = pair;
  assert.deepEqual(filesIn(pathB), {});
  assert.deepEqual(namesIn(b), Object.keys(some).sort());
  assert.deepEqual(await changesIn(b), []);
  assert(b.store.packs().every((pack) => pack.class === "meta"));
  assert.equal(await contentOf(b, "d/deep/three"), "three\n");
  renameSync(remote, `${remote}-away`);
  assert.equal(await contentOf(b, "d/deep/three"), "three\n");
  const damage = await Array.fromAsync(b.check({ readData: true }));
  assert.deepEqual(damage, []);
  renameSync(`${remote}-away`, remote);
  assert.deepEqual(filesIn(pathB), {});
  assert.deepEqual(await changesIn(b), []);
});

test("content that no remote can give is an error that says which and why", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, remote } = pair;
  renameSync(remote, `${remote}-away`);
  await assert.rejects(contentOf(b, "a.txt"), (error) => isKind(error, "offline") && error.message.includes("origin"));
});

test("what is made in the folder is real, is pushed, and takes nothing away", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, b, pathA, pathB } = pair;
  writeAll(pathB, { "new.txt": "new\n", "d/five": "five\n" });
  assert.deepEqual(await changesIn(b), ["add d/five", "add new.txt"]);
  await pair.pushB();
  assert.deepEqual(filesIn(pathA), { ...some, "d/five": "five\n", "new.txt": "new\n" });
  assert.deepEqual(await changesIn(a), []);
  assert.deepEqual(await changesIn(b), []);
});

test("what others change stays unreal, but for what is in the folder", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathA, pathB } = pair;
  await pair.makeReal("d/one", "e");
  assert.deepEqual(filesIn(pathB), { "d/one": "one\n", "e/four": "four\n" });
  assert.deepEqual(await changesIn(b), []);
  writeAll(pathA, { "d/one": "one more\n", "d/two": "two more\n", "e/new": "new\n" });
  renameSync(join(pathA, "e"), join(pathA, "moved"));
  await pair.pushA();
  await b.pull();
  assert.deepEqual(filesIn(pathB), { "d/one": "one more\n", "moved/four": "four\n" });
  assert.deepEqual(await changesIn(b), []);
  assert.equal(await contentOf(b, "moved/new"), "new\n");
  rmSync(join(pathA, "moved"), { recursive: true });
  renameSync(join(pathA, "d/one"), join(pathA, "d/deep/one"));
  await pair.pushA();
  await b.pull();
  assert.deepEqual(filesIn(pathB), { "d/deep/one": "one more\n" });
  assert.deepEqual(await changesIn(b), []);
});

test("a copy of an unreal file that somebody has put into the folder goes on with it", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathA, pathB } = pair;
  writeAll(pathB, { "d/one": "one\n" });
  assert.deepEqual(await changesIn(b), []);
  writeAll(pathA, { "d/one": "one more\n" });
  await pair.pushA();
  await b.pull();
  assert.deepEqual(filesIn(pathB), { "d/one": "one more\n" });
  assert.deepEqual(await changesIn(b), []);
});

test("a file made in place of an unreal one is an edit, a deleted real one is deleted, a directory comes with its unreal part", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, b, pathA, pathB } = pair;
  await pair.makeReal("d/one", "e/four");
  writeAll(pathB, { "a.txt": "other\n" });
  rmSync(join(pathB, "e/four"));
  renameSync(join(pathB, "d"), join(pathB, "renamed"));
  const changes = await changesIn(b);
  assert.deepEqual(changes, ["change a.txt", "remove e/four", "rename renamed"]);
  await pair.pushB();
  assert.deepEqual(filesIn(pathA), {
    "a.txt": "other\n",
    "renamed/deep/three": "three\n",
    "renamed/one": "one\n",
    "renamed/two": "two\n",
  });
  assert(existsSync(join(pathA, "e")));
  assert.deepEqual(await changesIn(a), []);
  assert.deepEqual(await changesIn(b), []);
});

test("a directory that is removed takes along what was real in it, and no more", async () => {
  await using pair = await UnrealPair.make(world, { ...some, "d/deep/four": "4\n", "d/all/x": "x\n" });
  const { b, pathA, pathB } = pair;
  await pair.makeReal("d/one", "d/deep/three", "d/all");
  rmSync(join(pathB, "d"), { recursive: true });
  const changes = await changesIn(b);
  assert.deepEqual(changes, ["remove d/all", "remove d/deep/three", "remove d/one"]);
  await pair.pushB();
  assert.deepEqual(filesIn(pathA), { "a.txt": "a\n", "d/deep/four": "4\n", "d/two": "two\n", "e/four": "four\n" });
  assert.deepEqual(await changesIn(b), []);
  // Made again, it is the same directory.
  writeAll(pathB, { "d/six": "six\n" });
  assert.deepEqual(await changesIn(b), ["add d/six"]);
  await pair.pushB();
  assert.equal(filesIn(pathA)["d/two"], "two\n");
});

test("a lost scan is no deletion", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathA, pathB } = pair;
  await pair.makeReal("d/one");
  b.state.clearScans();
  assert.deepEqual(await changesIn(b), []);
  writeAll(pathB, { "d/one": "changed\n" });
  assert.deepEqual(await changesIn(b), ["change d/one"]);
  await pair.pushB();
  assert.deepEqual(filesIn(pathA), { ...some, "d/one": "changed\n" });
});

test("files of rules are in the folder wherever their directory is", async () => {
  await using pair = await UnrealPair.make(world, {
    ...some,
    ".ouroboxignore": "*.o\n",
    "d/.ouroboxattributes": "*.txt merge=text\n",
    "e/.ouroboxignore": "*.tmp\n",
  });
  const { b, pathA, pathB } = pair;
  assert.deepEqual(Object.keys(filesIn(pathB)), [".ouroboxignore"]);
  writeAll(pathB, { "x.o": "object\n" });
  assert.deepEqual(await changesIn(b), []);
  await pair.makeReal("e/four");
  assert.deepEqual(Object.keys(filesIn(pathB)), [".ouroboxignore", "e/.ouroboxignore", "e/four", "x.o"]);
  writeAll(pathA, { "e/.ouroboxignore": "*.bak\n", "d/.ouroboxignore": "*.bak\n" });
  await pair.pushA();
  await b.pull();
  assert.equal(filesIn(pathB)["e/.ouroboxignore"], "*.bak\n");
  assert.equal(filesIn(pathB)["d/.ouroboxignore"], undefined);
});

test("branches and restores of the whole move what is in the folder", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathB } = pair;
  await pair.makeReal("d/one");
  const first = b.head()?.commit as Uint8Array;
  await b.makeBranch("side", first);
  await b.switch({ name: "side" });
  writeAll(pathB, { "d/one": "side\n", "side.txt": "s\n" });
  await b.commit({ message: "side", all: true });
  await b.switch({ name: "main" });
  assert.deepEqual(filesIn(pathB), { "d/one": "one\n" });
  await b.restore({ source: first, paths: [], dryRun: false });
  assert.deepEqual(filesIn(pathB), { "d/one": "one\n" });
  assert.deepEqual(await changesIn(b), []);
});

test("a directory that was deleted in the folder while more of it is unreal can be brought back, and pulled into", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathA, pathB } = pair;
  const remove = (): void => rmSync(join(pathB, "d"), { recursive: true });
  const remade = { "d/one": "one\n", "d/deep/three": "three\n" };
  await pair.makeReal("d/one", "d/deep/three");
  for (const paths of [
    ["d/deep/three", "d/one"],
    ["d/deep", "d/one"],
  ]) {
    remove();
    await pair.makeReal(...paths);
    assert.deepEqual(filesIn(pathB), remade, paths.join(" "));
    assert.deepEqual(await changesIn(b), []);
  }
  remove();
  await b.mark([Buffer.from("d")], "real");
  writeAll(pathA, { "d/deep/new": "new\n" });
  await pair.pushA();
  await b.pull();
  assert.deepEqual(filesIn(pathB), { "d/deep/new": "new\n" });
  assert.deepEqual(await changesIn(b), []);
  assert.deepEqual(namesIn(b), ["a.txt", "d/deep/new", "d/two", "e/four"]);
  assert.deepEqual(await Array.fromAsync(b.check({ readData: true })), []);
});

test("a push to a place that lacks what others have written is refused", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b } = pair;
  await b.addRemote("usb", join(world.folder, "usb"));
  await assert.rejects(b.push("usb"), (error) => isKind(error, "not-found") && error.message.includes("usb"));
});

/** Goal: whatever is done in two folders, one of which holds a part, both boxes end up with the same tree and the folders with the right files. */
testSeeds("a folder that holds a part is joined like any other", 6, async (prng) => {
  const names = ["a", "b", "c", "d", "e"];
  const path = (): string => Array.from({ length: prng.int(1, 4) }, () => prng.pick(names)).join("/");
  const files: Record<string, string> = {};
  for (let left = 12; left > 0; left -= 1) {
    const at = path();
    const isFree = Object.keys(files).every((other) => !other.startsWith(`${at}/`) && !at.startsWith(`${other}/`));
    if (isFree) files[at] = `${at} ${left}\n`;
  }
  await using pair = await UnrealPair.make(world, files);
  const { a, b, pathA, pathB } = pair;
  for (let step = 0; step < 8; step += 1) {
    for (const folder of [pathA, pathB]) for (let left = prng.int(0, 4); left > 0; left -= 1) edit(prng, folder, step);
    const head = namesIn(b);
    if (prng.chance(0.4) && head.length > 0 && (await changesIn(b)).length === 0) await pair.makeReal(prng.pick(head));
    for (const box of prng.chance(0.5) ? [a, b, a, b] : [b, a, b]) await box.sync([], { force: true, message: "sync" });
    assert.deepEqual(namesIn(a), namesIn(b));
    assert.deepEqual(Object.keys(filesIn(pathA)).sort(), namesIn(a));
    const whole = filesIn(pathA);
    for (const [name, text] of Object.entries(filesIn(pathB))) assert.equal(text, whole[name], name);
    assert.deepEqual(await changesIn(b), []);
  }
  for (const name of namesIn(b)) assert.equal(await contentOf(b, name), filesIn(pathA)[name]);
  assert.deepEqual(await Array.fromAsync(b.check({ readData: true })), []);
});

/** Something that a person might do in a folder. */
function edit(prng: Prng, folder: string, step: number): void {
  const here = Object.keys(filesIn(folder));
  const at = here.length === 0 ? undefined : prng.pick(here);
  const what = prng.int(0, 6);
  if (at === undefined || what < 2)
    writeAll(folder, { [`new${step}-${prng.int(0, 9)}/f${prng.int(0, 3)}`]: `${step} ${prng.int(0, 1000)}\n` });
  else if (what === 2) writeFileSync(join(folder, at), `edited ${step} ${prng.int(0, 1000)}\n`);
  else if (what === 3) rmSync(join(folder, at));
  else if (what === 4) rmSync(join(folder, at.split("/")[0] as string), { recursive: true });
  else {
    const top = at.split("/")[0] as string;
    const to = join(folder, `moved${step}-${prng.int(0, 99)}`);
    if (!existsSync(to)) renameSync(join(folder, top), to);
  }
}
