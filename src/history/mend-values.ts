/**
 * Values as mends compare and move them: whether two look the same, and what becomes of a unit's value that is put into another
 * place (rule M5 of doc/merge.md).
 */
import { equalBytes } from "../base/bytes.ts";
import {
  type DatedValue,
  type DirectoryValue,
  type Dot,
  dotKey,
  type Entry,
  kinds,
  type Meta,
  type Value,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { DirectoryBuilder } from "./directory-builder.ts";
import { equalContents, equalXattrs } from "./entry-difference.ts";
import { plainDirectory, valuesOf } from "./join-registers.ts";
import type { TreeReader } from "./tree-reader.ts";

/** Whether two values look the same: no ids, no dots, and of what is in a unit no times. Units are read as far as they differ. */
export function equalValues(reader: TreeReader, a: Value, b: Value): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === kinds.file) return equalContents(a.content, (b as typeof a).content);
  if (a.kind === kinds.symlink) return equalBytes(a.target, (b as typeof a).target);
  if (a.kind === kinds.directory) return equalDirectories(reader, a, b as typeof a);
  if (!("major" in a)) return true;
  return a.major === (b as typeof a).major && a.minor === (b as typeof a).minor;
}

function equalDirectories(reader: TreeReader, a: DirectoryValue, b: DirectoryValue): boolean {
  const pairs = [[a, b] as const];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [one, two] = pair;
    if (one.summary.names !== two.summary.names) return false;
    if (one.top === undefined || two.top === undefined || equalBytes(one.top, two.top)) continue;
    const others = reader.entries(two);
    for (const entry of reader.entries(one)) {
      const other = others.next().value as Entry;
      if (!equalLooks(reader, entry, other)) return false;
      const [below, otherBelow] = [plainDirectory(entry), plainDirectory(other)];
      if (below !== undefined && otherBelow !== undefined) pairs.push([below, otherBelow]);
    }
  }
  return true;
}

function equalLooks(reader: TreeReader, a: Entry, b: Entry): boolean {
  if (a.kind !== b.kind || !equalBytes(a.name, b.name) || !equalMetas(a.meta, b.meta)) return false;
  const [one, two] = [valuesOf(a), valuesOf(b)];
  return (
    one.length === two.length && one.every(({ value }, at) => equalValues(reader, value, (two[at] as DatedValue).value))
  );
}

function equalMetas(a: Meta, b: Meta): boolean {
  const isSame = a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.atomic === b.atomic;
  return isSame && equalXattrs(a.xattrs, b.xattrs) && (a.link === undefined) === (b.link === undefined);
}

/** Gives out the ids of nodes that a mend makes. */
export interface Births {
  /** The first of `count` dots of the mend, with counters one after another. */
  take(count: number): Dot;
}

export interface RebirthOptions {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  readonly births: Births;
}

/** A value as it is put into another place: what is in a unit gets ids of its own, in the order of a walk. */
export function reborn(value: Value, options: RebirthOptions): Value {
  return value.kind === kinds.directory ? new Rebirth(options).copy(value) : value;
}

interface Frame {
  readonly entries: Generator<Entry>;
  readonly builder: DirectoryBuilder;
  /** The directory's own entry, to be finished when all below it is there. */
  readonly entry: Entry | undefined;
}

class Rebirth {
  readonly #options: RebirthOptions;
  /** Names that were linked stay linked among themselves. */
  readonly #groups = new Map<string, Dot>();

  constructor(options: RebirthOptions) {
    this.#options = options;
  }

  copy(directory: DirectoryValue): DirectoryValue {
    const { reader, sink } = this.#options;
    const top: Frame = { entries: reader.entries(directory), builder: new DirectoryBuilder(sink), entry: undefined };
    const frames = [top];
    for (let frame = top; ; ) {
      const { value: entry } = frame.entries.next() as IteratorResult<Entry, undefined>;
      if (entry === undefined) {
        const value = frame.builder.finish();
        frames.pop();
        const above = frames.at(-1);
        if (above === undefined || frame.entry === undefined) return value;
        above.builder.add({ ...frame.entry, data: [{ dot: frame.entry.id, value }] });
        frame = above;
        continue;
      }
      const copy = this.#entry(entry);
      const below = plainDirectory(entry);
      if (below === undefined) frame.builder.add(copy);
      else {
        frame = { entries: reader.entries(below), builder: new DirectoryBuilder(sink), entry: copy };
        frames.push(frame);
      }
    }
  }

  #entry(entry: Entry): Entry {
    const count = Math.max(1, valuesOf(entry).length);
    const id = this.#options.births.take(count);
    const hasData = valuesOf(entry).length > 0;
    const data: Entry["data"] = hasData
      ? bornData(entry.data, id, (value) => reborn(value, this.#options))
      : [{ dot: id, value: entry.data[0].value }];
    const { link } = entry.meta;
    if (link === undefined) return { ...entry, id, placeDot: id, metaDot: id, mtimeDot: id, data };
    const key = dotKey(link);
    const group = this.#groups.get(key) ?? id;
    this.#groups.set(key, group);
    return { ...entry, id, placeDot: id, metaDot: id, mtimeDot: id, data, meta: { ...entry.meta, link: group } };
  }
}

/** Values dated by a birth: the last by the id itself, those before it by the dots after. */
export function bornData(
  [first, ...rest]: readonly [DatedValue, ...DatedValue[]],
  id: Dot,
  copy: (value: Value) => Value,
): Entry["data"] {
  const date = (value: Value, at: number): DatedValue => {
    const counter = id.counter + rest.length - at;
    return { dot: counter === id.counter ? id : { ...id, counter }, value: copy(value) };
  };
  const top = date(first.value, 0);
  return [top, ...rest.map(({ value }, at) => date(value, at + 1))];
}
