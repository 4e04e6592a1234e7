/**
 * The bytes of files: chunks found through their lists, holes as zeros. What is here is answered at once. What is not is brought by a `ContentSource`, if there
 * is one: all that a read lacks in one call, what several reads lack once; a read ends with its caller's patience, the fetch goes on for the others.
 *
 * The chunks used last stay verified (the store's frames stay decoded): a read of 4 KiB after another costs no hash of 64 KiB. Reads that follow one another
 * are followed by what comes next: fetched where it is not here, and read from the disk by the kernel where it is.
 */
import { asBuffer, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import type { Content, ContentItem } from "../format/mod.ts";
import type { ContentSource, MissingChunk, Store } from "../store/mod.ts";
import { ContentLists, type PlacedItem } from "./content-lists.ts";
import { FilesystemFailure } from "./failure.ts";
import type { Answer } from "./filesystem.ts";

const zeros = new Uint8Array(64 * 1024);
/** A kept chunk keeps the frame that it is a part of, 1 MiB mostly. */
const keptChunksMax = 24;
const keptBytesMax = 16 * 1024 * 1024;
/** Files of which is known how far they were read. */
const trailsMax = 256;
const aheadBytes = 4 * 1024 * 1024;

export type ChunkStore = Pick<Store, "getChunk" | "getMeta" | "expectChunks">;

export interface ReadRequest {
  /** Tells files apart for read-ahead. */
  readonly file: number;
  readonly offset: number;
  /** In bytes; less is given at the end. */
  readonly length: number;
  /** Asked for when something must be waited for. */
  readonly signal: () => AbortSignal;
}

type ChunkItem = Extract<ContentItem, { form: "chunk" }>;

export class ContentReader {
  readonly lists: ContentLists;
  readonly #store: ChunkStore;
  readonly #source: ContentSource | undefined;
  readonly #kept = new Map<string, Uint8Array>();
  #keptBytes = 0;
  readonly #fetching = new Map<string, Promise<void>>();
  /** Where the last read of a file ended, and how far has been fetched ahead. */
  readonly #trails = new Map<number, { end: number; ahead: number }>();

  constructor(store: ChunkStore, source?: ContentSource) {
    this.#store = store;
    this.#source = source;
    this.lists = new ContentLists((hash) => store.getMeta(hash, "list"));
  }

  /**
   * Bytes of a file, in parts that are borrowed.
   * @throws OuroError "not-found", "offline", "corrupt" and others of a `ContentSource`; FilesystemFailure EINTR.
   */
  read(content: Content, request: ReadRequest): Answer<readonly Uint8Array[]> {
    const { offset, length } = request;
    const end = Math.min(content.size, offset + length);
    if (offset >= end) return [];
    const items = [...this.lists.items(content, offset, end)];
    const missing: ChunkItem[] = [];
    const parts = this.#parts(items, { offset, end }, { missing });
    if (missing.length > 0) return this.#readLater(content, { request, items, end, missing });
    this.#goAhead(content, request.file, { offset, end });
    return parts;
  }

  /**
   * The first byte of data, or of a hole, at or after an offset within the file; the end is a hole. Undefined when there is none.
   * @throws OuroError "corrupt", "not-found".
   */
  seek(content: Content, offset: number, what: "data" | "hole"): number | undefined {
    for (const { item, offset: at } of this.lists.items(content, offset, content.size))
      if ((item.form === "hole") === (what === "hole")) return Math.max(at, offset);
    return what === "hole" ? content.size : undefined;
  }

  /** The bytes of a range, as far as they are here; what is not is added to `missing`. @param found Chunks that need not be read: all that is read is added. */
  #parts(
    items: readonly PlacedItem[],
    { offset, end }: { readonly offset: number; readonly end: number },
    { missing, found }: { readonly missing: ChunkItem[]; readonly found?: Map<string, Uint8Array> },
  ): Uint8Array[] {
    const parts: Uint8Array[] = [];
    for (const { item, offset: at } of items) {
      const from = Math.max(0, offset - at);
      const to = Math.min(item.length, end - at);
      if (item.form === "hole") {
        for (let left = to - from; left > 0; left -= zeros.length)
          parts.push(left < zeros.length ? zeros.subarray(0, left) : zeros);
        continue;
      }
      const bytes = found?.get(keyOf(item.hash)) ?? this.#chunk(item);
      if (bytes === undefined) {
        missing.push(item);
        continue;
      }
      found?.set(keyOf(item.hash), bytes);
      parts.push(bytes.subarray(from, to));
    }
    return parts;
  }

  /** A chunk's verified bytes; undefined when it is not here. */
  #chunk({ hash, length }: ChunkItem): Uint8Array | undefined {
    const key = keyOf(hash);
    const kept = this.#kept.get(key);
    if (kept !== undefined && kept.length === length) return kept;
    let bytes: Uint8Array;
    try {
      bytes = this.#store.getChunk(hash, length);
    } catch (thrown) {
      if (isKind(thrown, "not-found")) return undefined;
      throw thrown;
    }
    this.#kept.set(key, bytes);
    this.#keptBytes += bytes.length;
    for (const [oldest, { length: freed }] of this.#kept) {
      if (this.#kept.size <= keptChunksMax && this.#keptBytes <= keptBytesMax) break;
      if (oldest === key) break;
      this.#kept.delete(oldest);
      this.#keptBytes -= freed;
    }
    return bytes;
  }

  async #readLater(
    content: Content,
    read: {
      readonly request: ReadRequest;
      readonly items: readonly PlacedItem[];
      readonly end: number;
      readonly missing: readonly ChunkItem[];
    },
  ): Promise<readonly Uint8Array[]> {
    const { request, items, end } = read;
    const range = { offset: request.offset, end };
    const found = new Map<string, Uint8Array>();
    // What is cache may be given up, by whoever reads, before it is used here.
    for (let { missing } = read, before = -1; ; before = found.size) {
      await orInterrupted(this.#fetch(missing), request.signal());
      const still: ChunkItem[] = [];
      const parts = this.#parts(items, range, { missing: still, found });
      const [lost] = still;
      if (lost === undefined) {
        this.#goAhead(content, request.file, range);
        return parts;
      }
      if (found.size === before) throw notHere(lost);
      missing = still;
    }
  }

  /** Brings chunks; those that are on their way are waited for. */
  async #fetch(chunks: readonly MissingChunk[]): Promise<void> {
    const source = this.#source;
    const [first] = chunks;
    if (source === undefined) {
      if (first !== undefined) throw notHere(first);
      return;
    }
    const wanted = new Map<string, MissingChunk>();
    const waits = new Set<Promise<void>>();
    for (const { hash, length } of chunks) {
      const key = keyOf(hash);
      const onItsWay = this.#fetching.get(key);
      if (onItsWay === undefined) wanted.set(key, { hash, length });
      else waits.add(onItsWay);
    }
    if (wanted.size > 0) {
      const coming = source.fetch([...wanted.values()]).finally(() => {
        for (const key of wanted.keys()) this.#fetching.delete(key);
      });
      for (const key of wanted.keys()) this.#fetching.set(key, coming);
      waits.add(coming);
    }
    await Promise.all(waits);
  }

  /** After a read that went on where the last one ended: what comes next is made ready. That it fails is told to who reads it. */
  #goAhead(content: Content, file: number, { offset, end }: { readonly offset: number; readonly end: number }): void {
    const trail = this.#trails.get(file);
    this.#trails.delete(file);
    const isNext = trail !== undefined && offset <= trail.end && end >= trail.end;
    let ahead = isNext ? trail.ahead : end;
    if (isNext && end < content.size && ahead - end < aheadBytes / 2) {
      const to = Math.min(content.size, end + aheadBytes);
      const chunks: ChunkItem[] = [];
      for (const { item } of this.lists.items(content, Math.max(end, ahead), to))
        if (item.form === "chunk") chunks.push(item);
      const missing = this.#store.expectChunks(chunks);
      if (missing.length > 0) this.#fetch(missing).catch(() => {});
      ahead = to;
    }
    this.#trails.set(file, { end, ahead });
    if (this.#trails.size <= trailsMax) return;
    const [oldest] = this.#trails.keys();
    if (oldest !== undefined) this.#trails.delete(oldest);
  }
}

function keyOf(hash: Uint8Array): string {
  return asBuffer(hash).toString("latin1");
}

function notHere({ hash }: MissingChunk): OuroError {
  return new OuroError("not-found", `Cannot read a file's content: chunk ${toHex(hash)} is not on this machine`, {
    subject: toHex(hash),
    hint: "Run `ourobox check` to see what is missing.",
  });
}

/** @throws FilesystemFailure EINTR when the signal comes first. */
async function orInterrupted(work: Promise<void>, signal: AbortSignal): Promise<void> {
  const stop = Promise.withResolvers<never>();
  const onAbort = (): void => stop.reject(new FilesystemFailure("EINTR", "cannot read: whoever asked has given up"));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  work.catch(() => {});
  try {
    await Promise.race([work, stop.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
