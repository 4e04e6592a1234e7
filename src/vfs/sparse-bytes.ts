/**
 * A file's content in memory, with holes: pages that were written, and nothing for those that were not. What is cut off is gone: growing again
 * gives zeros. Holes are whole pages.
 */
const pageBytes = 16_384;
const zeros = new Uint8Array(pageBytes);

export class SparseBytes {
  readonly #pages = new Map<number, Uint8Array>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** In bytes, whole pages. */
  get usedBytes(): number {
    return this.#pages.size * pageBytes;
  }

  /** The bytes of a range, cut at the end of the file, as parts that must not be written to. */
  read(offset: number, length: number): Uint8Array[] {
    const end = Math.min(this.#size, offset + length);
    const parts: Uint8Array[] = [];
    for (let at = offset; at < end; ) {
      const page = Math.floor(at / pageBytes);
      const within = at - page * pageBytes;
      const take = Math.min(end - at, pageBytes - within);
      parts.push((this.#pages.get(page) ?? zeros).subarray(within, within + take));
      at += take;
    }
    return parts;
  }

  write(offset: number, bytes: Uint8Array): void {
    for (let done = 0; done < bytes.length; ) {
      const at = offset + done;
      const page = Math.floor(at / pageBytes);
      const within = at - page * pageBytes;
      const take = Math.min(bytes.length - done, pageBytes - within);
      this.#pageFor(page).set(bytes.subarray(done, done + take), within);
      done += take;
    }
    this.#size = Math.max(this.#size, offset + bytes.length);
  }

  resize(size: number): void {
    if (size < this.#size) this.clear(size, this.#size);
    this.#size = size;
  }

  /** Takes pages up for a range, so that it is no hole. */
  reserve(start: number, end: number): void {
    for (let page = Math.floor(start / pageBytes); page * pageBytes < end; page += 1) this.#pageFor(page);
  }

  /** Makes a range zeros; whole pages of it become holes. */
  clear(start: number, end: number): void {
    const first = Math.floor(start / pageBytes);
    const last = Math.ceil(end / pageBytes);
    // A range can be longer than all pages that are there.
    const there = last - first > this.#pages.size ? [...this.#pages.keys()] : undefined;
    const clearPage = (page: number): void => {
      const bytes = this.#pages.get(page);
      if (bytes === undefined || page < first || page >= last) return;
      const from = Math.max(0, start - page * pageBytes);
      const to = Math.min(pageBytes, end - page * pageBytes);
      if (from === 0 && (to === pageBytes || end >= this.#size)) this.#pages.delete(page);
      else bytes.fill(0, from, to);
    };
    if (there !== undefined) there.forEach(clearPage);
    else for (let page = first; page < last; page += 1) clearPage(page);
  }

  /** The first byte of data (or of a hole) at or after an offset inside the file; undefined when only a hole follows. The end is a hole. */
  seek(offset: number, what: "data" | "hole"): number | undefined {
    const first = Math.floor(offset / pageBytes);
    if (what === "hole") {
      let page = first;
      while (this.#pages.has(page)) page += 1;
      return Math.min(this.#size, page === first ? offset : page * pageBytes);
    }
    if (this.#pages.has(first)) return offset;
    let next = Infinity;
    for (const page of this.#pages.keys()) if (page > first && page < next) next = page;
    return next * pageBytes < this.#size ? next * pageBytes : undefined;
  }

  #pageFor(page: number): Uint8Array {
    let bytes = this.#pages.get(page);
    if (bytes === undefined) {
      bytes = new Uint8Array(pageBytes);
      this.#pages.set(page, bytes);
    }
    return bytes;
  }
}
