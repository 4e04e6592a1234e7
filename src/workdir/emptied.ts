/** Telling a visitor of a directory that is gone from the folder and stays in the tree: of what was in it, and is gone with it. */
import type { Entry } from "../format/mod.ts";
import { type PathFilter, splitPath, type TreeReader } from "../history/mod.ts";
import type { DirectoryScan } from "./folder-scanner.ts";
import type { FolderVisitor } from "./folder-visitor.ts";
import { below, latin } from "./folder-walk.ts";

interface EmptiedContext {
  readonly reader: TreeReader;
  readonly tree: Entry | undefined;
  readonly device: bigint;
  /** What is asked for; absent: all. */
  readonly filter: PathFilter | undefined;
}

interface EmptiedDirectory {
  readonly path: string;
  readonly name: string;
  readonly scan: DirectoryScan;
}

/** What is to be told, in order. */
export function* tellEmptied(
  context: EmptiedContext,
  { path, name, scan }: EmptiedDirectory,
): Generator<(visitor: FolderVisitor) => void> {
  const { reader, tree, device, filter } = context;
  const before = tree === undefined ? undefined : reader.findPath(tree, splitPath(latin(scan.oldPath)));
  if (before === undefined) return;
  const { row, changes } = scan;
  const place = { path, name, before, draft: before, replaced: undefined, oldPath: undefined, row, device };
  // Of one that was not asked for itself the next scan is to see that it is gone.
  const isGone = filter?.match(latin(path)) !== "above";
  const state = { isEdited: false, record: undefined, changes: changes.size, isAbove: false, isGone };
  yield (visitor) => visitor.enter({ ...place, ...state });
  for (const change of [...changes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const inner = change.scan;
    if (inner !== undefined)
      yield* tellEmptied(context, { path: below(path, change.name), name: change.name, scan: inner });
    else yield (visitor) => visitor.remove(below(scan.oldPath, change.name), change.name);
  }
  yield (visitor) => visitor.leave();
}
