/**
 * Building a directory's nodes from its entries in order. Format: doc/format.md, 4.1.
 *
 * The shape depends on the set of names alone: a node ends after a name whose level is above the node's, or after 1,024
 * items, and levels are added until one node is left. Holds one unfinished node per level.
 */
import { compareBytes, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import {
  type DirectoryValue,
  type Entry,
  emptySummary,
  encodeRootNode,
  encodeTreeNode,
  type Hash,
  kinds,
  limits,
  nameLevel,
  type Reference,
  summarizeEntries,
  summarizeReferences,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";

export class DirectoryBuilder {
  readonly #nodes: NodeStack<Entry>;
  #before: Uint8Array | undefined;

  constructor(sink: MetaSink) {
    this.#nodes = new NodeStack<Entry>(sink, 0);
  }

  /** @throws OuroError "invalid" unless its name is after the one before and legal. */
  add(entry: Entry): void {
    if (this.#before !== undefined && compareBytes(this.#before, entry.name) >= 0) {
      throw new OuroError(
        "invalid",
        `Cannot build a directory: the name ${JSON.stringify(toText(entry.name))} is not in order`,
      );
    }
    this.#before = entry.name;
    this.#nodes.add(entry);
  }

  /** What the directory's entry holds. */
  finish(): DirectoryValue {
    return directoryOfTop(this.#nodes.finish());
  }
}

/** Keeps a root node: a commit's tree. */
export function putRoot(sink: MetaSink, entry: Entry): Hash {
  return sink.put("tree", encodeRootNode(entry));
}

/** A directory with this top node, or an empty one. */
export function directoryOfTop(top: Reference | undefined): DirectoryValue {
  if (top === undefined) return { kind: kinds.directory, summary: emptySummary };
  return { kind: kinds.directory, top: top.hash, summary: top.summary };
}

export type NodeItem = Entry | Reference;

/** What orders the items of a node. */
export function keyOf(item: NodeItem): Uint8Array {
  return "last" in item ? item.last : item.name;
}

/** Whether a node of this level, so far of `count` items, ends after the last of them. */
export function endsNode(last: NodeItem, count: number, level: number): boolean {
  return count === limits.nodeItems || nameLevel(keyOf(last)) > level;
}

/** Keeps a node of one level and refers to it. @param items All entries at level 0, all references above; at least one. */
export function putNode(sink: MetaSink, level: number, items: readonly NodeItem[]): Reference {
  const last = keyOf(items.at(-1) as NodeItem);
  if (level === 0) {
    const entries = items as readonly Entry[];
    return { last, hash: sink.put("tree", encodeTreeNode({ level: 0, entries })), summary: summarizeEntries(entries) };
  }
  const references = items as readonly Reference[];
  return {
    last,
    hash: sink.put("tree", encodeTreeNode({ level, references })),
    summary: summarizeReferences(references),
  };
}

/**
 * One level of nodes and, as they are needed, those above it. A node is kept only when the next item comes, so that no
 * level is begun that one node would do for.
 */
export class NodeStack<Item extends NodeItem> {
  readonly #sink: MetaSink;
  readonly #level: number;
  #above: NodeStack<Reference> | undefined;
  #items: Item[] = [];
  #isEnded = false;

  constructor(sink: MetaSink, level: number) {
    if (level > limits.nodeLevel)
      throw new OuroError("too-large", "Cannot build a directory: it would need too many levels of nodes");
    this.#sink = sink;
    this.#level = level;
  }

  add(item: Item): void {
    if (this.#isEnded) this.#raise();
    this.#items.push(item);
    this.#isEnded = endsNode(item, this.#items.length, this.#level);
  }

  /** @returns The one node at the top; undefined when nothing was added. */
  finish(): Reference | undefined {
    if (this.#above === undefined)
      return this.#items.length === 0 ? undefined : putNode(this.#sink, this.#level, this.#items);
    this.#raise();
    return this.#above.finish();
  }

  #raise(): void {
    this.#above ??= new NodeStack<Reference>(this.#sink, this.#level + 1);
    this.#above.add(putNode(this.#sink, this.#level, this.#items));
    this.#items = [];
    this.#isEnded = false;
  }
}
