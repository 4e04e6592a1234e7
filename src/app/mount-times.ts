/** What may be said of the times of a mount: when it commits by itself, and how long it waits for content; as people write them. */

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Shorter, it would do nothing but look at the folder. */
const quietMsMin = 100;
/** Of what a timer can wait for, well below. */
const timeMsMax = 86_400_000;

/** "5s", "2m", "off": the quiet time in milliseconds, Infinity where it never does; undefined for what is neither. */
export function parseCommitAfter(text: string): number | undefined {
  if (text === "off") return Number.POSITIVE_INFINITY;
  const quietMs = parseTime(text);
  return quietMs !== undefined && quietMs >= quietMsMin ? quietMs : undefined;
}

/** "30s", "forever", "off": how long is waited, in milliseconds, 0 where it is not; undefined for what is neither. */
export function parseWait(text: string): number | undefined {
  if (text === "off") return 0;
  return text === "forever" ? Number.POSITIVE_INFINITY : parseTime(text);
}

function parseTime(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,9})(ms|s|m|h)$/.exec(text) ?? [];
  const timeMs = Number(digits) * (unitsMs[unit] ?? Number.NaN);
  return timeMs <= timeMsMax ? timeMs : undefined;
}

export const mustBeCommitAfter = "it is a time from 100ms to 24h, as 5s or 2m, or off";
export const mustBeWait = "it is a time up to 24h, as 30s or 10m, or forever, or off";
