import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { isKind } from "../base/errors.ts";
import { SigningKey, verifySignature } from "../peer/mod.ts";
import { decodeRetention, decodeSignedRetention, encodeRetention, encodeSignedRetention } from "./retention.ts";

const box = Buffer.alloc(16, 3);
const key = new SigningKey(Buffer.alloc(32, 5));
const seen = [
  { writer: 1n, clock: 10n },
  { writer: 2n ** 63n, clock: 7n },
];
const kept = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];

function assertFails(kind: string, body: () => unknown): void {
  assert.throws(body, (thrown) => isKind(thrown) && thrown.kind === kind);
}

test("retention: it comes back as it was, signed by its peer", () => {
  const signed = { writer: 9n, peer: key.publicKey, seen, kept };
  const bytes = encodeSignedRetention(signed, box, (message) => key.sign(message));
  const back = decodeSignedRetention(bytes, box, verifySignature, "it");
  assert.deepEqual([back.writer, back.seen, back.kept.map(Buffer.from)], [9n, seen, kept]);
  assert.deepEqual(decodeRetention(encodeRetention({ seen: [], kept: [] }), "it"), { seen: [], kept: [] });
});

test("retention: any changed byte, and another box, is refused", () => {
  const bytes = encodeSignedRetention({ writer: 9n, peer: key.publicKey, seen, kept }, box, (text) => key.sign(text));
  assertFails("corrupt", () => decodeSignedRetention(bytes, Buffer.alloc(16, 4), verifySignature, "it"));
  for (let at = 0; at < bytes.length; at += 1) {
    const bent = Buffer.from(bytes);
    bent.writeUInt8(bent.readUInt8(at) ^ 1, at);
    assertFails("corrupt", () => decodeSignedRetention(bent, box, verifySignature, "it"));
  }
});

test("retention: one encoding only: writers and commits ascend, each once", () => {
  const two = (a: Buffer, b: Buffer): Uint8Array => Buffer.concat([Buffer.from([0, 2]), a, b]);
  const [one, other] = kept as [Buffer, Buffer];
  assert.equal(decodeRetention(two(one, other), "it").kept.length, 2);
  assertFails("corrupt", () => decodeRetention(two(other, one), "it"));
  assertFails("corrupt", () => decodeRetention(two(one, one), "it"));
  assertFails("corrupt", () =>
    decodeRetention(Buffer.concat([Buffer.from([1]), Buffer.alloc(16), Buffer.from([0])]), "it"),
  );
});

testSeeds("retention: what is no retention is refused, and takes no memory", 20, (prng) => {
  for (let count = 0; count < 200; count += 1) {
    const bytes = randomBytes(prng.int(0, 200));
    try {
      decodeRetention(bytes, "it");
    } catch (thrown) {
      assertFails("corrupt", () => {
        throw thrown;
      });
    }
  }
});
