import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { clockAt, clockMax, clockMs, nextClock } from "./clock.ts";
import { isKind } from "./errors.ts";

testSeeds("a clock is greater than all that was seen, and near the present where it can be", 20, (prng) => {
  let greatest = 0n;
  for (let event = 0; event < 200; event += 1) {
    const nowMs = 1_700_000_000_000 + prng.int(0, 5);
    const clock = nextClock(nowMs, greatest);
    assert(clock > greatest && clock >= clockAt(nowMs));
    assert(clockMs(clock) <= Math.max(nowMs, clockMs(greatest) + 1));
    greatest = clock;
  }
});

test("the last clock there is can be given out, and after it none, with a clear error", () => {
  const refused = (thrown: unknown): boolean => isKind(thrown, "invalid") && thrown.hint !== undefined;
  assert.equal(nextClock(0, clockMax - 1n), clockMax);
  assert.throws(() => nextClock(0, clockMax), refused);
  assert.equal(nextClock(2 ** 48 - 1, 0n), clockAt(2 ** 48 - 1));
  for (const nowMs of [2 ** 48, Number.MAX_SAFE_INTEGER]) assert.throws(() => nextClock(nowMs, 0n), refused);
});
