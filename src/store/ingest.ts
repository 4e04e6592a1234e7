/**
 * Taking in many files at once: batches go to worker threads, four of them waiting at each, and results come back as the
 * batches are done. While these have enough to do this thread takes in files, too: one worker less, which would compile and collect garbage by
 * itself. A few small files are its alone: starting another thread would take longer.
 *
 * Content packs are published as they fill, so an interrupted run has not been in vain; nothing refers to them until the
 * caller's commit does.
 */
import { availableParallelism } from "node:os";
import { setImmediate } from "node:timers";
import { OuroError } from "../base/errors.ts";
import { ClaimTable } from "./claim-table.ts";
import type { IndexDatabase } from "./index-database.ts";
import {
  type BatchResult,
  decodeBatch,
  encodeBatch,
  type FileBatch,
  type IngestFile,
  type IngestResult,
} from "./ingest-batch.ts";
import { type IngestLane, type LaneOptions, LocalLane, WorkerLane } from "./ingest-lane.ts";
import type { StoreOptions } from "./store-options.ts";
import type { StorePaths } from "./store-paths.ts";

const batchFiles = 64;
const batchBytes = 4 * 1024 * 1024;
/** While this thread takes in a batch of its own a worker must not run out of them. */
const batchesPerWorker = 4;
/** This much is taken in by this thread before workers are started. */
const localFiles = 64;
const localBytes = 1024 * 1024;
const claimSlots = { local: 2 ** 16, shared: 2 ** 19 };

/** How many workers are worth having on this machine. */
export function defaultWorkers(): number {
  return Math.max(1, Math.min(8, availableParallelism()));
}

export interface IngestOptions {
  /** At most so many threads, this one among them when there are several; 0: everything in this thread and through the store's disk. */
  readonly workers: number;
  /** Reads, cuts and hashes, and stores nothing. */
  readonly hashOnly?: boolean;
  readonly signal?: AbortSignal;
  /** Told of bytes as they are read. */
  readonly onBytes?: (count: number) => void;
}

interface IngestContext extends IngestOptions {
  readonly store: StoreOptions;
  readonly index: IndexDatabase;
  readonly paths: StorePaths;
}

interface Task {
  readonly batch: FileBatch;
  readonly resolve: (result: Promise<BatchResult>) => void;
}

export class Ingest implements AsyncDisposable {
  readonly #workers: number;
  readonly #laneOptions: LaneOptions;
  readonly #control: Int32Array;
  #local: LocalLane | undefined;
  readonly #lanes: WorkerLane[] = [];
  readonly #queue: Task[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #waitingForRoom: (() => void)[] = [];
  #localFilesLeft = localFiles;
  #localBytesLeft = localBytes;
  #isHelping = false;
  #ended = false;
  readonly #removeListener: () => void;

