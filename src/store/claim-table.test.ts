import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { ClaimTable } from "./claim-table.ts";

testSeeds("a hash is claimed once, and a table of the same memory knows it", 5, (prng) => {
  const [one, two] = [ClaimTable.create(1024), ClaimTable.create(1024)];
  const other = new ClaimTable(one.memory);
  const hashes = Array.from({ length: 500 }, () => prng.bytes(32));
  for (const hash of hashes) assert.equal(prng.pick([one, other]).claim(hash), "claimed");
  for (const hash of hashes) assert.equal(prng.pick([one, other]).claim(hash), "known");
  assert.equal(two.claim(hashes[0] as Uint8Array), "claimed");
});

test("hashes that are alike but for one bit are two", () => {
  const table = ClaimTable.create(1024);
  for (let bit = 0; bit < 256; bit += 1) {
    const hash = Buffer.alloc(32);
    hash[bit >> 3] = 1 << (bit & 7);
    assert.equal(table.claim(hash), "claimed");
    assert.equal(table.claim(hash), "known");
  }
});

test("a full table claims no more and still knows what it has", () => {
  const table = ClaimTable.create(16);
  const hashOf = (value: number): Buffer => Buffer.alloc(32, value);
  const outcomes = Array.from({ length: 20 }, (_, value) => table.claim(hashOf(value)));
  assert.equal(outcomes.filter((outcome) => outcome === "claimed").length, 12);
  assert.equal(outcomes.at(-1), "full");
  assert.equal(table.claim(hashOf(0)), "known");
});
