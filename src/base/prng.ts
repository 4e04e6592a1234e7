/**
 * Seeded random numbers, for tests, simulations and made-up datasets. Never for keys.
 *
 * Algorithm: mulberry32 (T. Ettinger, 2017), 32 bits of state.
 */
export class Prng {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 random bits, 0 to 2^32 - 1. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  }

  /** A whole number, `min` to `max` inclusive. */
  int(min: number, max: number): number {
    return min + Math.floor((this.u32() / 2 ** 32) * (max - min + 1));
  }

  /** True with the given probability. */
  chance(probability: number): boolean {
    return this.u32() / 2 ** 32 < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.int(0, items.length - 1)];
    if (item === undefined) throw new RangeError("nothing to pick from");
    return item;
  }

  bytes(length: number): Uint8Array {
    const bytes = Buffer.allocUnsafe(length);
    const whole = length & ~3;
    for (let at = 0; at < whole; at += 4) bytes.writeUInt32LE(this.u32(), at);
    for (let at = whole; at < length; at += 1) bytes[at] = this.u32() & 0xff;
    return bytes;
  }
}
