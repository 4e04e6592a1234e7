/**
 * The commits that a live mount makes by itself, one after the other, at the pace of `CommitPace`. What fails is told and tried again: nothing is lost meanwhile, for
 * what was written is in the folder.
 */
import type { Clock } from "../base/clock.ts";
import { CommitPace } from "./commit-pace.ts";

export interface AutoCommitsOptions {
  readonly quietMs: number;
  /** One that does not go back. */
  readonly clock: Clock;
  /** Makes one commit of all that has changed; nothing changed is a success. */
  readonly commit: () => Promise<void>;
  /** Calls `changed` where something has been written that it was not told of; asked once in each quiet time. */
  readonly look: () => void;
  readonly onFailure: (thrown: unknown) => void;
}

export class AutoCommits {
  readonly #options: AutoCommitsOptions;
  readonly #pace: CommitPace;
  readonly #looking: NodeJS.Timeout;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #isEnding = false;

  constructor(options: AutoCommitsOptions) {
    this.#options = options;
    this.#pace = new CommitPace(options.quietMs);
    this.#looking = setInterval(options.look, options.quietMs);
  }

  /** Something has changed, or may have. Called often, so it does next to nothing. */
  changed(): void {
    this.#pace.changed(this.#options.clock.nowMs());
    if (this.#timer === undefined) this.#wait();
  }

  /** Waits for the commit that is being made, and commits what is left. Fails never: what fails is told. */
  async end(): Promise<void> {
    this.#isEnding = true;
    clearInterval(this.#looking);
    clearTimeout(this.#timer);
    await this.#running;
    this.#options.look();
    if (this.#pace.isDirty) await this.#commit();
    clearTimeout(this.#timer);
  }

  #wait(): void {
    const { dueMs } = this.#pace;
    if (dueMs === undefined || this.#isEnding) return;
    const leftMs = Math.max(0, dueMs - this.#options.clock.nowMs());
    this.#timer = setTimeout(() => this.#onTime(), leftMs);
  }

  #onTime(): void {
    this.#timer = undefined;
    const { dueMs } = this.#pace;
    // It is due later by now: something has changed meanwhile.
    if (dueMs === undefined || dueMs > this.#options.clock.nowMs()) this.#wait();
    else this.#running = this.#commit().finally(() => this.#wait());
  }

  async #commit(): Promise<void> {
    const { clock, commit, onFailure } = this.#options;
    this.#pace.begin(clock.nowMs());
    let isDone = false;
    try {
      await commit();
      isDone = true;
    } catch (thrown) {
      onFailure(thrown);
    }
    this.#pace.end(clock.nowMs(), { isDone });
  }
}
