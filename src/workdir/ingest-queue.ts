/**
 * Reading ahead of a walk: files are handed to the ingest in batches, and what is to be done with each is done in the order in
 * which it was asked for, as soon as all before it is done. Bounded: `filesMax` files are under way at most.
 */
import type { Ingest, IngestFile, IngestResult } from "../store/mod.ts";

const batchFiles = 64;
const batchBytes = 4 * 1024 * 1024;
const filesMax = 4096;
const stepsMax = 20_000;

/** A file's place in a batch. */
export interface Slot {
  readonly batch: Batch;
  /** What came of it. To be asked for in a step that waits for this slot. */
  result(): IngestResult;
}

interface Batch {
  readonly files: IngestFile[];
  bytes: number;
  done: Promise<void> | undefined;
  results: readonly IngestResult[] | undefined;
}

interface Step {
  readonly run: () => void;
  readonly batch: Batch | undefined;
}

export class IngestQueue {
  readonly #ingest: Pick<Ingest, "ingest" | "whenRoom">;
  #steps: Step[] = [];
  #head = 0;
  #batch: Batch = newBatch();
  #underWay = 0;
  /** Resolves when the ingest has room. */
  #mustWait: Promise<void> | undefined;

  constructor(ingest: Pick<Ingest, "ingest" | "whenRoom">) {
    this.#ingest = ingest;
  }

  /** Whether it is time to `drain`. */
  get isFull(): boolean {
    return this.#mustWait !== undefined || this.#isOverfull;
  }

  get #isOverfull(): boolean {
    return this.#underWay >= filesMax || this.#steps.length - this.#head >= stepsMax;
  }

  /** Asks for a file to be read. */
  file(file: IngestFile): Slot {
    const batch = this.#batch;
    const index = batch.files.push(file) - 1;
    batch.bytes += file.size;
    this.#underWay += 1;
    if (batch.files.length >= batchFiles || batch.bytes >= batchBytes) this.#send();
    return {
      batch,
      result() {
        const result = batch.results?.[index];
        if (result === undefined) throw new RangeError("the file was not read yet");
        return result;
      },
    };
  }

  /** Does something when all before it is done, and the slot's file has been read. */
  push(run: () => void, slot?: Slot): void {
    if (this.#head === this.#steps.length && (slot === undefined || slot.batch.results !== undefined)) run();
    else this.#steps.push({ run, batch: slot?.batch });
  }

  #send(): void {
    const batch = this.#batch;
    if (batch.files.length === 0) return;
    this.#batch = newBatch();
    const work = this.#ingest.ingest(batch.files).then((results) => {
      batch.results = results;
      this.#underWay -= results.length;
    });
    work.catch(() => {});
    batch.done = work;
    this.#mustWait ??= this.#ingest.whenRoom();
  }

  /** Waits until there is room, doing what can be done. @throws What the ingest failed with. */
  async drain(): Promise<void> {
    const room = this.#mustWait;
    this.#mustWait = undefined;
    await room;
    for (this.#run(); this.#isOverfull; this.#run()) await this.#wait();
  }

  /** Does all that was asked for. @throws What the ingest failed with. */
  async finish(): Promise<void> {
    this.#send();
    for (this.#run(); this.#head < this.#steps.length; this.#run()) await this.#wait();
  }

  /** Waits for the batch of the first step that is not done. */
  async #wait(): Promise<void> {
    const batch = this.#steps[this.#head]?.batch;
    if (batch === undefined) return;
    if (batch.done === undefined) this.#send();
    await batch.done;
  }

  #run(): void {
    for (let step = this.#steps[this.#head]; step !== undefined; step = this.#steps[this.#head]) {
      if (step.batch !== undefined && step.batch.results === undefined) break;
      this.#head += 1;
      step.run();
    }
    if (this.#head > 1024 || this.#head === this.#steps.length) {
      this.#steps = this.#steps.slice(this.#head);
      this.#head = 0;
    }
  }
}

function newBatch(): Batch {
  return { files: [], bytes: 0, done: undefined, results: undefined };
}
