/**
 * Content that is not here is brought before it is read. What is to stay comes to stay; what is only read is cache, which may be given up at any time, so who reads
 * looks again for what has gone meanwhile. See doc/decisions/0012-unreal-content.md and 0018-cache-quota.md.
 */
import { isKind } from "../base/errors.ts";
import { type Content, type ContentItem, contentItems, type Hash, hashKey } from "../format/mod.ts";
import { type ContentSource, lackingChunks, type MissingChunk } from "../store/mod.ts";
import type { RemoteContent } from "../sync/mod.ts";
import { type ContentPurpose, openContentSource } from "./content-source.ts";
import type { OpenBox } from "./open-box.ts";
import { costs, remotesOf } from "./remote-list.ts";
import { isUnreal } from "./unreal-setting.ts";

/** So many chunks are asked for at once. */
const chunksMax = 4096;
/** What is read in order is brought so far ahead. */
const windowBytes = 8 * 1024 * 1024;
/** How often is looked whether what came is here to stay. */
const staysMax = 3;
/** How often reading is begun again, as another piece of content was not here. */
const roundsMax = 1000;

/** Whether the store may lack content that is known to be elsewhere. */
export function mayLackContent(box: OpenBox): boolean {
  return isUnreal(box) || box.store.packs().some(({ complete }) => !complete);
}

/** For who serves what is read as long as it likes; undefined where everything is here. To be closed by the caller. */
export function findContentSource(box: OpenBox): (ContentSource & AsyncDisposable) | undefined {
  return mayLackContent(box) ? openContentSource(box, "serving") : undefined;
}

/**
 * Brings what is not here of some contents, to stay, and makes what is here stay.
 * @throws OuroError as `ContentSource.fetch`.
 */
export async function bringContent(box: OpenBox, contents: Iterable<Content>): Promise<void> {
  if (!mayLackContent(box)) return;
  const { store, context } = box;
  const getList = (hash: Hash): Uint8Array => store.getMeta(hash, "list");
  let wanted = new Map<string, MissingChunk>();
  await using source = new LazySource(box, "staying");
  const bring = async (): Promise<void> => {
    let left = [...wanted.values()];
    wanted = new Map();
    // What another process has read meanwhile is here, and is cache.
    for (let tries = 0; left.length > 0 && tries < staysMax; tries += 1) {
      store.cache.keepChunks(left.map(({ hash }) => hash));
      left = left.filter(({ hash }) => !store.cache.stays(hash));
      await source.fetch(left);
    }
  };
  for (const content of contents) {
    for (const item of contentItems(content, getList)) {
      if (item.form === "hole" || store.cache.stays(item.hash)) continue;
      wanted.set(hashKey(item.hash), { hash: item.hash, length: item.length });
      if (wanted.size >= chunksMax) await bring();
    }
    context.signal.throwIfAborted();
  }
  await bring();
}

/** The bytes of a chunk, or how long a hole is. */
export type ContentPiece = { readonly bytes: Uint8Array } | { readonly hole: number };

/** What a file holds, in order; brought some megabytes at a time. Bytes are shared: not to be changed. @throws OuroError as `ContentSource.fetch`. */
export async function* piecesHere(box: OpenBox, content: Content): AsyncGenerator<ContentPiece> {
  const { store } = box;
  await using source = new LazySource(box, "reading");
  const lacks = mayLackContent(box);
  let window: ContentItem[] = [];
  let bytes = 0;
  const end = async (): Promise<readonly ContentPiece[]> => {
    const read = await new ChunkWindow(box, source).read(window);
    const pieces = window.map((item): ContentPiece => {
      return item.form === "hole" ? { hole: item.length } : { bytes: read.get(hashKey(item.hash)) as Uint8Array };
    });
    window = [];
    bytes = 0;
    return pieces;
  };
  for (const item of contentItems(content, (hash) => store.getMeta(hash, "list"))) {
    if (!lacks) {
      yield item.form === "hole" ? { hole: item.length } : { bytes: store.getChunk(item.hash, item.length) };
      continue;
    }
    window.push(item);
    bytes += item.form === "chunk" ? item.length : 0;
    if (bytes >= windowBytes) yield* await end();
  }
  if (window.length > 0) yield* await end();
}

