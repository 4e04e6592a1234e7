/**
 * Making a tree what another one was, as an edit (doc/merge.md, R2): what an undo or a restore of a whole tree commits.
 *
 * The result has the places and values of `goal`. Where those are as in `from`, the registers stay with their dots; what differs is written anew,
 * with a dot of this event, for with its old dots it would lose to what it is to replace. Of nodes that `from` does not have every register is
 * written anew. Nodes keep their ids.
 */
import {
  type DatedValue,
  type Dot,
  dotKey,
  type Entry,
  type EventName,
  emptySummary,
  type Hash,
  isDatedById,
  kinds,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { type Change, diffTrees } from "./diff.ts";
import { DirectoryBuilder } from "./directory-builder.ts";
import { editTree, type TreeEdit } from "./edit-tree.ts";
import { comparePaths, isWithin, joinPath, keysAbove, pathKey, splitPath } from "./paths.ts";
import type { TreeReader } from "./tree-reader.ts";

/**
 * @param event Dates what is written anew.
 * @returns The new tree's name; that of `from` when there is nothing to change.
 * @throws OuroError "not-found", "corrupt".
 */
export function revertTree(
  reader: TreeReader,
  sink: MetaSink,
  { from, goal, event }: { readonly from: Hash; readonly goal: Hash; readonly event: EventName },
): Hash {
  const changes = [...diffTrees(reader, from, goal)];
  if (changes.length === 0) return from;
  const edits = new Map<string, TreeEdit>();
  const replaced = changes.filter(isReplacedDirectory).map(({ path }) => path);
  for (const change of changes) {
    const { path, after } = change;
    // It is made with all that is below it.
    if (replaced.some((above) => path.length > above.length && isWithin(path, above))) continue;
    if (after !== undefined) edits.set(pathKey(path), { path, entry: reverted(reader, sink, change, event) });
  }
  for (const path of placesLeft(changes)) {
    const key = pathKey(path);
    if (!edits.has(key) && !replaced.some((above) => isWithin(path, above))) edits.set(key, { path });
  }
  return editTree(reader, sink, from, edits.values(), event);
}

/** Another directory under the same name: what is below it belongs to another node, too. */
function isReplacedDirectory({ type, before, after }: Change): boolean {
  return type === "change" && after?.kind === kinds.directory && before !== undefined && !isSameNode(before, after);
}

function isSameNode(a: Entry, b: Entry): boolean {
  return dotKey(a.id) === dotKey(b.id);
}

/** An entry as it was, of the registers that it has now. */
function reverted(reader: TreeReader, sink: MetaSink, { type, before, after, what }: Change, event: EventName): Entry {
  if (after === undefined) throw new TypeError("Cannot revert to nothing");
  if (before === undefined || !isSameNode(before, after)) {
    if (after.kind !== kinds.directory || type === "change") return redated(reader, sink, after, event);
    // What is below a new directory has edits of its own.
    const empty: DatedValue = { dot: after.id, value: { kind: kinds.directory, summary: emptySummary } };
    return redated(reader, sink, { ...after, data: [empty] }, event);
  }
  const dot: Dot = { ...event, counter: 0 };
  const hasOtherMeta = (["mode", "owner", "xattrs", "links", "atomic"] as const).some((each) => what.has(each));
  const hasOtherData = (["content", "target", "device", "values"] as const).some((each) => what.has(each));
  const now: Entry = {
    ...before,
    name: after.name,
    ...(type === "rename" ? { placeDot: dot } : {}),
    ...(hasOtherMeta ? { meta: after.meta, metaDot: dot } : {}),
    ...(hasOtherData || what.has("mtime") ? { mtimeNs: after.mtimeNs, mtimeDot: dot } : {}),
    ...(hasOtherData && after.kind !== kinds.directory ? { data: redatedData(after, event) } : {}),
  };
  // It has become a unit or is none any more; what differs in it are edits of their own.
  return isDatedById(now) || isDatedById(before) ? { ...now, data: redatedData(now, event) } : now;
}

/** The values of an entry, dated anew in their order: the greatest dot first. */
function redatedData(entry: Entry, event: EventName): Entry["data"] {
  const { data } = entry;
  if (isDatedById(entry)) return [{ dot: entry.id, value: data[0].value }];
  const [first, ...others] = data.map(({ value }, index) => ({
    dot: { ...event, counter: data.length - 1 - index },
    value,
  }));
  return first === undefined ? data : [first, ...others];
}

/** An entry with all that is below it, every register written anew. */
export function redated(reader: TreeReader, sink: MetaSink, entry: Entry, event: EventName): Entry {
  const dot: Dot = { ...event, counter: 0 };
  const data = redatedData(entry, event).map(({ dot: valueDot, value }): DatedValue => {
    if (value.kind !== kinds.directory || value.top === undefined) return { dot: valueDot, value };
    const builder = new DirectoryBuilder(sink);
    for (const each of reader.entries(value)) builder.add(redated(reader, sink, each, event));
    return { dot: valueDot, value: builder.finish() };
  });
  return { ...entry, placeDot: dot, metaDot: dot, mtimeDot: dot, data: data as [DatedValue, ...DatedValue[]] };
}

/** Where, in the new tree, names stand that must go: what was removed or moved out of a directory, which may have moved itself. */
function placesLeft(changes: readonly Change[]): Uint8Array[] {
  const moved = new Map<string, Uint8Array | undefined>();
  const left: Uint8Array[] = [];
  for (const { type, path, oldPath } of changes) {
    if (type === "rename" && oldPath !== undefined) {
      moved.set(pathKey(oldPath), path);
      left.push(oldPath);
    } else if (type === "remove") {
      moved.set(pathKey(path), undefined);
      left.push(path);
    }
  }
  return left.sort(comparePaths).flatMap((path) => {
    const above = keysAbove(pathKey(path)).find((key) => moved.has(key));
    if (above === undefined) return [path];
    const now = moved.get(above);
    if (now === undefined) return [];
    return [splitPath(path.subarray(above.length + 1)).reduce(joinPath, now)];
  });
}
