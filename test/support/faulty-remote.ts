/**
 * A remote that counts what is asked of it, and fails at the Nth operation: before it happens, after it has happened (the answer is
 * lost), or in the middle (a download leaves a part). From then on it is dead, as it is for a process that was killed.
 */
import { truncateSync } from "node:fs";
import { OuroError } from "../../src/base/errors.ts";
import type {
  BlobInfo,
  BlobSource,
  DownloadOptions,
  GetOptions,
  PutCondition,
  Remote,
  RemoteOptions,
} from "../../src/remote/mod.ts";

export type Fault = "before" | "after" | "middle";

export class FaultyRemote implements Remote {
  readonly url: string;
  readonly conditions: Remote["conditions"];
  /** What was asked for, in order: "put packs/3f…". */
  readonly log: string[] = [];
  readonly #inner: Remote;
  readonly #failAt: number;
  readonly #fault: Fault;
  #isDead = false;

  /** @param failAt The first operation is 1; 0 never fails. */
  constructor(inner: Remote, failAt = 0, fault: Fault = "before") {
    this.#inner = inner;
    this.#failAt = failAt;
    this.#fault = fault;
    this.url = inner.url;
    this.conditions = inner.conditions;
  }

  /** Whether the fault has happened. */
  get isDead(): boolean {
    return this.#isDead;
  }

  async #do<T>(what: string, operation: () => Promise<T>, cut?: () => void): Promise<T> {
    const failure = new OuroError("offline", `Cannot ${what}: the wire was cut`);
    if (this.#isDead) throw failure;
    this.log.push(what);
    const isNow = this.log.length === this.#failAt;
    if (isNow) this.#isDead = true;
    if (isNow && this.#fault === "before") throw failure;
    const result = await operation();
    if (!isNow) return result;
    if (this.#fault === "middle") cut?.();
    throw failure;
  }

  put(name: string, source: BlobSource, options?: RemoteOptions): Promise<void> {
    // A put is atomic: cut in the middle is cut before.
    const isCut = this.#fault === "middle" && this.log.length + 1 === this.#failAt;
    return this.#do(`put ${name}`, async () => (isCut ? undefined : this.#inner.put(name, source, options)));
  }

  putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    options?: RemoteOptions,
  ): Promise<string | undefined> {
    return this.#do(`putIf ${name}`, () => this.#inner.putIf(name, bytes, condition, options));
  }

  get(name: string, options?: GetOptions): Promise<Uint8Array> {
    return this.#do(`get ${name}`, () => this.#inner.get(name, options));
  }

  download(name: string, path: string, options?: DownloadOptions): Promise<number> {
    let size = 0;
    return this.#do(
      `download ${name} from ${options?.offset ?? 0}`,
      async () => {
        size = await this.#inner.download(name, path, options);
        return size;
      },
      () => truncateSync(path, Math.floor(size / 2)),
    );
  }

  stat(name: string, options?: RemoteOptions): Promise<BlobInfo | undefined> {
    return this.#do(`stat ${name}`, () => this.#inner.stat(name, options));
  }

  async *list(prefix: string, options?: RemoteOptions): AsyncIterable<BlobInfo> {
    yield* await this.#do(`list ${prefix}`, () => Array.fromAsync(this.#inner.list(prefix, options)));
  }

  topNames(options?: RemoteOptions): Promise<readonly string[]> {
    return this.#do("topNames", () => this.#inner.topNames(options));
  }

  remove(name: string, options?: RemoteOptions): Promise<void> {
    return this.#do(`remove ${name}`, () => this.#inner.remove(name, options));
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
