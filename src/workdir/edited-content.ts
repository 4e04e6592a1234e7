/**
 * The content of a file of which some ranges were changed, made of the content that it had. Only what is around a change is read and cut anew: from the chunk
 * that it is in to where the cuts fall again where they fell before. So the result is what cutting the whole file would give, and costs some chunks for each change.
 *
 * Where cuts do not come to agree (data that repeats itself), they are made to, after `resyncBytesMax`: the same bytes then, cut otherwise.
 * Holes are whole blocks, as a file system would have them: what is left of one beside a change is zeros.
 */
import { concatBytes } from "../base/bytes.ts";
import type { Chunker, ContentItem } from "../format/mod.ts";
import type { EditedPiece, FileEdits } from "./file-edits.ts";

/** So far behind a change cuts may differ from what they were. */
export const resyncBytesMax: number = 2 * 1024 * 1024;
const blockBytes = 4096;
const anyByte: Uint8Array = new Uint8Array(1);

type ChunkItem = Extract<ContentItem, { form: "chunk" }>;

export interface EditedFile {
  readonly edits: FileEdits;
  /** The base's items that hold any of a range, with the offset of each. */
  readonly itemsIn: (start: number, end: number) => Iterable<{ readonly item: ContentItem; readonly offset: number }>;
  /** The bytes of one of these. */
  readonly readChunk: (item: ChunkItem) => Promise<Uint8Array>;
  /** Bytes that were written. */
  readonly readLog: (at: number, length: number) => Uint8Array;
}

/** An item as it was or a hole; or a chunk that is to be stored. Holes may be neighbours. */
export type EditedItem = ContentItem | { readonly form: "bytes"; readonly bytes: Uint8Array };

/** A piece of the file as it is now. */
type Piece =
  | { readonly start: number; readonly end: number; readonly form: "hole" }
  | { readonly start: number; readonly end: number; readonly form: "log"; readonly at: number }
  | {
      readonly start: number;
      readonly end: number;
      readonly form: "chunk";
      readonly item: ChunkItem;
      readonly offset: number;
    };

/** @throws What the two readers throw. */
export async function* editedItems(file: EditedFile, chunker: Chunker): AsyncGenerator<EditedItem> {
  const editing = new Editing(file, chunker);
  const { size } = file.edits;
  for (let at = 0; at < size; ) {
    const changed = file.edits.nextChanged(at);
    if (changed === undefined) {
      for (const { item } of file.itemsIn(at, size)) yield item;
      return;
    }
    const { items, end } = editing.keep(at, changed.start);
    yield* items;
    at = yield* editing.cutAnew(end);
  }
}

class Editing {
  readonly #file: EditedFile;
  readonly #chunker: Chunker;

  constructor(file: EditedFile, chunker: Chunker) {
    this.#file = file;
    this.#chunker = chunker;
  }

