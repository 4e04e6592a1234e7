import assert from "node:assert/strict";
import { test } from "node:test";
import { utf8 } from "../base/bytes.ts";
import { nameLevel, nameProblem } from "./name.ts";

const refused = [
  "",
  ".",
  "..",
  "a/b",
  "/",
  "a\0",
  ".ourobox",
  ".OUROBOX",
  ".OuRoBoX",
  ".ourobox.",
  ".ourobox . .",
  ".ourobox ",
  "ourobo~1",
  "OUROBO~1",
  "Ourobo~9",
  "OUROBO~0 .",
  ".our\u200cobox",
  "\ufeff.ourobox",
  ".o\u00adurobox",
  ".ourobox\u{e0001}",
  ".\uff4furobox",
  "\uff0eourobox",
  "\u2024ourobox",
  ".\u{1d428}uroboX",
  ".ourobox\u00a0",
  ".ourobox\u2024",
  ".ourobo\u24e7",
  "\u200b\u200c\u200d.ourobox",
  ".\u0345ourobox".replace("\u0345", "\u034f"),
  "a".repeat(256),
];
const allowed = [
  "a",
  "...",
  "..a",
  ".ourobox2",
  "ourobox",
  ".ouroboxignore",
  "ourobo~",
  "ourobo~10",
  "x.ourobox",
  " .ourobox",
  "é",
  "\n",
  "\\",
  "con",
  "a".repeat(255),
];

test("names that are no names, lead elsewhere or are spellings of .ourobox are refused", () => {
  for (const name of refused) assert.notEqual(nameProblem(utf8(name)), undefined, JSON.stringify(name));
});

test("all other names are allowed, also those that are not UTF-8", () => {
  for (const name of allowed) assert.equal(nameProblem(utf8(name)), undefined, JSON.stringify(name));
  assert.equal(nameProblem(new Uint8Array([0xff, 0xfe, 0x80])), undefined);
});

test("one name in 64 ends a node, one in 4,096 ends two levels", () => {
  const counts = [0, 0, 0, 0, 0, 0];
  for (let index = 0; index < 200_000; index += 1) {
    const level = nameLevel(utf8(`file-${index}`));
    counts[level] = (counts[level] ?? 0) + 1;
  }
  const [zero = 0, one = 0, two = 0] = counts;
  assert.ok(Math.abs(zero / 200_000 - 63 / 64) < 0.003, `${counts}`);
  assert.ok(one > 2500 && one < 3700 && two > 20 && two < 90, `${counts}`);
});

test("levels of names are what doc/format.md says", () => {
  const slow = (name: Uint8Array): number => {
    let hash = 0x811c9dc5n;
    const mask = 0xffffffffn;
    for (const byte of name) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & mask;
    hash ^= hash >> 16n;
    hash = (hash * 0x85ebca6bn) & mask;
    hash ^= hash >> 13n;
    hash = (hash * 0xc2b2ae35n) & mask;
    hash ^= hash >> 16n;
    let zeros = 0;
    while (zeros < 32 && ((hash >> BigInt(zeros)) & 1n) === 0n) zeros += 1;
    return Math.floor(zeros / 6);
  };
  for (let index = 0; index < 20_000; index += 1) {
    const name = utf8(`n${index}`);
    assert.equal(nameLevel(name), slow(name));
  }
});
