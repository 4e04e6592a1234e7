/** Damage to files, and what can still be read of a box that has some: every file of every commit, compared with what it was. */
import { readFileSync, writeFileSync } from "node:fs";
import { Box } from "../../src/app/mod.ts";
import { fromHex } from "../../src/base/bytes.ts";
import { isKind, type OuroError } from "../../src/base/errors.ts";
import type { Prng } from "../../src/base/prng.ts";
import type { FaultyPlace } from "./faulty-box.ts";

/** A way to damage a file; told as it is in messages. */
export interface Blow {
  readonly name: string;
  apply(path: string): void;
}

/** Flipped bits all over a file, most of them where it is not empty, its ends among them, and the file cut off and grown. */
export function blows(bytes: Uint8Array, count: number, prng: Prng): Blow[] {
  const size = bytes.length;
  const positions = new Set([0, size - 1, ...Array.from({ length: count }, () => positionIn(bytes, prng))]);
  const flips = [...positions].map((at): Blow => {
    const bit = 1 << prng.int(0, 7);
    return {
      name: `bit ${bit} of byte ${at} of ${size}`,
      apply: (path) => change(path, (bytes) => flip(bytes, at, bit)),
    };
  });
  const cuts = [0, 1, size >>> 1, size - 1].map((length): Blow => {
    return { name: `${length} of ${size} bytes`, apply: (path) => change(path, (bytes) => bytes.subarray(0, length)) };
  });
  const grown: Blow = {
    name: "a byte more",
    apply: (path) => change(path, (bytes) => Buffer.concat([bytes, Buffer.of(7)])),
  };
  return [...flips, ...cuts, grown];
}

/** Most of a small database is zeros that mean nothing. */
function positionIn(bytes: Uint8Array, prng: Prng): number {
  let at = 0;
  for (let tries = prng.chance(0.2) ? 1 : 100; tries > 0; tries -= 1) {
    at = prng.int(0, Math.max(0, bytes.length - 1));
    if (bytes[at] !== 0) break;
  }
  return at;
}

function change(path: string, edit: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, edit(readFileSync(path)));
}

function flip(bytes: Buffer, at: number, bit: number): Buffer {
  bytes[at] = (bytes[at] ?? 0) ^ bit;
  return bytes;
}

export interface Reading {
  /** "commit/path" of what was read and is as it was. */
  readonly same: string[];
  /** With the reason. */
  readonly unread: Map<string, OuroError>;
}

/**
 * Reads all that was promised of a box.
 * @throws AssertionError and the like when bytes are other than they were, or something fails with no error of ours.
 */
export async function readPromised(place: FaultyPlace, box: Box): Promise<Reading> {
  const reading: Reading = { same: [], unread: new Map() };
  for (const { commit, contents } of place.promised) {
    for (const [path, wanted] of contents) {
      const name = `${commit.slice(0, 8)}/${path}`;
      try {
        const entry = box.find(fromHex(commit, 32), Buffer.from(path));
        if (entry === undefined) throw new Error(`${name} is gone without a word`);
        const bytes = Buffer.concat((await Array.fromAsync(box.readFile(entry))).map((each) => Buffer.from(each)));
        if (!bytes.equals(wanted)) throw new Error(`${name} has wrong bytes`);
        reading.same.push(name);
      } catch (thrown) {
        if (!isKind(thrown)) throw thrown;
        reading.unread.set(name, thrown);
      }
    }
  }
  return reading;
}

/** Opens a box that may be damaged. @returns The error, which is one of ours, when it does not open. */
export async function openDamaged(place: FaultyPlace, name: string): Promise<Box | OuroError> {
  try {
    return await Box.open(place.path(name), place.context());
  } catch (thrown) {
    if (!isKind(thrown)) throw thrown;
    return thrown;
  }
}

/** In one line: what `check` says, with what to do. */
export async function checkLines(
  box: Box,
): Promise<{ readonly file: string; readonly what: string; readonly hint: string }[]> {
  return (await Array.fromAsync(box.check({ readData: true }))).map(({ file, what, hint }) => ({ file, what, hint }));
}
