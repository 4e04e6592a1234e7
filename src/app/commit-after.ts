/** What may be said of when a live mount commits by itself, as people write it. */

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Shorter, it would do nothing but look at the folder. */
const quietMsMin = 100;
/** Of what a timer can wait for, well below. */
const quietMsMax = 86_400_000;

/** "5s", "2m", "off": the quiet time in milliseconds, Infinity where it never does; undefined for what is neither. */
export function parseCommitAfter(text: string): number | undefined {
  if (text === "off") return Number.POSITIVE_INFINITY;
  const [, digits = "", unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const quietMs = Number(digits) * (unitsMs[unit] ?? Number.NaN);
  return quietMs >= quietMsMin && quietMs <= quietMsMax ? quietMs : undefined;
}

export const mustBeCommitAfter = "it is a time from 100ms to 24h, as 5s or 2m, or off";
