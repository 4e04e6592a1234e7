/**
 * Where batches of files are taken in: in this thread, all of it through the given disk, or in a worker thread.
 */
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { OuroError } from "../base/errors.ts";
import { startWriteBack } from "../base/posix-space.ts";
import { workerEntry } from "../base/worker-entry.ts";
import { getHasher } from "../format/mod.ts";
import { BackgroundPublisher } from "./background-publisher.ts";
import type { ClaimTable } from "./claim-table.ts";
import { ContentWriter } from "./content-writer.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { BatchResult, FileBatch } from "./ingest-batch.ts";
import { IngestCore } from "./ingest-core.ts";
import { checkControl, type FromWorker, type IngestSetup, putTogether, type ToWorker } from "./ingest-messages.ts";
import { publishPacks } from "./pack-writer.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StorePaths } from "./store-paths.ts";

export interface IngestLane {
  /** How many batches it has not finished. */
  readonly outstanding: number;
  /** @throws OuroError when something cannot be stored: the whole run has failed then. */
  run(batch: FileBatch): Promise<BatchResult>;
  /** Publishes what was stored. Nothing may be outstanding. */
  finish(): Promise<void>;
  /** Removes what was not published. Never throws. */
  abort(): Promise<void>;
}

export interface LaneOptions {
  readonly store: StoreOptions;
  readonly paths: StorePaths;
  readonly index: IndexDatabase;
  readonly claims: ClaimTable;
  readonly hashOnly: boolean;
  readonly control: SharedArrayBuffer;
  readonly onBytes: (count: number) => void;
}

/** Beside workers this thread looks up after so many bytes: for messages, signals, the next part of the walk. */
const turnBytes = 4 * 1024 * 1024;

/** In this thread. Where there are no workers, `run` has done everything when it returns. */
export class LocalLane implements IngestLane {
  readonly outstanding = 0;
  readonly #core: IngestCore;
  readonly #writer: ContentWriter | undefined;
  /** Beside workers: a disk is not waited for. */
  readonly #publisher: BackgroundPublisher | undefined;
  #turnBytes = 0;
  #isRunning = false;
  #last: Promise<unknown> | undefined;

  /** @param hasWorkers Whether others work meanwhile, so that this thread is to do no more than its share. */
  constructor({ store, paths, index, claims, hashOnly, control, onBytes }: LaneOptions, hasWorkers: boolean) {
    const word = new Int32Array(control);
    this.#publisher = hasWorkers && !hashOnly ? new BackgroundPublisher(paths, index) : undefined;
    this.#writer = hashOnly
      ? undefined
      : new ContentWriter({
          ...store,
          paths,
          index,
          claims,
          publish: (pack) => {
            if (this.#publisher !== undefined) return this.#publisher.publish(pack);
            publishPacks(store.disk, paths, [pack]);
            index.transaction(() => index.addPack(pack));
          },
          ...(hasWorkers ? { onBlock: startWriteBack } : {}),
        });
    this.#core = new IngestCore({
      hasher: getHasher(store.secrets.hash),
      chunk: store.chunk,
      ...(this.#writer === undefined ? {} : { writer: this.#writer }),
      onBytes: (count) => {
        if (hasWorkers) this.#turnBytes += count;
        onBytes(count);
      },
      checkAborted: () => checkControl(word),
    });
  }

  run(batch: FileBatch): Promise<BatchResult> {
    // One after another: they share a buffer.
    const before = this.#isRunning ? this.#last?.catch(() => undefined) : undefined;
    const result = before === undefined ? this.#run(batch) : before.then(() => this.#run(batch));
    this.#last = result;
    return result;
  }

  async #run(batch: FileBatch): Promise<BatchResult> {
    this.#isRunning = true;
    try {
      const work = this.#core.process(batch);
      for (;;) {
        const step = work.next();
        if (step.done === true) return step.value;
        const room = this.#publisher?.room();
        if (room !== undefined) await room;
        if (this.#turnBytes < turnBytes) continue;
        this.#turnBytes = 0;
        await setImmediate();
      }
    } finally {
      this.#isRunning = false;
    }
  }

  async finish(): Promise<void> {
    this.#writer?.finish();
    await this.#publisher?.done();
  }

  async abort(): Promise<void> {
    // It is told to stop, and would begin another pack otherwise.
    await this.#last?.catch(() => undefined);
    this.#writer?.abort();
    await this.#publisher?.done().catch(() => undefined);
  }
}

/** Sealing makes garbage outside of the heap; a small young generation has it collected soon, 80 MiB less for two workers. */
const youngMb = 2;

interface Waiting {
  readonly resolve: (result: BatchResult) => void;
  readonly reject: (error: unknown) => void;
}

/** In a thread of its own, started at once. */
export class WorkerLane implements IngestLane {
  readonly #worker: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  #failure: { readonly error: unknown } | undefined;
  readonly #ended: Promise<void>;

  constructor({ store, claims, hashOnly, control, onBytes }: LaneOptions) {
    const { directory, indexFolder = directory, secrets, chunk } = store;
    const setup: IngestSetup = { directory, indexFolder, secrets, chunk, hashOnly, control, claims: claims.memory };
    this.#worker = new Worker(workerEntry("store/ingest"), {
      workerData: setup,
      name: "ingest",
      resourceLimits: { maxYoungGenerationSizeMb: youngMb },
    });
    this.#worker.on("message", (message: FromWorker) => {
      if (message.type === "bytes") onBytes(message.count);
      else if (message.type === "failed") this.#fail(putTogether(message.failure));
      else if (message.type === "result") this.#take(message.id)?.resolve(message.result);
    });
    this.#worker.on("error", (error) => this.#fail(error));
    this.#ended = new Promise((resolve) => {
      this.#worker.on("exit", (code) => {
        if (code !== 0 || this.#waiting.size > 0)
          this.#fail(new OuroError("io", `Cannot go on: a worker thread ended with status ${code}`));
        resolve();
      });
    });
  }

  get outstanding(): number {
    return this.#waiting.size;
  }

  #take(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    for (const { reject } of this.#waiting.values()) reject(this.#failure.error);
    this.#waiting.clear();
  }

  #send(message: ToWorker, memory: ArrayBuffer[] = []): void {
    this.#worker.postMessage(message, memory);
  }

  async run(batch: FileBatch): Promise<BatchResult> {
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#lastId += 1;
    const id = this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<BatchResult>();
    this.#waiting.set(id, { resolve, reject });
    this.#send({ type: "batch", id, batch }, [batch.paths.buffer as ArrayBuffer, batch.ends.buffer as ArrayBuffer]);
    return await promise;
  }

  async finish(): Promise<void> {
    this.#send({ type: "finish" });
    await this.#ended;
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async abort(): Promise<void> {
    this.#send({ type: "abort" });
    await this.#ended;
  }
}
