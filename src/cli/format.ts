/** Sizes, counts, dates and modes as people read them. Dates are in the local time zone, which is the environment's TZ. */
import type { EntryKind } from "../app/mod.ts";

const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** "831 B", "1.3 GiB": three digits and a unit of 1,024. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/**
 * A size as people write it: "64K", "64KiB", "1M", "4096". K, M and G are of 1,024.
 * @returns Bytes, or undefined when it is none.
 */
export function parseSize(text: string): number | undefined {
  const match = /^(\d{1,12})\s*([kmg]?)(?:i?b)?$/i.exec(text);
  if (match === null) return undefined;
  const scale = { "": 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[(match[2] ?? "").toLowerCase()] ?? 1;
  return Number(match[1]) * scale;
}

/** "1,234,567" */
export function formatCount(count: number): string {
  return String(count).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** "1 file", "1,234 files" */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}

/** "12 s", "3 min 20 s", "2 h 5 min" */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** "2026-11-01 10:00:05 +0100" */
export function formatDate(ms: number): string {
  const date = new Date(ms);
  const offset = -date.getTimezoneOffset();
  const zone = `${offset < 0 ? "-" : "+"}${two(Math.floor(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  return `${formatMinute(ms)}:${two(date.getSeconds())} ${zone}`;
}

/** "2026-11-01 10:00" */
export function formatMinute(ms: number): string {
  const date = new Date(ms);
  const day = `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** For --json: RFC 3339 in UTC. */
export function formatJsonDate(ms: number): string {
  return new Date(ms).toISOString();
}

/** Nanoseconds since 1970 as RFC 3339 in UTC, every digit kept; outside the years 1 to 9999 as seconds, "@-62135596801.5". */
export function formatJsonNs(ns: bigint): string {
  const seconds = ns / 1_000_000_000n - (ns % 1_000_000_000n < 0n ? 1n : 0n);
  const rest = String(ns - seconds * 1_000_000_000n).padStart(9, "0");
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n) return `@${seconds}.${rest}`;
  return `${new Date(Number(seconds) * 1000).toISOString().replace(/\.\d+Z$/, "")}.${rest}Z`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** The words of the format's numbers: `kinds` itself would load the whole application. */
export const kindNames: Readonly<Record<EntryKind, string>> = {
  1: "file",
  2: "directory",
  3: "symlink",
  4: "fifo",
  5: "socket",
  6: "character device",
  7: "block device",
};
const kindLetters: Readonly<Record<EntryKind, string>> = { 1: "-", 2: "d", 3: "l", 4: "p", 5: "s", 6: "c", 7: "b" };

/** As `ls -l`: "-rwxr-sr-t". */
export function formatMode(kind: EntryKind, mode: number): string {
  const special = [0o4000, 0o2000, 0o1000].map((bit) => (mode & bit) !== 0);
  const triples = [6, 3, 0].map((shift, index) => {
    const bits = (mode >> shift) & 7;
    const execute = (bits & 1) !== 0;
    const letter = index === 2 ? "t" : "s";
    const last = special[index] ? (execute ? letter : letter.toUpperCase()) : execute ? "x" : "-";
    return `${bits & 4 ? "r" : "-"}${bits & 2 ? "w" : "-"}${last}`;
  });
  return `${kindLetters[kind]}${triples.join("")}`;
}

/** Lines with their columns aligned, two spaces between; the last column is left as it is. */
export function alignColumns(rows: readonly (readonly string[])[], right: ReadonlySet<number> = new Set()): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, column) => {
        if (right.has(column)) return cell.padStart(widths[column] ?? 0);
        return column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0);
      })
      .join("  "),
  );
}
