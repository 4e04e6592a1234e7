/**
 * Inode numbers without a table: 53 bits of a hash of what a file is for ever (its node id, and for names of one file their link group), so that they are the
 * same after a remount. Further bits are the generation. Not a hash against enemies: who makes two ids alike gets the next number for one of them.
 *
 * The mixing is murmur3's finaliser (A. Appleby, public domain).
 */
import type { Dot } from "../format/mod.ts";

export interface NodeNumber {
  /** Not below `numberMin`. */
  readonly number: number;
  /** 31 bits. */
  readonly generation: number;
}

/** Below are the root and whatever else has a number of its own. */
export const numberMin = 65_536;
/** Those of a folder's own files are below; those of what is shown beside them are not. */
export const folderNumbersBelow: number = 2 ** 52;
const high = 2 ** 32;
const seeds = [0x9e37_79b9, 0x85eb_ca6b, 0xc2b2_ae35] as const;

/** The events of neighbours are mostly one: its words are kept. */
let last: { clock: bigint; writer: bigint; words: readonly [number, number, number, number] } = {
  clock: 0n,
  writer: 0n,
  words: [0, 0, 0, 0],
};

/** @param view Tells apart trees that are shown beside each other: 32 bits. */
export function numberOfDot({ clock, writer, counter }: Dot, view: number): NodeNumber {
  if (clock !== last.clock || writer !== last.writer)
    last = { clock, writer, words: [word(clock), word(clock >> 32n), word(writer), word(writer >> 32n)] };
  const [a, b, c, d] = last.words;
  const lane = (seed: number): number => mix(mix(mix(mix(mix(mix(seed, a), b), c), d), counter), view);
  return asNumber(lane(seeds[0]), lane(seeds[1]), lane(seeds[2]));
}

/** Of what has no node id: a made-up file, known by a text. */
export function numberOfText(text: string): NodeNumber {
  const lane = (seed: number): number => {
    let hash: number = seed;
    for (let at = 0; at < text.length; at += 1) hash = mix(hash, text.charCodeAt(at));
    return mix(hash, text.length);
  };
  return asNumber(lane(seeds[0]), lane(seeds[1]), lane(seeds[2]));
}

/** 32 bits of a text. */
export function textHash(text: string): number {
  return numberOfText(text).number % high;
}

function word(value: bigint): number {
  return Number(BigInt.asUintN(32, value));
}

function asNumber(low: number, middle: number, other: number): NodeNumber {
  const number = (low >>> 0) + (middle & 0x1f_ffff) * high;
  return { number: number < numberMin ? number + numberMin : number, generation: other >>> 1 };
}

function mix(state: number, value: number): number {
  let hash = Math.imul(state ^ value, 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return (hash ^ (hash >>> 16)) + 0x9e37_79b9;
}
