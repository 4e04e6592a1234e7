/**
 * What a person does to a tree, on flat maps: every change writes new dots of one event, as a commit does (doc/merge.md, R1 and
 * R2). Keeps account of the values that were written, and of those that an edit or a delete has seen and removed.
 */
import type { Prng } from "../../src/base/prng.ts";
import { type Dot, dotKey, type EntryKind, type EventName, kinds, type Meta } from "../../src/format/mod.ts";
import {
  childrenOf,
  type FlatData,
  type FlatNode,
  type FlatValue,
  isPlainDirectory,
  isUnit,
  type Nodes,
  rootKey,
  unitTop,
} from "../support/flat-tree.ts";

/** A value is known by its token: the size of a file, the number in a symlink's target or a device. */
export function tokenOf(value: FlatData): number | undefined {
  if ("content" in value) return value.content.size;
  if ("target" in value) return Number(Buffer.from(value.target).toString());
  return "major" in value ? value.major : undefined;
}

export function fileValue(token: number): FlatData {
  const hash = Buffer.alloc(32);
  hash.writeDoubleBE(token);
  return { kind: kinds.file, content: { size: token, items: [{ form: "chunk", hash, length: token }] } };
}

/** All tokens in these nodes, those of other values and within units, too. */
export function tokensIn(nodes: Nodes, found: Set<number> = new Set()): Set<number> {
  for (const node of nodes.values()) addTokens(node, found);
  return found;
}

function addTokens({ data }: FlatNode, found: Set<number>): void {
  for (const { value } of data) {
    if ("unit" in value) tokensIn(value.unit, found);
    else found.add(tokenOf(value) ?? 0);
  }
}

/** Equal on several peers now and then; not accounted for. */
export const commonTokens = 4;

export interface EditOptions {
  readonly prng: Prng;
  readonly names: readonly string[];
  readonly event: EventName;
  readonly newToken: () => number;
  /** R2 bent: a pick leaves the value's dot as it was. */
  readonly keepsPickedDot?: boolean;
}

export class Edit {
  readonly nodes: Map<string, FlatNode>;
  readonly written: Set<number> = new Set();
  readonly removed: Set<number> = new Set();
  readonly #options: EditOptions;
  readonly #prng: Prng;
  readonly #dot: Dot;
  #births = 0;

  constructor(before: Nodes, options: EditOptions) {
    this.nodes = new Map(before);
    this.#options = options;
    this.#prng = options.prng;
    this.#dot = { ...options.event, counter: 0 };
  }

