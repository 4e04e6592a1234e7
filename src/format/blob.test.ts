import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { concatBytes, equalBytes, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { openBlob, sealBlob } from "./blob.ts";
import { decodeCondemned, encodeCondemned } from "./condemned.ts";
import type { BoxSecrets } from "./seal.ts";

const made = new Prng(99);
const sealed: BoxSecrets = { box: made.bytes(16), suite: "aes-256-gcm", hash: "blake3", key: made.bytes(32) };
const plain: BoxSecrets = { box: made.bytes(16), suite: "plain", hash: "sha256" };
const isRefused = (thrown: unknown): boolean =>
  isKind(thrown, "corrupt") || isKind(thrown, "newer-format") || isKind(thrown, "wrong-key");

testSeeds("blob: what is sealed opens, and equal payloads look different in a sealed box", 5, (prng) => {
  const random = (length: number): Uint8Array => prng.bytes(length);
  const payload = prng.bytes(prng.int(0, 500));
  for (const secrets of [sealed, plain]) {
    const blob = sealBlob(secrets, "head", payload, random);
    assert.ok(equalBytes(openBlob(secrets, "head", blob, "head"), payload));
    assert.equal(equalBytes(blob, sealBlob(secrets, "head", payload, random)), secrets === plain);
  }
  if (payload.length > 16)
    assert.equal(Buffer.from(sealBlob(sealed, "head", payload, random)).includes(payload.subarray(0, 16)), false);
});

testSeeds("blob: in a sealed box every flipped bit and every cut is refused", 2, (prng) => {
  const blob = sealBlob(sealed, "index", prng.bytes(100), (length) => prng.bytes(length));
  for (let at = 0; at < blob.length; at += 1) {
    const flipped = Uint8Array.from(blob);
    flipped[at] = (flipped[at] as number) ^ (1 << prng.int(0, 7));
    // The version it was written with may be any from the minimum on: additional data of the seal all the same.
    assert.throws(() => openBlob(sealed, "index", flipped, "index"), isRefused, `byte ${at}`);
    assert.throws(() => openBlob(sealed, "index", blob.subarray(0, at), "index"), isRefused);
  }
  assert.throws(() => openBlob(sealed, "index", concatBytes([blob, Uint8Array.of(0)]), "index"), isRefused);
});

testSeeds("blob: a blob of another kind, box or key does not open", 2, (prng) => {
  const blob = sealBlob(sealed, "index", prng.bytes(10), (length) => prng.bytes(length));
  assert.throws(
    () => openBlob(sealed, "head", blob, "head"),
    (thrown) => isKind(thrown, "corrupt"),
  );
  assert.throws(
    () => openBlob({ ...sealed, box: prng.bytes(16) }, "index", blob, "index"),
    (thrown) => isKind(thrown, "wrong-key"),
  );
  assert.throws(() => openBlob({ ...sealed, key: prng.bytes(32) }, "index", blob, "index"), isRefused);
});

test("condemned: names come back; counts that the bytes cannot hold are refused", () => {
  const names = [made.bytes(32), made.bytes(32)];
  const bytes = encodeCondemned(names);
  assert.deepEqual(decodeCondemned(bytes, "condemned").map(toHex), names.map(toHex));
  for (const damaged of [
    bytes.subarray(1),
    concatBytes([bytes, Uint8Array.of(0)]),
    Uint8Array.of(0xff, 0xff, 0x3f),
    new Uint8Array(),
  ]) {
    assert.throws(
      () => decodeCondemned(damaged, "condemned"),
      (thrown) => isKind(thrown, "corrupt"),
    );
  }
});
