/**
 * The mends of a join on flat maps, written from the rules: M1 to M6 again and again until nothing changes. Every step looks at
 * every node. Whatever it picks from several, it picks by ids and names, so that it does not depend on the order of maps.
 */
import {
  compareDots,
  compareEvents,
  type Dot,
  dotKey,
  type EventName,
  kinds,
  nameProblem,
  writerHex,
} from "../../src/format/mod.ts";
import type { FlatOptions, JoinedNodes } from "./flat-join.ts";
import {
  childrenOf,
  describeValue,
  type FlatData,
  type FlatNode,
  type FlatValue,
  isPlainDirectory,
  isUnit,
  type Nodes,
  nameBytes,
  rootKey,
  unitTop,
} from "./flat-tree.ts";

export class FlatMend {
  readonly #a: Nodes;
  readonly #b: Nodes;
  readonly #joined: JoinedNodes;
  readonly #nodes: Map<string, FlatNode>;
  readonly #nextEvent: () => EventName;
  readonly #options: FlatOptions;
  /** Nodes that a unit has sent back to where the other side has them: to do so twice could go on for ever. */
  readonly #sentBack = new Set<string>();
  /** How many nodes the event has made. */
  births: number;
  /** Of the mend; undefined as long as there is none. */
  event: EventName | undefined;

  constructor(a: Nodes, b: Nodes, joined: JoinedNodes, nextEvent: () => EventName, options: FlatOptions) {
    this.births = options.births ?? 0;
    this.#a = a;
    this.#b = b;
    this.#joined = joined;
    this.#nodes = new Map(joined.nodes);
    this.#nextEvent = nextEvent;
    this.#options = options;
  }

  run(): Nodes {
    for (const node of this.#joined.survivors.values()) this.#put(this.#redated(node));
    for (const key of this.#joined.unmarked) {
      const node = this.#nodes.get(key) as FlatNode;
      this.#put({ ...node, meta: { ...node.meta, atomic: true }, metaDot: this.#dot(0) });
    }
    for (let round = 0; ; round += 1) {
      if (round > 1000) throw new Error("the mends do not end");
      const before = new Map(this.#nodes);
      this.#restoreParents();
      this.#breakCycles();
      this.#closeUnits();
      this.#splitLongRegisters();
      this.#separateNames();
      if (before.size === this.#nodes.size && [...before].every(([key, node]) => this.#nodes.get(key) === node)) break;
    }
    return this.#nodes;
  }

  #put(node: FlatNode): void {
    this.#nodes.set(node.key, node);
  }

  #dot(counter: number): Dot {
    this.event ??= this.#nextEvent();
    return { ...this.event, counter };
  }

  /** Counters for nodes that the mend makes. */
  #born(count: number): number {
    const first = this.births + 1;
    this.births += count;
    return first;
  }

