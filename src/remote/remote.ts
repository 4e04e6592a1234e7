/**
 * The one interface every remote implements, and what we rely on from all of them.
 *
 * A remote holds named blobs: packs and index files that never change, and one small head per writer that is
 * replaced. It runs none of our code and knows nothing of boxes. Every implementation must give:
 *
 * - Atomic put: a blob is absent, or the old one, or the new one, whole; no reader sees part of one.
 * - Read your writes: after `put` resolves, `get`, `stat` and `list` of the same Remote see the blob,
 *   and a crash of either side does not take it back.
 * - No silent damage: a short read rejects. (What the bytes say is verified above, by hash.)
 * - Any number of processes at once, without locks.
 *
 * `remote.suite.ts` proves these for each implementation. Retries, limits and logging are wrappers around
 * a Remote, not part of one.
 */

export interface BlobInfo {
  /** Segments of `[a-z0-9.-]+`, each beginning with a letter or digit, joined by "/"; at most 200 bytes. */
  readonly name: string;
  /** In bytes. */
  readonly size: number;
  /** When the remote's own clock says it was written, ms since 1970; absent where it does not tell. */
  readonly modifiedMs?: number;
}

/** Half-open, in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

export interface RemoteOptions {
  readonly signal?: AbortSignal;
  /** Told of bytes as they pass, for progress. */
  readonly onBytes?: (count: number) => void;
}

export interface GetOptions extends RemoteOptions {
  /** Only these bytes; they must lie inside the blob. */
  readonly range?: ByteRange;
}

/** Where a put takes its bytes from: memory, or a local file that does not change meanwhile. */
export type BlobSource = Uint8Array | { readonly path: string; readonly size: number };

/** What a conditional put is conditional on: the tag that `get` or `stat` gave, or that there is no such blob. */
export type PutCondition = { readonly ifMatch: string } | { readonly ifAbsent: true };

export interface Remote extends AsyncDisposable {
  /** As the user would write it, without secrets. */
  readonly url: string;

  /** What conditional puts are worth here: "none" means that `putIf` throws "unsupported". */
  readonly conditions: "cas" | "create-only" | "none";

  /**
   * Stores a blob, replacing one of that name.
   * @throws OuroError "no-space" | "permission" | "read-only" | "offline" | "aborted" | "io".
   */
  put(name: string, source: BlobSource, options?: RemoteOptions): Promise<void>;

  /**
   * Stores a blob if the condition holds at that moment.
   * @returns The new blob's tag, or undefined when the condition did not hold.
   * @throws OuroError "unsupported" where conditions are not kept, and as `put`.
   */
  putIf(name: string, bytes: Uint8Array, condition: PutCondition, options?: RemoteOptions): Promise<string | undefined>;

  /**
   * Reads a blob or a range of it into memory.
   * @returns Exactly the bytes asked for; the caller owns the array.
   * @throws OuroError "not-found", "invalid" (the range runs past the end), "too-large" (over 256 MiB), "offline", "io".
   */
  get(name: string, options?: GetOptions): Promise<Uint8Array>;

  /**
   * Copies a blob into a new local file, from `offset` on to go on with an interrupted copy.
   * The file is not synced; on failure what has arrived stays in it.
   * @returns The size of the blob.
   * @throws As `get`.
   */
  download(name: string, path: string, options?: RemoteOptions & { readonly offset?: number }): Promise<number>;

  /** What is known of a blob without reading it, with a tag for `putIf`, or undefined. */
  stat(name: string, options?: RemoteOptions): Promise<(BlobInfo & { readonly tag?: string }) | undefined>;

  /** Every blob whose name begins with `prefix` (which ends with "/"), in no particular order; no temporary files. */
  list(prefix: string, options?: RemoteOptions): AsyncIterable<BlobInfo>;

  /** Removes a blob; removing an absent one is fine. */
  remove(name: string, options?: RemoteOptions): Promise<void>;
}
