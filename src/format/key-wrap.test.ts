import assert from "node:assert/strict";
import { test } from "node:test";
import { copyBytes, equalBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { Prng } from "../base/prng.ts";
import { defaultWrapCost, isWrapCost, unwrapKey, type WrappedKey, wrapKey } from "./key-wrap.ts";

const prng = new Prng(1);
const random = (length: number): Uint8Array => prng.bytes(length);
const [key, box] = [prng.bytes(32), prng.bytes(16)];
const cost = { memoryKiB: 64, passes: 1, lanes: 1 };
const isWrongKey = (thrown: unknown): boolean => isKind(thrown, "wrong-key") && thrown.hint !== undefined;

test("key wrap: the passphrase opens it, whichever key of several it belongs to", async () => {
  const keys = [
    await wrapKey(prng.bytes(32), box, "first", { random, cost }),
    await wrapKey(key, box, "second", { random, cost }),
  ];
  assert.ok(equalBytes(await unwrapKey(keys, box, "second"), key));
});

test("key wrap: one text in two Unicode spellings is one passphrase", async () => {
  const wrapped = await wrapKey(key, box, "u\u0308ber", { random, cost });
  assert.ok(equalBytes(await unwrapKey([wrapped], box, "\u00fcber"), key));
});

test("key wrap: another passphrase, another box, or no key at all is a wrong key", async () => {
  const wrapped = await wrapKey(key, box, "right", { random, cost });
  await assert.rejects(unwrapKey([wrapped], box, "wrong"), isWrongKey);
  await assert.rejects(unwrapKey([wrapped], box, ""), isWrongKey);
  await assert.rejects(unwrapKey([wrapped], prng.bytes(16), "right"), isWrongKey);
  await assert.rejects(unwrapKey([], box, "right"), isWrongKey);
});

test("key wrap: every flipped bit is a wrong key", async () => {
  const wrapped = await wrapKey(key, box, "right", { random, cost });
  for (const field of ["salt", "nonce", "wrapped"] as const) {
    for (let at = 0; at < wrapped[field].length; at += 1) {
      const flipped = copyBytes(wrapped[field]);
      flipped[at] = (flipped[at] as number) ^ (1 << prng.int(0, 7));
      await assert.rejects(unwrapKey([{ ...wrapped, [field]: flipped }], box, "right"), isWrongKey);
    }
  }
  for (const change of [{ memoryKiB: 65 * 4 }, { passes: 2 }, { lanes: 2 }]) {
    await assert.rejects(unwrapKey([{ ...wrapped, ...change }], box, "right"), isWrongKey);
  }
});

test("key wrap: a cost out of bounds is not paid", async () => {
  const wrapped: WrappedKey = await wrapKey(key, box, "right", { random, cost });
  for (const change of [
    { memoryKiB: 2 ** 20 + 1 },
    { memoryKiB: 7 },
    { memoryKiB: 64, lanes: 9 },
    { passes: 17 },
    { passes: 0 },
    { lanes: 17 },
    { lanes: 0.5 },
  ]) {
    assert.equal(isWrapCost({ ...cost, ...change }), false);
    await assert.rejects(unwrapKey([{ ...wrapped, ...change }], box, "right"), isWrongKey);
  }
  assert.ok(isWrapCost(defaultWrapCost));
});

test("key wrap: an empty passphrase protects nothing", async () => {
  await assert.rejects(wrapKey(key, box, "", { random, cost }), (thrown) => isKind(thrown, "invalid"));
});

test("key wrap: the default cost works", async () => {
  const wrapped = await wrapKey(key, box, "right", { random });
  assert.equal(wrapped.memoryKiB, 65_536);
  assert.ok(equalBytes(await unwrapKey([wrapped], box, "right"), key));
});
