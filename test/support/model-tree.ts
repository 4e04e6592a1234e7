/**
 * A tree as a flat map, for tests: what a person would write down. It becomes real trees in a `MemoryMeta`, and can be
 * changed at random the way people change folders.
 */
import { compareBytes, toText, utf8 } from "../../src/base/bytes.ts";
import type { Prng } from "../../src/base/prng.ts";
import { type DirectoryValue, type Dot, type Entry, type Hash, rootId } from "../../src/format/mod.ts";
import { DirectoryBuilder, putRoot } from "../../src/history/mod.ts";
import type { MemoryMeta } from "./memory-meta.ts";
import { plainDirectory, plainFile } from "./random-trees.ts";

export interface ModelNode {
  readonly id: number;
  /** The clock of its birth. */
  readonly born: bigint;
  readonly isDirectory: boolean;
  /** 0 is the root. */
  parent: number;
  name: string;
  size: number;
}

export class ModelTree {
  readonly nodes: Map<number, ModelNode>;
  #lastId: number;

  constructor(nodes: Iterable<ModelNode> = [], lastId = 0) {
    this.nodes = new Map([...nodes].map((node) => [node.id, { ...node }]));
    this.#lastId = lastId;
  }

  copy(): ModelTree {
    return new ModelTree(this.nodes.values(), this.#lastId);
  }

  path(id: number): string {
    const node = this.nodes.get(id);
    if (node === undefined) return "";
    const parent = this.path(node.parent);
    return parent === "" ? node.name : `${parent}/${node.name}`;
  }

  children(id: number): ModelNode[] {
    return [...this.nodes.values()].filter(({ parent }) => parent === id);
  }

  isWithin(id: number, ancestor: number): boolean {
    for (let at = id; at !== 0; at = this.nodes.get(at)?.parent ?? 0) if (at === ancestor) return true;
    return ancestor === 0;
  }

  add(
    parent: number,
    name: string,
    options: { readonly born: bigint; readonly isDirectory: boolean; readonly size?: number },
  ): number {
    this.#lastId += 1;
    const { born, isDirectory, size = 1 } = options;
    this.nodes.set(this.#lastId, { id: this.#lastId, born, isDirectory, parent, name, size });
    return this.#lastId;
  }

  remove(id: number): void {
    for (const child of this.children(id)) this.remove(child.id);
    this.nodes.delete(id);
  }

  /** One random act: make, remove, move, rename, edit; never two of one name, never a directory into itself. */
  act(prng: Prng, born: bigint): void {
    const all = [...this.nodes.values()];
    const directories = [0, ...all.filter(({ isDirectory }) => isDirectory).map(({ id }) => id)];
    const parent = prng.pick(directories);
    const name = `n${prng.int(1, 12)}`;
    const isFree = !this.children(parent).some((child) => child.name === name);
    const kind = all.length === 0 ? 0 : prng.int(0, 9);
    if (kind < 4) {
      if (isFree) this.add(parent, name, { born, isDirectory: prng.chance(0.45), size: prng.int(1, 9) });
      return;
    }
    const node = prng.pick(all);
    if (kind < 5) this.remove(node.id);
    else if (kind < 6) node.size = prng.int(1, 9);
    else if (isFree && !this.isWithin(parent, node.id)) {
      node.parent = parent;
      node.name = name;
    }
  }

  /** Builds it. @returns The name of the tree. */
  build(meta: MemoryMeta): Hash {
    return putRoot(meta, plainDirectory(new Uint8Array(), rootId, this.#directory(meta, 0)));
  }

  #directory(meta: MemoryMeta, id: number): DirectoryValue {
    const builder = new DirectoryBuilder(meta);
    const children = this.children(id).sort((a, b) => compareBytes(utf8(a.name), utf8(b.name)));
    for (const child of children) builder.add(this.entry(meta, child));
    return builder.finish();
  }

  entry(meta: MemoryMeta, node: ModelNode): Entry {
    const id: Dot = { clock: node.born, writer: 9n, counter: node.id };
    const name = utf8(node.name);
    return node.isDirectory ? plainDirectory(name, id, this.#directory(meta, node.id)) : plainFile(name, id, node.size);
  }
}

export function pathText(path: Uint8Array): string {
  return toText(path);
}
