/**
 * A directory's names in memory, listed in order of arrival: a listing that is going on meets every name that stays exactly once, whatever else
 * comes and goes, because an entry's cookie rises and never changes. Finding is constant time, going on with a listing logarithmic.
 */

export interface MemoryEntry<Inode> {
  readonly name: Uint8Array;
  readonly cookie: number;
  child: Inode;
  isGone: boolean;
}

/** Those of "." and ".." are below. */
const firstCookie = 3;

export class MemoryDirectory<Inode> {
  parent: Inode;
  readonly #byName = new Map<string, MemoryEntry<Inode>>();
  #inOrder: MemoryEntry<Inode>[] = [];
  #nextCookie = firstCookie;

  constructor(parent: Inode) {
    this.parent = parent;
  }

  get count(): number {
    return this.#byName.size;
  }

  find(name: Uint8Array): MemoryEntry<Inode> | undefined {
    return this.#byName.get(keyOf(name));
  }

  add(name: Uint8Array, child: Inode): void {
    const entry: MemoryEntry<Inode> = { name: new Uint8Array(name), cookie: this.#nextCookie, child, isGone: false };
    this.#nextCookie += 1;
    this.#byName.set(keyOf(name), entry);
    this.#inOrder.push(entry);
  }

  remove(entry: MemoryEntry<Inode>): void {
    this.#byName.delete(keyOf(entry.name));
    entry.isGone = true;
    if (this.#inOrder.length > 64 && this.#inOrder.length > 2 * this.#byName.size) {
      this.#inOrder = this.#inOrder.filter(({ isGone }) => !isGone);
    }
  }

  /** The entries after a cookie, in order. */
  *after(cookie: number): Generator<MemoryEntry<Inode>> {
    let [low, high] = [0, this.#inOrder.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#inOrder[middle] as MemoryEntry<Inode>).cookie <= cookie) low = middle + 1;
      else high = middle;
    }
    for (const list = this.#inOrder; low < list.length; low += 1) {
      const entry = list[low] as MemoryEntry<Inode>;
      if (!entry.isGone) yield entry;
    }
  }
}

/** One character a byte. */
function keyOf(name: Uint8Array): string {
  return Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
}
