/**
 * Changing a directory: a few nodes are written, and the result is what building it from scratch would give, always.
 *
 * Level by level from the entries up. A change makes its node be cut again from its beginning, and the nodes after it as
 * long as their ends are not those of before (the ends are found by content, so that is soon). What a level's nodes became
 * are the changes of the level above.
 */
import { compareBytes, equalBytes, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { DirectoryValue, Entry, Reference, TreeNode } from "../format/mod.ts";
import type { MetaSink, MetaSource } from "../store/mod.ts";
import {
  DirectoryBuilder,
  directoryOfTop,
  endsNode,
  keyOf,
  type NodeItem,
  NodeStack,
  putNode,
} from "./directory-builder.ts";
import { LevelCursor } from "./level-cursor.ts";
import { lastName, TreeReader } from "./tree-reader.ts";

export interface DirectoryEdit {
  readonly name: Uint8Array;
  /** What stands there from now on, under this name; absent: nothing. */
  readonly entry?: Entry;
}

/** A change to the items of one level. */
interface Change {
  readonly key: Uint8Array;
  readonly item: NodeItem | undefined;
}

/**
 * The directory with these edits made. Removing a name that is not there does nothing.
 * @param source Where the old nodes are; a TreeReader's cache is used.
 * @param edits By name, each name once.
 * @throws OuroError "invalid" when the edits are not in order or an entry is not legal; "not-found", "corrupt".
 */
export function editDirectory(
  source: MetaSource | TreeReader,
  sink: MetaSink,
  old: DirectoryValue,
  edits: readonly DirectoryEdit[],
): DirectoryValue {
  requireOrder(edits);
  if (edits.length === 0) return old;
  const reader = source instanceof TreeReader ? source : new TreeReader(source);
  const top = reader.top(old);
  if (top === undefined || old.top === undefined) return buildFrom(sink, edits);
  const topReference: Reference = { last: lastName(top), hash: old.top, summary: old.summary };
  let changes: readonly Change[] = edits.map(({ name, entry }) => ({ key: name, item: entry }));
  for (let level = 0; changes.length > 0; level += 1) {
    const edited = editLevel(new LevelCursor(reader, topReference, top.level, level), sink, level, changes);
    if (edited.only !== undefined) return directoryOfTop(lowest(reader, edited.only));
    if (edited.isWhole) return raise(sink, level, edited.made);
    changes = differences(edited.replaced, edited.made);
  }
  return old;
}

function requireOrder(edits: readonly DirectoryEdit[]): void {
  let before: Uint8Array | undefined;
  for (const { name, entry } of edits) {
    const isInOrder = before === undefined || compareBytes(before, name) < 0;
    if (!isInOrder || (entry !== undefined && !equalBytes(entry.name, name))) {
      throw new OuroError(
        "invalid",
        `Cannot edit a directory: the edit of ${JSON.stringify(toText(name))} is out of order or names another entry`,
      );
    }
    before = name;
  }
}

function buildFrom(sink: MetaSink, edits: readonly DirectoryEdit[]): DirectoryValue {
  const builder = new DirectoryBuilder(sink);
  for (const { entry } of edits) if (entry !== undefined) builder.add(entry);
  return builder.finish();
}

interface EditedLevel {
  /** The level's nodes that are no more, in order. */
  readonly replaced: readonly Reference[];
  /** Those in their place; where `isWhole`, all nodes of the level. */
  readonly made: readonly Reference[];
  readonly isWhole: boolean;
  /** When the level would be one node with one reference: that one. It refers to a node that was there before. */
  readonly only?: Reference;
}

function editLevel(cursor: LevelCursor, sink: MetaSink, level: number, changes: readonly Change[]): EditedLevel {
  const replaced: Reference[] = [];
  const cutter = new Cutter(sink, level);
  let isWhole = cursor.seek((changes[0] as Change).key);
  let next = 0;
  for (;;) {
    const reference = cursor.current;
    const isLast = cursor.isLast;
    replaced.push(reference);
    next = mergeNode(cutter, cursor.load(), changes, next, isLast);
    if (isLast) break;
    cursor.advance();
    if (!cutter.isAtEnd) continue;
    const change = changes[next];
    if (change === undefined) {
      isWhole = false;
      break;
    }
    // Cut where the old nodes were cut, and no change is in the next one: go on where one is.
    if (!cursor.isLast && compareBytes(change.key, cursor.current.last) > 0) {
      isWhole = false;
      cursor.seek(change.key);
    }
  }
  const only = isWhole ? cutter.only : undefined;
  return only === undefined ? { replaced, made: cutter.finish(), isWhole } : { replaced, made: [], isWhole, only };
}

/** Gives a node's items with the changes among them to the cutter. @returns The first change that is not among them. */
function mergeNode(cutter: Cutter, node: TreeNode, changes: readonly Change[], first: number, isLast: boolean): number {
  let next = first;
  const items: readonly NodeItem[] = "entries" in node ? node.entries : node.references;
  for (const item of items) {
    const key = keyOf(item);
    let isReplaced = false;
    for (let change = changes[next]; change !== undefined; change = changes[next]) {
      const order = compareBytes(change.key, key);
      if (order > 0) break;
      isReplaced = order === 0;
      if (change.item !== undefined) cutter.add(change.item);
      next += 1;
    }
    if (!isReplaced) cutter.add(item);
  }
  if (!isLast) return next;
  for (const { item } of changes.slice(next)) if (item !== undefined) cutter.add(item);
  return changes.length;
}

/** Cuts one level's items into nodes. The first node is written late: a level of one reference is no level. */
class Cutter {
  readonly #sink: MetaSink;
  readonly #level: number;
  readonly #made: Reference[] = [];
  #first: readonly NodeItem[] | undefined;
  #items: NodeItem[] = [];

  constructor(sink: MetaSink, level: number) {
    this.#sink = sink;
    this.#level = level;
  }

  /** Whether the next item begins a node. */
  get isAtEnd(): boolean {
    return this.#items.length === 0;
  }

  add(item: NodeItem): void {
    this.#items.push(item);
    if (endsNode(item, this.#items.length, this.#level)) this.#end();
  }

  /** The one reference, where nothing else was added. */
  get only(): Reference | undefined {
    const items = this.#first ?? this.#items;
    const [item] = items;
    const isOnly =
      items.length === 1 && this.#made.length === 0 && (this.#first === undefined || this.#items.length === 0);
    return isOnly && item !== undefined && "last" in item ? item : undefined;
  }

  finish(): Reference[] {
    if (this.#items.length > 0) this.#end();
    return this.#first === undefined ? [] : [putNode(this.#sink, this.#level, this.#first), ...this.#made];
  }

  #end(): void {
    if (this.#first === undefined) this.#first = this.#items;
    else this.#made.push(putNode(this.#sink, this.#level, this.#items));
    this.#items = [];
  }
}

/** What became of a level's nodes, as changes to the references above. */
function differences(replaced: readonly Reference[], made: readonly Reference[]): Change[] {
  const changes: Change[] = [];
  let at = 0;
  for (const old of replaced) {
    for (; compareBytes((made[at] ?? old).last, old.last) < 0; at += 1) changes.push(changeTo(made[at] as Reference));
    const same = made[at];
    if (same === undefined || !equalBytes(same.last, old.last)) {
      changes.push({ key: old.last, item: undefined });
      continue;
    }
    if (!equalBytes(same.hash, old.hash)) changes.push(changeTo(same));
    at += 1;
  }
  for (const each of made.slice(at)) changes.push(changeTo(each));
  return changes;
}

function changeTo(item: Reference): Change {
  return { key: item.last, item };
}

/** A directory of which these are all nodes of one level. */
function raise(sink: MetaSink, level: number, nodes: readonly Reference[]): DirectoryValue {
  if (nodes.length < 2) return directoryOfTop(nodes[0]);
  const stack = new NodeStack<Reference>(sink, level + 1);
  for (const node of nodes) stack.add(node);
  return directoryOfTop(stack.finish());
}

/** Below an only node there may be another. */
function lowest(reader: TreeReader, only: Reference): Reference {
  const node = reader.node(only.hash);
  const [first, ...rest] = "references" in node ? node.references : [];
  return first === undefined || rest.length > 0 ? only : lowest(reader, first);
}
