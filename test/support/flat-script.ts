/**
 * Changes to a flat tree as lines of text, "move d/x e, edit f", and what became of it as text: for tables of examples.
 * Every writer has one letter; what it writes is its letter, and what it touches or changes the mode of bears it, too.
 */
import { type Dot, dotKey, type EventName, kinds, type Meta } from "../../src/format/mod.ts";
import {
  childrenOf,
  type FlatData,
  type FlatNode,
  type FlatState,
  type FlatValue,
  isUnit,
  type Nodes,
  rootKey,
  unitTop,
} from "./flat-tree.ts";

/** A writer's id is its letter. */
export function writerOf(letter: string): bigint {
  return BigInt(letter.charCodeAt(0));
}

function textValue(text: string): FlatData {
  const hash = Buffer.alloc(32, text);
  return { kind: kinds.file, content: { size: text.length, items: [{ form: "chunk", hash, length: text.length }] } };
}

class Script {
  readonly nodes: Map<string, FlatNode>;
  readonly #letter: string;
  readonly #dot: Dot;
  #births = 0;

  constructor(nodes: Nodes, letter: string, event: EventName) {
    this.nodes = new Map(nodes);
    this.#letter = letter;
    this.#dot = { ...event, counter: 0 };
  }

  find(path: string, nodes: Nodes = this.nodes): FlatNode {
    let parent = rootKey;
    for (const name of path.split("/").filter((each) => each !== "")) {
      const found = [...nodes.values()].find((node) => node.parent === parent && node.name === name);
      if (found === undefined) throw new Error(`there is no ${path}`);
      parent = found.key;
    }
    return nodes.get(parent) as FlatNode;
  }

