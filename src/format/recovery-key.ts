/**
 * Recovery keys: passphrases made to be printed and typed in again. 128 random bits and 32 bits of checksum, in 8 groups of 4 characters
 * and a check character: "ouro-7K2QX-…". The check character finds every wrong or transposed character of its group, and every group that stands in
 * another's place, so that what is mistyped can be named; the checksum finds what the groups let pass.
 *
 * Case, spaces and dashes do not matter when it is read, and O is taken for 0, I and L for 1. A text that is none stays a passphrase like any
 * other. Format: doc/format.md, section 11. The alphabet is Crockford's base32; the check is a sum in the field of 32 elements.
 */
import { hash } from "node:crypto";
import { concatBytes, equalBytes, utf8 } from "../base/bytes.ts";

const prefix = "ouro-";
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const groups = 8;
const groupLength = 5;
const secretBytes = 16;
const checksumBytes = 4;
const checksumPrefix = utf8("ourobox recovery key 1\0");
/** A text shorter or longer than this, without what separates, is no recovery key with a mistake in it. */
const [charactersMin, charactersMax] = [groups * groupLength - 10, groups * groupLength + 10];
const textMax = 400;

/** What a text that was given as a passphrase is. */
export type RecoveryText =
  | { readonly kind: "key" /** In its one spelling. */; readonly text: string }
  | { readonly kind: "mistyped" /** What is wrong and where, without what was typed. */; readonly where: string }
  | { readonly kind: "other" };

/** A new one, in its one spelling. @param random Unpredictable bytes. */
export function makeRecoveryKey(random: (length: number) => Uint8Array): string {
  const secret = random(secretBytes);
  return spelling(digitsOf(concatBytes([secret, checksumOf(secret)])));
}

/** Reads what may be a recovery key. */
export function readRecoveryKey(text: string): RecoveryText {
  if (text.length > textMax) return { kind: "other" };
  const trimmed = text.trim().toUpperCase();
  const isMarked = /^OURO(?=[\s\p{Pd}_.]|$)/u.test(trimmed);
  const parts = trimmed
    .replace(isMarked ? /^OURO/ : /^/, "")
    .split(/[\s\p{Pd}_.]+/u)
    .filter((part) => part !== "");
  const characters = parts.join("");
  const isLong = characters.length >= charactersMin && characters.length <= charactersMax;
  const isOne = parts.length === 1 && /^[0-9A-Z]+$/.test(characters);
  const isGrouped =
    parts.length >= groups - 2 && parts.filter(({ length }) => length === groupLength).length >= groups - 3;
  if (!isLong || !(isMarked || isOne || isGrouped)) return { kind: "other" };
  const problem = findProblem(isOne ? (characters.match(/.{1,5}/g) ?? []) : parts, characters, isOne);
  return problem === undefined ? { kind: "key", text: spelling(dataOf(parts)) } : { kind: "mistyped", where: problem };
}

/** A passphrase as keys are derived from it: a recovery key has one spelling, and so has a text in Unicode. */
export function canonicalPassphrase(passphrase: string): string {
  const read = readRecoveryKey(passphrase);
  return read.kind === "key" ? read.text : passphrase.normalize("NFC");
}

