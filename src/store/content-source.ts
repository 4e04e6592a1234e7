/**
 * Where content comes from when it is not here: the store knows that a chunk is missing, `app` knows which
 * remotes and peers may have it.
 */
import { isKind, type OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";

export interface MissingChunk {
  readonly hash: Hash;
  readonly length: number;
}

/** Why something could not be read: chunks that are not here. */
export class LackingContent {
  readonly chunks: readonly MissingChunk[];

  constructor(chunks: readonly MissingChunk[]) {
    this.chunks = chunks;
  }
}

/** The chunks whose lack is why something could not be read; none where that is not why. */
export function lackingChunks(error: unknown): readonly MissingChunk[] {
  return isKind(error, "not-found") && error.cause instanceof LackingContent ? error.cause.chunks : [];
}

/** What decides whether there is room for content that somebody reads. */
export interface CacheRoom {
  /**
   * Makes room for frames that have come.
   * @param sizes What each takes on the disk, in bytes.
   * @param take Called once, in the turn in which it is known how many of the first may be kept.
   * @returns What that returns.
   */
  keep<T>(sizes: readonly number[], take: (count: number) => T): Promise<T>;
  /** Told why something was not kept that there was room for, and that nobody waits for. */
  failed(reason: OuroError): void;
}

export interface ContentSource {
  /**
   * Brings chunks into the store: when it resolves, the store has each of them, verified by hash; those that come to be read for as long
   * as is promised in lent-frames.ts, as what is cache may be given up at any time.
   * Frames are fetched whole, so neighbours come along. Calls for the same frame at one time are one fetch.
   * @throws OuroError "not-found" (no place has it), "offline" (no place that may have it answers), "corrupt" (every
   * place that answers gives wrong bytes), "no-space", "aborted".
   */
  fetch(chunks: readonly MissingChunk[], options?: { readonly signal?: AbortSignal }): Promise<void>;
}
