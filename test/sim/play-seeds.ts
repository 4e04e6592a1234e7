/** Simulated runs on all cores: every core takes the next block of seeds until none is left. */
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { RunResult, SimOptions } from "./run.ts";

export interface SeedBlock {
  /** Seeds from this one on. */
  readonly first: number;
  readonly count: number;
  readonly options: Omit<SimOptions, "seed">;
}

/** Small enough that no core waits long for the last one, large enough that starting a thread does not count. */
const blockSeeds = 500;

/**
 * @param take Told of every run that ended well, in no order.
 * @throws Error with the seed and the few steps that are enough, at the first law that is broken.
 */
export async function playSeeds({ first, count, options }: SeedBlock, take: (run: RunResult) => void): Promise<void> {
  const cores = availableParallelism();
  const size = Math.min(blockSeeds, Math.ceil(count / cores));
  let next = 0;
  let isStopped = false;
  async function playBlocks(): Promise<void> {
    while (next < count && !isStopped) {
      const block = { first: first + next, count: Math.min(size, count - next), options };
      next += block.count;
      await playBlock(block, take);
    }
  }
  const threads = Array.from({ length: cores }, () =>
    playBlocks().catch((error: unknown) => {
      isStopped = true;
      throw error;
    }),
  );
  const results = await Promise.allSettled(threads);
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

function playBlock(block: SeedBlock, take: (run: RunResult) => void): Promise<void> {
  const worker = new Worker(new URL("./seeds.worker.ts", import.meta.url), { workerData: block });
  return new Promise((resolve, reject) => {
    let left = block.count;
    worker.on("message", (run: RunResult) => {
      left -= 1;
      take(run);
    });
    worker.on("error", reject);
    worker.on("exit", () => {
      if (left === 0) resolve();
      else reject(new Error(`A thread ended ${left} runs early`));
    });
  });
}