  /**
   * The items that stay as they are, from the beginning of one on, before a change.
   * @returns They, and where they end: the change may make of the last chunk another one.
   */
  keep(at: number, changed: number): { readonly items: readonly ContentItem[]; readonly end: number } {
    const items: ContentItem[] = [];
    let end = at;
    let next: ContentItem | undefined;
    for (const { item } of this.#file.itemsIn(at, changed + 1)) {
      next = item;
      if (end + item.length > changed) break;
      items.push(item);
      end += item.length;
      next = undefined;
    }
    const last = items.at(-1);
    const ended = next === undefined || next.form === "hole";
    if (last?.form !== "chunk" || !ended || end >= this.#file.edits.size || this.#runAt(end).isHole)
      return { items, end };
    // It ended where the data did, which goes on now.
    return { items: items.slice(0, -1), end: end - last.length };
  }

  /** Cuts from an offset on until there is a cut where there was one before. @returns Where that is. */
  async *cutAnew(from: number): AsyncGenerator<EditedItem, number> {
    const { size, baseEnd } = this.#file.edits;
    let at = from;
    while (at < size) {
      const run = this.#runAt(at);
      if (run.isHole) {
        yield { form: "hole", length: run.end - at };
        at = run.end;
      } else {
        const bytes = await this.#cut(at, Math.min(run.end, this.#forcedEnd(at)));
        yield { form: "bytes", bytes };
        at += bytes.length;
      }
      if (at < baseEnd && this.#itemAt(at)?.offset === at) return at;
    }
    return at;
  }

  /** The chunk that begins at an offset. @param end Of the data, or where a chunk has to end. */
  async #cut(at: number, end: number): Promise<Uint8Array> {
    const { min, max } = this.#chunker.sizes;
    let bytes: Uint8Array = new Uint8Array();
    for (const piece of this.#pieces(at, Math.min(end, at + max))) {
      bytes = concatBytes([bytes, await this.#bytesOf(piece)]);
      if (bytes.length < min) continue;
      // A cut does not depend on what follows it, whatever that is.
      const cut = this.#chunker.cut(concatBytes([bytes, anyByte]), 0, bytes.length + 1);
      if (cut <= bytes.length) return bytes.subarray(0, cut);
    }
    return bytes;
  }

  async #bytesOf(piece: Piece): Promise<Uint8Array> {
    const { start, end } = piece;
    if (piece.form === "hole") return new Uint8Array(end - start);
    if (piece.form === "log") return this.#file.readLog(piece.at, end - start);
    return (await this.#file.readChunk(piece.item)).subarray(start - piece.offset, end - piece.offset);
  }

  /** Where a cut must be when there was none that agrees for too long. */
  #forcedEnd(at: number): number {
    const { edits } = this.#file;
    if (at - edits.changedBefore(at) < resyncBytesMax || at >= edits.baseEnd) return Number.POSITIVE_INFINITY;
    const found = this.#itemAt(at);
    return found === undefined ? Number.POSITIVE_INFINITY : found.offset + found.item.length;
  }

  /** The base's item at an offset. */
  #itemAt(at: number): { readonly item: ContentItem; readonly offset: number } | undefined {
    for (const found of this.#file.itemsIn(at, at + 1)) return found;
    return undefined;
  }

  /** Data or a hole from an offset on. Of data no more is looked at than a chunk may have. */
  #runAt(at: number): { readonly isHole: boolean; readonly end: number } {
    const { size } = this.#file.edits;
    let hole: { readonly start: number; end: number } | undefined;
    let end = at;
    for (const piece of this.#piecesWithEnd(at)) {
      if (piece?.form === "hole") {
        hole ??= { start: piece.start, end: piece.end };
        hole.end = piece.end;
        continue;
      }
      if (hole !== undefined) {
        const first = Math.ceil(hole.start / blockBytes) * blockBytes;
        const last = hole.end === size ? size : Math.floor(hole.end / blockBytes) * blockBytes;
        if (first < last) return first > at ? { isHole: false, end: first } : { isHole: true, end: last };
        end = hole.end;
        hole = undefined;
      }
      if (piece !== undefined) end = piece.end;
      if (end - at >= this.#chunker.sizes.max) break;
    }
    return { isHole: false, end };
  }

  /** Its pieces, and undefined at the end. */
  *#piecesWithEnd(at: number): Generator<Piece | undefined> {
    yield* this.#pieces(at, this.#file.edits.size);
    yield undefined;
  }

  *#pieces(start: number, end: number): Generator<Piece> {
    for (const piece of this.#file.edits.pieces(start, end)) {
      if (piece.from === "base") yield* this.#basePieces(piece);
      else if (piece.from === "log") yield { form: "log", start: piece.start, end: piece.end, at: piece.at };
      else yield { form: "hole", start: piece.start, end: piece.end };
    }
  }

  *#basePieces({ start, end }: EditedPiece): Generator<Piece> {
    for (const { item, offset } of this.#file.itemsIn(start, end)) {
      const range = { start: Math.max(start, offset), end: Math.min(end, offset + item.length) };
      yield item.form === "hole" ? { form: "hole", ...range } : { form: "chunk", ...range, item, offset };
    }
  }
}
