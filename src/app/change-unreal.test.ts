import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { changesIn, filesIn, namesIn, UnrealPair, writeAll } from "../../test/support/unreal-pair.ts";
import { isKind } from "../base/errors.ts";
import type { Box } from "./box.ts";
import { changeUnreal } from "./change-unreal.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-change-")));
after(() => rmSync(world.folder, { recursive: true }));

const some = { "a.txt": "a\n", "d/one": "one\n", "d/two": "two\n", "e/four": "four\n" };
const path = (text: string): Uint8Array => Buffer.from(text);

function idOf(box: Box, name: string) {
  const entry = box.find(box.head()?.commit as Uint8Array, path(name));
  assert(entry !== undefined);
  return entry.id;
}

test("an unreal file is renamed in the tree: nothing is brought, and it is the same file everywhere", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, b, pathA, pathB } = pair;
  writeAll(pathB, { "d/mine": "mine\n" });
  const id = idOf(b, "a.txt");
  await changeUnreal(b, { id, path: path("a.txt"), to: path("d/z") });
  assert.deepEqual(namesIn(b), ["d/one", "d/two", "d/z", "e/four"]);
  assert.deepEqual(filesIn(pathB), { "d/mine": "mine\n" });
  assert.equal((await b.contentShare(b.find(b.head()?.commit as Uint8Array, path("d/z")) as never)).here, 0);
  assert.deepEqual(await changesIn(b), ["add d/mine"]);
  // Meanwhile another has changed it.
  writeAll(pathA, { "a.txt": "changed\n" });
  await pair.pushA();
  await b.commit({ message: "b", all: true });
  await b.pull();
  await b.push();
  await a.pull();
  assert.deepEqual(filesIn(pathA), {
    "d/mine": "mine\n",
    "d/one": "one\n",
    "d/two": "two\n",
    "d/z": "changed\n",
    "e/four": "four\n",
  });
  assert.deepEqual(idOf(a, "d/z"), id);
});

test("a file that is no longer there, or whose new name is taken, is not renamed", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { b } = pair;
  const head = b.head()?.commit;
  for (const [from, to] of [
    ["d/two", "z"],
    ["a.txt", "d/one"],
    ["none", "z"],
  ] as const)
    await assert.rejects(changeUnreal(b, { id: idOf(b, "a.txt"), path: path(from), to: path(to) }), (thrown) =>
      isKind(thrown, "stale"),
    );
  assert.deepEqual(b.head()?.commit, head);
});

test("an unreal file gets another mode in the tree, and only that", async () => {
  await using pair = await UnrealPair.make(world, some);
  const { a, b, pathA, pathB } = pair;
  await changeUnreal(b, { id: idOf(b, "d/one"), path: path("d/one"), meta: { mode: 0o600 } });
  assert.deepEqual(filesIn(pathB), {});
  await b.push();
  await a.pull();
  assert.equal(statSync(join(pathA, "d/one")).mode & 0o777, 0o600);
  assert.deepEqual(await changesIn(a), []);
  assert.deepEqual(filesIn(pathA), some);
});
