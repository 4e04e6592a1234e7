import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { EarlySync } from "./early-sync.ts";
import { type FolderWriter, posixWriter } from "./folder-writer.ts";

const muchBytes = 1024 ** 3;

/** A disk that fails the `failing`th sync, as the kernel does: once. */
function diskFailing(failing: number): { readonly writer: FolderWriter; syncs: number } {
  const disk = { syncs: 0, writer: posixWriter };
  const sync = (): void => {
    disk.syncs += 1;
    if (disk.syncs === failing) throw Object.assign(new Error("EIO: i/o error, syncfs"), { code: "EIO" });
  };
  disk.writer = { ...posixWriter, sync, startSync: async () => sync() };
  return disk;
}

test("what an early sync failed with is not lost, whenever it was told", async () => {
  for (const failing of [1, 2, 3]) {
    const disk = diskFailing(failing);
    const sync = new EarlySync(disk.writer, -1);
    sync.add(muchBytes);
    // The promise of a failure that nobody waits for would end the process.
    await setImmediate();
    sync.add(muchBytes);
    await sync.settle();
    await assert.rejects(sync.end(), { code: "EIO" }, `sync ${failing}`);
  }
});

test("one early sync at a time, after much was written, and one at the end", async () => {
  const disk = diskFailing(0);
  const sync = new EarlySync(disk.writer, -1);
  sync.add(1);
  assert.equal(disk.syncs, 0);
  sync.add(muchBytes);
  sync.add(muchBytes);
  assert.equal(disk.syncs, 1);
  await sync.end();
  assert.equal(disk.syncs, 2);
});