  #all(): FlatNode[] {
    return [...this.nodes.values()].filter(({ key }) => key !== rootKey);
  }

  #pick(choose: (node: FlatNode) => boolean = () => true): FlatNode | undefined {
    const found = this.#all().filter(choose);
    return found.length === 0 ? undefined : this.#prng.pick(found);
  }

  #pickDirectory(): FlatNode {
    return this.#prng.pick([...this.nodes.values()].filter(isPlainDirectory));
  }

  #freePlace(): { readonly parent: string; readonly name: string } | undefined {
    const parent = this.#pickDirectory().key;
    const name = this.#prng.pick(this.#options.names);
    return this.#occupant(parent, name) === undefined ? { parent, name } : undefined;
  }

  #occupant(parent: string, name: string): FlatNode | undefined {
    for (const node of this.nodes.values()) if (node.parent === parent && node.name === name) return node;
    return undefined;
  }

  #isWithin(node: FlatNode, ancestor: string): boolean {
    for (let at: FlatNode | undefined = node; at !== undefined; at = this.nodes.get(at.parent))
      if (at.key === ancestor) return true;
    return false;
  }

  #token(): number {
    if (this.#prng.chance(0.15)) return this.#prng.int(1, commonTokens);
    const token = this.#options.newToken();
    this.written.add(token);
    return token;
  }

  #value(kind: EntryKind): FlatData {
    if (kind === kinds.symlink) return { kind, target: Buffer.from(`${this.#token()}`) };
    if (kind === kinds.character || kind === kinds.block) return { kind, major: this.#token(), minor: 0 };
    if (kind === kinds.file) return fileValue(this.#token());
    throw new RangeError(`a value of kind ${kind}`);
  }

  #newId(): Dot {
    this.#births += 1;
    return { ...this.#options.event, counter: this.#births };
  }

  #bare(kind: EntryKind, parent: string, name: string): FlatNode {
    const id = this.#newId();
    const meta: Meta = { mode: 0o644, uid: 1000, gid: 1000, atomic: false };
    const mtimeNs = BigInt(this.#prng.int(0, 9));
    return {
      id,
      key: dotKey(id),
      kind,
      parent,
      name,
      placeDot: id,
      meta,
      metaDot: id,
      mtimeNs,
      mtimeDot: id,
      data: [],
    };
  }

  #newNode(parent: string, name: string): FlatNode {
    const kind = this.#prng.chance(0.35)
      ? kinds.directory
      : this.#prng.chance(0.8)
        ? kinds.file
        : this.#prng.pick([kinds.symlink, kinds.fifo, kinds.character, kinds.block] as const);
    const node = this.#bare(kind, parent, name);
    const hasData = kind !== kinds.directory && kind !== kinds.fifo;
    return hasData ? { ...node, data: [{ dot: node.id, value: this.#value(kind) }] } : node;
  }

  #put(node: FlatNode): void {
    this.nodes.set(node.key, node);
  }

  #forget({ data }: FlatNode): void {
    const tokens = new Set<number>();
    for (const { value } of data) "unit" in value ? tokensIn(value.unit, tokens) : tokens.add(tokenOf(value) ?? 0);
    for (const token of tokens) this.removed.add(token);
  }

  /** Another value instead of all that there are. */
  #rewrite(node: FlatNode, value: FlatData): FlatNode {
    const kept = new Set<number>();
    if ("unit" in value) tokensIn(value.unit, kept);
    else kept.add(tokenOf(value) ?? 0);
    const before = new Set(this.removed);
    this.#forget(node);
    for (const token of kept) if (!before.has(token)) this.removed.delete(token);
    for (const token of kept) this.written.add(token);
    return { ...node, data: [{ dot: this.#dot, value }], mtimeDot: this.#dot, mtimeNs: BigInt(this.#prng.int(0, 9)) };
  }

  create(): void {
    const place = this.#freePlace();
    if (place !== undefined) this.#put(this.#newNode(place.parent, place.name));
  }

  /** Writes a file, under all of its names. */
  edit(): void {
    const node = this.#pick(({ data, kind }) => data.length > 0 && kind !== kinds.directory);
    if (node === undefined) return;
    const value = this.#value(node.kind);
    const { link } = node.meta;
    for (const each of this.#all()) {
      const isLinked = link !== undefined && each.meta.link !== undefined && dotKey(link) === dotKey(each.meta.link);
      if (each.key === node.key || isLinked) this.#put(this.#rewrite(each, value));
    }
  }

  touch(): void {
    const node = this.#pick() ?? (this.nodes.get(rootKey) as FlatNode);
    this.#put({ ...node, mtimeNs: BigInt(this.#prng.int(10, 99)), mtimeDot: this.#dot });
  }

  chmod(): void {
    const node = this.#prng.chance(0.1) ? (this.nodes.get(rootKey) as FlatNode) : this.#pick();
    if (node === undefined) return;
    const xattrs = { form: "inline", list: [{ name: Buffer.from("user.x"), value: Buffer.from("1") }] } as const;
    const meta = this.#prng.chance(0.5) ? { mode: this.#prng.int(0, 0o777) } : { xattrs };
    this.#put({ ...node, meta: { ...node.meta, ...meta }, metaDot: this.#dot });
  }

  /** Moves or renames; what stands there already is overwritten now and then. */
  move(): void {
    const node = this.#pick();
    const parent = this.#pickDirectory();
    if (node === undefined || this.#isWithin(parent, node.key)) return;
    const name = this.#prng.chance(0.6) ? node.name : this.#prng.pick(this.#options.names);
    const there = this.#occupant(parent.key, name);
    if (there !== undefined) {
      if (there.key === node.key || this.#isWithin(node, there.key) || !this.#prng.chance(0.3)) return;
      this.#remove(there);
    }
    this.#put({ ...node, parent: parent.key, name, placeDot: this.#dot });
  }

  /** Moves a directory into another: two such moves at once can make a cycle. */
  moveDirectory(): void {
    const node = this.#pick(isPlainDirectory);
    const parent = this.#pick(isPlainDirectory);
    if (node === undefined || parent === undefined || this.#isWithin(parent, node.key)) return;
    if (this.#occupant(parent.key, node.name) === undefined)
      this.#put({ ...node, parent: parent.key, placeDot: this.#dot });
  }

  remove(): void {
    const node = this.#pick();
    if (node !== undefined) this.#remove(node);
  }

  #remove(node: FlatNode): void {
    for (const child of this.#all()) if (child.parent === node.key) this.#remove(child);
    this.#forget(node);
    this.nodes.delete(node.key);
  }

  link(): void {
    const node = this.#pick(({ kind }) => kind === kinds.file);
    const place = this.#freePlace();
    if (node === undefined || place === undefined || node.data.length > 1) return;
    const group = node.meta.link ?? node.id;
    const bare = this.#bare(node.kind, place.parent, place.name);
    const meta = { ...node.meta, link: group };
    this.#put({ ...node, meta, metaDot: this.#dot });
    const data = node.data.map(({ value }) => ({ dot: bare.id, value }));
    for (const { value } of data) this.written.add(tokenOf(value) ?? 0);
    this.#put({ ...bare, meta, mtimeNs: node.mtimeNs, data });
  }

  /** Makes a unit of a directory, or a directory of a unit; what is in it is born anew. */
  mark(): void {
    const node = this.#pick(({ kind }) => kind === kinds.directory);
    if (node === undefined) return;
    if (isUnit(node)) {
      const [shown] = node.data as [FlatValue];
      const unit = (shown.value as { unit: Nodes }).unit;
      this.#forget({ ...node, data: node.data.slice(1) });
      for (const token of tokensIn(unit)) {
        this.removed.delete(token);
        this.written.add(token);
      }
      this.#put({ ...node, meta: { ...node.meta, atomic: false }, metaDot: this.#dot, data: [] });
      this.#copy(childrenOf(unit.values()), unitTop, node.key, this.nodes);
      return;
    }
    const unit = new Map<string, FlatNode>();
    this.#copy(childrenOf(this.nodes.values()), node.key, unitTop, unit);
    const below = this.#all().filter((each) => each.key !== node.key && this.#isWithin(each, node.key));
    for (const each of below) this.nodes.delete(each.key);
    for (const token of tokensIn(unit)) this.written.add(token);
    const value: FlatData = { kind: kinds.directory, unit };
    this.#put({ ...node, meta: { ...node.meta, atomic: true }, metaDot: this.#dot, data: [{ dot: this.#dot, value }] });
  }

  #copy(from: ReadonlyMap<string, readonly FlatNode[]>, at: string, parent: string, to: Map<string, FlatNode>): void {
    for (const node of from.get(at) ?? []) {
      const id = this.#newId();
      const key = dotKey(id);
      this.#births += Math.max(0, node.data.length - 1);
      const data = node.data.map(({ value }, index, all) => ({
        dot: { ...id, counter: id.counter + all.length - 1 - index },
        value,
      }));
      to.set(key, { ...node, id, key, parent, placeDot: id, metaDot: id, mtimeDot: id, data });
      this.#copy(from, node.key, key, to);
    }
  }

  /** Creates, writes or deletes within a unit. */
  editUnit(): void {
    const node = this.#pick((each) => isUnit(each));
    if (node === undefined) return;
    const [shown] = node.data as [FlatValue];
    const unit = new Map((shown.value as { unit: Nodes }).unit);
    const inner = [...unit.values()];
    const removed = new Set<number>();
    const chosen = inner.length === 0 || this.#prng.chance(0.4) ? undefined : this.#prng.pick(inner);
    if (chosen === undefined) {
      const name = this.#prng.pick(this.#options.names);
      if (inner.some((each) => each.parent === unitTop && each.name === name)) return;
      const made = this.#newNode(unitTop, name);
      unit.set(made.key, made);
    } else if (chosen.kind === kinds.file) {
      addTokens(chosen, removed);
      unit.set(chosen.key, { ...chosen, data: [{ dot: this.#dot, value: this.#value(kinds.file) }] });
    } else if (!inner.some(({ parent }) => parent === chosen.key)) {
      addTokens(chosen, removed);
      unit.delete(chosen.key);
    } else return;
    this.#put(this.#rewrite(node, { kind: kinds.directory, unit }));
    const left = tokensIn(unit);
    for (const token of removed) if (!left.has(token)) this.removed.add(token);
  }

  /** Settles a conflict by one of its values, which is dated again. */
  resolve(): void {
    const node = this.#pick(({ data }) => data.length > 1);
    if (node === undefined) return;
    const picked = this.#prng.pick(node.data);
    const rewritten = this.#rewrite(node, picked.value);
    this.#put(this.#options.keepsPickedDot === true ? { ...rewritten, data: [picked] } : rewritten);
  }

  /** Brings back what an older state had, all registers dated again; its directory, too. */
  restore(older: Nodes): void {
    const gone = [...older.values()].filter(({ key, data }) => !this.nodes.has(key) && data.length > 0);
    if (gone.length === 0) return;
    const chain: FlatNode[] = [];
    for (let at: FlatNode | undefined = this.#prng.pick(gone); at !== undefined && !this.nodes.has(at.key); ) {
      const above = older.get(at.parent);
      const known = this.nodes.get(at.parent);
      const isRooted = above === undefined || (known !== undefined && !isPlainDirectory(known));
      chain.push(isRooted ? { ...at, parent: rootKey } : at);
      at = isRooted ? undefined : above;
    }
    if (chain.some(({ parent, name }) => this.#occupant(parent, name) !== undefined)) return;
    for (const node of chain) this.#put(this.#restored(node));
  }

  #restored(node: FlatNode): FlatNode {
    const dot = this.#dot;
    const data = node.data.map(({ value }, at, all) => ({ dot: { ...dot, counter: all.length - 1 - at }, value }));
    const tokens = new Set<number>();
    addTokens(node, tokens);
    for (const token of tokens) {
      this.written.add(token);
      this.removed.delete(token);
    }
    return { ...node, placeDot: dot, metaDot: dot, mtimeDot: dot, data };
  }
}
