/**
 * Reading trees: entries in order, one by name, one by path. Format: doc/format.md, section 4.
 *
 * Nothing of a tree is believed: each node is decoded strictly, and on the way down every level, last name and order across
 * nodes is checked, so no directory shows a name twice or out of order. A few decoded nodes are kept.
 */
import { asBuffer, compareBytes, equalBytes, toHex, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import {
  type DirectoryValue,
  decodeRootNode,
  decodeTreeNode,
  type Entry,
  type Hash,
  kinds,
  listXattrs,
  type Reference,
  type TreeNode,
  type Xattr,
} from "../format/mod.ts";
import type { MetaSource } from "../store/mod.ts";
import { NodeCache } from "./node-cache.ts";

/** Encoded size of the nodes that are kept decoded. Decoded they take about ten times as much, and should die young: a larger cache is slower. */
const cacheBytesDefault = 64 * 1024;

/** What a directory's entry shows of its children; undefined for every other kind. */
export function directoryOf(entry: Entry): DirectoryValue | undefined {
  const { value } = entry.data[0];
  return value.kind === kinds.directory ? value : undefined;
}

export class TreeReader {
  readonly source: MetaSource;
  readonly #nodes: NodeCache;

  constructor(source: MetaSource, options: { readonly cacheBytes?: number } = {}) {
    this.source = source;
    this.#nodes = new NodeCache(options.cacheBytes ?? cacheBytesDefault);
  }

  /** The root directory of a commit's tree. @throws OuroError "not-found", "corrupt". */
  root(tree: Hash): Entry {
    return decodeRootNode(this.source.getMeta(tree, "tree"), `tree ${toHex(tree)}`);
  }

  /** A node by its name. @throws OuroError "not-found", "corrupt". */
  node(hash: Hash): TreeNode {
    const key = asBuffer(hash).toString("latin1");
    const kept = this.#nodes.get(key);
    if (kept !== undefined) return kept;
    const bytes = this.source.getMeta(hash, "tree");
    const node = decodeTreeNode(bytes, `tree node ${toHex(hash)}`);
    this.#nodes.set(key, node, bytes.length);
    return node;
  }

  /** The top node of a directory; undefined when it is empty. */
  top(directory: DirectoryValue): TreeNode | undefined {
    if (directory.top === undefined) return undefined;
    const node = this.node(directory.top);
    if ("references" in node && node.references.length < 2)
      throw corruptNode(directory.top, "a top node has one reference only");
    return node;
  }

  /**
   * The node that a reference names.
   * @param level Of the node that holds the reference.
   * @param after A name that must be before all of the node's, if there is one.
   * @throws OuroError "corrupt" where the node is not what the reference says.
   */
  child(reference: Reference, level: number, after: Uint8Array | undefined): TreeNode {
    const node = this.node(reference.hash);
    if (node.level !== level - 1)
      throw corruptNode(reference.hash, `its level is ${node.level} (must be ${level - 1})`);
    if (!equalBytes(lastName(node), reference.last))
      throw corruptNode(reference.hash, "its last name is not the one of its reference");
    if (after !== undefined && compareBytes(after, firstName(node)) >= 0)
      throw corruptNode(reference.hash, "its names overlap those before");
    return node;
  }

  /**
   * A directory's entries, by name.
   * @param options.from Begins with the first name that is not before this one.
   */
  *entries(directory: DirectoryValue, options: { readonly from?: Uint8Array } = {}): Generator<Entry> {
    const { from } = options;
    const top = this.top(directory);
    if (top === undefined) return;
    const frames = [{ node: top, next: from === undefined ? 0 : indexFrom(top, from) }];
    let before: Uint8Array | undefined;
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const { node, next } = frame;
      if ("entries" in node) {
        for (let index = next; index < node.entries.length; index += 1) yield node.entries[index] as Entry;
        before = lastName(node);
        frames.pop();
        continue;
      }
      const reference = node.references[next];
      if (reference === undefined) {
        frames.pop();
        continue;
      }
      frame.next += 1;
      const child = this.child(reference, node.level, before ?? node.references[next - 1]?.last);
      frames.push({ node: child, next: from === undefined || before !== undefined ? 0 : indexFrom(child, from) });
    }
  }

  /** The entry of this name, or undefined. */
  find(directory: DirectoryValue, name: Uint8Array): Entry | undefined {
    let node = this.top(directory);
    let after: Uint8Array | undefined;
    while (node !== undefined && "references" in node) {
      const index = indexFrom(node, name);
      const reference = node.references[index];
      if (reference === undefined) return undefined;
      after = node.references[index - 1]?.last ?? after;
      node = this.child(reference, node.level, after);
    }
    if (node === undefined || !("entries" in node)) return undefined;
    const entry = node.entries[indexFrom(node, name)];
    return entry !== undefined && equalBytes(entry.name, name) ? entry : undefined;
  }

  /** The entry at a path of names below `root`; `root` itself for the empty path. */
  findPath(root: Entry, path: readonly Uint8Array[]): Entry | undefined {
    let entry: Entry | undefined = root;
    for (const name of path) {
      const directory: DirectoryValue | undefined = directoryOf(entry);
      entry = directory === undefined ? undefined : this.find(directory, name);
      if (entry === undefined) return undefined;
    }
    return entry;
  }

  /** An entry's extended attributes by name, also those in a block of their own. */
  xattrs(entry: Entry): readonly Xattr[] {
    return listXattrs(entry.meta.xattrs, (hash) => this.source.getMeta(hash, "xattrs"));
  }
}

function corruptNode(hash: Hash, why: string): OuroError {
  return new OuroError("corrupt", `Cannot read tree node ${toHex(hash)}: ${why}`, { subject: toHex(hash) });
}

/** How many items a node has. */
export function itemCount(node: TreeNode): number {
  return "entries" in node ? node.entries.length : node.references.length;
}

/** The name of an entry, the last name of a reference: what orders the items of a node. */
export function keyAt(node: TreeNode, index: number): Uint8Array {
  const key = "entries" in node ? node.entries[index]?.name : node.references[index]?.last;
  if (key === undefined) throw new RangeError(`no item ${index} (${toText(lastName(node))} is the last)`);
  return key;
}

function firstName(node: TreeNode): Uint8Array {
  // Of a reference the first name is below; that of the first reference is as near as this node knows.
  return keyAt(node, 0);
}

export function lastName(node: TreeNode): Uint8Array {
  return keyAt(node, itemCount(node) - 1);
}

/** The index of the first item whose key is not before `name`; the number of items when there is none. */
export function indexFrom(node: TreeNode, name: Uint8Array): number {
  let low = 0;
  let high = itemCount(node);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareBytes(keyAt(node, middle), name) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
