/**
 * One remote as a place to read content from: which packs it lists, how quick it has been, and whether it is to be left alone for a while, as
 * it did not answer or gave wrong bytes.
 *
 * A read during which nothing comes for `stallMs` counts as no answer.
 */
import { setTimeout as delay } from "node:timers/promises";
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import type { BoxSecrets, Hash, PackInfo, Verify } from "../format/mod.ts";
import type { ByteRange, Remote, RemoteOptions } from "../remote/mod.ts";
import { BoxOnRemote, packName } from "./box-on-remote.ts";
import { isDamage, readRemoteIndex } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import type { SyncState } from "./sync-options.ts";

/** A remote that may be read from. */
export interface NamedSource {
  readonly name: string;
  readonly url: string;
  /** The least is asked first; of equal ones that which has been quickest. */
  readonly cost: number;
  /** Called when it is first needed; it is closed with the source. */
  readonly open: () => Remote;
}

export interface PlaceOptions {
  readonly secrets: BoxSecrets;
  readonly verify: Verify;
  readonly state: Pick<SyncState, "value">;
  readonly nowMs: () => number;
  /** 15 s by default. */
  readonly stallMs?: number;
}

/** Why a place did not give what was asked for. */
export interface PlaceFailure {
  readonly name: string;
  readonly error: OuroError;
}

const stallMsDefault = 15_000;
const silentMsMin = 5_000;
const silentMsMax = 5 * 60_000;
const lieMs = 10 * 60_000;
/** What it lists is not looked at again sooner: whoever lacks something waits so long. */
const refreshMs = 1000;
/** A read of no more bytes says how long an answer takes; one of more, how fast bytes come. */
const smallBytes = 32 * 1024;
/** Of a measure, how much the last read counts. */
const freshShare = 0.3;

export class ContentPlace implements AsyncDisposable {
  readonly name: string;
  readonly cost: number;
  readonly #source: NamedSource;
  readonly #options: PlaceOptions;
  readonly #memory: RemoteMemory;
  #packs: ReadonlyMap<string, PackInfo> | undefined;
  #remote: Remote | undefined;
  #refreshedMs = Number.NEGATIVE_INFINITY;
  #rest: { readonly untilMs: number; readonly error: OuroError } | undefined;
  #silentMs = silentMsMin;
  #answerMs = 0;
  #bytesPerMs: number | undefined;

  constructor(source: NamedSource, options: PlaceOptions) {
    this.name = source.name;
    this.cost = source.cost;
    this.#source = source;
    this.#options = options;
    this.#memory = RemoteMemory.load(options.state, source.url);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remote?.[Symbol.asyncDispose]();
  }

  /** How long a read of so many bytes may take, by what was measured; 0 before anything was. */
  estimateMs(bytes: number): number {
    return this.#answerMs + (this.#bytesPerMs === undefined ? 0 : bytes / this.#bytesPerMs);
  }

  /** Why it is left alone now; undefined when it may be asked. */
  get resting(): OuroError | undefined {
    if (this.#rest === undefined || this.#options.nowMs() < this.#rest.untilMs) return this.#rest?.error;
    this.#rest = undefined;
    return undefined;
  }

  /** The packs of content that it lists, as far as is known, by name in hex; those that were listed last come last. */
  get packs(): ReadonlyMap<string, PackInfo> {
    this.#packs ??= contentPacks(this.#memory);
    return this.#packs;
  }

  /** Reads anew what it lists, a while after that was last done: what was just written there is then seen. @throws OuroError as `read`. */
  async refresh(signal: AbortSignal | undefined): Promise<void> {
    const waitMs = this.#refreshedMs + refreshMs - this.#options.nowMs();
    if (waitMs > 0) {
      const how = signal === undefined ? {} : { signal };
      await delay(Math.min(waitMs, refreshMs), undefined, how).catch(() => signal?.throwIfAborted());
    }
    await this.#ask(async (remote, options) => {
      const { secrets, verify } = this.#options;
      await readRemoteIndex(new BoxOnRemote(remote, secrets, verify, options), this.#memory);
    }, signal);
    this.#packs = undefined;
    this.#refreshedMs = this.#options.nowMs();
  }

  /**
   * Bytes of a pack.
   * @throws OuroError "not-found" when it is not there any more; "corrupt"; "offline" and whatever else keeps it from answering; "aborted".
   */
  async read(pack: Hash, range: ByteRange, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const length = range.end - range.start;
    const begin = this.#options.nowMs();
    const bytes = await this.#ask((remote, options) => {
      return remote.get(packName(pack), { ...options, range, bytesMax: length });
    }, signal);
    this.#measure(length, this.#options.nowMs() - begin);
    if (bytes.length === length) return bytes;
    const error = new OuroError("corrupt", `Cannot read pack ${toHex(pack)} of ${this.name}: it gives other bytes`);
    this.noteLie(error);
    throw error;
  }

  #measure(bytes: number, ms: number): void {
    if (bytes <= smallBytes) this.#answerMs = mix(this.#answerMs === 0 ? undefined : this.#answerMs, ms);
    else this.#bytesPerMs = mix(this.#bytesPerMs, bytes / Math.max(1, ms - this.#answerMs));
  }

  /** It gave wrong bytes: it is left alone. */
  noteLie(error: OuroError): void {
    this.#rest = { untilMs: this.#options.nowMs() + lieMs, error };
  }

  async #ask<T>(
    body: (remote: Remote, options: RemoteOptions) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      this.#remote ??= this.#source.open();
      const remote = this.#remote;
      const result = await this.#unlessStalled((options) => body(remote, options), signal);
      this.#silentMs = silentMsMin;
      return result;
    } catch (thrown) {
      if (!isKind(thrown) || signal?.aborted === true) throw thrown;
      if (thrown.kind === "not-found") throw thrown;
      // "invalid": the pack there is shorter than it says.
      if (isKind(thrown, "invalid") || isDamage(thrown)) this.noteLie(thrown);
      else this.#noteSilence(thrown);
      throw thrown;
    }
  }

  #noteSilence(error: OuroError): void {
    this.#rest = { untilMs: this.#options.nowMs() + this.#silentMs, error };
    this.#silentMs = Math.min(silentMsMax, this.#silentMs * 2);
  }

  async #unlessStalled<T>(body: (options: RemoteOptions) => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const ms = this.#options.stallMs ?? stallMsDefault;
    const stop = new AbortController();
    const { promise: stalled, reject } = Promise.withResolvers<never>();
    let timer: NodeJS.Timeout | undefined;
    const wait = (): void => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const why = `nothing has come for ${Math.ceil(ms / 1000)} s`;
        const error = new OuroError("offline", `Cannot read from ${this.#source.url}: ${why}`);
        reject(error);
        stop.abort(error);
      }, ms);
    };
    wait();
    const either = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    try {
      // A remote that does not heed the signal is not waited for.
      return await Promise.race([body({ signal: either, onBytes: wait }), stalled]);
    } finally {
      clearTimeout(timer);
    }
  }
}

function mix(before: number | undefined, now: number): number {
  return before === undefined ? now : before * (1 - freshShare) + now * freshShare;
}

function contentPacks(memory: RemoteMemory): Map<string, PackInfo> {
  const packs = new Map<string, PackInfo>();
  for (const index of memory.indexFiles.values())
    for (const pack of index.packs) if (pack.class === "content") packs.set(toHex(pack.name), pack);
  return packs;
}
