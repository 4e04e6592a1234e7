/**
 * Retries around any Remote. All its operations can be repeated: names are either written once, or by one writer.
 * What was told to `onBytes` is not told twice, a download goes on where it stopped, and a conditional put whose answer was lost is
 * read back before it counts as refused.
 */
import { equalBytes } from "../base/bytes.ts";
import { CountedBytes } from "./counted-bytes.ts";
import type {
  BlobInfo,
  BlobSource,
  DownloadOptions,
  GetOptions,
  PutCondition,
  Remote,
  RemoteOptions,
} from "./remote.ts";
import { type RetryOptions, type RetryPolicy, retrying } from "./retry.ts";

export interface RetryRemoteOptions {
  readonly random: (length: number) => Uint8Array;
  readonly policy?: RetryPolicy;
  readonly onRetry?: RetryOptions["onRetry"] | undefined;
}

export class RetryRemote implements Remote {
  readonly #inner: Remote;
  readonly #options: RetryRemoteOptions;

  /** @param inner Owned: it is disposed with this. */
  constructor(inner: Remote, options: RetryRemoteOptions) {
    this.#inner = inner;
    this.#options = options;
  }

  get url(): string {
    return this.#inner.url;
  }

  get conditions(): Remote["conditions"] {
    return this.#inner.conditions;
  }

  async put(name: string, source: BlobSource, options: RemoteOptions = {}): Promise<void> {
    const counted = new CountedBytes(options.onBytes);
    await this.#retry(options, () => {
      counted.restart();
      return this.#inner.put(name, source, { ...options, onBytes: (count) => counted.add(count) });
    });
  }

  async putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    options: RemoteOptions = {},
  ): Promise<string | undefined> {
    let tries = 0;
    const tag = await this.#retry(options, () => {
      tries += 1;
      return this.#inner.putIf(name, bytes, condition, options);
    });
    if (tag !== undefined || tries === 1) return tag;
    // An earlier try may have done it.
    const before = await this.stat(name, options);
    if (before?.size !== bytes.length) return undefined;
    const there = await this.get(name, { ...options, bytesMax: bytes.length });
    const after = await this.stat(name, options);
    return equalBytes(there, bytes) && before.tag === after?.tag ? after?.tag : undefined;
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    const counted = new CountedBytes(options.onBytes);
    return await this.#retry(options, () => {
      counted.restart();
      return this.#inner.get(name, { ...options, onBytes: (count) => counted.add(count) });
    });
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    let offset = options.offset ?? 0;
    let before = offset;
    const hasProgressed = (): boolean => {
      const isFurther = offset > before;
      before = offset;
      return isFurther;
    };
    return await retrying({ ...this.#options, signal: options.signal, hasProgressed }, () =>
      this.#inner.download(name, path, {
        ...options,
        offset,
        onBytes(count) {
          offset += count;
          options.onBytes?.(count);
        },
      }),
    );
  }

  async stat(name: string, options: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    return await this.#retry(options, () => this.#inner.stat(name, options));
  }

  /** After a failure the listing begins again; what was given already is left out. */
  async *list(prefix: string, options: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    let iterator = this.#inner.list(prefix, options)[Symbol.asyncIterator]();
    const given = new Set<string>();
    for (;;) {
      const next = await this.#retry(options, async (attempt) => {
        if (attempt > 0) iterator = this.#inner.list(prefix, options)[Symbol.asyncIterator]();
        for (;;) {
          const row = await iterator.next();
          if (row.done === true || !given.has(row.value.name)) return row;
        }
      });
      if (next.done === true) return;
      given.add(next.value.name);
      yield next.value;
    }
  }

  async topNames(options: RemoteOptions = {}): Promise<readonly string[]> {
    return await this.#retry(options, () => this.#inner.topNames(options));
  }

  async remove(name: string, options: RemoteOptions = {}): Promise<void> {
    await this.#retry(options, () => this.#inner.remove(name, options));
  }

  async note(options: RemoteOptions = {}): Promise<string | undefined> {
    return await this.#retry(options, async () => await this.#inner.note?.(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }

  #retry<T>({ signal }: RemoteOptions, action: (attempt: number) => Promise<T>): Promise<T> {
    return retrying({ ...this.#options, signal }, action);
  }
}
