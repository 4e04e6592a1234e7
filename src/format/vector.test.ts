import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import type { VectorEntry, VersionVector } from "./commit.ts";
import { compareVectors, covers, greatestClock, joinVectors } from "./vector.ts";

const entry = (writer: number, clock: number, fill = clock): VectorEntry => ({
  writer: BigInt(writer),
  clock: BigInt(clock),
  event: new Uint8Array(8).fill(fill),
});

function randomVector(prng: Prng): VersionVector {
  return [1, 2, 3, 4].filter(() => prng.chance(0.7)).map((writer) => entry(writer, prng.int(1, 4)));
}

testSeeds("a join covers just what one of the two covers, and is the same either way round", 40, (prng) => {
  const [a, b] = [randomVector(prng), randomVector(prng)];
  const joined = joinVectors(a, b);
  assert.deepEqual(joined, joinVectors(b, a));
  for (let writer = 1; writer <= 5; writer += 1) {
    for (let clock = 1; clock <= 5; clock += 1) {
      const event = { writer: BigInt(writer), clock: BigInt(clock) };
      assert.equal(covers(joined, event), covers(a, event) || covers(b, event));
    }
  }
  const order = compareVectors(a, b);
  assert.equal(order === "equal" || order === "after", compareVectors(joined, a) === "equal");
  assert.equal(order === "equal" || order === "before", compareVectors(joined, b) === "equal");
});

test("one writer's clock given out twice is noticed", () => {
  const [a, b] = [[entry(1, 5, 1)], [entry(1, 5, 2)]];
  assert.throws(
    () => compareVectors(a, b),
    (error) => isKind(error, "diverged"),
  );
  assert.throws(
    () => joinVectors(a, b),
    (error) => isKind(error, "diverged"),
  );
});

test("the root's event is covered by every vector", () => {
  assert.ok(covers([], { writer: 0n, clock: 0n }));
  assert.ok(!covers([], { writer: 1n, clock: 1n }));
  assert.equal(greatestClock([]), 0n);
  assert.equal(greatestClock([entry(1, 3), entry(2, 2)]), 3n);
});
