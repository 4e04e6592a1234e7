/**
 * Trees as flat maps, for tests of the join: node id -> registers, every node beside every other. Slow, and easy to believe.
 *
 * What is in a unit (an atomic directory) is a value of it: a flat map of its own. Plain directories, fifos and sockets have no
 * data. A flat map becomes the tree of the format by building it from scratch, and a tree is read back by walking all of it.
 */
import { asBuffer } from "../../src/base/bytes.ts";
import {
  type DatedValue,
  type DirectoryValue,
  type Dot,
  dotKey,
  type Entry,
  type EntryKind,
  type Hash,
  kinds,
  type Meta,
  rootId,
  type Value,
} from "../../src/format/mod.ts";
import { DirectoryBuilder, putRoot, type TreeReader } from "../../src/history/mod.ts";
import type { MemoryMeta } from "./memory-meta.ts";

export const rootKey: string = dotKey(rootId);
/** The parent of what is at the top of a unit. */
export const unitTop = "unit";

/** By `dotKey` of the id. */
export type Nodes = ReadonlyMap<string, FlatNode>;

export type FlatData = Exclude<Value, DirectoryValue> | { readonly kind: typeof kinds.directory; readonly unit: Nodes };

export interface FlatValue {
  readonly dot: Dot;
  readonly value: FlatData;
}

export interface FlatNode {
  readonly id: Dot;
  readonly key: string;
  readonly kind: EntryKind;
  readonly parent: string;
  /** One character a byte. */
  readonly name: string;
  readonly placeDot: Dot;
  readonly meta: Meta;
  readonly metaDot: Dot;
  readonly mtimeNs: bigint;
  readonly mtimeDot: Dot;
  /** Greatest dot first. */
  readonly data: readonly FlatValue[];
}

/** Per writer the greatest clock. */
export type FlatVector = ReadonlyMap<bigint, bigint>;

export interface FlatState {
  readonly nodes: Nodes;
  readonly vector: FlatVector;
}

/** Whether a node joins as one; the root never does. */
export function isUnit(node: FlatNode): boolean {
  return node.kind === kinds.directory && node.meta.atomic && node.key !== rootKey;
}

/** Whether nodes can be in it. */
export function isPlainDirectory(node: FlatNode): boolean {
  return node.kind === kinds.directory && !isUnit(node);
}

export function nameBytes(name: string): Uint8Array {
  return Buffer.from(name, "latin1");
}

export function nameText(name: Uint8Array): string {
  return asBuffer(name).toString("latin1");
}

/** By parent, each list by name. */
export function childrenOf(nodes: Iterable<FlatNode>): Map<string, FlatNode[]> {
  const found = new Map<string, FlatNode[]>();
  for (const node of nodes) {
    const list = found.get(node.parent);
    if (list === undefined) found.set(node.parent, [node]);
    else list.push(node);
  }
  for (const list of found.values()) list.sort((a, b) => (a.name < b.name ? -1 : 1));
  return found;
}

/** A directory that was built, and from what. */
interface Built {
  readonly nodes: readonly FlatNode[];
  /** Of the nodes that are plain directories. */
  readonly below: readonly (DirectoryValue | undefined)[];
  readonly value: DirectoryValue;
}

/** How many states of one directory are remembered. */
const builtMax = 8;

/** Builds trees of one store. What has been built from the very same nodes is not built again. */
export class FlatBuilder {
  readonly #meta: MemoryMeta;
  readonly #units = new WeakMap<Nodes, DirectoryValue>();
  readonly #built = new Map<string, Built[]>();

  constructor(meta: MemoryMeta) {
    this.#meta = meta;
  }

