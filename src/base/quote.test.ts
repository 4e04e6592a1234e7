import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import { concatBytes, equalBytes, utf8 } from "./bytes.ts";
import { quoteBytes, quotePath, quoteText } from "./quote.ts";

test("printable names stand as they are", () => {
  for (const name of ["a.txt", "two words", "größe.odt", "日本", "it's", "-n"])
    assert.equal(quoteBytes(utf8(name)), name);
});

test("what could mislead a reader or a terminal is quoted", () => {
  assert.equal(quoteBytes(utf8("a\nb")), "$'a\\nb'");
  assert.equal(quoteBytes(utf8("\x1b[31m")), "$'\\033[31m'");
  assert.equal(quoteBytes(utf8(" a")), "$' a'");
  assert.equal(quoteBytes(utf8("$'x'")), "$'$\\'x\\''");
  assert.equal(quoteBytes(utf8("a\u202eb")), "$'a\\342\\200\\256b'");
  assert.equal(quoteBytes(Uint8Array.of(0x61, 0xff)), "$'a\\377'");
  assert.equal(quoteBytes(utf8("a -> b")), "$'a -> b'");
  assert.equal(quoteBytes(new Uint8Array()), "''");
});

testSeeds("bash reads a quoted name back as the same bytes", 5, (prng) => {
  const names = Array.from({ length: 40 }, () => prng.bytes(prng.int(1, 12)).map((byte) => (byte === 0 ? 1 : byte)));
  const quoted = names.map((name) => quoteBytes(name)).filter((text) => text.startsWith("$'"));
  const expected = names.filter((name) => quoteBytes(name).startsWith("$'"));
  const printed = execFileSync("bash", ["-c", `printf '%s\\0' ${quoted.join(" ")}`]);
  assert(equalBytes(printed, concatBytes(expected.flatMap((name) => [name, Uint8Array.of(0)]))));
});

test("a message with a name in it stays on its line and out of the terminal's way", () => {
  assert.equal(quoteText("Cannot write größe it's: no"), "Cannot write größe it's: no");
  assert.equal(quoteText("a\x1b[2J\nourobox: fine"), "a\\033[2J\\nourobox: fine");
});

test("the root is a dot", () => {
  assert.equal(quotePath(utf8("a/b")), "a/b");
  assert.equal(quotePath(new Uint8Array()), ".");
});
