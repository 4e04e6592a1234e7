/**
 * What was changed of a file whose content is elsewhere, as ranges: bytes that stand in a log, and holes. The rest is as it was ("base"), as far as the file was
 * never shorter. Nothing of the content itself is held: some 60 bytes a range.
 */
export type EditedPiece =
  | { readonly from: "base"; readonly start: number; readonly end: number }
  /** `at` is where the bytes begin in the log. */
  | { readonly from: "log"; readonly start: number; readonly end: number; readonly at: number }
  | { readonly from: "hole"; readonly start: number; readonly end: number };

/** In bytes, half-open. */
export interface FileRange {
  readonly start: number;
  readonly end: number;
}

type Edit = Exclude<EditedPiece, { readonly from: "base" }>;

export class FileEdits {
  readonly #baseSize: number;
  /** Where the base ends for good: the least size that the file has had. */
  #baseEnd: number;
  #size: number;
  /** In order; none overlaps another. */
  readonly #edits: Edit[] = [];

  /** @param size Of the file before all edits. */
  constructor(size: number) {
    this.#baseSize = size;
    this.#baseEnd = size;
    this.#size = size;
  }

  get size(): number {
    return this.#size;
  }

  /** So many ranges are held. */
  get count(): number {
    return this.#edits.length;
  }

  get baseEnd(): number {
    return this.#baseEnd;
  }

  /** Whether every byte is as it was. */
  get isSame(): boolean {
    return this.#edits.length === 0 && this.#size === this.#baseSize;
  }

  /** Bytes of the log, which begin at `at` there, stand at `start` from now on. */
  write(start: number, length: number, at: number): void {
    if (start > this.#size) this.#put({ from: "hole", start: this.#size, end: start });
    const end = start + length;
    this.#put({ from: "log", start, end, at });
    this.#size = Math.max(this.#size, end);
  }

  /** A range reads as zeros from now on, as far as it is within the file. */
  free(start: number, length: number): void {
    this.#put({ from: "hole", start, end: Math.min(start + length, this.#size) });
  }

  /** A range is as it was before all edits from now on. It was within the file then. */
  restore(start: number, length: number): void {
    const end = start + length;
    if (start > this.#size) this.#put({ from: "hole", start: this.#size, end: start });
    this.#cutOut(start, end, []);
    this.#baseEnd = Math.max(this.#baseEnd, end);
    this.#size = Math.max(this.#size, end);
  }

  resize(size: number): void {
    if (size > this.#size) this.#put({ from: "hole", start: this.#size, end: size });
    else {
      this.#baseEnd = Math.min(this.#baseEnd, size);
      this.#edits.length = this.#firstAfter(size);
      const last = this.#edits.at(-1);
      if (last !== undefined && last.end > size) this.#edits[this.#edits.length - 1] = { ...last, end: size };
    }
    this.#size = size;
  }

  /** What a range consists of, in order; not beyond the end. */
  *pieces(start: number, end: number): Generator<EditedPiece> {
    const last = Math.min(end, this.#size);
    let at = start;
    for (let index = this.#firstAt(start); at < last; index += 1) {
      const edit = this.#edits[index];
      const next = edit === undefined ? last : Math.min(edit.start, last);
      if (next > at) yield { from: "base", start: at, end: next };
      if (edit === undefined || edit.start >= last) return;
      yield cutTo(edit, Math.max(edit.start, start), Math.min(edit.end, last));
      at = edit.end;
    }
  }

  /**
   * The first range that is not as it was and ends after an offset; an empty one where the file now ends, before it did.
   * Undefined when all that follows is as it was.
   */
  nextChanged(offset: number): FileRange | undefined {
    const edit = this.#edits[this.#firstAt(offset)];
    if (edit !== undefined) return { start: Math.max(edit.start, offset), end: edit.end };
    return this.#size < this.#baseSize ? { start: this.#size, end: this.#size } : undefined;
  }

  /** Where the last range that begins before an offset, and is not as it was, ends; 0 when there is none. */
  changedBefore(offset: number): number {
    return this.#edits[this.#firstAfter(offset) - 1]?.end ?? 0;
  }

  #put(edit: Edit): void {
    if (edit.start < edit.end) this.#cutOut(edit.start, edit.end, [edit]);
  }

  /** Puts others, in order and within the range, in the place of what there is of edits in a range. */
  #cutOut(start: number, end: number, parts: Edit[]): void {
    const from = this.#firstAt(start);
    let to = from;
    for (let other = this.#edits[to]; other !== undefined && other.start < end; other = this.#edits[to]) {
      if (other.start < start) parts.unshift(cutTo(other, other.start, start));
      if (other.end > end) parts.push(cutTo(other, end, other.end));
      to += 1;
    }
    this.#edits.splice(from, to - from, ...parts);
  }

  /** The index of the first edit that ends after an offset. */
  #firstAt(offset: number): number {
    return this.#find((edit) => edit.end > offset);
  }

  /** The index of the first edit that begins at or after an offset. */
  #firstAfter(offset: number): number {
    return this.#find((edit) => edit.start >= offset);
  }

  /** @param isAfter False of the first edits, true of the others. */
  #find(isAfter: (edit: Edit) => boolean): number {
    let low = 0;
    let high = this.#edits.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isAfter(this.#edits[middle] as Edit)) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

function cutTo(edit: Edit, start: number, end: number): Edit {
  return edit.from === "log" ? { ...edit, start, end, at: edit.at + start - edit.start } : { ...edit, start, end };
}
