/**
 * Differences between two texts as hunks, as `diff -u` shows them.
 *
 * The algorithm (Myers, An O(ND) Difference Algorithm, 1986) is the package `diff`. Its cost grows with the size times the number of
 * edits, so both have a limit: beyond it the caller is told that the texts differ, and no more.
 */
import { structuredPatch } from "diff";
import { findText } from "../base/bytes.ts";

/** Larger files are compared by size only. */
export const textBytesMax: number = 4 * 1024 * 1024;
const linesMax = 200_000;
const editsMax = 10_000;
const binaryProbeBytes = 8_000;

export interface Hunk {
  readonly oldStart: number;
  readonly oldLines: number;
  readonly newStart: number;
  readonly newLines: number;
  /** Each with its sign before it: " ", "-", "+", or "\" for a missing line end. */
  readonly lines: readonly string[];
}

export type TextDiff =
  | { readonly form: "hunks"; readonly hunks: readonly Hunk[]; readonly added: number; readonly removed: number }
  /** Not text, or too large or too different to show, or not to be read. */
  | { readonly form: "binary" | "too-large" | "unread" };

/**
 * Compares two files.
 * @param context Lines shown around each change.
 */
export function diffText(before: Uint8Array, after: Uint8Array, context = 3): TextDiff {
  const [oldText, newText] = [textOf(before), textOf(after)];
  if (oldText === undefined || newText === undefined) return { form: "binary" };
  if (before.length > textBytesMax || after.length > textBytesMax) return { form: "too-large" };
  if (countLines(oldText) + countLines(newText) > linesMax) return { form: "too-large" };
  // Against nothing there is one hunk; the general algorithm would count every line as an edit.
  const hunks: readonly Hunk[] | undefined =
    oldText === "" || newText === ""
      ? wholeHunk(oldText, newText)
      : structuredPatch("", "", oldText, newText, "", "", { context, maxEditLength: editsMax })?.hunks;
  if (hunks === undefined) return { form: "too-large" };
  const count = (sign: string): number =>
    hunks.flatMap(({ lines }) => lines).filter((line) => line.startsWith(sign)).length;
  return { form: "hunks", hunks, added: count("+"), removed: count("-") };
}

/** Text has no NUL near its beginning (git's rule) and is UTF-8. */
function textOf(bytes: Uint8Array): string | undefined {
  return bytes.subarray(0, binaryProbeBytes).includes(0) ? undefined : findText(bytes);
}

function countLines(text: string): number {
  let count = 1;
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) count += 1;
  return count;
}

function wholeHunk(oldText: string, newText: string): Hunk[] {
  const text = oldText + newText;
  if (text === "") return [];
  const lines = text.replace(/\n$/, "").split("\n");
  const sign = oldText === "" ? "+" : "-";
  const signed = lines.map((line) => `${sign}${line}`);
  if (!text.endsWith("\n")) signed.push("\\ No newline at end of file");
  const [oldLines, newLines] = oldText === "" ? [0, lines.length] : [lines.length, 0];
  return [{ oldStart: Math.min(1, oldLines), oldLines, newStart: Math.min(1, newLines), newLines, lines: signed }];
}

/** "@@ -1,3 +1,4 @@" */
export function hunkHeader({ oldStart, oldLines, newStart, newLines }: Hunk): string {
  const range = (start: number, lines: number): string => (lines === 1 ? `${start}` : `${start},${lines}`);
  return `@@ -${range(oldStart, oldLines)} +${range(newStart, newLines)} @@`;
}
