/** Keeping what was read after who reads it has been answered. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OuroError } from "../base/errors.ts";
import { LateKeeping } from "./late-keeping.ts";

const [one, two] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
const frame = (offset: number): { offset: number; bytes: Uint8Array } => ({ offset, bytes: new Uint8Array(10) });

test("what comes in a moment is kept together, a pack at a time, without anybody waiting", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const kept: string[] = [];
  await using later = new LateKeeping(async (pack, frames) => {
    kept.push(`${pack[0]}: ${frames.map(({ offset }) => offset).join(" ")}`);
    if (kept.length === 2) resolve();
  }, assert.fail);
  await later.add(one, [frame(0)], 10);
  await later.add(two, [frame(7)], 10);
  await later.add(one, [frame(10), frame(20)], 20);
  assert.deepEqual(kept, []);
  await promise;
  assert.deepEqual(kept, ["1: 0 10 20", "2: 7"]);
});

test("who brings much waits until it is kept", async () => {
  let kept = 0;
  await using later = new LateKeeping(async (_, frames) => {
    kept += frames.length;
  }, assert.fail);
  await later.add(one, [frame(0)], 1024);
  await later.add(one, [frame(10)], 16 * 2 ** 20);
  assert.equal(kept, 2);
});

test("what cannot be kept is told, and no failure of reading it; a bug is", async () => {
  const told: string[] = [];
  const failures = [new OuroError("io", "Cannot write"), new TypeError("a bug")];
  const later = new LateKeeping(
    async () => {
      const failure = failures.shift();
      if (failure !== undefined) throw failure;
    },
    ({ message }) => told.push(message),
  );
  await later.add(one, [frame(0)], 16 * 2 ** 20);
  await assert.rejects(later.add(one, [frame(0)], 16 * 2 ** 20), TypeError);
  assert.deepEqual(told, ["Cannot write"]);
});
