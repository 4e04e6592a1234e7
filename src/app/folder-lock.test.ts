import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { TestWorld } from "../../test/support/app-world.ts";
import { toHex } from "../base/bytes.ts";
import { lockFolder } from "./folder-lock.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-lock-")));
after(() => rmSync(world.folder, { recursive: true }));

async function makeBox(name: string): Promise<{ box: Box; folder: string }> {
  const folder = join(world.folder, name);
  const box = await Box.init(folder, world.initOptions, world.context());
  writeFileSync(join(folder, "file"), "first");
  await box.commit({ message: "first", all: true });
  return { box, folder };
}

test("a commit waits for what writes the folder, says so, and is made then", async () => {
  const { box, folder } = await makeBox("waits");
  await using _ = box;
  writeFileSync(join(folder, "file"), "second");
  world.said.length = 0;
  const lock = await lockFolder(box, "alone");
  const commit = box.commit({ message: "second", all: true });
  while (world.said.length === 0) await delay(10);
  lock[Symbol.dispose]();
  const { id } = await commit;
  assert.deepEqual(world.said, ["Waiting for another command that is at work on the files of this folder."]);
  assert(id !== undefined);
  assert.equal(toHex(box.resolve("HEAD")), toHex(id));
});

test("two restores at once are done one after the other: the folder is one of the two, and nothing is lost", async () => {
  const { box, folder } = await makeBox("restores");
  await using one = box;
  const states = [one.resolve("HEAD")];
  for (const text of ["second", "third"]) {
    for (let at = 0; at < 20; at += 1) writeFileSync(join(folder, `file${at}`), `${text} ${at}`);
    const { id } = await one.commit({ message: text, all: true });
    if (id !== undefined) states.push(id);
  }
  await using other = await Box.open(folder, world.context());
  const [, second, third] = states;
  assert(second !== undefined && third !== undefined);
  await Promise.all([
    one.restore({ source: second, paths: [], dryRun: false }),
    other.restore({ source: third, paths: [], dryRun: false }),
  ]);
  const same = [second, third].map(async (source) => (await Array.fromAsync(one.diff(source, "working"))).length === 0);
  assert((await Promise.all(same)).includes(true));
});
