/**
 * When a live mount commits by itself: when nothing has changed for a quiet time, and at the latest when a change has waited for twelve of them. What failed is
 * tried again with the next change, or after some time; and of all time, half at most goes into commits.
 *
 * Only arithmetic: whoever uses it has the clock and the timers. Times are milliseconds of any one clock that does not go back.
 */

const quietTimesMax = 12;
const retryMsMax = 300_000;

export class CommitPace {
  readonly #quietMs: number;
  /** Of the changes that no commit has begun after: the first and the last. */
  #firstMs: number | undefined;
  #lastMs = 0;
  /** When to try again what has failed. */
  #retryAtMs: number | undefined;
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #beganMs: number | undefined;

  constructor(quietMs: number) {
    this.#quietMs = quietMs;
  }

  /** Whether there is something that no successful commit has begun after. */
  get isDirty(): boolean {
    return this.#firstMs !== undefined || this.#retryAtMs !== undefined;
  }

  /** When the next commit is to begin; undefined while nothing has changed, or one is being made. */
  get dueMs(): number | undefined {
    if (this.#beganMs !== undefined || !this.isDirty) return undefined;
    const changedMs =
      this.#firstMs === undefined
        ? Number.POSITIVE_INFINITY
        : Math.min(this.#lastMs + this.#quietMs, this.#firstMs + this.#longestMs);
    return Math.max(this.#notBeforeMs, Math.min(changedMs, this.#retryAtMs ?? Number.POSITIVE_INFINITY));
  }

  changed(nowMs: number): void {
    this.#firstMs ??= nowMs;
    this.#lastMs = nowMs;
  }

  /** A commit begins, which takes all that has changed before. */
  begin(nowMs: number): void {
    this.#beganMs = nowMs;
    this.#firstMs = undefined;
    this.#retryAtMs = undefined;
  }

  /** It has ended. */
  end(nowMs: number, { isDone }: { readonly isDone: boolean }): void {
    this.#notBeforeMs = nowMs + (nowMs - (this.#beganMs ?? nowMs));
    this.#beganMs = undefined;
    if (!isDone) this.#retryAtMs = nowMs + Math.min(this.#longestMs, retryMsMax);
  }

  get #longestMs(): number {
    return this.#quietMs * quietTimesMax;
  }
}
