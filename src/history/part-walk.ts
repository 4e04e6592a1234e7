/** Walking one directory's entries, but for the parts that their references tell not to be worth reading. */
import type { DirectoryValue, Entry, Reference, TreeNode } from "../format/mod.ts";
import type { TreeReader } from "./tree-reader.ts";

/** A stretch of a directory: what is below a reference. */
export interface Part {
  readonly reference: Reference;
  /** Of the node that holds the reference. */
  readonly level: number;
  /** A name before all of it, if there is one. */
  readonly after: Uint8Array | undefined;
}

export interface PartVisitor {
  /** Whether to read what a reference refers to. */
  readonly enters: (reference: Reference, level: number, after: Uint8Array | undefined) => boolean;
  readonly take: (entry: Entry) => void;
}

/** @param part Only this stretch of the directory. @throws OuroError "not-found", "corrupt". */
export function walkParts(
  reader: TreeReader,
  directory: DirectoryValue | undefined,
  part: Part | undefined,
  visitor: PartVisitor,
): void {
  if (part !== undefined) {
    const { reference, level, after } = part;
    walkNode(reader, reader.child(reference, level, after), after, visitor);
    return;
  }
  const top = directory === undefined ? undefined : reader.top(directory);
  if (top !== undefined) walkNode(reader, top, undefined, visitor);
}

function walkNode(reader: TreeReader, node: TreeNode, before: Uint8Array | undefined, visitor: PartVisitor): void {
  if ("entries" in node) {
    for (const entry of node.entries) visitor.take(entry);
    return;
  }
  let after = before;
  for (const reference of node.references) {
    if (visitor.enters(reference, node.level, after))
      walkNode(reader, reader.child(reference, node.level, after), after, visitor);
    after = reference.last;
  }
}
