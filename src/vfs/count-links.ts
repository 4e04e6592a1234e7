/** Links of a directory in a live filesystem: two, and one for each directory in it, be that in the folder or in the tree alone. */
import { directoryOf } from "../history/mod.ts";
import type { TreeNode } from "./tree-node.ts";

/** Names of a directory that are looked at whenever somebody asks for its links. */
const namesMax = 256;

/**
 * @param tree What the directory is in the tree.
 * @param inFolder Its links there.
 * @param isUnreal Asked of directories that the tree has in it: whether the folder has it not.
 * @returns 1 where the tree has too many names to count: as of a file system that does not count.
 */
export function countLinks(tree: TreeNode, inFolder: number, isUnreal: (node: TreeNode) => boolean): number {
  if ((directoryOf(tree.entry)?.summary.names ?? 0) > namesMax) return 1;
  let links = inFolder;
  for (const { node } of tree.children(0)) if (node.kind === "directory" && isUnreal(node as TreeNode)) links += 1;
  return links;
}
