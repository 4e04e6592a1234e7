import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { readAll } from "../../test/support/fs-client.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { findLive } from "./live-lock.ts";
import { Box, openLive } from "./mod.ts";
import { parseCommitAfter } from "./mount-times.ts";

const top = mkdtempSync(join(tmpdir(), "ouro-live-"));
after(() => rmSync(top, { recursive: true }));
const readOnly = false;
const onChange = (): void => {};
const settle = async (): Promise<void> => {};

test("the folder of a box is opened live by one at a time, and others are told where", async () => {
  const world = new TestWorld(join(top, "one"));
  const path = join(world.folder, "box");
  mkdirSync(path, { recursive: true });
  writeFileSync(join(path, "f"), "content");
  await using box = await Box.init(path, world.initOptions, world.context());
  assert.equal(findLive(nodeDisk, { box: path }), undefined);
  {
    await using live = await openLive(box, { directory: "/somewhere/far", readOnly, onChange, settle });
    const client = new DirectClient(live.filesystem);
    assert.deepEqual(await client.readdir(""), ["f"]);
    assert.equal((await readAll(client, "f")).toString(), "content");
    assert.equal(findLive(nodeDisk, { box: path }), "/somewhere/far");
    await assert.rejects(openLive(box, { directory: "/a", readOnly, onChange, settle }), {
      kind: "locked",
      message: /on \/somewhere\/far$/,
    });
  }
  assert.equal(findLive(nodeDisk, { box: path }), undefined);
  await using again = await openLive(box, { directory: "/a", readOnly, onChange, settle });
  assert.equal(findLive(nodeDisk, { box: path }), "/a");
  assert.equal(readFileSync(join(path, ".ourobox/live"), "utf8"), "/a");
  assert.equal(again.log.size, 0);
});

test("a folder is not shown inside of itself, whatever it is called, and a bare box has none", async () => {
  const world = new TestWorld(join(top, "two"));
  const path = join(world.folder, "box");
  mkdirSync(path, { recursive: true });
  await Box.init(path, world.initOptions, world.context()).then((box) => box[Symbol.asyncDispose]());
  symlinkSync(path, join(world.folder, "link"));
  await using box = await Box.open(join(world.folder, "link"), world.context());
  for (const directory of [path, join(path, "d")])
    await assert.rejects(openLive(box, { directory, readOnly, onChange, settle }), { kind: "usage" });
  const bare = { ...world.initOptions, bare: true };
  await using folderless = await Box.init(join(world.folder, "bare"), bare, world.context());
  await assert.rejects(openLive(folderless, { directory: "/a", readOnly, onChange, settle }), { kind: "usage" });
  assert.equal(findLive(nodeDisk, { box: path }), undefined);
});

test("times after which a mount commits are written with their unit", () => {
  const cases: readonly (readonly [string, number | undefined])[] = [
    ["5s", 5000],
    ["200ms", 200],
    ["2m", 120_000],
    ["24h", 86_400_000],
    ["off", Number.POSITIVE_INFINITY],
    ["25h", undefined],
    ["99ms", undefined],
    ["0s", undefined],
    ["5", undefined],
    ["-5s", undefined],
    ["", undefined],
  ];
  for (const [text, quietMs] of cases) assert.equal(parseCommitAfter(text), quietMs, text);
});
