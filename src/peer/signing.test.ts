import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { fromHex, toHex } from "../base/bytes.ts";
import { SigningKey, verifySignature } from "./signing.ts";

test("signing: the first vectors of RFC 8032 come out", () => {
  const vectors = [
    {
      seed: "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      publicKey: "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
      message: "",
      signature:
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    },
    {
      seed: "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
      publicKey: "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
      message: "72",
      signature:
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    },
  ];
  for (const { seed, publicKey, message, signature } of vectors) {
    const key = new SigningKey(fromHex(seed, 32));
    assert.equal(toHex(key.publicKey), publicKey);
    assert.equal(toHex(key.sign(fromHex(message, message.length / 2))), signature);
    assert.ok(verifySignature(key.publicKey, fromHex(message, message.length / 2), fromHex(signature, 64)));
  }
});

testSeeds("signing: a flipped bit in key, message or signature is noticed", 20, (prng) => {
  const key = new SigningKey(prng.bytes(32));
  const message = prng.bytes(prng.int(1, 100));
  const parts = [key.publicKey, message, key.sign(message)] as const;
  assert.ok(verifySignature(...parts));
  for (const index of [0, 1, 2] as const) {
    const flipped = parts.map((part) => Uint8Array.from(part)) as [Uint8Array, Uint8Array, Uint8Array];
    const at = prng.int(0, flipped[index].length - 1);
    flipped[index][at] = (flipped[index][at] as number) ^ (1 << prng.int(0, 7));
    assert.equal(verifySignature(...flipped), false);
  }
});

test("signing: keys and signatures of a wrong length are no error, only wrong", () => {
  const key = new SigningKey(new Uint8Array(32).fill(1));
  const message = new Uint8Array(3);
  assert.equal(verifySignature(new Uint8Array(31), message, key.sign(message)), false);
  assert.equal(verifySignature(key.publicKey, message, new Uint8Array(63)), false);
  assert.equal(verifySignature(new Uint8Array(32).fill(255), message, key.sign(message)), false);
});
