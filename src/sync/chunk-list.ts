/**
 * Which chunks are asked for, and which have come with packs: kept compactly while packs are on their way, so that the check of
 * a tree need not wait for them, and most chunks need no question to the index.
 */
import { type Hash, hashBytes } from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";

/** 60 to 110 MB when both are full. */
const chunksMax = 1_000_000;
const blockHashes = 4096;

/** Chunks that are needed, each once. */
export class NeededChunks {
  readonly #seen = new HashSet();
  readonly #blocks: Uint8Array[] = [];
  #count = 0;

  /** More were added than are kept: they must be asked for again. */
  get isFull(): boolean {
    return this.#count >= chunksMax;
  }

  add(hash: Hash): void {
    if (this.isFull || !this.#seen.add(hash)) return;
    const at = this.#count % blockHashes;
    if (at === 0) this.#blocks.push(new Uint8Array(blockHashes * hashBytes));
    this.#blocks.at(-1)?.set(hash, at * hashBytes);
    this.#count += 1;
  }

  /** Whether all of them pass. */
  every(test: (hash: Hash) => boolean): boolean {
    for (let index = 0; index < this.#count; index += 1) {
      const at = (index % blockHashes) * hashBytes;
      const block = this.#blocks[Math.floor(index / blockHashes)] as Uint8Array;
      if (!test(block.subarray(at, at + hashBytes))) return false;
    }
    return true;
  }
}

/** Chunks of packs that have come; not all of them when there are very many. */
export class ArrivedChunks {
  readonly #set = new HashSet();

  /** @param hashes One after another. */
  add(hashes: Uint8Array): void {
    if (this.#set.size + hashes.length / hashBytes > chunksMax) return;
    for (let at = 0; at < hashes.length; at += hashBytes) this.#set.add(hashes.subarray(at, at + hashBytes));
  }

  has(hash: Hash): boolean {
    return this.#set.has(hash);
  }
}
