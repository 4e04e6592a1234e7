/**
 * Simulated runs of many writers, for a night: `npm run sim -- --runs 100000 --peers 5 --ops 200`. Without `--peers` and `--ops` every
 * seed has its own; all cores work. The first law that is broken ends it, with the seed and the few steps that are enough.
 */
import { parseArgs } from "node:util";
import { playSeeds } from "../test/sim/play-seeds.ts";

const number = { type: "string" } as const;
const { values } = parseArgs({ options: { runs: number, seed: number, peers: number, ops: number } });

function numberOf(name: "runs" | "seed" | "peers" | "ops"): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  if (!/^[0-9]{1,9}$/.test(text)) throw new RangeError(`--${name} is ${text} (must be a whole number)`);
  return Number(text);
}

const [runs = 1000, first = 1, peers, changes] = [
  numberOf("runs"),
  numberOf("seed"),
  numberOf("peers"),
  numberOf("ops"),
];
const totals = { changes: 0, edits: 0, joins: 0, mends: 0, brackets: 0, forks: 0, rounds: 0 };
let done = 0;
const startMs = performance.now();

function report(): void {
  const seconds = (performance.now() - startMs) / 1000;
  const { changes: all, joins, mends, brackets, forks, rounds } = totals;
  console.log(
    `${done} runs in ${seconds.toFixed(1)} s: ${all} operations, ${joins} joins, ${mends} of them with mends, ` +
      `${brackets} bracketings, ${forks} branches renamed, at most ${rounds} rounds to rest`,
  );
}

const options = { ...(peers === undefined ? {} : { peers }), ...(changes === undefined ? {} : { changes }) };
await playSeeds({ first, count: runs, options }, (result) => {
  for (const key of ["changes", "edits", "joins", "mends", "brackets", "forks"] as const) totals[key] += result[key];
  totals.rounds = Math.max(totals.rounds, result.rounds);
  done += 1;
  if (done % 1000 === 0 && done < runs) report();
});
report();
