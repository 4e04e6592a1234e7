/** What is made real comes to stay, what is made unreal goes where others have it, and marks say what becomes of what others write. */
import assert from "node:assert/strict";
import { existsSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { changesIn, contentOf, filesIn, namesIn, UnrealPair, writeAll } from "../../test/support/unreal-pair.ts";
import { isKind } from "../base/errors.ts";
import type { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-realize-")));
after(() => rmSync(world.folder, { recursive: true }));

const path = (text: string): Uint8Array => Buffer.from(text);
const big = (letter: string): string => Array.from({ length: 20_000 }, (_, at) => `${letter}${at}`).join(" ");
const some = {
  "a.txt": "a\n",
  "d/one": big("one"),
  "d/two": big("two"),
  "d/deep/three": "three\n",
  "e/four": "four\n",
};

function bytesHere(box: Box): number {
  return box.store.packs().reduce((sum, { name, class: packClass }) => {
    if (packClass !== "content") return sum;
    const { frames, frameOffsets, frameSealed } = box.store.sparse.directory(name);
    const absent = box.store.sparse.absentFrames(name);
    for (let frame = 0; frame < frames; frame += 1)
      if (!absent.has(frameOffsets[frame] as number)) sum += frameSealed[frame] as number;
    return sum;
  }, 0);
}

test("what is realized is in the folder, goes on coming, and leaves what stands there alone", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathA, pathB } = pair;
  writeAll(pathB, { "d/two": "mine\n" });
  const { files } = await b.realize([path("d"), path("d/deep")]);
  assert.equal(files, 2);
  assert.deepEqual(filesIn(pathB), { "d/deep/three": "three\n", "d/one": some["d/one"], "d/two": "mine\n" });
  assert.deepEqual(await changesIn(b), ["change d/two"]);
  await pair.pushB();
  writeAll(pathA, { "d/new": "new\n", "d/x/y": "y\n", "e/new": "new\n", "d/one": "one more\n" });
  await pair.pushA();
  await b.pull();
  assert.deepEqual(filesIn(pathB), {
    "d/deep/three": "three\n",
    "d/new": "new\n",
    "d/one": "one more\n",
    "d/two": "mine\n",
    "d/x/y": "y\n",
  });
  assert.deepEqual(await changesIn(b), []);
  // A mark goes along; one below it counts more.
  await b.mark([path("d/x")], "unreal");
  renameSync(join(pathA, "d"), join(pathA, "moved"));
  await pair.pushA();
  await b.pull();
  writeAll(pathA, { "moved/x/z": "z\n", "moved/newer": "newer\n" });
  await pair.pushA();
  await b.pull();
  assert(existsSync(join(pathB, "moved/newer")) && !existsSync(join(pathB, "moved/x/z")));
  assert.deepEqual(
    [...b.marks()].map((each) => `${Buffer.from(each.path)} ${each.mark}`),
    ["moved real", "moved/deep real", "moved/x unreal"],
  );
});

test("what is unrealized leaves the folder and the disk, stays in the box, and can come back", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, pathA, pathB } = pair;
  const before = bytesHere(a);
  const { files, bytes } = await a.unrealize([path("d")]);
  assert.equal(files, 3);
  assert.deepEqual(filesIn(pathA), { "a.txt": "a\n", "e/four": "four\n" });
  assert.deepEqual(await changesIn(a), []);
  assert.deepEqual(namesIn(a), Object.keys(some).sort());
  assert.equal(bytesHere(a), before - bytes);
  assert.deepEqual(await Array.fromAsync(a.check({ readData: true })), []);
  // A commit, a pull and a new index do not take it for deleted.
  writeAll(pathA, { "b.txt": "b\n", "d/new": "new\n" });
  await pair.pushA();
  a.state.clearScans();
  a.store.rebuildIndex();
  assert.deepEqual(await changesIn(a), []);
  writeAll(pathB, { "d/other": "other\n" });
  await pair.b.pull();
  await pair.pushB();
  assert(!existsSync(join(pathA, "d/other")), "what comes there is unreal");
  assert.equal(await contentOf(a, "d/one"), some["d/one"]);
  await a.realize([path("d")]);
  assert.equal(filesIn(pathA)["d/one"], some["d/one"]);
  assert.equal(filesIn(pathA)["d/other"], "other\n");
  assert.deepEqual(await changesIn(a), []);
});

test("nothing is given up that is not committed, or that no other place has", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, pathA, remote } = pair;
  writeAll(pathA, { "d/one": "changed\n" });
  await assert.rejects(a.unrealize([path("d")]), (error) => isKind(error, "diverged"));
  await a.commit({ message: "not pushed", all: true });
  const before = bytesHere(a);
  await assert.rejects(a.unrealize([path("d")]), (error) => isKind(error, "not-found"));
  await a.push();
  renameSync(remote, `${remote}-away`);
  await assert.rejects(a.unrealize([path("d")]), (error) => isKind(error, "offline"));
  renameSync(`${remote}-away`, remote);
  // The remote has lost a pack without saying so.
  const [pack] = a.store.packs().filter((each) => each.class === "content");
  const lost = join(remote, "packs", Buffer.from(pack?.name ?? "").toString("hex"));
  renameSync(lost, `${lost}-away`);
  await assert.rejects(a.unrealize([path("d")]), (error) => isKind(error, "not-found"));
  assert.equal(bytesHere(a), before);
  assert.equal(filesIn(pathA)["d/one"], "changed\n");
  assert.deepEqual([...a.marks()], []);
});

test("what was packed anew here is given up where the packs it was in are elsewhere", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, pathA, remote } = pair;
  writeAll(pathA, { "d/five": "five\n" });
  await pair.pushA();
  const [shared] = a.store.packs().filter((pack) => pack.class === "content");
  assert((await a.gc({ dryRun: false })).packsWritten > 0, "it has made packs that are here only");
  const before = bytesHere(a);
  // The remote has lost one of the packs that held it.
  const file = Buffer.from(shared?.name ?? "").toString("hex");
  renameSync(join(remote, "packs", file), join(remote, file));
  await assert.rejects(a.unrealize([path("d")]), (error) => isKind(error, "not-found"));
  renameSync(join(remote, file), join(remote, "packs", file));
  await a.unrealize([path("d")]);
  assert(bytesHere(a) < before);
  assert.equal(await contentOf(a, "d/five"), "five\n");
  assert.equal(await contentOf(a, "d/one"), some["d/one"]);
  assert.deepEqual(await Array.fromAsync(a.check({ readData: true })), []);
});

test("what others have written and was packed anew here is given up once it was pushed", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b, pathA, pathB } = pair;
  await b.realize([path("")]);
  writeAll(pathA, { "d/five": big("five") });
  await pair.pushA();
  await b.pull();
  assert((await b.gc({ dryRun: false })).packsWritten > 0);
  await b.push();
  await b.unrealize([path("d")]);
  assert.deepEqual(Object.keys(filesIn(pathB)), ["a.txt", "e/four"]);
  assert.equal(await contentOf(b, "d/five"), big("five"));
});

test("in a real box older versions stay, and content that is real elsewhere too", async () => {
  await using pair = await UnrealPair.make(world, { ...some, "copy-of-two": some["d/two"] });
  const { a, pathA, remote } = pair;
  await a.unrealize([path("d")]);
  renameSync(remote, `${remote}-away`);
  assert.equal(await contentOf(a, "copy-of-two"), some["d/two"]);
  assert.equal(await contentOf(a, "d/two"), some["d/two"], "it is the same content");
  assert.deepEqual(Object.keys(filesIn(pathA)), ["a.txt", "copy-of-two", "e/four"]);
});
