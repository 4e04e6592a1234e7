/**
 * What every filesystem must do, of the live one: in directories that are not in the folder yet, and of files that are elsewhere and are read before anything comes
 * into the folder.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { DirectClient } from "../../test/support/fs-client-direct.ts";
import { KernelClient } from "../../test/support/fs-client-kernel.ts";
import { UnrealPair } from "../../test/support/unreal-pair.ts";
import { filesystemCases } from "../vfs/filesystem.suite.ts";
import { readingCases } from "../vfs/filesystem-reading.suite.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-live-cases-")));
const uid = process.getuid?.() ?? 0;
let pair: UnrealPair;
let live: ReturnType<typeof openLiveFilesystem>;
process.umask(0o022);

before(async () => {
  pair = await UnrealPair.make(world, { f: "f\n" });
  for (const at of filesystemCases.keys()) mkdirSync(join(pair.pathA, `case-${at}`));
  for (const [at, { asRoot, make }] of readingCases.entries()) {
    mkdirSync(join(pair.pathA, `read-${at}`));
    if (asRoot !== true || uid === 0) await make(new KernelClient(join(pair.pathA, `read-${at}`), uid));
  }
  await pair.pushA();
  await pair.b.pull();
  live = openLiveFilesystem(pair.b, { settle: async () => {}, onChange: () => {}, directory: "/mnt" });
});

after(async () => {
  await live[Symbol.asyncDispose]();
  await pair[Symbol.asyncDispose]();
  rmSync(world.folder, { recursive: true });
});

for (const [at, each] of readingCases.entries()) {
  const skip = each.asRoot === true && uid !== 0 ? "only root can" : false;
  test(`live filesystem, unreal: ${each.name}`, { skip }, async () => {
    await each.read(new DirectClient(live.filesystem, `read-${at}`));
  });
}

test("live filesystem: reading has brought nothing into the folder", () => {
  assert.deepEqual(readdirSync(pair.pathB), [".ourobox"]);
});

for (const [at, each] of filesystemCases.entries()) {
  if (each.beyondExt4 === true) continue;
  const skip = each.asRoot === true && uid !== 0 ? "only root can" : false;
  test(`live filesystem, in an unreal directory: ${each.name}`, { skip }, async () => {
    await each.run(new DirectClient(live.filesystem, `case-${at}`));
  });
}

test("live filesystem: nobody knows anything any more", () => {
  const { inodes, handles } = live.folder.held;
  assert.equal(handles, 0);
  assert.ok(inodes <= filesystemCases.length, `${inodes} inodes are live`);
});
