/**
 * Work that several wait for: it goes on as long as one of them does, whichever of them began it.
 */
import { OuroError } from "../base/errors.ts";

export class SharedWork {
  readonly #done: Promise<void>;
  readonly #stop = new AbortController();
  #waiting = 0;

  /** Begins it. @param body Its signal is aborted when nobody waits any more. */
  constructor(body: (signal: AbortSignal) => Promise<void>) {
    this.#done = body(this.#stop.signal);
    // Whoever waits is told; that nobody does is no failure.
    this.#done.catch(() => {});
  }

  /** @throws What the work fails with; OuroError "aborted" when this one stops waiting. */
  async wait(signal: AbortSignal | undefined): Promise<void> {
    this.#waiting += 1;
    try {
      await unlessAborted(this.#done, signal);
    } finally {
      this.#waiting -= 1;
      if (this.#waiting === 0) this.#stop.abort(new OuroError("aborted", "Cannot go on: nobody waits for it"));
    }
  }
}

/** Waits for something, or until the signal. @throws OuroError "aborted". */
export async function unlessAborted<T>(waited: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await waited;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(new OuroError("aborted", "Cannot go on: it was stopped"));
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([waited, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
