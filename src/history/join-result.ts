/**
 * The result of a join while it is made: one of the two trees, by reference, and over it the nodes that the join or its mends
 * have touched. What is not touched is not in memory, and is read only where something comes to stand beside it.
 */
import { asBuffer } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type DirectoryValue, type Dot, dotKey, type Entry } from "../format/mod.ts";
import { plainDirectory } from "./join-registers.ts";
import type { TreeReader } from "./tree-reader.ts";

export type Side = "a" | "b";

export function otherSide(side: Side): Side {
  return side === "a" ? "b" : "a";
}

/** A node's state on one side. */
export interface Standing {
  readonly entry: Entry;
  /** The directory it is in; none for the root. */
  readonly parent: JoinNode | undefined;
}

/** What is in a directory of the result. */
export class Contents {
  /** Entries by reference, but for the masked names. Absent: only `children`. */
  backing: DirectoryValue | undefined;
  /** The sides that have the entries of `backing`. */
  backedBy: readonly Side[] = [];
  readonly masked: Set<string> = new Set();
  /** Touched nodes of the result by name; several of one name are to be mended. */
  readonly children: Map<string, JoinNode[]> = new Map();
}

export class JoinNode {
  readonly id: Dot;
  readonly key: string;
  a: Standing | undefined;
  b: Standing | undefined;
  /** Whether it is in the result; then `entry` and `parent` are its registers there. */
  isKept = false;
  parent: JoinNode | undefined;
  /** Of a plain directory, its data is that before the join. */
  entry: Entry;
  /** Of a directory that was looked into. */
  contents: Contents | undefined;
  /** Whether a mend has put it back to where one side has it. */
  wasSentBack = false;
  /** Of a directory, the sides whose entries have been looked at one by one. */
  readonly openedOn: Side[] = [];

  constructor(entry: Entry, key: string = dotKey(entry.id)) {
    this.id = entry.id;
    this.key = key;
    this.entry = entry;
  }

  get open(): Contents {
    this.contents ??= new Contents();
    return this.contents;
  }
}

/** A name as a key of maps: one character a byte. */
export function nameKey(name: Uint8Array): string {
  return asBuffer(name).toString("latin1");
}

export interface Clash {
  readonly directory: JoinNode;
  readonly name: Uint8Array;
}

export class JoinResult {
  readonly nodes: Map<string, JoinNode> = new Map();
  readonly root: JoinNode;
  readonly reader: TreeReader;
  readonly #clashes = new Map<string, Clash>();

  constructor(reader: TreeReader, root: JoinNode) {
    this.reader = reader;
    this.root = root;
    this.nodes.set(root.key, root);
  }

  /** Notes that a side has this node here. @returns It, whatever the other side has. */
  note(side: Side, entry: Entry, parent: JoinNode): JoinNode {
    const key = dotKey(entry.id);
    const node = this.nodes.get(key) ?? new JoinNode(entry, key);
    if (node[side] !== undefined) {
      throw new OuroError("corrupt", `Cannot join: a tree has the node ${key} twice`, {
        hint: "Run `ourobox check` to see what else is damaged.",
      });
    }
    node[side] = { entry, parent };
    this.nodes.set(key, node);
    return node;
  }

  /** Puts a kept node among the children of its parent. */
  attach(node: JoinNode): void {
    const { parent, entry } = node;
    if (parent === undefined) return;
    const key = nameKey(entry.name);
    const { children } = parent.open;
    const beside = children.get(key);
    if (beside === undefined) {
      children.set(key, [node]);
      return;
    }
    beside.push(node);
    this.#clashes.set(`${parent.key}/${key}`, { directory: parent, name: entry.name });
  }

  /** Takes a node out of the result. */
  remove(node: JoinNode): void {
    this.#detach(node);
    node.isKept = false;
  }

  /** Gives a node a place in the result; it may not have had one. `entry` has the name. */
  place(node: JoinNode, parent: JoinNode, entry: Entry): void {
    if (node.isKept) this.#detach(node);
    node.isKept = true;
    node.parent = parent;
    node.entry = entry;
    this.nodes.set(node.key, node);
    this.#touch(parent, entry.name);
    this.attach(node);
  }

  #detach(node: JoinNode): void {
    const children = node.parent?.contents?.children;
    const key = nameKey(node.entry.name);
    const rest = children?.get(key)?.filter((each) => each !== node) ?? [];
    if (rest.length === 0) children?.delete(key);
    else children?.set(key, rest);
  }

  /** Makes an entry by reference a node of its own, if there is one of this name. */
  #touch(directory: JoinNode, name: Uint8Array): void {
    const contents = this.#contentsOf(directory);
    if (contents.backing === undefined || contents.masked.has(nameKey(name))) return;
    const entry = this.reader.find(contents.backing, name);
    if (entry !== undefined) this.#touchEntry(directory, contents, entry);
  }

  #touchEntry(directory: JoinNode, contents: Contents, entry: Entry): void {
    const node = new JoinNode(entry);
    for (const side of contents.backedBy) node[side] = { entry, parent: directory };
    node.isKept = true;
    node.parent = directory;
    this.nodes.set(node.key, node);
    contents.masked.add(nameKey(entry.name));
    this.attach(node);
  }

  /** All children of a directory of the result, as nodes. */
  allChildren(directory: JoinNode): JoinNode[] {
    const contents = this.#contentsOf(directory);
    if (contents.backing !== undefined) {
      for (const entry of this.reader.entries(contents.backing))
        if (!contents.masked.has(nameKey(entry.name))) this.#touchEntry(directory, contents, entry);
      contents.backing = undefined;
    }
    return [...contents.children.values()].flat();
  }

  /** A directory taken by reference has its contents from its entry. */
  #contentsOf(directory: JoinNode): Contents {
    if (directory.contents !== undefined) return directory.contents;
    const { open } = directory;
    open.backing = plainDirectory(directory.entry);
    open.backedBy = (["a", "b"] as const).filter((side) => directory[side] !== undefined);
    return open;
  }

  /** Whether a directory of the result has nothing of this name. */
  isFree(directory: JoinNode, name: Uint8Array): boolean {
    const contents = this.#contentsOf(directory);
    const key = nameKey(name);
    if (contents.children.has(key)) return false;
    if (contents.backing === undefined || contents.masked.has(key)) return true;
    return this.reader.find(contents.backing, name) === undefined;
  }

  /** Names that several nodes of the result have, each given once. */
  takeClashes(): Clash[] {
    const clashes = [...this.#clashes].filter(([, { directory }]) => directory.isKept);
    for (const [key] of clashes) this.#clashes.delete(key);
    return clashes.map(([, clash]) => clash).filter((clash) => this.at(clash).length > 1);
  }

  /** What stands under a name, as nodes. */
  at({ directory, name }: Clash): readonly JoinNode[] {
    return directory.contents?.children.get(nameKey(name)) ?? [];
  }
}
