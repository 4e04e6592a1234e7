/**
 * Whether a folder that was changed while it was looked at has given a tree one node at two places: a file or directory that was found under another name while where
 * it had been could not be looked at any more. Such a tree is no state of the folder, and can be joined with no other: it is to be made anew.
 */
import { type Dot, equalDots, type Hash } from "../format/mod.ts";
import { splitPath, type TreeReader } from "../history/mod.ts";
import { below, latin } from "./folder-walk.ts";

/** A node that was found under another name. Paths have one character a byte. */
export interface MovedNode {
  readonly id: Dot;
  readonly oldPath: string;
  readonly path: string;
}

/** @param reader Of the new tree. @throws OuroError "not-found", "corrupt". */
export function isSeenTwice(reader: TreeReader, tree: Hash, moved: readonly MovedNode[]): boolean {
  const root = reader.root(tree);
  const placeOf = new Map(moved.map(({ oldPath, path }) => [oldPath, path]));
  /** Where a directory of the tree before is now. */
  const nowAt = (path: string): string => {
    if (path === "") return "";
    const found = placeOf.get(path);
    if (found !== undefined) return found;
    const [parent, name] = splitAt(path);
    return below(nowAt(parent), name);
  };
  return moved.some(({ id, oldPath, path }) => {
    const [parent, name] = splitAt(oldPath);
    const before = below(nowAt(parent), name);
    const left = before === path ? undefined : reader.findPath(root, splitPath(latin(before)));
    return left !== undefined && equalDots(left.id, id);
  });
}

function splitAt(path: string): [parent: string, name: string] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
}
