import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { utf8 } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { mergeTexts } from "./merge-text.ts";

const merged = (one: string, base: string, two: string): string =>
  Buffer.from(mergeTexts(utf8(one), utf8(base), utf8(two))).toString();

test("changes of different lines are all in the result", () => {
  assert.equal(merged("A\nb\nc\n", "a\nb\nc\n", "a\nb\nC\nd\n"), "A\nb\nC\nd\n");
  assert.equal(merged("a\nb\n", "a\nb\n", "a\n"), "a\n");
  assert.equal(merged("a\nb", "a\nb\n", "x\na\nb\n"), "x\na\nb");
  assert.equal(merged("", "", "new\n"), "new\n");
});

test("the same change of both is one", () => {
  assert.equal(merged("a\nX\n", "a\nb\n", "a\nX\n"), "a\nX\n");
});

test("different changes of the same lines are refused with the line", () => {
  assert.throws(
    () => merged("a\nX\n", "a\nb\n", "a\nY\n"),
    (error) => isKind(error, "diverged") && /from line 2 on/.test(error.message),
  );
});

test("what is not text, or too much, is refused", () => {
  const binary = Uint8Array.of(0, 1, 2);
  assert.throws(
    () => mergeTexts(binary, utf8("a"), utf8("b")),
    (error) => isKind(error, "invalid"),
  );
  assert.throws(
    () => mergeTexts(Uint8Array.of(0xff, 0xfe), utf8("a"), utf8("b")),
    (error) => isKind(error, "invalid"),
  );
  const long = utf8("x\n".repeat(50_001));
  assert.throws(
    () => mergeTexts(long, utf8("a"), utf8("b")),
    (error) => isKind(error, "too-large"),
  );
  const large = utf8("x".repeat(4 * 1024 * 1024 + 1));
  assert.throws(
    () => mergeTexts(large, utf8("a"), utf8("b")),
    (error) => isKind(error, "too-large"),
  );
});

testSeeds("with nothing changed on one side the other's text comes out, byte by byte", 30, (prng) => {
  const lines = (): string =>
    Array.from({ length: prng.int(0, 30) }, () => `${prng.int(0, 9)}${prng.chance(0.9) ? "\n" : ""}`).join("");
  const [base, other] = [lines(), lines()];
  assert.equal(merged(other, base, base), other);
  assert.equal(merged(base, base, other), other);
});
