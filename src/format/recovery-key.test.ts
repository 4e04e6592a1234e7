import assert from "node:assert/strict";
import { test } from "node:test";
import { testSeeds } from "../../test/support/seeds.ts";
import type { Prng } from "../base/prng.ts";
import { canonicalPassphrase, makeRecoveryKey, type RecoveryText, readRecoveryKey } from "./recovery-key.ts";

const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const make = (prng: Prng): string => makeRecoveryKey((length) => prng.bytes(length));
const groupsOf = (key: string): string[] => key.replace("ouro-", "").split("-");
const joined = (groups: readonly string[]): string => `ouro-${groups.join("-")}`;

function whereOf(read: RecoveryText): string {
  assert.equal(read.kind, "mistyped");
  return read.kind === "mistyped" ? read.where : "";
}

test("recovery key: it has one look, which is frozen", () => {
  const key = makeRecoveryKey((length) => new Uint8Array(length).fill(0x5e));
  assert.equal(key, "ouro-BSF5G-WQJYR-BSF5J-WQJYT-BSF5M-WQJYW-BV19Z-N0BFH");
  assert.deepEqual(readRecoveryKey(key), { kind: "key", text: key });
});

testSeeds("recovery key: case, spaces, dashes and letters that look like digits do not matter", 60, (prng) => {
  const key = make(prng);
  assert.match(key, /^ouro(-[0-9A-HJKMNP-TV-Z]{5}){8}$/);
  const groups = groupsOf(key);
  const loose = groups.map((group) => group.replaceAll("0", "o").replaceAll("1", prng.pick(["i", "L"])));
  for (const text of [
    key.toLowerCase(),
    `  ${key}\n`,
    groups.join(""),
    groups.join(" "),
    groups.join("-"),
    `OURO ${groups.join("\n")}`,
    `ouro ${loose.join(" – ")}`,
    `ouro-${groups.join("")}`,
  ]) {
    assert.deepEqual(readRecoveryKey(text), { kind: "key", text: key });
    assert.equal(canonicalPassphrase(text), key);
  }
});

testSeeds(
  "recovery key: every wrong character and every exchange in a group is found, and which group",
  300,
  (prng) => {
    const groups = groupsOf(make(prng));
    const index = prng.int(0, 7);
    const group = groups[index] as string;
    const wrong: string[] = [];
    for (let at = 0; at < 5; at += 1) {
      for (const character of alphabet) wrong.push(group.slice(0, at) + character + group.slice(at + 1));
      for (let other = 0; other < at; other += 1) {
        const characters = [...group];
        [characters[at], characters[other]] = [characters[other] as string, characters[at] as string];
        wrong.push(characters.join(""));
      }
    }
    for (const each of wrong.filter((text) => text !== group)) {
      const typed = groups.with(index, each);
      for (const text of [joined(typed), typed.join(""), typed.join(" ")])
        assert.equal(whereOf(readRecoveryKey(text)), `group ${index + 1} is wrong`);
    }
  },
);

testSeeds("recovery key: what is missing, doubled, strange or in another's place is found, and where", 60, (prng) => {
  const groups = groupsOf(make(prng));
  const index = prng.int(0, 7);
  const group = groups[index] as string;
  const at = prng.int(0, 4);
  const named = new RegExp(`\\bgroup ${index + 1}\\b`);
  const short = group.slice(0, at) + group.slice(at + 1);
  assert.match(whereOf(readRecoveryKey(joined(groups.with(index, short)))), named);
  const long = group.slice(0, at) + prng.pick([...alphabet]) + group.slice(at);
  assert.match(whereOf(readRecoveryKey(joined(groups.with(index, long)))), named);
  const strange = group.slice(0, at) + prng.pick([..."U?*Ä"]) + group.slice(at + 1);
  assert.match(whereOf(readRecoveryKey(joined(groups.with(index, strange)))), named);
  assert.match(whereOf(readRecoveryKey(joined(groups.toSpliced(index, 1)))), /there are 7 groups/);
  assert.match(whereOf(readRecoveryKey(joined(groups.toSpliced(index, 0, group)))), /there are 9 groups/);
  const other = (index + prng.int(1, 7)) % 8;
  const exchanged = groups.with(index, groups[other] as string).with(other, group);
  const [first, second] = [index, other].sort((a, b) => a - b) as [number, number];
  assert.equal(whereOf(readRecoveryKey(joined(exchanged))), `groups ${first + 1}, ${second + 1} are wrong`);
  // Without dashes only the first group that is wrong can be told, and by one chance in 32 not it, but a later one.
  const run = groups.join("");
  const cut = prng.int(0, 39);
  assert.match(whereOf(readRecoveryKey(`ouro-${run.slice(0, cut)}${run.slice(cut + 1)}`)), /too few characters, 39/);
  assert.match(whereOf(readRecoveryKey(`${run.slice(0, cut)}7${run.slice(cut)}`)), /too many characters, 41/);
});

testSeeds("recovery key: groups of two keys do not pass for one, whatever their check characters say", 60, (prng) => {
  const [one, other] = [groupsOf(make(prng)), groupsOf(make(prng))];
  const cut = prng.int(1, 7);
  const mixed = [...one.slice(0, cut), ...other.slice(cut)];
  assert.equal(whereOf(readRecoveryKey(joined(mixed))), "its groups do not belong together");
});

test("recovery key: other passphrases stay as they are", () => {
  for (const text of [
    "",
    "secret",
    "correct horse battery staple",
    "ouro",
    "ouro-boros",
    "ouro-boros eats its tail",
    "x".repeat(5000),
    "five words makes quite great pass wording these",
    "0".repeat(64),
  ]) {
    const read = readRecoveryKey(text);
    assert.notEqual(read.kind, "key", text);
    assert.equal(canonicalPassphrase(text), text);
  }
  assert.equal(readRecoveryKey("correct horse battery staple").kind, "other");
  assert.equal(canonicalPassphrase("u\u0308ber"), "\u00fcber");
});
