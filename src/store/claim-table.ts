/**
 * Which chunks this run has dealt with already: a hash table in shared memory, so that two workers do not store one chunk twice.
 *
 * It holds whole hashes: a match by part of one would lose data. It has a fixed size; when it is nearly full, new chunks
 * are no longer claimed, and a chunk met twice may then be stored twice, which costs space and nothing else.
 */
import type { Hash } from "../format/mod.ts";

const hashWords = 8;
const states = { empty: 0, writing: 1, ready: 2 } as const;
const fillMax = 0.75;
/** How often it looks again at a slot that another thread is just writing, before it treats it as another hash. */
const spinMax = 10_000;

/** What another thread needs to use the same table. */
export interface ClaimMemory {
  readonly states: SharedArrayBuffer;
  readonly hashes: SharedArrayBuffer;
}

export class ClaimTable {
  readonly memory: ClaimMemory;
  /** One word a slot, and at the end the count of claims. */
  readonly #states: Int32Array;
  readonly #hashes: Int32Array;
  readonly #mask: number;
  readonly #max: number;
  readonly #scratch = Buffer.alloc(hashWords * 4);
  readonly #words = new Int32Array(this.#scratch.buffer, this.#scratch.byteOffset, hashWords);

  constructor(memory: ClaimMemory) {
    this.memory = memory;
    this.#states = new Int32Array(memory.states);
    this.#hashes = new Int32Array(memory.hashes);
    const slots = this.#states.length - 1;
    this.#mask = slots - 1;
    this.#max = Math.floor(slots * fillMax);
  }

  /** @param slots A power of two; 36 bytes each, used only as it fills. */
  static create(slots: number): ClaimTable {
    return new ClaimTable({
      states: new SharedArrayBuffer((slots + 1) * 4),
      hashes: new SharedArrayBuffer(slots * hashWords * 4),
    });
  }

  /**
   * Claims a hash for the caller.
   * @returns "known" when someone has claimed it before; "full" when it is unknown and could not be claimed.
   */
  claim(hash: Hash): "claimed" | "known" | "full" {
    this.#scratch.set(hash);
    const words = this.#words;
    let slot = (words[0] as number) & this.#mask;
    for (let spins = 0; ; ) {
      const state = Atomics.load(this.#states, slot);
      if (state === states.empty) {
        if (Atomics.load(this.#states, this.#mask + 1) >= this.#max) return "full";
        if (Atomics.compareExchange(this.#states, slot, states.empty, states.writing) !== states.empty) continue;
        this.#hashes.set(words, slot * hashWords);
        Atomics.store(this.#states, slot, states.ready);
        Atomics.add(this.#states, this.#mask + 1, 1);
        return "claimed";
      }
      if (state === states.writing && spins < spinMax) {
        spins += 1;
        continue;
      }
      if (state === states.ready && this.#holds(slot, words)) return "known";
      slot = (slot + 1) & this.#mask;
    }
  }

  #holds(slot: number, words: Int32Array): boolean {
    const at = slot * hashWords;
    for (let word = 0; word < hashWords; word += 1) {
      if (this.#hashes[at + word] !== words[word]) return false;
    }
    return true;
  }
}
