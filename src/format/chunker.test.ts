import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { Chunker, type ChunkSizes, checkChunkSizes, defaultChunkSizes } from "./chunker.ts";

const small: ChunkSizes = { min: 256, avg: 1024, max: 4096 };

function cutAll(bytes: Uint8Array, sizes: ChunkSizes): number[] {
  const chunker = new Chunker(sizes);
  const ends: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    at = chunker.cut(bytes, at, bytes.length);
    ends.push(at);
  }
  return ends;
}

/** The format's own words, byte by byte, as another implementation would have them. */
function cutSlowly(bytes: Uint8Array, { min, avg, max }: ChunkSizes): number[] {
  const gear = Array.from({ length: 256 }, (_, i) =>
    BigInt(hash("sha256", `ourobox gear ${i}`, "buffer").readUInt32LE(0)),
  );
  const bits = Math.log2(avg);
  const top = (count: number): bigint => ((1n << BigInt(count)) - 1n) << BigInt(32 - count);
  const ends: number[] = [];
  for (let start = 0; start < bytes.length; ) {
    let [end, state] = [Math.min(start + min, bytes.length), 0n];
    while (end < bytes.length && end - start < max) {
      const mask = end - start < avg ? top(bits + 2) : top(bits - 2);
      state = ((state << 1n) + (gear[bytes[end] as number] as bigint)) & 0xffff_ffffn;
      end += 1;
      if ((state & mask) === 0n) break;
    }
    ends.push(end);
    start = end;
  }
  return ends;
}

/** Goal: the fast loop is the format. Method: compare with a plain one written from doc/format.md. */
testSeeds("cuts are those of the format", 10, (prng) => {
  const bytes = prng.bytes(prng.int(0, 60_000));
  assert.deepEqual(cutAll(bytes, small), cutSlowly(bytes, small));
});

testSeeds("chunks are within their sizes, and cuts do not depend on how much is at hand", 10, (prng) => {
  const bytes = prng.bytes(prng.int(20_000, 100_000));
  const ends = cutAll(bytes, small);
  ends.slice(0, -1).forEach((end, index) => {
    const start = ends[index - 1] ?? 0;
    assert(end - start >= small.min && end - start <= small.max);
    const chunker = new Chunker(small);
    const atHand = Math.min(bytes.length, start + small.max + prng.int(0, 100));
    assert.equal(chunker.cut(bytes, start, atHand), end);
  });
});

testSeeds("an insertion moves few cuts", 5, (prng) => {
  const bytes = prng.bytes(200_000);
  const at = prng.int(0, bytes.length);
  const edited = Buffer.concat([bytes.subarray(0, at), prng.bytes(1), bytes.subarray(at)]);
  const chunks = (whole: Uint8Array): Set<string> => {
    let start = 0;
    return new Set(
      cutAll(whole, small).map((end) => {
        const key = hash("sha256", whole.subarray(start, end));
        start = end;
        return key;
      }),
    );
  };
  const before = chunks(bytes);
  const added = [...chunks(edited)].filter((key) => !before.has(key));
  assert(added.length <= 8, `${added.length} new chunks`);
});

test("the cuts of known bytes never change", () => {
  const ends = cutAll(new Prng(1).bytes(1_000_000), defaultChunkSizes);
  assert.deepEqual(
    ends,
    [100354, 184194, 206023, 287524, 395890, 489077, 535544, 585656, 660588, 734617, 837518, 912467, 987342, 1000000],
  );
});

test("zeros are cut at the maximum", () => {
  assert.deepEqual(cutAll(new Uint8Array(10_000), small).length, cutSlowly(new Uint8Array(10_000), small).length);
});

test("sizes out of bounds are refused", () => {
  const bad: ChunkSizes[] = [
    { min: 255, avg: 1024, max: 4096 },
    { min: 256, avg: 1000, max: 4096 },
    { min: 256, avg: 512, max: 4096 },
    { min: 1024, avg: 1024, max: 4096 },
    { min: 256, avg: 1024, max: 1024 },
    { min: 256, avg: 1024, max: 8 * 1024 * 1024 + 1 },
    { min: 256.5, avg: 1024, max: 4096 },
    { min: Number.NaN, avg: 1024, max: 4096 },
  ];
  for (const sizes of bad)
    assert.throws(
      () => checkChunkSizes(sizes),
      (error) => isKind(error, "invalid"),
    );
  checkChunkSizes(defaultChunkSizes);
  checkChunkSizes({ min: 256, avg: 4 * 1024 * 1024, max: 8 * 1024 * 1024 });
});
