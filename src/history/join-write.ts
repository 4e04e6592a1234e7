/**
 * Writing the result of a join: the directories that were touched, from the deepest up; of a directory by reference only the
 * nodes on the way to what differs. Deep trees do not deepen the stack.
 */
import type { DirectoryValue, Entry, Hash } from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { directoryOfTop, putRoot } from "./directory-builder.ts";
import { type DirectoryEdit, editDirectory } from "./edit-directory.ts";
import { isSameState } from "./join-registers.ts";
import { type Contents, type JoinNode, type JoinResult, nameKey } from "./join-result.ts";

interface Frame {
  readonly node: JoinNode;
  readonly contents: Contents;
  readonly waiting: JoinNode[];
  readonly edits: Map<string, DirectoryEdit>;
}

/** @returns The name of the tree. */
export function writeResult(result: JoinResult, sink: MetaSink): Hash {
  const { root } = result;
  if (root.contents === undefined) return putRoot(sink, root.entry);
  const frames = [openFrame(root, root.contents)];
  for (;;) {
    const frame = frames.at(-1) as Frame;
    const child = frame.waiting.pop();
    if (child === undefined) {
      frames.pop();
      const entry = finish(result, sink, frame);
      const above = frames.at(-1);
      if (above === undefined) return putRoot(sink, entry);
      addEdit(above, frame.node, entry);
    } else if (child.contents !== undefined && isPlain(child)) frames.push(openFrame(child, child.contents));
    else addEdit(frame, child, child.entry);
  }
}

function isPlain({ entry }: JoinNode): boolean {
  return !entry.meta.atomic || entry.id.writer === 0n;
}

function openFrame(node: JoinNode, contents: Contents): Frame {
  return { node, contents, waiting: [...contents.children.values()].flat(), edits: new Map() };
}

/** Puts a child among the edits of its directory, unless that has it already. */
function addEdit({ node, contents, edits }: Frame, child: JoinNode, entry: Entry): void {
  const key = nameKey(entry.name);
  const [side] = contents.backedBy;
  const before = contents.backing === undefined || side === undefined ? undefined : child[side];
  const isThere = before?.parent === node && nameKey(before.entry.name) === key && isSameState(before.entry, entry);
  if (isThere) contents.masked.delete(key);
  else edits.set(key, { name: entry.name, entry });
}

function finish({ reader }: JoinResult, sink: MetaSink, { node, contents, edits }: Frame): Entry {
  for (const key of contents.masked)
    if (contents.backing !== undefined && !edits.has(key)) edits.set(key, { name: Buffer.from(key, "latin1") });
  const sorted = [...edits].sort(([x], [y]) => (x < y ? -1 : 1)).map(([, edit]) => edit);
  const old: DirectoryValue = contents.backing ?? directoryOfTop(undefined);
  const value = editDirectory(reader, sink, old, sorted);
  return { ...node.entry, data: [{ dot: node.id, value }] };
}