  #put(node: FlatNode): void {
    this.nodes.set(node.key, node);
  }

  #place(path: string): { readonly parent: string; readonly name: string } {
    const at = path.lastIndexOf("/");
    return { parent: this.find(path.slice(0, Math.max(0, at))).key, name: path.slice(at + 1) };
  }

  #id(): Dot {
    this.#births += 1;
    return { ...this.#dot, counter: this.#births };
  }

  make(path: string, kind: FlatNode["kind"], text = this.#letter): void {
    const id = this.#id();
    const value: FlatData = kind === kinds.symlink ? { kind, target: Buffer.from(text) } : textValue(text);
    const hasData = kind === kinds.file || kind === kinds.symlink;
    this.#put({
      id,
      key: dotKey(id),
      kind,
      ...this.#place(path),
      placeDot: id,
      meta: { mode: 0, uid: 0, gid: 0, atomic: false },
      metaDot: id,
      mtimeNs: 0n,
      mtimeDot: id,
      data: hasData ? [{ dot: id, value }] : [],
    });
  }

  edit(path: string): void {
    const unit = [...this.nodes.values()].find((node) => isUnit(node) && path.startsWith(`${node.name}/`));
    if (unit !== undefined) this.#editUnit(unit, path.slice(unit.name.length + 1));
    else this.#editFile(this.find(path));
  }

  #editFile(node: FlatNode): void {
    const { link } = node.meta;
    const data = [{ dot: this.#dot, value: textValue(this.#letter) }];
    for (const each of [...this.nodes.values()]) {
      const isLinked = link !== undefined && each.meta.link !== undefined && dotKey(each.meta.link) === dotKey(link);
      if (each.key === node.key || isLinked) this.#put({ ...each, data, mtimeDot: this.#dot });
    }
  }

  #editUnit(node: FlatNode, name: string): void {
    const [shown] = node.data as [FlatValue];
    const unit = new Map((shown.value as { readonly unit: Nodes }).unit);
    const inner = [...unit.values()].find((each) => each.name === name) as FlatNode;
    unit.set(inner.key, { ...inner, data: [{ dot: this.#dot, value: textValue(this.#letter) }] });
    this.#put({ ...node, data: [{ dot: this.#dot, value: { kind: kinds.directory, unit } }] });
  }

  touch(path: string): void {
    this.#put({ ...this.find(path), mtimeNs: writerOf(this.#letter), mtimeDot: this.#dot });
  }

  chmod(path: string): void {
    this.#meta(this.find(path), { mode: Number(writerOf(this.#letter)) });
  }

  #meta(node: FlatNode, change: Partial<Meta>): FlatNode {
    const changed = { ...node, meta: { ...node.meta, ...change }, metaDot: this.#dot };
    this.#put(changed);
    return changed;
  }

  move(from: string, to: string): void {
    this.#put({ ...this.find(from), ...this.#place(to), placeDot: this.#dot });
  }

  delete(path: string): void {
    const walk = (node: FlatNode): void => {
      for (const child of [...this.nodes.values()]) if (child.parent === node.key) walk(child);
      this.nodes.delete(node.key);
    };
    walk(this.find(path));
  }

  link(from: string, to: string): void {
    const node = this.find(from);
    const linked = this.#meta(node, { link: node.meta.link ?? node.id });
    const id = this.#id();
    const data = node.data.map(({ value }) => ({ dot: id, value }));
    this.#put({ ...linked, id, key: dotKey(id), ...this.#place(to), placeDot: id, metaDot: id, mtimeDot: id, data });
  }

  /** Only of directories with files in them. */
  mark(path: string): void {
    const node = this.find(path);
    const unit = new Map<string, FlatNode>();
    this.#copy(
      [...this.nodes.values()].filter(({ parent }) => parent === node.key),
      unitTop,
      unit,
    );
    for (const child of [...this.nodes.values()]) if (child.parent === node.key) this.nodes.delete(child.key);
    const data = [{ dot: this.#dot, value: { kind: kinds.directory, unit } }];
    this.#put({ ...this.#meta(node, { atomic: true }), data });
  }

  unmark(path: string): void {
    const node = this.find(path);
    const [shown] = node.data as [FlatValue];
    this.#put({ ...this.#meta(node, { atomic: false }), data: [] });
    this.#copy([...(shown.value as { readonly unit: Nodes }).unit.values()], node.key, this.nodes);
  }

  #copy(nodes: readonly FlatNode[], parent: string, to: Map<string, FlatNode>): void {
    for (const node of nodes) {
      const id = this.#id();
      const data = node.data.map(({ value }) => ({ dot: id, value }));
      to.set(dotKey(id), { ...node, id, key: dotKey(id), parent, placeDot: id, metaDot: id, mtimeDot: id, data });
    }
  }

  /** Brings back what `older` had, with its directories, all registers dated again. */
  restore(path: string, older: Nodes): void {
    for (let node: FlatNode | undefined = this.find(path, older); node !== undefined && !this.nodes.has(node.key); ) {
      const data = node.data.map(({ value }) => ({ dot: this.#dot, value }));
      this.#put({ ...node, placeDot: this.#dot, metaDot: this.#dot, mtimeDot: this.#dot, data });
      node = older.get(node.parent);
    }
  }

  /** Settles a conflict by the value of a writer. */
  pick(path: string, text: string): void {
    const node = this.find(path);
    const value = node.data.find((each) => describe(each.value) === text);
    if (value === undefined) throw new Error(`${path} has no value ${text}`);
    this.#put({ ...node, data: [{ dot: this.#dot, value: value.value }], mtimeDot: this.#dot });
  }
}

/**
 * Makes a commit of changes: `create`, `mkdir`, `symlink`, `fifo`, `edit`, `touch`, `chmod`, `delete`, `mark`, `unmark` and
 * `restore` of a PATH, `move` and `link` FROM TO, `pick` PATH VALUE; several with commas.
 */
export function runScript(
  state: FlatState,
  letter: string,
  clock: bigint,
  text: string,
  older: Nodes = state.nodes,
): FlatState {
  const event = { clock, writer: writerOf(letter) };
  const script = new Script(state.nodes, letter, event);
  for (const line of text.split(",").map((each) => each.trim())) {
    const [verb = "", path = "", to = ""] = line.split(" ");
    if (verb === "") continue;
    if (verb === "create") script.make(path, kinds.file, to === "" ? letter : to);
    else if (verb === "mkdir") script.make(path, kinds.directory);
    else if (verb === "symlink") script.make(path, kinds.symlink);
    else if (verb === "fifo") script.make(path, kinds.fifo);
    else if (verb === "restore") script.restore(path, older);
    else if (verb === "move" || verb === "link" || verb === "pick") script[verb](path, to);
    else if (isVerb(verb)) script[verb](path);
    else throw new Error(`there is no change ${verb}`);
  }
  return { nodes: script.nodes, vector: new Map(state.vector).set(event.writer, clock) };
}

const verbs = ["edit", "touch", "chmod", "delete", "mark", "unmark"] as const;

function isVerb(verb: string): verb is (typeof verbs)[number] {
  return (verbs as readonly string[]).includes(verb);
}

function describe(value: FlatData): string {
  if ("content" in value) {
    const [item] = value.content.items ?? [];
    return item?.form === "chunk" ? Buffer.from(item.hash).toString("latin1", 0, value.content.size) : "";
  }
  if ("target" in value) return `->${Buffer.from(value.target).toString()}`;
  if (!("unit" in value)) return "";
  const inner = [...value.unit.values()].sort((x, y) => (x.name < y.name ? -1 : 1));
  return `[${inner.map((node) => `${node.name}=${node.data.map((each) => describe(each.value)).join("|")}`).join(" ")}]`;
}

function letterOf(code: number): string {
  return String.fromCharCode(code);
}

/** Every path with what is there: values, greatest dot first; mode and mtime where a writer changed them. */
function describeTree(nodes: Nodes): Map<string, string> {
  const children = childrenOf(nodes.values());
  const lines = new Map<string, string>();
  const walk = (parent: string, path: string): void => {
    for (const node of children.get(parent) ?? []) {
      const isDirectory = node.kind === kinds.directory && !isUnit(node);
      const at = `${path}${shorten(node.name)}${isDirectory ? "/" : ""}`;
      const values = node.data.map(({ value }) => describe(value)).join("|");
      const mode = node.meta.mode === 0 ? "" : ` mode ${letterOf(node.meta.mode)}`;
      const mtime = node.mtimeNs === 0n ? "" : ` mtime ${letterOf(Number(node.mtimeNs))}`;
      lines.set(at, `${at}${values === "" ? "" : `=${values}`}${mode}${mtime}${describeLink(node, nodes)}`);
      if (isDirectory) walk(node.key, at);
    }
  };
  walk(rootKey, "");
  return lines;
}

function describeLink(node: FlatNode, nodes: Nodes): string {
  const { link } = node.meta;
  if (link === undefined) return "";
  const looks = ({ meta, data }: FlatNode): string =>
    `${meta.mode} ${data.map(({ value }) => describe(value)).join("|")}`;
  const others = [...nodes.values()].filter(
    (each) => each.key !== node.key && each.meta.link !== undefined && dotKey(each.meta.link) === dotKey(link),
  );
  return others.some((each) => looks(each) === looks(node)) ? " linked" : "";
}

/** A mended name ends with a writer's id: its letter is enough. */
function shorten(name: string): string {
  return name.replace(/~([0-9a-f]{16})/g, (_, hex: string) => `~${letterOf(Number.parseInt(hex, 16))}`);
}

/** What differs between two trees: what is there now, and with a minus what was and is not; "nothing". */
export function describeChange(before: Nodes, after: Nodes): string {
  const [old, now] = [describeTree(before), describeTree(after)];
  const lines = [...now].filter(([path, line]) => old.get(path) !== line).map(([, line]) => line);
  const gone = [...old.keys()].filter((path) => !now.has(path)).map((path) => `-${path}`);
  return [...lines, ...gone].join(", ") || "nothing";
}
