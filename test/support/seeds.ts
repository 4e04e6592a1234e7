/** Tests over random cases that can be run again: every case is named by its seed. `SEED=7` runs only that one, `SEED=7-12` those. */
import { test } from "node:test";
import { Prng } from "../../src/base/prng.ts";

/** Registers one test for each of `count` seeds. The name says what holds in every case. */
export function testSeeds(name: string, count: number, body: (prng: Prng) => void | Promise<void>): void {
  const [first = 1, last = first] = process.env["SEED"]?.split("-").map(Number) ?? [1, count];
  for (let seed = first; seed <= last; seed += 1) test(`${name} (SEED=${seed})`, () => body(new Prng(seed)));
}
