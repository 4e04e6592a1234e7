/** Finding the names of a directory in its scan row while it is being listed: a hash table that is used again for the next one. */
import { hashNameBytes, ScanRow } from "./scan-row.ts";

/** 0.1 us a name; holds what the greatest row so far needed. */
export class RowIndex {
  #table = new Int32Array(64);
  #seen = new Uint8Array(64);
  #mask = 63;
  #row: ScanRow = ScanRow.empty;

  begin(row: ScanRow): void {
    this.#row = row;
    let size = 64;
    while (size < row.count * 2) size *= 2;
    if (size > this.#table.length) {
      this.#table = new Int32Array(size);
      this.#seen = new Uint8Array(size);
    } else {
      this.#table.fill(0, 0, size);
      this.#seen.fill(0, 0, row.count);
    }
    this.#mask = size - 1;
    const { words, starts } = row;
    for (let index = 0; index < row.count; index += 1) {
      let slot = (words[starts[index] as number] as number) & this.#mask;
      while (this.#table[slot] !== 0) slot = (slot + 1) & this.#mask;
      this.#table[slot] = index + 1;
    }
  }

  /** The record of the name in these bytes, which counts as seen from now on; -1 when there is none. */
  take(names: Uint8Array, start: number, end: number): number {
    const hash = hashNameBytes(names, start, end);
    const length = end - start;
    const row = this.#row;
    const { words, bytes, starts } = row;
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      const index = (this.#table[slot] as number) - 1;
      if (index < 0) return -1;
      const at = starts[index] as number;
      if (words[at] !== hash || row.nameLength(at) !== length) continue;
      const nameAt = row.nameAt(at);
      let same = 0;
      while (same < length && bytes[nameAt + same] === names[start + same]) same += 1;
      if (same < length) continue;
      this.#seen[index] = 1;
      return at;
    }
  }

  /** Takes a record back. */
  forget(at: number): void {
    const { starts } = this.#row;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((starts[middle] as number) < at) low = middle + 1;
      else high = middle;
    }
    this.#seen[low] = 0;
  }

  /** The records that no name took. */
  *unseen(): Generator<number> {
    for (let index = 0; index < this.#row.count; index += 1)
      if (this.#seen[index] === 0) yield this.#row.starts[index] as number;
  }
}
