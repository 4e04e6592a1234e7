/**
 * Which changes to names a power loss takes, on a file system that keeps no order among them but what their names demand: a name
 * cannot be there without its directory, nor be replaced before it was made. POSIX promises no more until the directory is synced.
 */
import type { Prng } from "../../src/base/prng.ts";

export interface PathChange {
  /** All that it makes, takes away or gives another name, as they are called then. */
  readonly paths: readonly string[];
}

/** Whether the later of two changes rests on the earlier one. */
function isOrdered(a: PathChange, b: PathChange): boolean {
  return a.paths.some((one) => b.paths.some((other) => isWithin(one, other) || isWithin(other, one)));
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** Some changes, and all that they rest on. @param all In the order in which they were made. */
export function withNeeded<T extends PathChange>(all: readonly T[], some: readonly T[]): Set<T> {
  const needed = new Set(some);
  for (const change of all.toReversed()) {
    if (needed.has(change)) continue;
    const later = all.slice(all.indexOf(change) + 1);
    if (later.some((each) => needed.has(each) && isOrdered(change, each))) needed.add(change);
  }
  return needed;
}

/** Those that are lost, the last one first: to be undone in this order. */
export function pickLost<T extends PathChange>(all: readonly T[], prng: Prng): T[] {
  const chance = prng.pick([0, 0.5, 0.8, 0.95]);
  const lost: T[] = [];
  for (const change of all)
    if (!prng.chance(chance) || lost.some((earlier) => isOrdered(earlier, change))) lost.push(change);
  return lost.reverse();
}
