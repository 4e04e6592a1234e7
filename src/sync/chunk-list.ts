/**
 * Which chunks are needed, and which have come with packs: put aside while packs are on their way, and compared at the end. So the check of a
 * tree need not wait for content, most chunks need no question to the index, and memory does not grow with their number: both lists are in
 * parts by a byte of the hash, and one part after another is looked at.
 */
import type { Spill, SpilledBytes } from "../base/spill.ts";
import { Turns } from "../base/turns.ts";
import { type Hash, hashBytes } from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";

const partsCount = 64;
/** So many of a part are put aside together. */
const blockHashes = 512;

export class ChunkLists {
  readonly #needed: ChunkList;
  readonly #arrived: ChunkList;

  /** @param aside To be there until they have been compared. */
  constructor(aside: Spill) {
    this.#needed = new ChunkList(aside);
    this.#arrived = new ChunkList(aside);
  }

  /** May be told of one chunk several times. @throws OuroError "no-space", "io". */
  addNeeded(hash: Hash): void {
    this.#needed.add(hash);
  }

  /** @param hashes One after another. @throws As `addNeeded`. */
  addArrived(hashes: Uint8Array): void {
    for (let at = 0; at < hashes.length; at += hashBytes) this.#arrived.add(hashes.subarray(at, at + hashBytes));
  }

  /**
   * Whether every chunk that is needed has arrived, or is here otherwise.
   * @param isHere Asked about what has not arrived, once about each.
   * @throws OuroError "io"; the signal's reason.
   */
  async hasAll(isHere: (hash: Hash) => boolean, signal?: AbortSignal): Promise<boolean> {
    const turns = new Turns(signal);
    for (let part = 0; part < partsCount; part += 1) {
      const here = new HashSet();
      for (const hash of this.#arrived.part(part)) here.add(hash);
      for (const hash of this.#needed.part(part)) if (here.add(hash) && !isHere(hash)) return false;
      await turns.end();
    }
    return true;
  }
}

interface Part {
  readonly blocks: SpilledBytes[];
  /** What is to be the next block; absent before the first chunk. */
  last: Uint8Array | undefined;
  lastCount: number;
}

class ChunkList {
  readonly #aside: Spill;
  readonly #parts: readonly Part[] = Array.from({ length: partsCount }, () => ({
    blocks: [],
    last: undefined,
    lastCount: 0,
  }));

  constructor(aside: Spill) {
    this.#aside = aside;
  }

  add(hash: Hash): void {
    // Not by its first byte: by that a set of hashes finds its slots.
    const part = this.#parts[(hash[hashBytes - 1] as number) % partsCount] as Part;
    part.last ??= new Uint8Array(blockHashes * hashBytes);
    part.last.set(hash, part.lastCount * hashBytes);
    part.lastCount += 1;
    if (part.lastCount < blockHashes) return;
    part.blocks.push(this.#aside.put(part.last));
    part.lastCount = 0;
  }

  *part(index: number): Generator<Hash> {
    const { blocks, last, lastCount } = this.#parts[index] as Part;
    for (const block of blocks) yield* hashesIn(this.#aside.get(block));
    if (last !== undefined) yield* hashesIn(last.subarray(0, lastCount * hashBytes));
  }
}

function* hashesIn(block: Uint8Array): Generator<Hash> {
  for (let at = 0; at < block.length; at += hashBytes) yield block.subarray(at, at + hashBytes);
}
