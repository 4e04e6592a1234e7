/**
 * A set of hashes in 23 to 46 bytes each, without an object per member. Only the first half of a hash is kept: 128 bits, of
 * which no two that were not made on purpose are alike.
 */
import type { Hash } from "../format/mod.ts";

const words = 4;

export class HashSet {
  #slots: Uint32Array = new Uint32Array(words * 1024);
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(hash: Hash): boolean {
    return this.#slots[this.#find(this.#slots, word(hash, 0), word(hash, 4), word(hash, 8), lastWord(hash)) + 3] !== 0;
  }

  /** @returns Whether it was not in the set before. */
  add(hash: Hash): boolean {
    const [a, b, c, d] = [word(hash, 0), word(hash, 4), word(hash, 8), lastWord(hash)];
    const at = this.#find(this.#slots, a, b, c, d);
    if (this.#slots[at + 3] !== 0) return false;
    put(this.#slots, at, a, b, c, d);
    this.#size += 1;
    if (this.#size * words > this.#slots.length * 0.7) this.#grow();
    return true;
  }

  /** The slot that holds these words, or the free one where they belong. */
  #find(slots: Uint32Array, a: number, b: number, c: number, d: number): number {
    const mask = slots.length / words - 1;
    for (let slot = (a ^ (a >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const at = slot * words;
      if (slots[at + 3] === 0) return at;
      if (slots[at] === a && slots[at + 1] === b && slots[at + 2] === c && slots[at + 3] === d) return at;
    }
  }

  #grow(): void {
    const [old, larger] = [this.#slots, new Uint32Array(this.#slots.length * 2)];
    for (let at = 0; at < old.length; at += words) {
      const [a, b, c, d] = [old[at] as number, old[at + 1] as number, old[at + 2] as number, old[at + 3] as number];
      if (d !== 0) put(larger, this.#find(larger, a, b, c, d), a, b, c, d);
    }
    this.#slots = larger;
  }
}

function put(slots: Uint32Array, at: number, a: number, b: number, c: number, d: number): void {
  slots[at] = a;
  slots[at + 1] = b;
  slots[at + 2] = c;
  slots[at + 3] = d;
}

function word(hash: Hash, at: number): number {
  return (
    ((hash[at] as number) |
      ((hash[at + 1] as number) << 8) |
      ((hash[at + 2] as number) << 16) |
      ((hash[at + 3] as number) << 24)) >>>
    0
  );
}

/** Never 0, which means a free slot. */
function lastWord(hash: Hash): number {
  return word(hash, 12) || 1;
}
