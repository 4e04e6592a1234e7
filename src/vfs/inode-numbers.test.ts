import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { State } from "../history/mod.ts";
import { InodeNumbers, type Numbered, numberedFile, upperNumber } from "./inode-numbers.ts";

function file(inode: number, birth: number): Numbered {
  return numberedFile({ inode: BigInt(inode), birth }) ?? assert.fail();
}

function node(index: number): Numbered {
  return { thing: new Uint8Array(20).fill(index), own: { number: upperNumber(index), generation: index } };
}

test("inode numbers: what changes sides takes its number along, and has its own again when it comes back", () => {
  using state = State.open(":memory:");
  const numbers = new InodeNumbers(state);
  numbers.becameReal(node(1), file(70_000, 1));
  assert.deepEqual(numbers.of(file(70_000, 1)), { thing: file(70_000, 1).thing, ...node(1).own });
  numbers.flush();
  numbers.becameUnreal(file(70_000, 1), node(1));
  assert.deepEqual(numbers.of(node(1)), node(1).own);
  numbers.flush();
  assert.equal(state.hasNumbers(), false);
});

test("inode numbers: another file with the inode of one that is unreal by now has another number", () => {
  using state = State.open(":memory:");
  const numbers = new InodeNumbers(state);
  numbers.becameUnreal(file(70_000, 1), node(1));
  assert.equal(numbers.of(node(1)).number, 70_000);
  const { number } = numbers.settle(file(70_000, 2));
  assert.notEqual(number, 70_000);
  numbers.becameReal(node(1), file(70_001, 3));
  assert.equal(numbers.of(file(70_001, 3)).number, 70_000);
  assert.equal(numbers.of(file(70_000, 2)).number, number);
});

testSeeds("inode numbers: no two things have one, and none changes, noted or not", 20, (prng) => {
  using state = State.open(":memory:");
  let numbers = new InodeNumbers(state);
  /** What there is: nodes, each real or unreal, by its number. */
  const things = new Map(Array.from({ length: 8 }, (_, index) => [index, node(index)]));
  const known = new Map([...things].map(([index, thing]) => [index, numbers.settle(thing).number]));
  for (let step = 1; step <= 200; step += 1) {
    const index = prng.int(0, 7);
    const thing = things.get(index) ?? assert.fail();
    const isNode = thing.thing.length === node(0).thing.length;
    const next = isNode ? file(70_000 + prng.int(0, 9), step) : node(index);
    const isInUse = [...things.values()].some(({ thing: other }) => other.length === 12 && other[7] === next.thing[7]);
    if (isNode && isInUse) continue;
    if (isNode) numbers.becameReal(thing, next);
    else numbers.becameUnreal(thing, next);
    things.set(index, next);
    if (prng.chance(0.3)) state.transaction(() => numbers.flush());
    if (prng.chance(0.1)) {
      numbers.flush();
      numbers = new InodeNumbers(state);
    }
    for (const [each, at] of things) assert.equal(numbers.settle(at).number, known.get(each), `step ${step}`);
  }
  assert.equal(new Set(known.values()).size, known.size);
});

test("inode numbers: what becomes real has its number, also where its file was given another one before", () => {
  using state = State.open(":memory:");
  const numbers = new InodeNumbers(state);
  numbers.becameUnreal(file(70_000, 1), node(1));
  assert.notEqual(numbers.settle(file(70_000, 2)).number, 70_000);
  numbers.becameReal(node(2), file(70_000, 2));
  assert.deepEqual(numbers.of(file(70_000, 2)).number, node(2).own.number);
  numbers.becameReal(node(1), file(70_000, 3));
  const { number, generation } = numbers.of(file(70_000, 3));
  assert.deepEqual({ number, generation }, file(70_000, 1).own);
});
