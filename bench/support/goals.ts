/** Comparisons of medians with what the project is held to. */
import type { Goal } from "./question.ts";
import type { Median, Results } from "./results.ts";

type Figure = keyof Median;

export interface Comparison {
  readonly step: string;
  readonly figure?: Figure;
  /** Default: "ours". */
  readonly ours?: string;
  /** The best of these peers counts. */
  readonly peers: readonly string[];
  /** Ours may be at most this times the best of the peers: 1 / 2.2 is "2.2 times as fast". */
  readonly atMost: number;
}

/** "Ours is at most so many times the best peer's." */
export function compare(results: Results, text: string, comparison: Comparison): Goal {
  const { step, figure = "wallS", ours = "ours", peers, atMost } = comparison;
  const own = results.median(step, ours)?.[figure];
  const best = results.best(step, peers, figure);
  if (own === undefined || best === undefined) return { text, measured: "not measured", reached: undefined };
  const ratio = own / best.value;
  const said =
    figure === "wallS" && atMost < 1
      ? `${(1 / ratio).toFixed(2)} times as fast as ${best.tool}`
      : `${ratio.toFixed(2)} times ${best.tool}`;
  return { text, measured: said, reached: ratio <= atMost };
}

/** "Ours is at most this." */
export function limit(results: Results, text: string, step: string, figure: Figure, most: number, ours = "ours"): Goal {
  const own = results.median(step, ours)?.[figure];
  if (own === undefined) return { text, measured: "not measured", reached: undefined };
  const shown = figure.endsWith("Bytes")
    ? `${(own / 1e6).toFixed(3)} MB`
    : figure.endsWith("S")
      ? `${own.toFixed(3)} s`
      : own.toPrecision(4);
  return { text, measured: shown, reached: own <= most };
}

const peakBytesMax = 400e6;

/** The memory goal, over all steps. */
export function memoryGoal(results: Results, ours = "ours"): Goal {
  const peak = results.peakMemory(ours);
  const text = `peak memory of ${ours} under 400 MB`;
  if (peak === undefined) return { text, measured: "not measured", reached: undefined };
  return { text, measured: `${(peak / 1e6).toFixed(0)} MB`, reached: peak < peakBytesMax };
}
