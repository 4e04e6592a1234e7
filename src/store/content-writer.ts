/**
 * Stores chunks that are not stored yet, in one content pack after another. One writer is one thread's.
 *
 * How a full pack is published is the caller's: at once (in this thread), or while the next is being filled (workers).
 */
import { type Hash, hashKey, packLimits } from "../format/mod.ts";
import type { ClaimTable } from "./claim-table.ts";
import type { IndexDatabase } from "./index-database.ts";
import { type CompletePack, PackWriter, type PackWriterOptions } from "./pack-writer.ts";

export interface ContentWriterOptions extends PackWriterOptions {
  readonly index: IndexDatabase;
  readonly claims: ClaimTable;
  /** Takes over a full pack. */
  readonly publish: (pack: CompletePack) => void;
}

export class ContentWriter {
  readonly #options: ContentWriterOptions;
  #writer: PackWriter | undefined;
  /** Chunks of the present pack that the claim table had no room for. */
  readonly #unclaimed = new Set<string>();
  /** Whether the index had nothing when this began: then there is nothing to ask it. */
  readonly #isFirst: boolean;

  constructor(options: ContentWriterOptions) {
    this.#options = options;
    this.#isFirst = !options.index.hasChunks();
  }

  /**
   * Stores a chunk unless it is there or someone in this run has it already.
   * @param options.raw Known not to shrink.
   * @returns Whether it was stored: raw, packed, or (undefined) not.
   */
  put(hash: Hash, bytes: Uint8Array, options: { readonly raw: boolean }): "raw" | "packed" | undefined {
    const claim = this.#options.claims.claim(hash);
    if (claim === "known") return undefined;
    if (claim === "full" && this.#unclaimed.has(hashKey(hash))) return undefined;
    // What this run has stored is claimed, but for what the table had no room for.
    if ((claim === "full" || !this.#isFirst) && this.#options.index.hasChunk(hash)) return undefined;
    if (this.#writer?.isFull === true) this.#endPack();
    this.#writer ??= new PackWriter("content", this.#options);
    if (claim === "full" && this.#unclaimed.size < packLimits.targetObjects) this.#unclaimed.add(hashKey(hash));
    return this.#writer.add(hash, bytes, options) ? "raw" : "packed";
  }

  #endPack(): void {
    if (this.#writer === undefined) return;
    const pack = this.#writer.complete();
    this.#writer = undefined;
    this.#unclaimed.clear();
    this.#options.publish(pack);
  }

  /** Hands over the last pack. */
  finish(): void {
    this.#endPack();
  }

  /** Removes the pack that is being written. */
  abort(): void {
    this.#writer?.abort();
    this.#writer = undefined;
  }
}
