import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { toHex, utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { getHasher, hashKey, parseHashName } from "./hash.ts";

test("hashes are the published ones", () => {
  const empty = new Uint8Array(0);
  const blake3 = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
  assert.equal(toHex(getHasher("blake3").hash(empty)), blake3);
  const sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
  assert.equal(toHex(getHasher("sha256").hash(utf8("abc"))), sha256);
});

testSeeds("a stream hashes as one call does, however the bytes arrive", 5, (prng) => {
  for (const name of ["blake3", "sha256"] as const) {
    const bytes = new Uint8Array(prng.bytes(prng.int(0, 20_000)));
    const stream = getHasher(name).stream();
    for (let at = 0; at < bytes.length; ) {
      const count = prng.int(1, 5000);
      stream.update(bytes.subarray(at, at + count));
      at += count;
    }
    assert.equal(toHex(stream.digest()), toHex(getHasher(name).hash(bytes)));
  }
});

testSeeds("a hash names its bytes, and no others", 5, (prng) => {
  for (const name of ["blake3", "sha256"] as const) {
    const hasher = getHasher(name);
    const bytes = new Uint8Array(prng.bytes(prng.int(1, 20_000)));
    const hash = new Uint8Array(hasher.hash(bytes));
    assert(hasher.names(hash, bytes));
    assert(!hasher.names(hash.subarray(0, 31), bytes));
    assert(!hasher.names(new Uint8Array(), bytes));
    assert(!hasher.names(hash, bytes.subarray(1)));
    const at = prng.int(0, 31);
    hash[at] = (hash[at] as number) ^ (1 << prng.int(0, 7));
    assert(!hasher.names(hash, bytes));
  }
});

test("keys of hashes differ as the hashes do, and names are checked", () => {
  const [a, b] = [new Uint8Array(32).fill(0xff), new Uint8Array(32).fill(0xfe)];
  assert.notEqual(hashKey(a), hashKey(b));
  assert.equal(hashKey(a).length, 32);
  assert.equal(parseHashName("sha256"), "sha256");
  assert.throws(
    () => parseHashName("md5"),
    (error) => isKind(error, "invalid"),
  );
});
