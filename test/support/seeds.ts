/** Tests over random cases that can be run again: every case is named by its seed, and `SEED=7` runs only that one. */
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";

/** Registers one test for each of `count` seeds. The name says what holds in every case. */
export function testSeeds(name: string, count: number, body: (prng: Prng) => void | Promise<void>): void {
  const only = process.env["SEED"];
  const seeds = only === undefined ? Array.from({ length: count }, (_, index) => index + 1) : [Number(only)];
  for (const seed of seeds) test(`${name} (SEED=${seed})`, () => body(new Prng(seed)));
}