  /** All registers, its values in the order they have. */
  #redated(node: FlatNode): FlatNode {
    const dot = this.#dot(0);
    const data = node.data.map(({ value }, at, all) => ({ dot: this.#dot(all.length - 1 - at), value }));
    if (this.#options.bent === "R5 all registers") return { ...node, placeDot: dot };
    return { ...node, placeDot: dot, metaDot: dot, mtimeDot: dot, data };
  }

  #byId(nodes: Iterable<FlatNode>): FlatNode[] {
    return [...nodes].sort((x, y) => compareDots(x.id, y.id));
  }

  /** M2 */
  #restoreParents(): void {
    for (let isDone = false; !isDone; ) {
      isDone = true;
      for (const node of [...this.#nodes.values()]) {
        if (node.key === rootKey || this.#nodes.has(node.parent)) continue;
        isDone = false;
        if (this.#options.bent === "M2") {
          this.#nodes.delete(node.key);
          continue;
        }
        const [one, two] = [this.#a.get(node.parent), this.#b.get(node.parent)];
        const some = (one ?? two) as FlatNode;
        const [x, y] = [one ?? some, two ?? some];
        const place = compareDots(x.placeDot, y.placeDot) >= 0 ? x : y;
        const meta = compareDots(x.metaDot, y.metaDot) >= 0 ? x : y;
        const mtime = compareDots(x.mtimeDot, y.mtimeDot) >= 0 ? x : y;
        const { parent, name } = place;
        this.#put(this.#redated({ ...some, parent, name, meta: meta.meta, mtimeNs: mtime.mtimeNs, data: [] }));
      }
    }
  }

  /** M3 */
  #breakCycles(): void {
    for (;;) {
      const members = [...this.#nodes.values()].filter((node) => this.#isInCycle(node));
      const [first] = members.sort((x, y) => compareDots(x.placeDot, y.placeDot) || compareDots(x.id, y.id));
      if (first === undefined) return;
      this.#put({ ...first, parent: rootKey, placeDot: this.#dot(0) });
    }
  }

  #isInCycle(node: FlatNode): boolean {
    let at: FlatNode | undefined = node;
    for (let steps = 0; steps <= this.#nodes.size; steps += 1) {
      at = this.#nodes.get(at.parent);
      if (at === undefined) return false;
      if (at.key === node.key) return true;
    }
    return false;
  }

  /** M4 for units that have nodes below them, or no value: what the side has that knows it as a plain directory, as a value. */
  #closeUnits(): void {
    for (const { key } of this.#byId(this.#nodes.values()).filter(isUnit)) {
      const unit = this.#nodes.get(key);
      if (unit === undefined) continue;
      const isClosed = [...this.#nodes.values()].every(({ parent }) => parent !== unit.key);
      if (isClosed && unit.data.length > 0) continue;
      const one = this.#a.get(unit.key) as FlatNode;
      const [plain, other] = isPlainDirectory(one) ? [this.#a, this.#b] : [this.#b, this.#a];
      this.#empty(unit, unit.key, plain, other);
      if (this.#options.bent === "M4" && unit.data.length > 0) continue;
      const value = this.#reborn({ kind: kinds.directory, unit: subtree(plain, unit.key) });
      const dot = this.#dot(this.#nextCounter(unit.data));
      this.#put({ ...unit, data: [{ dot, value }, ...unit.data], mtimeDot: this.#dot(0) });
    }
  }

  /** Drops what is below a unit, but sends back what the other side has elsewhere, with all below it. */
  #empty(unit: FlatNode, parent: string, plain: Nodes, other: Nodes): void {
    for (const node of [...this.#nodes.values()].filter((each) => each.parent === parent)) {
      const place = other.get(node.key);
      const placeDot = this.#dot(0);
      const goesBeside = this.#sentBack.has(node.key) || (place === undefined && !plain.has(node.key));
      if (goesBeside) this.#put({ ...node, parent: unit.parent, placeDot });
      else if (place !== undefined) {
        this.#sentBack.add(node.key);
        this.#put({ ...node, parent: place.parent, name: place.name, placeDot });
      } else {
        this.#nodes.delete(node.key);
        this.#empty(unit, node.key, plain, other);
      }
    }
  }

  /** A new node beside another, with its looks and these values. */
  #bear(beside: FlatNode, values: readonly FlatValue[]): void {
    const first = this.#born(values.length);
    const id = this.#dot(first);
    const data = values.map(({ value }, at, all) => ({
      dot: this.#dot(first + all.length - 1 - at),
      value: this.#reborn(value),
    }));
    const name = this.#freeName(beside);
    this.#put({ ...beside, id, key: dotKey(id), name, placeDot: id, metaDot: id, mtimeDot: id, data });
  }

  /** No register has more values than its limit: equal ones once, then the oldest go to a node of their own. */
  #splitLongRegisters(): void {
    const { valuesMax } = this.#options;
    for (const node of this.#byId(this.#nodes.values())) {
      if (node.data.length <= valuesMax) continue;
      const looks = node.data.map(({ value }) => describeValue(value));
      const data = node.data.filter((_, at) => looks.indexOf(looks[at] as string) === at);
      this.#put({ ...node, data: data.slice(0, valuesMax) });
      this.#dot(0);
      for (let at = valuesMax; at < data.length; at += valuesMax) this.#bear(node, data.slice(at, at + valuesMax));
    }
  }

  /** M5 and M6 */
  #separateNames(): void {
    const groups = new Map<string, FlatNode[]>();
    for (const node of this.#nodes.values()) {
      const place = `${node.parent}/${node.name}`;
      groups.set(place, [...(groups.get(place) ?? []), node]);
    }
    const clashes = [...groups.values()].filter((group) => group.length > 1).map(([first]) => first as FlatNode);
    const parentId = (node: FlatNode): Dot => (this.#nodes.get(node.parent) as FlatNode).id;
    const order = clashes
      .map((node) => ({ parent: node.parent, id: parentId(node), name: node.name }))
      .sort((x, y) => compareDots(x.id, y.id) || (x.name < y.name ? -1 : 1));
    for (const { parent, name } of order) {
      const at = (): FlatNode[] =>
        this.#byId([...this.#nodes.values()].filter((node) => node.parent === parent && node.name === name));
      this.#mergeDirectories(at().filter(isPlainDirectory));
      for (const kind of Object.values(kinds))
        this.#mergeLeaves(at().filter((node) => node.kind === kind && !isPlainDirectory(node)));
      const rest = at();
      const keeper = rest.find(isPlainDirectory) ?? rest[0];
      for (const node of rest)
        if (node !== keeper) this.#put({ ...node, name: this.#freeName(node), placeDot: this.#dot(0) });
    }
  }

  /** @param all By id. */
  #mergeDirectories([winner, ...losers]: readonly FlatNode[]): void {
    for (const loser of losers) {
      for (const child of [...this.#nodes.values()].filter(({ parent }) => parent === loser.key))
        this.#put({ ...child, parent: (winner as FlatNode).key, placeDot: this.#dot(0) });
      this.#nodes.delete(loser.key);
      this.#dot(0);
    }
  }

  /** @param all Of one kind, by id. Those whose values have no room stay as they are. */
  #mergeLeaves(all: readonly FlatNode[]): void {
    const [winner, ...others] = all;
    if (winner === undefined || others.length === 0) return;
    const merged = [winner];
    let kept = winner.data;
    const dated: { readonly dot: Dot; readonly id: Dot; readonly value: FlatData; readonly own?: FlatValue }[] = [];
    for (const other of others) {
      const more: typeof dated = [];
      for (const { dot, value } of other.data) {
        const look = describeValue(value);
        if ([...dated, ...more].some((each) => describeValue(each.value) === look)) continue;
        const own = kept.find((each) => describeValue(each.value) === look);
        if (own === undefined) more.push({ dot, id: other.id, value });
        else if (this.#options.bent !== "M5 equal values" && compareEvents(own.dot, dot) !== 0)
          more.push(
            compareDots(dot, own.dot) > 0
              ? { dot, id: other.id, value: own.value, own }
              : { dot: own.dot, id: winner.id, value: own.value, own },
          );
      }
      const added = more.filter(({ own }) => own === undefined);
      if (kept.length + dated.length + added.length > this.#options.valuesMax) continue;
      kept = kept.filter((each) => !more.some(({ own }) => own === each));
      dated.push(...more);
      merged.push(other);
      this.#nodes.delete(other.key);
    }
    if (merged.length === 1) return;
    dated.sort((x, y) => compareDots(x.dot, y.dot) || compareDots(x.id, y.id));
    let data = kept;
    for (const { value, own } of dated)
      data = [
        { dot: this.#dot(this.#nextCounter(data)), value: own === undefined ? this.#reborn(value) : value },
        ...data,
      ];
    const meta = merged.reduce((best, each) => (compareDots(each.metaDot, best.metaDot) > 0 ? each : best));
    const mtime = merged.reduce((best, each) => (compareDots(each.mtimeDot, best.mtimeDot) > 0 ? each : best));
    const isDated = mtime !== winner || dated.length > 0;
    this.#put({
      ...winner,
      data,
      meta: meta.meta,
      metaDot: meta === winner ? winner.metaDot : this.#dot(0),
      mtimeNs: mtime.mtimeNs,
      mtimeDot: isDated ? this.#dot(0) : winner.mtimeDot,
    });
    this.#dot(0);
  }

  /** The counter that this event's next value of a register gets. */
  #nextCounter(data: readonly FlatValue[]): number {
    const event = this.#dot(0);
    const own = data.filter(({ dot }) => compareEvents(dot, event) === 0).map(({ dot }) => dot.counter);
    return own.length === 0 ? 0 : Math.max(...own) + 1;
  }

  /** M6 */
  #freeName({ id, parent, name }: FlatNode): string {
    const taken = new Set([...this.#nodes.values()].filter((node) => node.parent === parent).map((node) => node.name));
    for (let count = 1; ; count += 1) {
      const ending = `~${writerHex(id.writer)}${count === 1 ? "" : `~${count}`}`;
      const found = withEnding(name, ending);
      if (!taken.has(found) && nameProblem(nameBytes(found)) === undefined) return found;
    }
  }

  /** A value as it is put into another place: what is in a unit is born anew, in the order of a walk. */
  #reborn(value: FlatData): FlatData {
    if (!("unit" in value)) return value;
    const children = childrenOf(value.unit.values());
    const made = new Map<string, FlatNode>();
    const groups = new Map<string, Dot>();
    const copy = (from: string, parent: string): void => {
      for (const node of children.get(from) ?? []) {
        const count = Math.max(1, node.data.length);
        const first = this.#born(count);
        const id = this.#dot(first);
        const key = dotKey(id);
        const data = node.data.map((each, at) => ({
          dot: this.#dot(first + count - 1 - at),
          value: this.#reborn(each.value),
        }));
        const { link } = node.meta;
        const group = link === undefined ? undefined : (groups.get(dotKey(link)) ?? id);
        if (link !== undefined && group !== undefined) groups.set(dotKey(link), group);
        const meta = group === undefined ? node.meta : { ...node.meta, link: group };
        made.set(key, { ...node, id, key, parent, placeDot: id, metaDot: id, mtimeDot: id, meta, data });
        copy(node.key, key);
      }
    };
    copy(unitTop, unitTop);
    return { kind: kinds.directory, unit: made };
  }
}

/** What is below a directory, as a unit has it. */
function subtree(nodes: Nodes, top: string): Nodes {
  const children = childrenOf(nodes.values());
  const found = new Map<string, FlatNode>();
  const walk = (parent: string): void => {
    for (const node of children.get(parent) ?? []) {
      found.set(node.key, parent === top ? { ...node, parent: unitTop } : node);
      walk(node.key);
    }
  };
  walk(top);
  return found;
}

/** The name with an ending, cut between characters where it would be too long. */
export function withEnding(name: string, ending: string): string {
  if (name.length + ending.length <= 255) return name + ending;
  let end = 255 - ending.length;
  while (end > 0 && (name.charCodeAt(end) & 0xc0) === 0x80) end -= 1;
  return name.slice(0, end) + ending;
}
