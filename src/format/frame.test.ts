import assert from "node:assert/strict";
import { test } from "node:test";
import { zstdCompressSync } from "node:zlib";
import { testSeeds } from "../../test/support/seeds.ts";
import { copyBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { decodeFrame, encodeFrame, frameBytesMax, frameMethods } from "./frame.ts";

function textOf(length: number): Uint8Array {
  return Buffer.from("the quick brown fox jumps over the lazy dog. ".repeat(length / 45 + 1)).subarray(0, length);
}

testSeeds("frames decode to what they were made of", 10, (prng) => {
  for (const bytes of [
    textOf(prng.int(1, 200_000)),
    prng.bytes(prng.int(1, 200_000)),
    Buffer.concat([textOf(1000), prng.bytes(1000)]),
  ]) {
    const { method, payload } = encodeFrame(bytes);
    assert.deepEqual(Buffer.from(decodeFrame(method, copyBytes(payload), bytes.length, "frame")), Buffer.from(bytes));
  }
});

testSeeds("damaged frames are refused or decode to as many bytes, and the next frame is none the worse", 20, (prng) => {
  const bytes = textOf(prng.int(100, 50_000));
  const { method, payload } = encodeFrame(bytes);
  assert.equal(method, frameMethods.zstd);
  const whole = copyBytes(payload);
  for (let times = 0; times < 20; times += 1) {
    const damaged = copyBytes(whole);
    const at = prng.int(0, damaged.length - 1);
    damaged[at] = (damaged[at] as number) ^ (1 << prng.int(0, 7));
    const input = prng.chance(0.3) ? damaged.subarray(0, prng.int(0, damaged.length)) : damaged;
    try {
      assert.equal(decodeFrame(method, input, bytes.length, "frame").length, bytes.length);
    } catch (error) {
      assert(isKind(error, "corrupt"), String(error));
    }
    assert.deepEqual(Buffer.from(decodeFrame(method, whole, bytes.length, "frame")), Buffer.from(bytes));
  }
});

test("a frame that decodes to more or less than it says is refused", () => {
  const frame = zstdCompressSync(Buffer.alloc(10_000_000));
  for (const length of [1, 9_999_999, 10_000_001]) {
    assert.throws(
      () => decodeFrame(frameMethods.zstd, frame, length, "frame"),
      (error) => isKind(error, "corrupt"),
    );
  }
  assert.equal(decodeFrame(frameMethods.zstd, frame, 10_000_000, "frame").length, 10_000_000);
  assert.throws(
    () => decodeFrame(frameMethods.zstd, frame, frameBytesMax + 1, "frame"),
    (error) => isKind(error, "corrupt"),
  );
  assert.throws(
    () => decodeFrame(frameMethods.raw, frame, frame.length - 1, "frame"),
    (error) => isKind(error, "corrupt"),
  );
  const two = Buffer.concat([zstdCompressSync(Buffer.alloc(50)), zstdCompressSync(Buffer.alloc(50))]);
  assert.throws(
    () => decodeFrame(frameMethods.zstd, two, 50, "frame"),
    (error) => isKind(error, "corrupt"),
  );
  assert.throws(
    () => decodeFrame(frameMethods.zstd, new Uint8Array(0), 50, "frame"),
    (error) => isKind(error, "corrupt"),
  );
});

test("what does not shrink is raw, and so is what is known not to", () => {
  assert.equal(encodeFrame(Buffer.from("abc")).method, frameMethods.raw);
  assert.equal(encodeFrame(textOf(1000), { raw: true }).method, frameMethods.raw);
});
