/** "Did you mean …?": the known word nearest to a mistyped one. */
import { OuroError } from "../base/errors.ts";

/**
 * The word of `words` that is the fewest edits away, when that is near enough to be meant: a third of its letters.
 * An edit adds, drops, changes or swaps letters (optimal string alignment distance).
 */
export function suggest(typed: string, words: readonly string[]): string | undefined {
  const ranked = words
    .map((word) => ({ word, distance: word.startsWith(typed) && typed.length > 1 ? 0 : editDistance(typed, word) }))
    .filter(({ word, distance }) => distance <= Math.max(1, Math.floor(word.length / 3)))
    .sort((a, b) => a.distance - b.distance);
  return ranked[0]?.word;
}

/**
 * A usage error about a word that is none of those there are.
 * @param options.hint What to do, with the word that may have been meant.
 */
export function unknownWord(
  message: string,
  typed: string,
  { words, hint }: { readonly words: readonly string[]; readonly hint: (near: string | undefined) => string },
): OuroError {
  return new OuroError("usage", message, { hint: hint(suggest(typed, words)) });
}

function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= a.length; row += 1) {
    const [above = [], twoAbove = []] = [rows[row - 1], rows[row - 2]];
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const same = a[row - 1] === b[column - 1];
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1];
      current.push(
        Math.min(
          (above[column] ?? 0) + 1,
          (current[column - 1] ?? 0) + 1,
          (above[column - 1] ?? 0) + (same ? 0 : 1),
          swapped ? (twoAbove[column - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
    rows.push(current);
  }
  return rows[a.length]?.[b.length] ?? 0;
}
