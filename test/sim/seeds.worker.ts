/** Plays the runs of a block of seeds in a thread, for `play-seeds.ts`. */
import { parentPort, workerData } from "node:worker_threads";
import type { SeedBlock } from "./play-seeds.ts";
import { playSeed } from "./shrink.ts";

const { first, count, options } = workerData as SeedBlock;
for (let at = 0; at < count; at += 1) parentPort?.postMessage(playSeed({ ...options, seed: first + at }));
