/** Content that is not here is brought before it is read. See doc/decisions/0012-unreal-content.md. */
import { isKind } from "../base/errors.ts";
import { type Content, type ContentItem, contentItems, type Hash, hashKey } from "../format/mod.ts";
import { type ContentSource, lackingChunks, type MissingChunk } from "../store/mod.ts";
import { openContentSource } from "./content-source.ts";
import type { OpenBox } from "./open-box.ts";
import { remotesOf } from "./remote-list.ts";
import { isUnreal } from "./unreal-setting.ts";

/** So many chunks are asked for at once. */
const chunksMax = 4096;
/** What is read in order is brought so far ahead. */
const windowBytes = 8 * 1024 * 1024;
/** How often reading is begun again, as another piece of content was not here. */
const roundsMax = 1000;

/** Whether the store may lack content that is known to be elsewhere. */
export function mayLackContent(box: OpenBox): boolean {
  return isUnreal(box) || box.store.packs().some(({ complete }) => !complete);
}

/** For who reads as long as it likes; undefined where everything is here. To be closed by the caller. */
export function findContentSource(box: OpenBox): (ContentSource & AsyncDisposable) | undefined {
  return mayLackContent(box) ? openContentSource(box) : undefined;
}

/**
 * Brings what is not here of some contents.
 * @throws OuroError as `ContentSource.fetch`.
 */
export async function bringContent(box: OpenBox, contents: Iterable<Content>): Promise<void> {
  if (!mayLackContent(box)) return;
  const { store, context } = box;
  const getList = (hash: Hash): Uint8Array => store.getMeta(hash, "list");
  let lacking = new Map<string, MissingChunk>();
  await using source = new LazySource(box);
  const fetch = async (): Promise<void> => {
    await source.fetch([...lacking.values()]);
    lacking = new Map();
  };
  for (const content of contents) {
    for (const item of contentItems(content, getList)) {
      if (item.form === "hole" || store.hasChunk(item.hash)) continue;
      lacking.set(hashKey(item.hash), { hash: item.hash, length: item.length });
      if (lacking.size >= chunksMax) await fetch();
    }
    context.signal.throwIfAborted();
  }
  await fetch();
}

/** A content's items in order, their chunks here; brought some megabytes at a time. @throws OuroError as `ContentSource.fetch`. */
export async function* itemsHere(box: OpenBox, content: Content): AsyncGenerator<ContentItem> {
  const { store } = box;
  const items = contentItems(content, (hash) => store.getMeta(hash, "list"));
  if (!mayLackContent(box)) {
    yield* items;
    return;
  }
  await using source = new LazySource(box);
  let window: ContentItem[] = [];
  let bytes = 0;
  const bring = async (): Promise<readonly ContentItem[]> => {
    const lacking = window.filter((item) => item.form === "chunk" && !store.hasChunk(item.hash));
    await source.fetch(lacking.flatMap((item) => (item.form === "chunk" ? [item] : [])));
    const here = window;
    window = [];
    bytes = 0;
    return here;
  };
  for (const item of items) {
    window.push(item);
    bytes += item.form === "chunk" ? item.length : 0;
    if (bytes >= windowBytes) yield* await bring();
  }
  yield* await bring();
}

/**
 * Does something that reads content, and brings what it lacks: then it is done again from the start.
 * @param body What it has done by the time it throws "not-found" must do no harm.
 */
export async function withContent<T>(box: OpenBox, body: () => Promise<T>): Promise<T> {
  await using source = new LazySource(box);
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

/** A content source that is opened with the first chunk that is asked for. */
class LazySource implements AsyncDisposable {
  readonly #box: OpenBox;
  #source: (ContentSource & AsyncDisposable) | undefined;

  constructor(box: OpenBox) {
    this.#box = box;
  }

  get hasPlaces(): boolean {
    return remotesOf(this.#box).length > 0;
  }

  async fetch(chunks: readonly MissingChunk[]): Promise<void> {
    if (chunks.length === 0) return;
    const { progress, signal } = this.#box.context;
    progress.phase("Bringing content");
    this.#source ??= openContentSource(this.#box);
    await this.#source.fetch(chunks, { signal });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#source?.[Symbol.asyncDispose]();
  }
}
