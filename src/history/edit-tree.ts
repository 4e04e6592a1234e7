/** Changing a tree at some paths: only the directories on the way to them are written. */
import { toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type DirectoryValue, type Entry, type EventName, type Hash, isDatedById, kinds } from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { withValue } from "./conflicts.ts";
import { putRoot } from "./directory-builder.ts";
import { type DirectoryEdit, editDirectory } from "./edit-directory.ts";
import { pathKey, splitPath } from "./paths.ts";
import { directoryOf, type TreeReader } from "./tree-reader.ts";

export interface TreeEdit {
  readonly path: Uint8Array;
  /** What stands there from now on, with the path's last name; of the root with the empty name. Absent: nothing, with all that is below. */
  readonly entry?: Entry;
}

/** Edits below one path. */
interface Plan {
  readonly name: Uint8Array;
  edit: TreeEdit | undefined;
  readonly below: Map<string, Plan>;
}

/**
 * A tree with these edits made; of a directory that is put somewhere, edits below it are made in what was put.
 * @param edits In any order, each path once.
 * @param event Dates the units in which there are edits; needed for a tree that is to be committed.
 * @returns The name of the new tree's root, which is kept in the sink with all that is new.
 * @throws OuroError "invalid" when a directory on the way is missing, or an entry is not legal; "not-found", "corrupt".
 */
export function editTree(
  reader: TreeReader,
  sink: MetaSink,
  tree: Hash,
  edits: Iterable<TreeEdit>,
  event?: EventName,
): Hash {
  const plan: Plan = { name: new Uint8Array(), edit: undefined, below: new Map() };
  for (const edit of edits) {
    let at = plan;
    for (const name of splitPath(edit.path)) {
      const key = pathKey(name);
      let next = at.below.get(key);
      if (next === undefined) {
        next = { name, edit: undefined, below: new Map() };
        at.below.set(key, next);
      }
      at = next;
    }
    at.edit = edit;
  }
  const root = applied({ reader, sink, event }, reader.root(tree), plan);
  if (root === undefined) throw new OuroError("invalid", "Cannot edit a tree: its root cannot be removed");
  return putRoot(sink, root);
}

interface Editing {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  readonly event: EventName | undefined;
}

function applied(editing: Editing, entry: Entry | undefined, plan: Plan): Entry | undefined {
  const { reader, sink, event } = editing;
  const now = plan.edit === undefined ? entry : plan.edit.entry;
  if (plan.below.size === 0) return now;
  const directory = now === undefined ? undefined : directoryOf(now);
  if (now === undefined || directory === undefined)
    throw new OuroError("invalid", `Cannot edit a tree: ${JSON.stringify(toText(plan.name))} is not a directory in it`);
  const edits = [...plan.below.values()].map((below): DirectoryEdit => {
    const after = applied(editing, reader.find(directory, below.name), below);
    return after === undefined ? { name: below.name } : { name: below.name, entry: after };
  });
  edits.sort((a, b) => Buffer.compare(a.name, b.name));
  const value = editDirectory(reader, sink, directory, edits);
  return isDatedById(now) || event === undefined ? withDirectory(now, value) : withValue(now, value, event, 0);
}

/** A directory's entry with other children. Its other values, if there are any, stay. */
export function withDirectory(entry: Entry, value: DirectoryValue): Entry {
  const [{ dot }, ...others] = entry.data;
  return { ...entry, kind: kinds.directory, data: [{ dot, value }, ...others] };
}
