/**
 * Conflicts: entries whose data has several values, since several peers have written it without knowing of each other. What is shown
 * meanwhile is the first, the one with the greatest dot.
 */

import { equalBytes } from "../base/bytes.ts";
import {
  type DatedValue,
  type Dot,
  type Entry,
  type EventName,
  type Hash,
  kinds,
  summaryFlags,
  type Value,
} from "../format/mod.ts";
import { equalContents } from "./entry-difference.ts";
import { PathFilter } from "./paths.ts";
import { directoryOf, type TreeReader } from "./tree-reader.ts";
import { type PlacedEntry, walkEntries } from "./tree-walk.ts";

/** Whether two values are the same to people; of directories, whether all below is, dots included. */
export function equalValues(a: Value, b: Value): boolean {
  if (a.kind === kinds.file && b.kind === kinds.file) return equalContents(a.content, b.content);
  if (a.kind === kinds.symlink && b.kind === kinds.symlink) return equalBytes(a.target, b.target);
  if ("major" in a && "major" in b) return a.kind === b.kind && a.major === b.major && a.minor === b.minor;
  if (a.kind === kinds.directory && b.kind === kinds.directory)
    return a.top === undefined || b.top === undefined ? a.top === b.top : equalBytes(a.top, b.top);
  return a.kind === b.kind;
}

/** The values that differ, each with its greatest dot, greatest first. One: there is no conflict. */
export function distinctValues({ data }: Entry): readonly [DatedValue, ...DatedValue[]] {
  const [first, ...others] = data;
  const distinct: [DatedValue, ...DatedValue[]] = [first];
  for (const each of others) if (!distinct.some(({ value }) => equalValues(value, each.value))) distinct.push(each);
  return distinct;
}

/** All entries of a tree that are in conflict, in the order of a walk. Directories without any are not opened. */
export function* listConflicts(
  reader: TreeReader,
  tree: Hash,
  { paths }: { readonly paths?: readonly Uint8Array[] } = {},
): Generator<PlacedEntry> {
  const root = directoryOf(reader.root(tree));
  if (root === undefined || (root.summary.flags & summaryFlags.conflicts) === 0) return;
  const filter = new PathFilter(paths);
  const enters = ({ path, entry }: PlacedEntry): boolean =>
    filter.match(path) !== "not" && ((directoryOf(entry)?.summary.flags ?? 0) & summaryFlags.conflicts) !== 0;
  for (const placed of walkEntries(reader, root, new Uint8Array(), { enters }))
    if (filter.match(placed.path) === "chosen" && distinctValues(placed.entry).length > 1) yield placed;
}

/**
 * The entry with one value, written by an event: what all others were is settled, here and everywhere this comes to.
 * @param counter Of the event's dots, the one for this edit.
 */
export function withValue(entry: Entry, value: Value, event: EventName, counter: number): Entry {
  const dot: Dot = { ...event, counter };
  return { ...entry, data: [{ dot, value }], mtimeDot: dot };
}
