/**
 * Keeping what was read when whoever reads it has been answered: writing it as cache, and syncing that, takes longer than bringing it. What waits here can be read from
 * memory (lent-frames.ts) and is written together, so that much of it costs one sync for each pack. There is not much of it: who brings more waits.
 *
 * It is cache: a process that is killed loses what waits, and who reads that again brings it again.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, type OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import type { ArrivedFrame } from "../store/mod.ts";

/** Time for who was answered to go on: to read the next piece, or to close the file. */
const delayMs = 100;
/** Decoded. Half of what is lent at most. */
const waitingBytesMax = 16 * 1024 * 1024;

export type KeepFrames = (pack: Hash, frames: readonly ArrivedFrame[]) => Promise<void>;

interface WaitingPack {
  readonly name: Hash;
  readonly frames: ArrivedFrame[];
}

export class LateKeeping implements AsyncDisposable {
  readonly #keep: KeepFrames;
  readonly #onFailure: (reason: OuroError) => void;
  /** By name in hex. */
  #waiting = new Map<string, WaitingPack>();
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** What was waiting until now is kept one after the other. */
  #keeping: Promise<void> = Promise.resolve();

  /** @param onFailure Told why something was not kept. */
  constructor(keep: KeepFrames, onFailure: (reason: OuroError) => void) {
    this.#keep = keep;
    this.#onFailure = onFailure;
  }

  /** Keeps what waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keepAll();
  }

  /**
   * Keeps frames in a moment, or now where much waits.
   * @param bytes What they take in memory, decoded.
   */
  async add(name: Hash, frames: readonly ArrivedFrame[], bytes: number): Promise<void> {
    const key = toHex(name);
    const pack = this.#waiting.get(key) ?? { name, frames: [] };
    this.#waiting.set(key, pack);
    pack.frames.push(...frames);
    this.#waitingBytes += bytes;
    if (this.#waitingBytes >= waitingBytesMax) return await this.#keepAll();
    this.#timer ??= setTimeout(() => this.#keepAll().catch(() => {}), delayMs);
  }

  /** @throws What is no failure of the disk: a bug, then and ever after. */
  #keepAll(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const packs = [...this.#waiting.values()];
    this.#waiting = new Map();
    this.#waitingBytes = 0;
    this.#keeping = this.#keeping.then(async () => {
      for (const { name, frames } of packs) await this.#keepQuietly(name, frames);
    });
    return this.#keeping;
  }

  /** That something cannot be kept is no failure of reading it. */
  async #keepQuietly(name: Hash, frames: readonly ArrivedFrame[]): Promise<void> {
    try {
      await this.#keep(name, frames);
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      this.#onFailure(thrown);
    }
  }
}