/** All that a file holds. @param content Of a size that the caller has looked at. @throws OuroError as `ContentSource.fetch`. */
export async function wholeHere(box: OpenBox, content: Content): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const piece of piecesHere(box, content))
    parts.push("bytes" in piece ? piece.bytes : new Uint8Array(piece.hole));
  return Buffer.concat(parts);
}

/** Some megabytes of content that are read at once, whatever is given up meanwhile. */
export class ChunkWindow {
  readonly #box: OpenBox;
  readonly #source: Pick<ContentSource, "fetch">;

  constructor(box: OpenBox, source: Pick<ContentSource, "fetch">) {
    this.#box = box;
    this.#source = source;
  }

  /** The bytes of the chunks, by `hashKey`. @throws OuroError as `ContentSource.fetch`. */
  async read(items: readonly ContentItem[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const bytes = new Map<string, Uint8Array>();
    for (let before = -1; ; before = bytes.size) {
      const missing: MissingChunk[] = [];
      let lack: unknown;
      for (const item of items) {
        if (item.form === "hole" || bytes.has(hashKey(item.hash))) continue;
        try {
          bytes.set(hashKey(item.hash), this.#box.store.getChunk(item.hash, item.length));
        } catch (thrown) {
          if (lackingChunks(thrown).length === 0) throw thrown;
          lack ??= thrown;
          missing.push(item);
        }
      }
      if (lack === undefined) return bytes;
      // It was brought, and nothing of it could be read.
      if (bytes.size === before) throw lack;
      await this.#source.fetch(missing);
    }
  }
}

/**
 * Does something that needs content, and brings what it lacks, to stay: then it is done again from the start.
 * @param body What it has done by the time it throws "not-found" must do no harm.
 */
export async function withContent<T>(box: OpenBox, body: () => Promise<T>): Promise<T> {
  await using source = new LazySource(box, "staying");
  for (let round = 1; ; round += 1) {
    try {
      return await body();
    } catch (thrown) {
      const lacking = lackingChunks(thrown);
      if (lacking.length === 0 || round === roundsMax) throw thrown;
      await bringLacking(source, lacking, thrown);
    }
  }
}

/** @throws What reading has thrown, where no remote can be asked. */
async function bringLacking(source: LazySource, lacking: readonly MissingChunk[], thrown: unknown): Promise<void> {
  try {
    await source.fetch(lacking);
  } catch (failure) {
    throw isKind(failure, "not-found") && !source.hasPlaces ? thrown : failure;
  }
}

/** A content source that is opened with the first chunk that is asked for: content may be given up long after somebody began to read. */
export class LazySource implements ContentSource, AsyncDisposable {
  readonly #box: OpenBox;
  readonly #purpose: ContentPurpose;
  #source: RemoteContent | undefined;

  constructor(box: OpenBox, purpose: ContentPurpose) {
    this.#box = box;
    this.#purpose = purpose;
  }

  get hasPlaces(): boolean {
    return remotesOf(this.#box).length > 0;
  }

  /** Makes ready for the first read what can be had at once, from folders alone. That something cannot be had is told to who reads. */
  async prepare(): Promise<void> {
    if (!mayLackContent(this.#box)) return;
    try {
      this.#source ??= openContentSource(this.#box, this.#purpose);
      await this.#source.prepare({ costMax: costs.folder });
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
    }
  }

  /** @param how Without one, until the command itself is to end. */
  async fetch(chunks: readonly MissingChunk[], how?: Parameters<ContentSource["fetch"]>[1]): Promise<void> {
    if (chunks.length === 0) return;
    const { progress, signal } = this.#box.context;
    progress.phase("Bringing content");
    this.#source ??= openContentSource(this.#box, this.#purpose);
    await this.#source.fetch(chunks, how ?? { signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
  }
}
