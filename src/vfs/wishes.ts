/**
 * When doors are asked to forget inodes. They remember as much as they like, and the kernel a lot; each inode that somebody knows takes memory here. Above a number of
 * them the oldest are wished away, in batches, as many as come. One that is in use stays, and is asked for again when it is the oldest again.
 */
const batchMax = 512;

export class Wishes<T> {
  readonly #softMax: number;
  readonly #onUnwanted: (oldest: readonly T[]) => void;
  #since = 0;

  constructor(softMax: number, onUnwanted: (oldest: readonly T[]) => void) {
    this.#softMax = softMax;
    this.#onUnwanted = onUnwanted;
  }

  /** One more is live. @param live By number, the oldest first; those that are wished away go to the end. */
  added(live: Map<number, T>): void {
    this.#since += 1;
    if (live.size <= this.#softMax || this.#since < Math.min(batchMax, this.#softMax)) return;
    const count = Math.min(batchMax, this.#since, live.size);
    this.#since = 0;
    const oldest: [number, T][] = [];
    for (const each of live) {
      oldest.push(each);
      if (oldest.length === count) break;
    }
    for (const [number, each] of oldest) {
      live.delete(number);
      live.set(number, each);
    }
    this.#onUnwanted(oldest.map(([, each]) => each));
  }
}
