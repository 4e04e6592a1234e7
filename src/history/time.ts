/** Times as people write them, in the time zone of the machine. */

const unitMs: Readonly<Record<string, number>> = {
  second: 1000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 7 * 86_400_000,
};

/**
 * The milliseconds since 1970 of "now", "today" (its beginning), "yesterday" (this time a day ago), "3 days ago",
 * "2026-11-01", "2026-11-01 10:00[:30]", with "T" for the space and "Z" at the end for UTC; undefined for any other text.
 * @param nowMs The present.
 */
export function parseTime(text: string, nowMs: number): number | undefined {
  const words = text
    .trim()
    .toLowerCase()
    .replaceAll(/[\s.]+/g, " ");
  const now = new Date(nowMs);
  if (words === "now") return nowMs;
  if (words === "today") return new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  if (words === "yesterday") return shiftDays(now, -1);
  const ago = /^(\d{1,6}|an?|one) (second|minute|hour|day|week|month|year)s?(?: ago)?$/.exec(words);
  if (ago !== null) return shift(now, /^\d/.test(ago[1] as string) ? Number(ago[1]) : 1, ago[2] as string);
  return parseDate(words);
}

function shift(now: Date, count: number, unit: string): number | undefined {
  if (unit === "month") return new Date(now).setMonth(now.getMonth() - count);
  if (unit === "year") return new Date(now).setFullYear(now.getFullYear() - count);
  if (unit === "day") return shiftDays(now, -count);
  const ms = unitMs[unit];
  return ms === undefined ? undefined : now.getTime() - count * ms;
}

/** Days as the clock on the wall counts them, also over a change to summer time. */
function shiftDays(now: Date, days: number): number {
  return new Date(now).setDate(now.getDate() + days);
}

function parseDate(words: string): number | undefined {
  const match = /^(\d{4})-(\d{2})-(\d{2})(?:[ t](\d{2}):(\d{2})(?::(\d{2}))?)?(z?)$/.exec(words);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match
    .slice(1, 7)
    .map((each) => Number(each ?? 0));
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 24 || minute > 59 || second > 60)
    return undefined;
  if (match[7] === "z") return Date.UTC(year, month - 1, day, hour, minute, second);
  return new Date(year, month - 1, day, hour, minute, second).getTime();
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
