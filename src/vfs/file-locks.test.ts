import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { FileLocks } from "./file-locks.ts";
import type { FileLock } from "./filesystem.ts";

const never = (): AbortSignal => new AbortController().signal;
const posix = (owner: number, type: FileLock["type"], start = 0, end = Infinity): FileLock => ({
  kind: "posix",
  type,
  owner: BigInt(owner),
  pid: owner,
  start,
  end,
});
const flock = (owner: number, type: FileLock["type"]): FileLock => ({ ...posix(owner, type), kind: "flock" });

test("file locks: readers share, a writer is alone, ranges that do not meet are apart", () => {
  const locks = new FileLocks();
  locks.set(1, posix(1, "shared", 0, 9), false, never);
  locks.set(1, posix(2, "shared", 5, 14), false, never);
  assert.throws(() => locks.set(1, posix(3, "exclusive", 9, 9), false, never), { code: "EAGAIN" });
  locks.set(1, posix(3, "exclusive", 15, 20), false, never);
  locks.set(2, posix(3, "exclusive"), false, never);
  assert.equal(locks.findConflict(1, posix(9, "exclusive", 20, 30))?.owner, 3n);
  assert.equal(locks.findConflict(1, posix(9, "exclusive", 21, 30)), undefined);
  // flock does not see them.
  locks.set(1, flock(4, "exclusive"), false, never);
});

test("file locks: whoever waits is served when the lock is given back", async () => {
  const locks = new FileLocks();
  const order: string[] = [];
  locks.set(1, flock(1, "exclusive"), false, never);
  const waiting = [2, 3].map((owner) =>
    Promise.resolve(locks.set(1, flock(owner, "exclusive"), true, never)).then(() => order.push(`${owner}`)),
  );
  locks.release(1, "flock", 1n);
  await waiting[0];
  assert.deepEqual(order, ["2"]);
  locks.release(1, "flock", 2n);
  await waiting[1];
  assert.deepEqual(order, ["2", "3"]);
});

test("file locks: a wait that is interrupted ends, and takes no lock later", async () => {
  const locks = new FileLocks();
  const abort = new AbortController();
  locks.set(1, posix(1, "exclusive"), false, never);
  const waiting = locks.set(1, posix(2, "exclusive"), true, () => abort.signal);
  abort.abort();
  await assert.rejects(Promise.resolve(waiting), { code: "EINTR" });
  locks.release(1, "posix", 1n);
  assert.equal(locks.findConflict(1, posix(3, "exclusive")), undefined);
});

test("file locks: a cycle of waiting is refused to whoever would close it, across files", async () => {
  const locks = new FileLocks();
  for (const owner of [1, 2, 3]) locks.set(owner, posix(owner, "exclusive"), false, never);
  const first = locks.set(2, posix(1, "exclusive"), true, never);
  const second = locks.set(3, posix(2, "exclusive"), true, never);
  assert.throws(() => locks.set(1, posix(3, "exclusive"), true, never), { code: "EDEADLK" });
  locks.release(3, "posix", 3n);
  await second;
  locks.release(2, "posix", 2n);
  await first;
});

test("file locks: a flock changes its type in place, and is lost when that fails", () => {
  const locks = new FileLocks();
  locks.set(1, flock(1, "shared"), false, never);
  locks.set(1, flock(1, "exclusive"), false, never);
  locks.set(1, flock(1, "shared"), false, never);
  locks.set(1, flock(2, "shared"), false, never);
  assert.throws(() => locks.set(1, flock(1, "exclusive"), false, never), { code: "EAGAIN" });
  locks.set(1, flock(2, "exclusive"), false, never);
});

testSeeds("file locks: ranges are as if every byte had a lock of its own", 40, (prng) => {
  const locks = new FileLocks();
  const bytes = 24;
  const held = Array.from({ length: bytes }, () => new Map<number, FileLock["type"]>());
  for (let step = 0; step < 200; step += 1) {
    const owner = prng.int(0, 2);
    const start = prng.int(0, bytes - 1);
    const end = start + prng.int(0, bytes - start - 1);
    const type = (["shared", "exclusive", "unlock"] as const)[prng.int(0, 2)] ?? "unlock";
    const range = held.slice(start, end + 1);
    const isFree =
      type === "unlock" ||
      range.every((each) => [...each].every(([who, how]) => who === owner || (how === "shared" && type === "shared")));
    const act = (): unknown => locks.set(1, posix(owner, type, start, end), false, never);
    if (!isFree) {
      assert.throws(act, { code: "EAGAIN" });
      continue;
    }
    act();
    for (const each of range) {
      if (type === "unlock") each.delete(owner);
      else each.set(owner, type);
    }
  }
});
