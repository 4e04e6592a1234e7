/**
 * Where the files of a checkout are written: worker threads with a store each, or this thread. Batches go to whichever worker has
 * fewest outstanding, four each at most, so memory stays bounded and a frame is mostly decoded by one worker.
 */
import { setImmediate } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { type ErrorKind, OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { workerEntry } from "../base/worker-entry.ts";
import { Store, type StoreOptions } from "../store/mod.ts";
import {
  type CheckoutPlace,
  type ContentReader,
  encodeGroups,
  type GroupResult,
  type JobGroup,
  writeGroup,
} from "./checkout-file.ts";
import { posixWriter } from "./folder-writer.ts";

export interface CheckoutWorkerData {
  readonly store: Pick<StoreOptions, "directory" | "indexFolder" | "secrets" | "chunk">;
  readonly place: Omit<CheckoutPlace, "writer">;
}

export type CheckoutReply =
  | { readonly results: GroupResult[] }
  | { readonly kind: ErrorKind; readonly message: string; readonly hint: string | undefined };

const outstandingMax = 4;

/** This thread writes no more at a time: it is to see that the user wants an end. */
const ownBytesMax = 16 * 1024 * 1024;

/** What a worker makes is garbage soon; a small young generation has what is outside of the heap collected early. */
const youngMb = 2;

export interface CheckoutPool extends AsyncDisposable {
  /** Writes files; resolves to their results in order. At most `room` of these at once. */
  write(groups: readonly JobGroup[]): Promise<GroupResult[]>;
  /** How many batches to keep in flight. */
  readonly room: number;
}

/** All in this thread, through the place's own writer. */
export function inlinePool(place: CheckoutPlace, content: ContentReader): CheckoutPool {
  return {
    room: 1,
    write: async (groups) => groups.map((group) => writeGroup(place, content, group)),
    [Symbol.asyncDispose]: async () => {},
  };
}

/**
 * `count` threads, this one among them: it writes what comes while the others have enough to do. A thread less is 0.4 s of compiling and
 * collecting garbage less.
 */
export function workerPool(count: number, data: CheckoutWorkerData): CheckoutPool {
  const workers = Array.from({ length: Math.max(1, count - 1) }, () => new PoolWorker(data));
  const store = openReadingStore(data.store);
  const place = { ...data.place, writer: posixWriter };
  const idlest = (): PoolWorker => workers.reduce((a, b) => (b.outstanding < a.outstanding ? b : a));
  return {
    room: workers.length * outstandingMax + 1,
    async write(groups) {
      if (idlest().outstanding >= outstandingMax) await setImmediate();
      const worker = idlest();
      if (worker.outstanding < outstandingMax || count === 1 || bytesOf(groups) > ownBytesMax)
        return worker.write(groups);
      return groups.map((group) => writeGroup(place, store, group));
    },
    [Symbol.asyncDispose]: async () => {
      store[Symbol.dispose]();
      await Promise.all(workers.map((worker) => worker.end()));
    },
  };
}

function bytesOf(groups: readonly JobGroup[]): number {
  return groups.flatMap(({ files }) => files).reduce((sum, { content }) => sum + content.size, 0);
}

/** A store for content that is used in the order in which it lies. */
export function openReadingStore(options: CheckoutWorkerData["store"]): Store {
  return Store.open({
    ...options,
    disk: nodeDisk,
    random: () => new Uint8Array(),
    readOnly: true,
    usesChunksAtOnce: true,
  });
}

interface Waiting {
  resolve(results: GroupResult[]): void;
  reject(error: unknown): void;
}

class PoolWorker {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];
  #failure: unknown;

  constructor(data: CheckoutWorkerData) {
    this.#worker = new Worker(workerEntry("workdir/checkout"), {
      workerData: data,
      name: "checkout",
      resourceLimits: { maxYoungGenerationSizeMb: youngMb },
    });
    this.#worker.on("message", (reply: CheckoutReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(error));
    this.#worker.on("exit", () => this.#fail(new Error("a checkout worker ended")));
  }

  get outstanding(): number {
    return this.#waiting.length;
  }

  write(groups: readonly JobGroup[]): Promise<GroupResult[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(encodeGroups(groups));
    });
  }

  async end(): Promise<void> {
    this.#worker.removeAllListeners("exit");
    await this.#worker.terminate();
  }

  #settle(reply: CheckoutReply): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    if ("results" in reply) waiting.resolve(reply.results);
    else waiting.reject(new OuroError(reply.kind, reply.message, reply.hint === undefined ? {} : { hint: reply.hint }));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
