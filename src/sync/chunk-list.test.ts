import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { smallSpill } from "../../test/support/small-spill.ts";
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { hashBytes } from "../format/mod.ts";
import { ChunkLists } from "./chunk-list.ts";

testSeeds("of the chunks that are needed, those that have not arrived are asked for once each", 5, async (prng) => {
  using aside = smallSpill();
  const lists = new ChunkLists(aside);
  // More than one block in some parts, none in others.
  const hashes = Array.from({ length: prng.int(0, 6000) }, () => prng.bytes(hashBytes));
  if (prng.chance(0.5)) for (const hash of hashes) hash[hashBytes - 1] = prng.int(0, 3);
  const asked: string[] = [];
  const missing = new Set<string>();
  for (const hash of hashes) {
    const [isNeeded, hasArrived] = [prng.chance(0.8), prng.chance(0.9)];
    for (let times = isNeeded ? prng.int(1, 3) : 0; times > 0; times -= 1) lists.addNeeded(hash);
    if (hasArrived) lists.addArrived(Buffer.concat([hash, prng.bytes(hashBytes)]));
    if (isNeeded && !hasArrived) missing.add(toHex(hash));
  }
  const isHere = (hash: Uint8Array): boolean => {
    asked.push(toHex(hash));
    return true;
  };
  assert.equal(await lists.hasAll(isHere), true);
  assert.deepEqual(asked.sort(), [...missing].sort());
  const [absent] = missing;
  if (absent !== undefined) assert.equal(await lists.hasAll((hash) => toHex(hash) !== absent), false);
});

test("who compares chunks can be stopped", async () => {
  using aside = smallSpill();
  const signal = AbortSignal.abort(new OuroError("aborted", "Interrupted"));
  await assert.rejects(
    new ChunkLists(aside).hasAll(() => true, signal),
    { kind: "aborted" },
  );
});
