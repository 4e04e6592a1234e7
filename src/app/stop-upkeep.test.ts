/** Check and gc never wait for anything: that they end when they are told to has to be made so. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { TestWorld } from "../../test/support/app-world.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { Box } from "./mod.ts";

const world = new TestWorld(mkdtempSync(join(tmpdir(), "ouro-stop-")));
after(() => rmSync(world.folder, { recursive: true }));

const path = join(world.folder, "box");
const commits = 4;
{
  await using box = await Box.init(path, world.initOptions, world.context());
  for (let count = 0; count < commits; count += 1) {
    writeFileSync(join(path, "file"), new Prng(count).bytes(9000));
    await box.commit({ message: `${count}`, all: true });
  }
}

/** What a command fails with when it is told to stop as soon as anybody can be heard. */
async function stop(work: (box: Box) => Promise<unknown>): Promise<unknown> {
  const aborter = new AbortController();
  await using stopped = await Box.open(path, { ...world.context(), signal: aborter.signal });
  setImmediate(() => aborter.abort(new OuroError("aborted", "Interrupted", { subject: "SIGINT" })));
  try {
    await work(stopped);
    return "it went on to the end";
  } catch (error) {
    if (!isKind(error)) throw error;
    return error.kind;
  }
}

test("a check can be stopped, with and without data", async () => {
  for (const readData of [true, false])
    assert.equal(await stop((each) => Array.fromAsync(each.check({ readData }))), "aborted");
});

test("a gc can be stopped, and the next one does what it has left", async () => {
  assert.equal(await stop((each) => each.gc({ dryRun: false })), "aborted");
  await using box = await Box.open(path, world.context());
  assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
  const { packsRemoved, packsWritten } = await box.gc({ dryRun: false });
  assert(packsRemoved >= 2 * commits && packsWritten === 2, `${packsRemoved} removed, ${packsWritten} written`);
  assert.deepEqual(await Array.fromAsync(box.check({ readData: true })), []);
});
