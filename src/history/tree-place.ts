/**
 * Places of entries in a tree: which node of level 0 holds one, and where in it. A place is small and lasts as long as the node does, so whoever has many
 * entries in hand (a mount) keeps places. Directories are also read by position, from the n-th entry on, without what comes before.
 *
 * Positions are found by the counts that references carry; each count is compared with what is below before anything is taken from there.
 */
import { copyBytes, equalBytes, toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { DirectoryValue, Entry, Hash, TreeNode } from "../format/mod.ts";
import { indexFrom, type TreeReader } from "./tree-reader.ts";

/** The entries of a node share the object. It keeps nothing of the tree alive. */
export interface Leaf {
  readonly node: Hash;
}

export interface EntryPlace {
  readonly entry: Entry;
  readonly leaf: Leaf;
  /** In its node. */
  readonly index: number;
}

/** The entry at a place. @throws OuroError "not-found", "corrupt". */
export function entryAt(reader: TreeReader, { node: hash }: Leaf, index: number): Entry {
  const node = reader.node(hash);
  const entry = "entries" in node ? node.entries[index] : undefined;
  if (entry !== undefined) return entry;
  throw new OuroError("corrupt", `Cannot read tree node ${toHex(hash)}: it has no entry ${index}`);
}

/** The place of the entry of this name, or undefined. @throws OuroError "not-found", "corrupt". */
export function findPlace(reader: TreeReader, directory: DirectoryValue, name: Uint8Array): EntryPlace | undefined {
  let hash = directory.top;
  let node = reader.top(directory);
  let after: Uint8Array | undefined;
  while (hash !== undefined && node !== undefined) {
    const index = indexFrom(node, name);
    if ("entries" in node) {
      const entry = node.entries[index];
      return entry !== undefined && equalBytes(entry.name, name) ? { entry, leaf: leafOf(hash), index } : undefined;
    }
    const reference = node.references[index];
    if (reference === undefined) return undefined;
    after = node.references[index - 1]?.last ?? after;
    hash = reference.hash;
    node = reader.child(reference, node.level, after);
  }
  return undefined;
}

/** A hash that was read is a view of all that was read with it. */
function leafOf(hash: Hash): Leaf {
  return { node: copyBytes(hash) };
}

interface Frame {
  readonly node: TreeNode;
  readonly hash: Hash;
  /** A name before all of it, if there is one. */
  readonly after: Uint8Array | undefined;
  next: number;
}

/**
 * A directory's entries by name, without the first `start`.
 * @throws OuroError "not-found", "corrupt", also where a count is not what is there.
 */
export function* placesFrom(reader: TreeReader, directory: DirectoryValue, start: number): Generator<EntryPlace> {
  const top = reader.top(directory);
  if (top === undefined || directory.top === undefined) return;
  checkCount(top, directory.top, directory.summary.names);
  let skip = start;
  const frames: Frame[] = [{ node: top, hash: directory.top, after: undefined, next: 0 }];
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const { node, hash } = frame;
    if ("entries" in node) {
      const leaf = leafOf(hash);
      for (let index = skip; index < node.entries.length; index += 1)
        yield { entry: node.entries[index] as Entry, leaf, index };
      skip = Math.max(0, skip - node.entries.length);
      frames.pop();
      continue;
    }
    let reference = node.references[frame.next];
    for (; reference !== undefined && skip >= reference.summary.names; reference = node.references[frame.next]) {
      skip -= reference.summary.names;
      frame.next += 1;
    }
    if (reference === undefined) {
      frames.pop();
      continue;
    }
    const after = node.references[frame.next - 1]?.last ?? frame.after;
    frame.next += 1;
    const child = reader.child(reference, node.level, after);
    checkCount(child, reference.hash, reference.summary.names);
    frames.push({ node: child, hash: reference.hash, after, next: 0 });
  }
}

function checkCount(node: TreeNode, hash: Hash, names: number): void {
  let found = 0;
  if ("entries" in node) found = node.entries.length;
  else for (const { summary } of node.references) found += summary.names;
  if (found === names) return;
  throw new OuroError("corrupt", `Cannot read tree node ${toHex(hash)}: it has ${found} names (must be ${names})`, {
    subject: toHex(hash),
  });
}
