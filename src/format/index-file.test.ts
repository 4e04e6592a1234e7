import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { concatBytes, equalBytes, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import { decodeIndexFile, encodeIndexFile, type IndexFile, type PackInfo } from "./index-file.ts";

function somePack(prng: Prng): PackInfo {
  return {
    name: prng.bytes(32),
    class: prng.pick(["content", "meta"]),
    size: prng.int(1000, 2 ** 30),
    directorySize: prng.int(1, 1000),
    objects: prng.int(0, 2 ** 20),
  };
}

function someIndex(prng: Prng): IndexFile {
  const packs = Array.from({ length: prng.int(0, 20) }, () => somePack(prng));
  return { packs, replaces: Array.from({ length: prng.int(0, 5) }, () => prng.bytes(32)) };
}

const isCorrupt = (thrown: unknown): boolean => isKind(thrown, "corrupt");

testSeeds("index file: what is encoded comes back, in one order whatever the order given", 20, (prng) => {
  const index = someIndex(prng);
  const bytes = encodeIndexFile(index);
  const decoded = decodeIndexFile(bytes, "index");
  assert.ok(equalBytes(encodeIndexFile(decoded), bytes));
  assert.ok(
    equalBytes(encodeIndexFile({ packs: index.packs.toReversed(), replaces: index.replaces.toReversed() }), bytes),
  );
  const byName = (packs: readonly PackInfo[]): string[] =>
    packs.map((pack) => JSON.stringify({ ...pack, name: toHex(pack.name) })).sort();
  assert.deepEqual(byName(decoded.packs), byName(index.packs));
  assert.equal(decoded.replaces.length, index.replaces.length);
});

testSeeds("index file: damaged bytes are refused or another index, and never take much memory", 200, (prng) => {
  const bytes = encodeIndexFile(someIndex(prng));
  const cut = bytes.subarray(0, prng.int(0, bytes.length - 1));
  assert.throws(() => decodeIndexFile(cut, "index"), isCorrupt);
  const flipped = Uint8Array.from(bytes);
  const at = prng.int(0, bytes.length - 1);
  flipped[at] = (flipped[at] as number) ^ (1 << prng.int(0, 7));
  try {
    assert.ok(equalBytes(encodeIndexFile(decodeIndexFile(flipped, "index")), flipped), "one value, two encodings");
  } catch (thrown) {
    if (!isCorrupt(thrown)) throw thrown;
  }
});

test("index file: a name that is there twice is neither written nor read", () => {
  const pack: PackInfo = { name: new Uint8Array(32).fill(7), class: "meta", size: 100, directorySize: 10, objects: 1 };
  assert.throws(
    () => encodeIndexFile({ packs: [pack, pack], replaces: [] }),
    (thrown) => isKind(thrown, "invalid"),
  );
  const one = encodeIndexFile({ packs: [pack], replaces: [] });
  const row = one.subarray(1, one.length - 1);
  assert.throws(
    () => decodeIndexFile(concatBytes([[2], row, row, [0]].map((part) => Uint8Array.from(part))), "index"),
    isCorrupt,
  );
});

test("index file: sections that may be skipped are, others are refused", () => {
  const empty = encodeIndexFile({ packs: [], replaces: [] });
  const withSection = (kind: number): Uint8Array => concatBytes([empty, Uint8Array.of(kind, 3, 1, 2, 3)]);
  assert.deepEqual(decodeIndexFile(withSection(128), "index"), { packs: [], replaces: [] });
  assert.throws(() => decodeIndexFile(withSection(127), "index"), isCorrupt);
});

const bombs = {
  "a million packs in nothing": Uint8Array.of(0x80, 0x80, 0x40),
  "2^53 packs": Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f),
  "a huge section": Uint8Array.of(0, 0, 200, 0xff, 0xff, 0xff, 0x0f),
  "an endless varint": new Uint8Array(100).fill(0x80),
};
for (const [name, bytes] of Object.entries(bombs)) {
  test(`index file: ${name} is refused at once`, () => {
    assert.throws(() => decodeIndexFile(bytes, "index"), isCorrupt);
  });
}