  constructor({ workers, hashOnly, signal, onBytes, store, index, paths }: IngestContext) {
    this.#workers = workers;
    const control = new SharedArrayBuffer(4);
    this.#control = new Int32Array(control);
    this.#laneOptions = {
      store,
      index,
      paths,
      control,
      claims: ClaimTable.create(workers === 0 ? claimSlots.local : claimSlots.shared),
      hashOnly: hashOnly === true,
      onBytes: onBytes ?? (() => undefined),
    };
    const stop = (): void => this.#stop();
    if (signal?.aborted === true) stop();
    signal?.addEventListener("abort", stop, { once: true });
    this.#removeListener = () => signal?.removeEventListener("abort", stop);
  }

  #stop(): void {
    Atomics.store(this.#control, 0, 1);
  }

  /**
   * Takes in files. Several calls may be in flight; ask `whenRoom` between them.
   * @returns What came of each file, in their order. Their content is stored for good only after `finish`.
   * @throws OuroError "no-space", "io", "aborted", …: the whole run has failed, and is to be aborted.
   */
  ingest(files: readonly IngestFile[]): Promise<IngestResult[]> {
    const parts = splitFiles(files).map((part) => this.#submit(part));
    const all = Promise.all(parts).then((results) => results.flatMap(decodeBatch));
    // Several runs are in flight and one failure fails them all: those that nobody waits for yet are no accident.
    all.catch(() => undefined);
    return all;
  }

  /** Undefined when more files may be given; else resolves when they may. */
  whenRoom(): Promise<void> | undefined {
    if (this.#queue.length === 0) return undefined;
    return new Promise((resolve) => this.#waitingForRoom.push(resolve));
  }

  #submit(files: readonly IngestFile[]): Promise<BatchResult> {
    const batch = encodeBatch(files);
    const work = this.#isForThisThread(files)
      ? this.#localLane().run(batch)
      : new Promise<BatchResult>((resolve) => {
          this.#queue.push({ batch, resolve });
          this.#dispatch();
        });
    const tracked = work.finally(() => {
      this.#running.delete(tracked);
      this.#dispatch();
    });
    this.#running.add(tracked);
    return tracked;
  }

  #isForThisThread(files: readonly IngestFile[]): boolean {
    if (this.#workers === 0) return true;
    if (this.#lanes.length > 0) return false;
    this.#localFilesLeft -= files.length;
    this.#localBytesLeft -= files.reduce((sum, { size }) => sum + size, 0);
    return this.#localFilesLeft >= 0 && this.#localBytesLeft >= 0;
  }

  #localLane(): LocalLane {
    this.#local ??= new LocalLane(this.#laneOptions, this.#workers > 0);
    return this.#local;
  }

  #dispatch(): void {
    while (this.#queue.length > 0) {
      const lane = this.#findLane();
      if (lane === undefined) {
        this.#help();
        return;
      }
      const task = this.#queue.shift();
      task?.resolve(lane.run(task.batch));
    }
    const waiting = this.#waitingForRoom;
    this.#waitingForRoom = [];
    for (const resolve of waiting) resolve();
  }

  /** Takes in a batch in this thread, when what the workers have sent is looked at and they still have enough to do. */
  #help(): void {
    if (this.#isHelping || this.#workers < 2) return;
    this.#isHelping = true;
    setImmediate(() => {
      const task = this.#findLane() === undefined && !this.#ended ? this.#queue.shift() : undefined;
      const end = (): void => {
        this.#isHelping = false;
        this.#dispatch();
      };
      if (task === undefined) return end();
      const result = this.#localLane().run(task.batch);
      task.resolve(result);
      result.then(end, end);
    });
  }

  /** The worker with the least to do, a new one if all are busy, or undefined when there is enough to do. */
  #findLane(): WorkerLane | undefined {
    const least = this.#lanes.reduce<WorkerLane | undefined>(
      (best, lane) => (best === undefined || lane.outstanding < best.outstanding ? lane : best),
      undefined,
    );
    if (least?.outstanding === 0) return least;
    if (this.#lanes.length < Math.max(1, this.#workers - 1)) {
      const lane = new WorkerLane(this.#laneOptions);
      this.#lanes.push(lane);
      return lane;
    }
    return least !== undefined && least.outstanding < batchesPerWorker ? least : undefined;
  }

  get #allLanes(): IngestLane[] {
    return this.#local === undefined ? this.#lanes : [this.#local, ...this.#lanes];
  }

  /**
   * Publishes everything that was stored: durable, and found by everyone, when it resolves.
   * @throws OuroError as `ingest`; the run is aborted then.
   */
  async finish(): Promise<void> {
    try {
      while (this.#running.size > 0) await Promise.all(this.#running);
      const outcomes = await Promise.allSettled(this.#allLanes.map((lane) => lane.finish()));
      for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
      this.#end();
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  /** Ends it; what was not published is removed. Never throws. */
  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#end();
    this.#stop();
    for (const { resolve } of this.#queue.splice(0)) {
      resolve(Promise.reject(new OuroError("aborted", "Cannot go on: it was interrupted")));
    }
    await Promise.allSettled([...this.#allLanes.map((lane) => lane.abort()), ...this.#running]);
  }

  #end(): void {
    this.#ended = true;
    this.#removeListener();
  }

  /** Aborts what was not finished. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.abort();
  }
}

/** Parts of about one worker's turn: neither many files nor many bytes. */
function splitFiles(files: readonly IngestFile[]): IngestFile[][] {
  const parts: IngestFile[][] = [];
  let bytes = batchBytes;
  for (const file of files) {
    const last = parts.at(-1);
    if (last === undefined || last.length === batchFiles || (bytes > 0 && bytes + file.size > batchBytes)) {
      parts.push([file]);
      bytes = file.size;
    } else {
      last.push(file);
      bytes += file.size;
    }
  }
  return parts;
}
