/**
 * Stores chunks that are not stored yet, in one content pack after another. One writer is one thread's.
 *
 * A chunk counts as stored only where its bytes are known to be right: in packs that were made here, and in frames of others that
 * frame-proofs.ts has looked at. What it finds to be wrong is stored anew, and found there from then on.
 *
 * How a full pack is published is the caller's: at once (in this thread), or while the next is being filled (workers).
 */
import { type Hash, hashKey, packLimits } from "../format/mod.ts";
import type { ClaimTable } from "./claim-table.ts";
import { FrameProofs } from "./frame-proofs.ts";
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
  readonly #proofs: FrameProofs;

  constructor(options: ContentWriterOptions) {
    this.#options = options;
    this.#proofs = new FrameProofs(options);
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
    if (this.#writer?.isFull === true) this.#endPack();
    if ((claim === "full" || !this.#isFirst) && this.#isStored(hash)) return undefined;
    this.#writer ??= new PackWriter("content", this.#options);
    if (claim === "full" && this.#unclaimed.size < packLimits.targetObjects) this.#unclaimed.add(hashKey(hash));
    return this.#writer.add(hash, bytes, options) ? "raw" : "packed";
  }

  #isStored(hash: Hash): boolean {
    const place = this.#options.index.findChunk(hash);
    return place !== undefined && this.#proofs.isRight(hash, place);
  }

  #endPack(): void {
    if (this.#writer === undefined) return;
    const pack = this.#writer.complete();
    const mends = this.#proofs.takeWrong();
    this.#writer = undefined;
    this.#unclaimed.clear();
    this.#options.publish(mends.length === 0 ? pack : { ...pack, mends });
  }

  /** Hands over the last pack. */
  finish(): void {
    this.#endPack();
    this.#proofs.save();
  }

  /** Removes the pack that is being written. */
  abort(): void {
    this.#writer?.abort();
    this.#writer = undefined;
    this.#proofs[Symbol.dispose]();
  }
}
