/** Where the values of a conflict come from: who wrote each, and the last value that the writers of two had in common. */
import {
  compareEvents,
  covers,
  type Dot,
  dotKey,
  type Entry,
  type EventCommit,
  type EventName,
  equalDots,
  fullVector,
  type Hash,
  type NamedCommit,
} from "../format/mod.ts";
import type { CommitReader } from "./commits.ts";
import { followPaths, type WalkOptions, walkLog } from "./log.ts";
import { splitPath } from "./paths.ts";
import type { TreeReader } from "./tree-reader.ts";

const ignoreMissing = { onMissing: (): void => {} };

/** An event's name as a key. */
function eventKey({ clock, writer }: EventName): string {
  return dotKey({ clock, writer, counter: 0 });
}

/**
 * The commits that wrote these dots, by `dotKey` of a dot's event with counter 0. One that has been trimmed from history is not among them.
 * @param from Where to look: what has seen the dots.
 */
export function findEvents(
  commits: CommitReader,
  from: Hash,
  dots: Iterable<EventName>,
): ReadonlyMap<string, NamedCommit & { readonly commit: EventCommit }> {
  const wanted = new Map([...dots].map((dot) => [eventKey(dot), dot]));
  const found = new Map<string, NamedCommit & { readonly commit: EventCommit }>();
  const oldest = [...wanted.values()].reduce<EventName | undefined>(
    (least, dot) => (least === undefined || compareEvents(dot, least) < 0 ? dot : least),
    undefined,
  );
  if (oldest === undefined) return found;
  for (const { id, commit } of walkLog(commits, [from], ignoreMissing)) {
    if (commit.type !== "event") continue;
    const key = eventKey(commit);
    if (wanted.has(key)) found.set(key, { id, commit });
    // Newest first: what follows is older than all that is wanted.
    if (found.size === wanted.size || commit.clock < oldest.clock) break;
  }
  return found;
}

/** The key under which `findEvents` has the commit of a dot. */
export function eventKeyOf(dot: Dot): string {
  return eventKey(dot);
}

/**
 * The entry of a node as it was in the newest commit that changed it of those which both writers had seen: the base of a three-way merge.
 * @param where Where the node is in `head`, and what it is.
 * @returns Undefined when there is none, or it was trimmed from history.
 */
export function findBase(
  commits: CommitReader,
  trees: TreeReader,
  head: Hash,
  where: { readonly path: Uint8Array; readonly entry: Entry },
  values: readonly [Dot, Dot],
  options: Pick<WalkOptions, "isForgotten"> = {},
): Entry | undefined {
  const events = findEvents(commits, head, values);
  const [one, two] = values.map((dot) => events.get(eventKey(dot)));
  if (one === undefined || two === undefined) return undefined;
  const seenByTwo = fullVector(two);
  for (const { commit, paths } of followPaths(commits, trees, [head], [where.path], {
    ...options,
    ...ignoreMissing,
  })) {
    const isSeen = commit.type === "event" && covers(seenByTwo, commit) && covers(fullVector(one), commit);
    if (!isSeen || eventKey(commit) === eventKey(one.commit) || eventKey(commit) === eventKey(two.commit)) continue;
    const [path] = paths;
    const entry = path === undefined ? undefined : trees.findPath(trees.root(commit.tree), splitPath(path));
    if (entry !== undefined && equalDots(entry.id, where.entry.id)) return entry;
  }
  return undefined;
}
