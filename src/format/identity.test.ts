import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { encodeSummed, type JsonObject } from "../base/summed-json.ts";
import { defaultChunkSizes } from "./chunker.ts";
import { type BoxIdentity, decodeIdentity, encodeIdentity } from "./identity.ts";

const prng = new Prng(1);
const wrapped = {
  memoryKiB: 65_536,
  passes: 3,
  lanes: 4,
  id: prng.bytes(8),
  salt: prng.bytes(16),
  nonce: prng.bytes(12),
  wrapped: prng.bytes(48),
};
const sealed: BoxIdentity = {
  box: prng.bytes(16),
  hash: "blake3",
  suite: "aes-256-gcm",
  chunk: defaultChunkSizes,
  keys: [wrapped, wrapped],
};
const plain: BoxIdentity = {
  box: prng.bytes(16),
  hash: "sha256",
  suite: "plain",
  chunk: { min: 256, avg: 1024, max: 4096 },
};
const isCorrupt = (thrown: unknown): boolean => isKind(thrown, "corrupt") && thrown.hint !== undefined;

test("identity: what is encoded comes back, with keys and without", () => {
  for (const identity of [sealed, plain])
    assert.deepEqual(decodeIdentity(encodeIdentity(identity), "config"), identity);
});

testSeeds("identity: a changed, missing or added character is noticed", 100, (prng) => {
  const text = encodeIdentity(sealed);
  const at = prng.int(0, text.length - 2);
  const other = prng.pick([...'0123456789abcdef{}[]",: -e'].filter((character) => character !== text[at]));
  for (const damaged of [
    text.slice(0, at) + other + text.slice(at + 1),
    text.slice(0, at) + text.slice(at + 1),
    text.slice(0, at),
  ]) {
    try {
      // White space between fields, and ends of lines, mean nothing.
      assert.deepEqual(decodeIdentity(damaged, "config"), sealed);
    } catch (thrown) {
      if (!isCorrupt(thrown)) throw thrown;
    }
  }
});

function changed(change: JsonObject): string {
  const { sum: _sum, ...object } = JSON.parse(encodeIdentity(sealed)) as { [key: string]: JsonObject[string] };
  return encodeSummed({ ...object, ...change });
}

const key = (change: JsonObject): JsonObject => {
  const { keys } = JSON.parse(encodeIdentity(sealed)) as { keys: JsonObject[] };
  return { keys: [{ ...keys[0], ...change }] };
};

const refused: Readonly<Record<string, JsonObject>> = {
  "an unknown suite": { suite: "rot13" },
  "an unknown hash": { hash: "md5" },
  "a hash that is no text": { hash: 1 },
  "a short box id": { box: "00" },
  "upper-case hex": { box: "AA".repeat(16) },
  "no chunk sizes": { chunk: null },
  "chunk sizes out of bounds": { chunk: { min: 1, avg: 2, max: 3 } },
  "chunk sizes that are no numbers": { chunk: { min: "16384", avg: 65_536, max: 262_144 } },
  "a negative version": { format: -1 },
  "a minimum reader above the version": { minReader: 2 },
  "keys that are no list": { keys: {} },
  "too many keys": { keys: Array.from({ length: 65 }, () => key({})["keys"] as JsonObject) },
  "a key without a kdf": key({ kdf: "md5" }),
  "a key that costs 100 GiB": key({ memory: 100 * 2 ** 20 }),
  "a key of a million passes": key({ passes: 1e6 }),
  "a key of 1.5 lanes": key({ lanes: 1.5 }),
  "a key with a short salt": key({ salt: "00" }),
};
for (const [name, change] of Object.entries(refused)) {
  test(`identity: ${name} is refused`, () => {
    assert.throws(() => decodeIdentity(changed(change), "config"), isCorrupt);
  });
}

test("identity: a newer format is refused with the version it needs, unless it says that we can read it", () => {
  assert.throws(
    () => decodeIdentity(changed({ format: 7, minReader: 5 }), "config"),
    (thrown) => isKind(thrown, "newer-format") && /format 5/.test(thrown.message),
  );
  assert.deepEqual(decodeIdentity(changed({ format: 7, minReader: 1, later: { more: [1] } }), "config"), sealed);
});

for (const text of [
  "",
  "null",
  "[]",
  "{}",
  '"text"',
  "1",
  "{",
  "[".repeat(60_000),
  `${'{"a":'.repeat(10_000)}1${"}".repeat(10_000)}`,
  " ".repeat(70_000),
  '{"__proto__":{"suite":"plain"}}',
]) {
  test(`identity: ${JSON.stringify(text.slice(0, 20))} of ${text.length} characters is refused`, () => {
    assert.throws(() => decodeIdentity(text, "config"), isCorrupt);
  });
}