function findProblem(parts: readonly string[], characters: string, isOne: boolean): string | undefined {
  const strange = parts.findIndex((part) => digitsIn([part]).includes(undefined));
  if (strange >= 0) {
    const character = [...(parts[strange] ?? "")].find((each) => digitOf(each) === undefined) ?? "";
    return `group ${strange + 1} has ${JSON.stringify(character)}, which is in no recovery key`;
  }
  const uneven = parts.findIndex(({ length }) => length !== groupLength);
  const wrong = parts.flatMap((part, index) => (isRight(part, index) ? [] : [index]));
  if (isOne && characters.length !== groups * groupLength) {
    const from = wrong[0] ?? 0;
    const what = characters.length < groups * groupLength ? "too few" : "too many";
    return `there are ${what} characters, ${characters.length} (must be ${groups * groupLength}), from group ${from + 1} on`;
  }
  if (uneven >= 0) return `group ${uneven + 1} has ${parts[uneven]?.length} characters (must be ${groupLength})`;
  if (parts.length !== groups) {
    const missing = wrong[0] === undefined ? "" : `, from group ${wrong[0] + 1} on`;
    return `there are ${parts.length} groups (must be ${groups})${missing}`;
  }
  if (wrong.length === 1) return `group ${(wrong[0] ?? 0) + 1} is wrong`;
  if (wrong.length > 1) return `groups ${wrong.map((index) => index + 1).join(", ")} are wrong`;
  return hasChecksum(parts) ? undefined : "its groups do not belong together";
}

function isRight(part: string, index: number): boolean {
  const digits = digitsIn([part]);
  if (digits.length !== groupLength || digits.includes(undefined) || index >= groups) return false;
  return (
    checkDigit(
      digits.slice(0, -1).map((digit) => digit ?? 0),
      index,
    ) === digits.at(-1)
  );
}

function hasChecksum(parts: readonly string[]): boolean {
  const bytes = bytesOf(dataOf(parts));
  return equalBytes(checksumOf(bytes.subarray(0, secretBytes)), bytes.subarray(secretBytes));
}

function checksumOf(secret: Uint8Array): Uint8Array {
  return hash("sha256", concatBytes([checksumPrefix, secret]), "buffer").subarray(0, checksumBytes);
}

/** @param digits Without check characters. */
function spelling(digits: readonly number[]): string {
  const each = Array.from({ length: groups }, (_, index) => {
    const part = digits.slice(index * (groupLength - 1), (index + 1) * (groupLength - 1));
    return [...part, checkDigit(part, index)].map((digit) => alphabet[digit]).join("");
  });
  return prefix + each.join("-");
}

function digitOf(character: string): number | undefined {
  const same = { O: "0", I: "1", L: "1" }[character] ?? character;
  const at = alphabet.indexOf(same);
  return at < 0 ? undefined : at;
}

function digitsIn(parts: readonly string[]): (number | undefined)[] {
  return [...parts.join("")].map(digitOf);
}

/** The digits without check characters, of groups that are right. */
function dataOf(parts: readonly string[]): number[] {
  return digitsIn(parts)
    .map((digit) => digit ?? 0)
    .filter((_, at) => at % groupLength !== groupLength - 1);
}

/** Five bits a digit, the highest first. */
function digitsOf(bytes: Uint8Array): number[] {
  let bits = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const digits: number[] = [];
  for (let left = (bytes.length * 8) / 5; left > 0; left -= 1) {
    digits.unshift(Number(bits & 31n));
    bits >>= 5n;
  }
  return digits;
}

function bytesOf(digits: readonly number[]): Uint8Array {
  let bits = digits.reduce((sum, digit) => (sum << 5n) | BigInt(digit), 0n);
  const bytes = new Uint8Array((digits.length * 5) / 8);
  for (let at = bytes.length - 1; at >= 0; at -= 1) {
    bytes[at] = Number(bits & 255n);
    bits >>= 8n;
  }
  return bytes;
}

/** Each digit has a weight of its own and none has 0: one wrong digit, or two of them exchanged, change the sum. So does the group's place. */
function checkDigit(digits: readonly number[], group: number): number {
  return digits.reduce((sum, digit, at) => sum ^ multiply(digit, 2 << at), group);
}

/** In the field of 32 elements, modulo x^5 + x^2 + 1. */
function multiply(a: number, b: number): number {
  let product = 0;
  for (let bit = 0; bit < 5; bit += 1) if ((b & (1 << bit)) !== 0) product ^= a << bit;
  for (let bit = 9; bit >= 5; bit -= 1) if ((product & (1 << bit)) !== 0) product ^= 0b100101 << (bit - 5);
  return product;
}
