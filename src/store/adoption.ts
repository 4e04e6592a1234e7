/**
 * Packs on their way into a store. Those that arrive while others are being taken in wait, and are the next to be taken in together: one
 * sync of the folder and one transaction for all of them, however fast they come.
 *
 * Much content is taken in by a worker thread, while the caller looks at the metadata; everything else, and every test with a faulty
 * disk, by this thread.
 */
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { workerEntry } from "../base/worker-entry.ts";
import type { AdoptSetup, FromAdopter, ToAdopter } from "./adopt-messages.ts";
import { type AdoptContext, type AdoptOutcome, type ArrivedPack, adoptPacks } from "./adopt-packs.ts";
import { putTogether } from "./ingest-messages.ts";
import type { StoreOptions } from "./store-options.ts";

/** Starting a thread takes as long as taking in this much. */
const workerBytesMin = 16 * 1024 * 1024;
/** So many are taken in at once, or as many as have so many objects: these are in memory meanwhile. */
const batchPacks = 64;
const batchObjects = 2 ** 18;

export interface AdoptionOptions {
  /** 0: everything in this thread and through the store's disk. */
  readonly workers: number;
  /** How much content is to be expected. */
  readonly contentBytes: number;
}

interface Waiting {
  readonly pack: ArrivedPack;
  readonly resolve: (hashes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

type AdoptBatch = (packs: readonly ArrivedPack[]) => AdoptOutcome[] | Promise<AdoptOutcome[]>;

export class Adoption implements AsyncDisposable {
  readonly #meta: Queue;
  readonly #content: Queue;
  readonly #thread: AdoptThread | undefined;

  constructor(store: StoreOptions, context: AdoptContext, { workers, contentBytes }: AdoptionOptions) {
    const here: AdoptBatch = (packs) => adoptPacks(context, packs);
    this.#meta = new Queue(here);
    const useThread = workers > 0 && contentBytes >= workerBytesMin && store.disk === nodeDisk;
    const thread = useThread ? new AdoptThread(store) : undefined;
    this.#thread = thread;
    this.#content = new Queue(thread === undefined ? here : (packs) => thread.adopt(packs));
  }

  /**
   * Verifies a pack, makes it durable, moves it to its place and adds its rows, all together with others that come at the same time.
   * @returns The hashes of its objects, 32 bytes each.
   * @throws OuroError "corrupt", "wrong-key", "newer-format": it is refused, and its file stays where it is. "no-space", "io", "locked".
   */
  adopt(pack: ArrivedPack): Promise<Uint8Array> {
    return (pack.class === "meta" ? this.#meta : this.#content).add(pack);
  }

  /** Waits for what is being taken in. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#meta.idle();
    await this.#content.idle();
    await this.#thread?.[Symbol.asyncDispose]();
  }
}

class Queue {
  readonly #adopt: AdoptBatch;
  #waiting: Waiting[] = [];
  #working: Promise<void> | undefined;

  constructor(adopt: AdoptBatch) {
    this.#adopt = adopt;
  }

  add(pack: ArrivedPack): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ pack, resolve, reject });
      this.#working ??= this.#work();
    });
  }

  async idle(): Promise<void> {
    await this.#working;
  }

  async #work(): Promise<void> {
    // What ends in the same turn comes along.
    await setImmediate();
    while (this.#waiting.length > 0) await this.#take(this.#waiting.splice(0, batchCount(this.#waiting)));
    this.#working = undefined;
  }

  async #take(batch: readonly Waiting[]): Promise<void> {
    try {
      const outcomes = await this.#adopt(batch.map(({ pack }) => pack));
      batch.forEach(({ resolve, reject }, at) => {
        const outcome = outcomes[at];
        if (outcome !== undefined && "hashes" in outcome) resolve(outcome.hashes);
        else reject(outcome?.error);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}

/** How many of the first are a batch: one at least. */
function batchCount(waiting: readonly Waiting[]): number {
  let objects = 0;
  const end = waiting.slice(0, batchPacks).findIndex(({ pack }, at) => {
    objects += pack.objects ?? 0;
    return at > 0 && objects > batchObjects;
  });
  return end < 0 ? batchPacks : end;
}

/** A thread that takes in content, one batch after another. */
class AdoptThread implements AsyncDisposable {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #answer:
    | { readonly resolve: (outcomes: AdoptOutcome[]) => void; readonly reject: (error: unknown) => void }
    | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor({ directory, indexFolder = directory, secrets }: StoreOptions) {
    const setup: AdoptSetup = { directory, indexFolder, secrets };
    this.#worker = new Worker(workerEntry("store/adopt"), { workerData: setup, name: "adopt" });
    this.#worker.on("message", (message: FromAdopter) => {
      if ("failure" in message) this.#answer?.reject(putTogether(message.failure));
      else
        this.#answer?.resolve(
          message.outcomes.map((each) => ("error" in each ? { error: putTogether(each.error) } : each)),
        );
      this.#answer = undefined;
    });
    this.#worker.on("error", (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        this.#fail(new OuroError("io", `Cannot go on: a worker thread ended with status ${code}`));
        resolve();
      });
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#answer?.reject(this.#failure.error);
    this.#answer = undefined;
  }

  async adopt(packs: readonly ArrivedPack[]): Promise<AdoptOutcome[]> {
    if (this.#failure !== undefined) throw this.#failure.error;
    const { promise, resolve, reject } = Promise.withResolvers<AdoptOutcome[]>();
    this.#answer = { resolve, reject };
    const message: ToAdopter = { packs };
    this.#worker.postMessage(message);
    return await promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const message: ToAdopter = { packs: [] };
    this.#worker.postMessage(message);
    await this.#ended;
  }
}
