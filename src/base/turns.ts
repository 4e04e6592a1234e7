/**
 * Turns of the event loop, for long work that never waits for anything. Signals, timers and the ends of child processes are noticed only
 * between two turns; `await` of what is there already does not end one. Without turns, Ctrl-C would do nothing before the end of the work.
 *
 * Limit: counts steps, not time. A step should take milliseconds at most.
 */
import { setImmediate } from "node:timers/promises";

/** Work that takes some microseconds at each step is done this often in a turn. */
const stepsDefault = 1000;

export class Turns {
  readonly #signal: AbortSignal | undefined;
  readonly #steps: number;
  #left: number;

  /** @param steps How many steps there are in a turn. */
  constructor(signal?: AbortSignal, steps: number = stepsDefault) {
    this.#signal = signal;
    this.#steps = steps;
    this.#left = steps;
  }

  /**
   * To be called at each step: ends the turn when it has been long enough.
   * @param cost How many steps this one is worth.
   * @throws The signal's reason, when it was aborted.
   */
  async step(cost = 1): Promise<void> {
    this.#left -= cost;
    if (this.#left <= 0) await this.end();
  }

  /** Ends the turn now. @throws The signal's reason, when it was aborted. */
  async end(): Promise<void> {
    this.#left = this.#steps;
    await setImmediate();
    this.#signal?.throwIfAborted();
  }
}
