/**
 * Merging texts: what two have changed of a third, line by line (diff3: Khanna, Kunal and Pierce, *A Formal Investigation of Diff3*, 2007; the
 * package node-diff3). Where both changed the same lines to different ones there is no result: nobody's lines are guessed at, no marks are left.
 */
import { diff3Merge } from "node-diff3";
import { findText, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";

export const mergeBytesMax: number = 4 * 1024 * 1024;
/** Its cost grows with the square where lines repeat. */
const linesMax = 50_000;

/**
 * @returns The caller owns the bytes.
 * @throws OuroError "invalid" when one is not text, "too-large", "diverged" when both changed the same lines.
 */
export function mergeTexts(one: Uint8Array, base: Uint8Array, two: Uint8Array): Uint8Array {
  const [a, o, b] = [linesOf(one), linesOf(base), linesOf(two)];
  const merged: string[] = [];
  let line = 1;
  for (const region of diff3Merge(a, o, b, { excludeFalseConflicts: true })) {
    if (region.ok === undefined) {
      throw new OuroError("diverged", `Cannot merge: both have changed the lines from line ${line} on`, {
        hint: "Keep one of them (--latest, --mine, --pick), both side by side (--both), or write what it should be (--file).",
      });
    }
    merged.push(...region.ok);
    line += region.ok.length;
  }
  return utf8(merged.join(""));
}

/** Each with its line end. */
function linesOf(bytes: Uint8Array): string[] {
  if (bytes.length > mergeBytesMax)
    throw new OuroError("too-large", `Cannot merge a text of ${bytes.length} bytes (at most ${mergeBytesMax})`);
  const text = bytes.includes(0) ? undefined : findText(bytes);
  if (text === undefined) throw new OuroError("invalid", "Cannot merge: it is not text");
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  if (lines.length > linesMax)
    throw new OuroError("too-large", `Cannot merge a text of ${lines.length} lines (at most ${linesMax})`);
  return lines;
}
