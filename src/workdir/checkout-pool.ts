/**
 * Where the files of a checkout are written: worker threads with a store each, or this thread. Batches go to whichever worker has
 * fewest outstanding, two each at most, so memory stays bounded and a frame is mostly decoded by one worker.
 */
import { Worker } from "node:worker_threads";
import { type ErrorKind, OuroError } from "../base/errors.ts";
import { workerEntry } from "../base/worker-entry.ts";
import type { StoreOptions } from "../store/mod.ts";
import {
  type CheckoutPlace,
  type ContentReader,
  decodeResults,
  encodeGroups,
  type JobGroup,
  type JobResult,
  writeGroup,
} from "./checkout-file.ts";

export interface CheckoutWorkerData {
  readonly store: Pick<StoreOptions, "directory" | "indexFolder" | "secrets" | "chunk">;
  readonly place: Omit<CheckoutPlace, "writer">;
}

export type CheckoutReply =
  | { readonly results: Uint8Array }
  | { readonly kind: ErrorKind; readonly message: string; readonly hint: string | undefined };

const outstandingMax = 2;

/** What a worker makes is garbage soon; a small young generation has what is outside of the heap collected early. */
const youngMb = 2;

export interface CheckoutPool extends AsyncDisposable {
  /** Writes files; resolves to their results in order. At most `room` of these at once. */
  write(groups: readonly JobGroup[]): Promise<JobResult[]>;
  /** How many batches to keep in flight. */
  readonly room: number;
}

/** All in this thread, through the place's own writer. */
export function inlinePool(place: CheckoutPlace, content: ContentReader): CheckoutPool {
  return {
    room: 1,
    write: async (groups) => groups.flatMap((group) => writeGroup(place, content, group)),
    [Symbol.asyncDispose]: async () => {},
  };
}

export function workerPool(count: number, data: CheckoutWorkerData): CheckoutPool {
  const workers = Array.from({ length: count }, () => new PoolWorker(data));
  return {
    room: count * outstandingMax,
    write(groups) {
      const idlest = workers.reduce((a, b) => (b.outstanding < a.outstanding ? b : a));
      return idlest.write(groups);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.end()));
    },
  };
}

interface Waiting {
  resolve(results: JobResult[]): void;
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

  write(groups: readonly JobGroup[]): Promise<JobResult[]> {
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
    if ("results" in reply) waiting.resolve(decodeResults(reply.results));
    else waiting.reject(new OuroError(reply.kind, reply.message, reply.hint === undefined ? {} : { hint: reply.hint }));
  }

  #fail(error: unknown): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