  /** @returns The name of the tree. */
  tree(nodes: Nodes): Hash {
    const root = nodes.get(rootKey) as FlatNode;
    return putRoot(this.#meta, this.#entry(root, this.#directory(childrenOf(nodes.values()), rootKey)));
  }

  #directory(children: ReadonlyMap<string, readonly FlatNode[]>, parent: string): DirectoryValue {
    const nodes = children.get(parent) ?? [];
    const below = nodes.map((node) => (isPlainDirectory(node) ? this.#directory(children, node.key) : undefined));
    const known = this.#built.get(parent) ?? [];
    const same = known.find(
      (each) =>
        each.nodes.length === nodes.length &&
        nodes.every((node, at) => node === each.nodes[at] && below[at] === each.below[at]),
    );
    if (same !== undefined) return same.value;
    const builder = new DirectoryBuilder(this.#meta);
    for (const [at, node] of nodes.entries()) builder.add(this.#entry(node, below[at]));
    const value = builder.finish();
    if (parent !== unitTop) this.#built.set(parent, [{ nodes, below, value }, ...known.slice(0, builtMax - 1)]);
    return value;
  }

  #unit(nodes: Nodes): DirectoryValue {
    const known = this.#units.get(nodes);
    if (known !== undefined) return known;
    const value = this.#directory(childrenOf(nodes.values()), unitTop);
    this.#units.set(nodes, value);
    return value;
  }

  #entry(node: FlatNode, below: DirectoryValue | undefined): Entry {
    const { id, kind, placeDot, meta, metaDot, mtimeNs, mtimeDot } = node;
    const name = nameBytes(node.name);
    const data: Entry["data"] = below === undefined ? this.#data(node) : [{ dot: id, value: below }];
    return { name, kind, id, placeDot, metaDot, meta, mtimeDot, mtimeNs, data };
  }

  #data(node: FlatNode): Entry["data"] {
    if (node.kind === kinds.fifo || node.kind === kinds.socket) return [{ dot: node.id, value: { kind: node.kind } }];
    const data = node.data.map(
      ({ dot, value }): DatedValue => ({ dot, value: "unit" in value ? this.#unit(value.unit) : value }),
    );
    return data as [DatedValue, ...DatedValue[]];
  }
}

/** Reads all of a tree. @throws Error when an id is there twice. */
export function loadFlat(reader: TreeReader, tree: Hash): Nodes {
  const nodes = new Map<string, FlatNode>();
  addEntry(reader, nodes, reader.root(tree), "");
  return nodes;
}

function addEntry(reader: TreeReader, nodes: Map<string, FlatNode>, entry: Entry, parent: string): void {
  const { id, kind, placeDot, meta, metaDot, mtimeNs, mtimeDot } = entry;
  const key = dotKey(id);
  if (nodes.has(key)) throw new Error(`the node ${key} is there twice`);
  const bare = { id, key, kind, parent, name: nameText(entry.name), placeDot, meta, metaDot, mtimeNs, mtimeDot };
  const node: FlatNode = { ...bare, data: [] };
  if (isPlainDirectory(node)) {
    nodes.set(key, node);
    const [{ value }] = entry.data;
    for (const child of reader.entries(value as DirectoryValue)) addEntry(reader, nodes, child, key);
  } else if (kind === kinds.fifo || kind === kinds.socket) nodes.set(key, node);
  else
    nodes.set(key, { ...bare, data: entry.data.map(({ dot, value }) => ({ dot, value: loadValue(reader, value) })) });
}

function loadValue(reader: TreeReader, value: Value): FlatData {
  if (value.kind !== kinds.directory) return value;
  const unit = new Map<string, FlatNode>();
  for (const child of reader.entries(value)) addEntry(reader, unit, child, unitTop);
  return { kind: kinds.directory, unit };
}

/** A node as one line of text, for messages and for comparing values without their dots. */
export function describeNode(node: FlatNode): string {
  const dots = [node.placeDot, node.metaDot, node.mtimeDot].map(dotKey).join(" ");
  const data = node.data.map(({ dot, value }) => `${dotKey(dot)}=${describeValue(value)}`).join(", ");
  const { mode, uid, atomic } = node.meta;
  const meta = `${mode.toString(8)} ${uid}${atomic ? " atomic" : ""}${node.meta.link === undefined ? "" : " linked"}`;
  return `${node.key} kind ${node.kind} at ${node.parent}/${node.name} [${dots}] ${meta} ${node.mtimeNs} {${data}}`;
}

/** A value's own looks: no ids, no dots, and of what is in a unit no times. */
export function describeValue(value: FlatData): string {
  if ("unit" in value) return `(${describeUnit(value.unit, unitTop)})`;
  if ("content" in value) {
    const { size, items, list } = value.content;
    const parts = items?.map((item) => `${item.length}:${item.form === "hole" ? "" : nameText(item.hash)}`) ?? [];
    return `${size} ${parts.join()} ${list === undefined ? "" : `${list.level} ${nameText(list.hash)}`}`;
  }
  if ("target" in value) return `-> ${nameText(value.target)}`;
  return "major" in value ? `${value.major}:${value.minor}` : "";
}

function describeXattrs(xattrs: Meta["xattrs"]): string {
  if (xattrs === undefined) return "";
  if (xattrs.form === "block") return nameText(xattrs.hash);
  return xattrs.list.map(({ name, value }) => `${nameText(name)}=${nameText(value)}`).join();
}

function describeUnit(nodes: Nodes, parent: string): string {
  const lines = (childrenOf(nodes.values()).get(parent) ?? []).map((node) => {
    const { mode, uid, gid, atomic, xattrs, link } = node.meta;
    const meta = `${mode} ${uid} ${gid} ${atomic} ${describeXattrs(xattrs)} ${link !== undefined}`;
    const data = node.data.map(({ value }) => describeValue(value)).join(" | ");
    return `${node.kind} ${node.name} ${meta} ${data} {${describeUnit(nodes, node.key)}}`;
  });
  return lines.join("\n");
}
