/**
 * Changes that are one to people and two to a checkout: another node stands at a path whose directories were moved. What was there has
 * gone away with its directory, and what is there now comes into another.
 */
import { type Change, keysAbove, pathKey } from "../history/mod.ts";

/** The same changes, those as a removal and an addition each, in the order of the paths. */
export function separateDisplaced(changes: readonly Change[]): Change[] {
  const moved = new Set<string>();
  for (const { type, path, oldPath } of changes) {
    if (type === "rename") for (const each of [path, oldPath]) if (each !== undefined) moved.add(pathKey(each));
  }
  if (moved.size === 0) return [...changes];
  return changes.flatMap((change): Change[] => {
    const { type, path, before, after, what } = change;
    if (type !== "change" || before === undefined || after === undefined || !what.has("node")) return [change];
    if (!keysAbove(pathKey(path)).some((above) => moved.has(above))) return [change];
    return [
      { type: "remove", path, before, what: nothing },
      { type: "add", path, after, what: nothing },
    ];
  });
}

const nothing: Change["what"] = new Set();
