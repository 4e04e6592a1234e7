import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { joinNs, splitNs, writeSeconds } from "./nanoseconds.ts";

function check(seconds: number, ns: number): void {
  const time = joinNs(seconds, ns);
  assert.equal(time, BigInt(seconds) * 1_000_000_000n + BigInt(ns), `${seconds} s ${ns} ns`);
  assert.deepEqual(splitNs(time), { seconds, ns });
  const bytes = Buffer.alloc(8);
  writeSeconds(bytes, seconds, 0);
  assert.equal(bytes.readBigInt64LE(), BigInt(seconds));
}

test("nanoseconds: put together and taken apart at every edge", () => {
  const edges = [0, 1, 65_535, 65_536, 65_537, 2 ** 31, 2 ** 32, 2 ** 33, 8_999_999_999, 9e9, 9_000_000_001, 2 ** 52];
  for (const edge of edges)
    for (const seconds of [edge, -edge].map((each) => each + 0))
      for (const ns of [0, 1, 65_535, 65_536, 999_999_999]) check(seconds, ns);
});

testSeeds("nanoseconds: any time", 200, (prng) => {
  for (let round = 0; round < 50; round += 1) {
    const size = 2 ** prng.int(0, 52);
    const seconds = Math.floor((prng.u32() / 2 ** 32) * size) * (prng.chance(0.5) ? 1 : -1) + 0;
    check(seconds, prng.int(0, 999_999_999));
  }
});
