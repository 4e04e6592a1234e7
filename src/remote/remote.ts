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
 * - Absent is not unreachable: "not-found" means that the place answered and has no such blob. A place that does
 *   not answer, or is not there at all, is "offline".
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
  /**
   * Another one whenever the blob is another one, at most 200 characters; absent where the remote has no such thing.
   * The same from `stat`, `list` and `putIf`.
   */
  readonly tag?: string;
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
  /** Waited for before bytes go out, and after they have come; remotes over a network do so for every block. */
  readonly pace?: (count: number) => Promise<void>;
}

export interface GetOptions extends RemoteOptions {
  /** Only these bytes; they must lie inside the blob. */
  readonly range?: ByteRange;
  /** The most that the caller can take; `getBytesMax` unless given. */
  readonly bytesMax?: number;
}

export interface DownloadOptions extends RemoteOptions {
  /** Go on at this byte of a file that holds what is before it. */
  readonly offset?: number;
  /** The most that the caller can take; no limit unless given. */
  readonly bytesMax?: number;
}

/** Where a put takes its bytes from: memory, or a local file that does not change meanwhile. */
export type BlobSource = Uint8Array | { readonly path: string; readonly size: number };

/** What a conditional put is conditional on: the tag that the blob has, or that there is no such blob. */
export type PutCondition = { readonly ifMatch: string } | { readonly ifAbsent: true };

/** The most that a `get` returns unless its caller says less. */
export const getBytesMax: number = 256 * 1024 * 1024;

export interface Remote extends AsyncDisposable {
  /** As the user would write it, without secrets. */
  readonly url: string;

  /**
   * What conditional puts are worth here: with "create-only", `ifMatch` throws "unsupported"; with "none", both do.
   * A place may turn out to keep less than its kind: callers are ready for "unsupported" always.
   */
  readonly conditions: "cas" | "create-only" | "none";

  /**
   * Stores a blob, replacing one of that name.
   * @throws OuroError "no-space" | "permission" | "read-only" | "offline" | "aborted" | "invalid" (the name, or a
   * source that is not of its size) | "io".
   */
  put(name: string, source: BlobSource, options?: RemoteOptions): Promise<void>;

  /**
   * Stores a blob if the condition holds at that moment.
   * @returns The new blob's tag, or undefined when the condition did not hold.
   * @throws OuroError "unsupported" where the condition is not kept, and as `put`.
   */
  putIf(name: string, bytes: Uint8Array, condition: PutCondition, options?: RemoteOptions): Promise<string | undefined>;

  /**
   * Reads a blob or a range of it into memory.
   * @returns Exactly the bytes asked for; the caller owns the array.
   * @throws OuroError "not-found", "invalid" (the range runs past the end), "too-large" (more than `bytesMax`),
   * "offline", "aborted", "io".
   */
  get(name: string, options?: GetOptions): Promise<Uint8Array>;

  /**
   * Copies a blob into a local file, which is made if need be. On failure what has arrived stays in it: the
   * file never holds anything but the beginning of the blob.
   * @returns The size of the blob, which is the file's.
   * @throws As `get`; "invalid" when `offset` is past the blob's end.
   */
  download(name: string, path: string, options?: DownloadOptions): Promise<number>;

  /** What is known of a blob without reading it, or undefined when there is none. */
  stat(name: string, options?: RemoteOptions): Promise<BlobInfo | undefined>;

  /** Every blob whose name begins with `prefix` (which ends with "/"), in no particular order; no temporary files. */
  list(prefix: string, options?: RemoteOptions): AsyncIterable<BlobInfo>;

  /**
   * The names at the top of the place, whoever put them there, each once: of "packs/a" it is "packs". Up to 1,000 of
   * them; so that a box is not made in the middle of somebody's files. The remote's own temporary files are left out.
   */
  topNames(options?: RemoteOptions): Promise<readonly string[]>;

  /** Removes a blob; removing an absent one is fine. */
  remove(name: string, options?: RemoteOptions): Promise<void>;

  /** What people should know of this place whenever it is read from, in words; absent where there is nothing to say. */
  note?(options?: RemoteOptions): Promise<string | undefined>;
}
