import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { concatBytes, equalBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Prng } from "../base/prng.ts";
import { decodeHead, encodeHead, type Head, headName } from "./head.ts";

/** A stand-in for ed25519: 64 bytes that depend on everything. */
function sign(peer: Uint8Array, message: Uint8Array): Uint8Array {
  return createHash("sha512").update(peer).update(message).digest();
}
const verify = (peer: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean =>
  equalBytes(sign(peer, message), signature);

const box = new Uint8Array(16).fill(3);
const isCorrupt = (thrown: unknown): boolean => isKind(thrown, "corrupt");

function someHead(prng: Prng): Head {
  const u64 = (): bigint => (BigInt(prng.u32()) << 32n) | BigInt(prng.int(1, 2 ** 31));
  const tags = Array.from({ length: prng.int(0, 6) }, (_, index) => ({
    name: `${prng.pick(["v", "é", "😀", "~"])}${index}`,
    clock: u64(),
    writer: u64(),
    ...(prng.chance(0.7) ? { commit: prng.bytes(32) } : {}),
  }));
  return {
    writer: u64(),
    branch: prng.pick(["main", "ü/ber", "x".repeat(255)]),
    commit: prng.bytes(32),
    ...(prng.chance(0.8) ? { last: { clock: u64(), id: prng.bytes(32) } } : {}),
    peer: prng.bytes(32),
    peerName: prng.pick(["", "laptop", "büro"]),
    tags,
  };
}

const encode = (head: Head): Uint8Array => encodeHead(head, box, (message) => sign(head.peer, message));

testSeeds("head: what is encoded comes back, tags in one order", 30, (prng) => {
  const head = someHead(prng);
  const bytes = encode(head);
  const decoded = decodeHead(bytes, box, verify, "head");
  assert.ok(equalBytes(encode(decoded), bytes));
  assert.ok(equalBytes(encode({ ...head, tags: head.tags.toReversed() }), bytes));
  assert.deepEqual(
    [decoded.writer, decoded.branch, decoded.peerName, decoded.last?.clock],
    [head.writer, head.branch, head.peerName, head.last?.clock],
  );
  assert.equal(decoded.tags.length, head.tags.length);
});

testSeeds("head: every flipped bit, every cut and every added byte is refused", 3, (prng) => {
  const bytes = encode(someHead(prng));
  for (let at = 0; at < bytes.length; at += 1) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] = (flipped[at] as number) ^ (1 << prng.int(0, 7));
    assert.throws(() => decodeHead(flipped, box, verify, "head"), isCorrupt, `byte ${at}`);
    assert.throws(() => decodeHead(bytes.subarray(0, at), box, verify, "head"), isCorrupt);
  }
  assert.throws(() => decodeHead(concatBytes([bytes, Uint8Array.of(0)]), box, verify, "head"), isCorrupt);
});

testSeeds("head: a head of another box is refused", 3, (prng) => {
  assert.throws(() => decodeHead(encode(someHead(prng)), prng.bytes(16), verify, "head"), isCorrupt);
});

testSeeds("head: names that could act on a terminal are neither written nor read", 3, (prng) => {
  const head = someHead(prng);
  for (const name of ["a\u001b[2J", "a\nb", "a\u0085", "\u0000", "x".repeat(256), "\ud800"]) {
    assert.throws(
      () => encode({ ...head, branch: name }),
      (thrown) => isKind(thrown, "invalid"),
    );
    assert.throws(
      () => encode({ ...head, peerName: name }),
      (thrown) => isKind(thrown, "invalid"),
    );
    assert.throws(
      () => encode({ ...head, tags: [{ name, clock: 1n, writer: 1n }] }),
      (thrown) => isKind(thrown, "invalid"),
    );
  }
  const bytes = encode({ ...head, branch: "mXin", tags: [] });
  const forged = Uint8Array.from(bytes.subarray(0, bytes.length - 64));
  forged[10] = 0x1b;
  const signed = concatBytes([forged, sign(head.peer, concatBytes([Buffer.from("ourobox head 1\0"), box, forged]))]);
  assert.throws(
    () => decodeHead(signed, box, verify, "head"),
    (thrown) => isKind(thrown, "corrupt") && /control/.test(thrown.message),
  );
});

testSeeds("head: two tags of one name are not read, and too many are not written", 2, (prng) => {
  const head = someHead(prng);
  const tag = { name: "v", clock: 1n, writer: 1n };
  assert.throws(() => decodeHead(encode({ ...head, tags: [tag, tag] }), box, verify, "head"), isCorrupt);
  const tags = Array.from({ length: 10_001 }, (_, index) => ({ ...tag, name: `${index}` }));
  assert.throws(
    () => encode({ ...head, tags }),
    (thrown) => isKind(thrown, "too-large"),
  );
});

test("head: its name on a remote is the writer in hex", () => {
  assert.equal(headName(0xabcn), "heads/0000000000000abc");
});
