/**
 * Copies of what is below a directory, as nodes of their own: the ids of the others may be elsewhere in the tree. So comes into a
 * unit, leaves it, or is put into another place by a mend, what is in it (doc/merge.md, "Units").
 */
import {
  type DatedValue,
  type DirectoryValue,
  type Dot,
  dotKey,
  type Entry,
  kinds,
  type Value,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { DirectoryBuilder } from "./directory-builder.ts";
import { plainDirectory, valuesOf } from "./join-registers.ts";
import type { TreeReader } from "./tree-reader.ts";

/** Gives out the ids of new nodes. */
export interface Births {
  /** The first of `count` dots of the event, with counters one after another. */
  take(count: number): Dot;
}

export interface CopyOptions {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  readonly births: Births;
  /** Told of every directory that is copied, with its id and that of the copy. */
  readonly onDirectory?: (from: Dot, to: Dot) => void;
}

/**
 * A value as it is put into another place: what is in a directory gets ids of its own, in the order of a walk, with which all its registers are
 * dated. Other values stay what they are. Deep trees do not deepen the stack.
 * @throws OuroError "not-found", "corrupt".
 */
export function copyValue(value: Value, options: CopyOptions): Value {
  return value.kind === kinds.directory ? copySubtree(value, options) : value;
}

/** As `copyValue`, of a directory. */
export function copySubtree(value: DirectoryValue, options: CopyOptions): DirectoryValue {
  return new Copier(options).directory(value);
}

interface Frame {
  readonly entries: Generator<Entry>;
  readonly builder: DirectoryBuilder;
  /** The directory's own entry, to be finished when all below it is there. */
  readonly entry: Entry | undefined;
}

class Copier {
  readonly #options: CopyOptions;
  /** Names that were linked stay linked among themselves. */
  readonly #groups = new Map<string, Dot>();

  constructor(options: CopyOptions) {
    this.#options = options;
  }

  directory(directory: DirectoryValue): DirectoryValue {
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

  /** Of a plain directory without what is in it. */
  #entry(entry: Entry): Entry {
    const { births, onDirectory } = this.#options;
    const count = Math.max(1, valuesOf(entry).length);
    const id = births.take(count);
    if (entry.kind === kinds.directory) onDirectory?.(entry.id, id);
    const hasData = valuesOf(entry).length > 0;
    const data: Entry["data"] = hasData
      ? bornData(entry.data, id, (value) => copyValue(value, this.#options))
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
