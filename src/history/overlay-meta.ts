/**
 * Objects in memory over those of a store: trees that are read before they are kept, or never are. What is put here can be read at once, which a store's
 * own writer does not give.
 */
import { asBuffer, equalBytes } from "../base/bytes.ts";
import { decodeRootNode, decodeTreeNode, type Entry, type Hash, type Hasher, kinds } from "../format/mod.ts";
import type { MetaKind, MetaSink, MetaSource } from "../store/mod.ts";

export class OverlayMeta implements MetaSource, MetaSink {
  readonly #below: MetaSource;
  readonly #hasher: Hasher;
  readonly #objects = new Map<string, { readonly kind: MetaKind; readonly bytes: Uint8Array }>();

  constructor(below: MetaSource, hasher: Hasher) {
    this.#below = below;
    this.#hasher = hasher;
  }

  getMeta(hash: Hash, kind: MetaKind): Uint8Array {
    return this.#objects.get(asBuffer(hash).toString("latin1"))?.bytes ?? this.#below.getMeta(hash, kind);
  }

  put(kind: MetaKind, bytes: Uint8Array, id?: Hash): Hash {
    const hash = id ?? this.#hasher.hash(bytes);
    this.#objects.set(asBuffer(hash).toString("latin1"), { kind, bytes: new Uint8Array(bytes) });
    return hash;
  }

  /** Puts all that was put here into another sink. */
  copyTo(sink: MetaSink): void {
    for (const [key, { kind, bytes }] of this.#objects) sink.put(kind, bytes, Buffer.from(key, "latin1"));
  }

  /** Puts into another sink what a tree is made of, as far as it was put here: not what other trees here need. */
  copyTree(tree: Hash, sink: MetaSink): void {
    const waiting = [tree];
    const needed = new Set<string>();
    for (let hash = waiting.pop(); hash !== undefined; hash = waiting.pop()) {
      const key = asBuffer(hash).toString("latin1");
      const object = this.#objects.get(key);
      if (object === undefined || needed.has(key)) continue;
      needed.add(key);
      waiting.push(...nodesBelow(object.bytes, equalBytes(hash, tree)));
    }
    // Lists and attributes are few, and as good as always those of the tree.
    for (const [key, { kind, bytes }] of this.#objects)
      if (kind !== "tree" || needed.has(key)) sink.put(kind, bytes, Buffer.from(key, "latin1"));
  }
}

function nodesBelow(bytes: Uint8Array, isRoot: boolean): Hash[] {
  if (isRoot) return topsOf([decodeRootNode(bytes, "the root of a tree")]);
  const node = decodeTreeNode(bytes, "a tree node");
  return "references" in node ? node.references.map(({ hash }) => hash) : topsOf(node.entries);
}

function topsOf(entries: readonly Entry[]): Hash[] {
  return entries.flatMap(({ data }) =>
    data.flatMap(({ value }) => (value.kind === kinds.directory && value.top !== undefined ? [value.top] : [])),
  );
}
