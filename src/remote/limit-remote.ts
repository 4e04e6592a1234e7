/**
 * A limit of speed around any Remote: all its transfers together send and receive no more than so many bytes a second, on average.
 * The remote itself waits as it is told to (`RemoteOptions.pace`), so nothing is held in memory meanwhile.
 */
import { setTimeout } from "node:timers/promises";
import type { Clock } from "../base/clock.ts";
import { checkSignal } from "./checks.ts";
import type {
  BlobInfo,
  BlobSource,
  DownloadOptions,
  GetOptions,
  PutCondition,
  Remote,
  RemoteOptions,
} from "./remote.ts";

/** Bytes a second; absent: as fast as it goes. */
export interface Limits {
  readonly upload?: number;
  readonly download?: number;
}

/** One line that bytes go over one after another. */
export class RateLimit {
  readonly #bytesPerSecond: number;
  readonly #clock: Clock;
  /** When all that was let through until now has gone over the line. */
  #freeMs = 0;

  /** @param bytesPerSecond Above 0. */
  constructor(bytesPerSecond: number, clock: Clock) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#clock = clock;
  }

  /** Resolves when `count` bytes more have had their time. @throws OuroError "aborted". */
  async take(count: number, signal?: AbortSignal): Promise<void> {
    const nowMs = this.#clock.nowMs();
    this.#freeMs = Math.max(this.#freeMs, nowMs) + (count / this.#bytesPerSecond) * 1000;
    const waitMs = this.#freeMs - nowMs;
    if (waitMs < 1) return;
    try {
      await setTimeout(waitMs, undefined, signal === undefined ? {} : { signal });
    } catch {
      checkSignal(signal);
    }
  }
}

export class LimitRemote implements Remote {
  readonly #inner: Remote;
  readonly #upload: RateLimit | undefined;
  readonly #download: RateLimit | undefined;

  /** @param inner Owned: it is disposed with this. */
  constructor(inner: Remote, { upload, download }: Limits, clock: Clock) {
    this.#inner = inner;
    this.#upload = upload === undefined ? undefined : new RateLimit(upload, clock);
    this.#download = download === undefined ? undefined : new RateLimit(download, clock);
  }

  get url(): string {
    return this.#inner.url;
  }

  get conditions(): Remote["conditions"] {
    return this.#inner.conditions;
  }

  put(name: string, source: BlobSource, options: RemoteOptions = {}): Promise<void> {
    return this.#inner.put(name, source, paced(options, this.#upload));
  }

  putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    options: RemoteOptions = {},
  ): Promise<string | undefined> {
    return this.#inner.putIf(name, bytes, condition, paced(options, this.#upload));
  }

  get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    return this.#inner.get(name, paced(options, this.#download));
  }

  download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    return this.#inner.download(name, path, paced(options, this.#download));
  }

  stat(name: string, options?: RemoteOptions): Promise<BlobInfo | undefined> {
    return this.#inner.stat(name, options);
  }

  list(prefix: string, options?: RemoteOptions): AsyncIterable<BlobInfo> {
    return this.#inner.list(prefix, options);
  }

  topNames(options?: RemoteOptions): Promise<readonly string[]> {
    return this.#inner.topNames(options);
  }

  remove(name: string, options?: RemoteOptions): Promise<void> {
    return this.#inner.remove(name, options);
  }

  async note(options?: RemoteOptions): Promise<string | undefined> {
    return await this.#inner.note?.(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

function paced<T extends RemoteOptions>(options: T, limit: RateLimit | undefined): T {
  return limit === undefined ? options : { ...options, pace: (count: number) => limit.take(count, options.signal) };
}
