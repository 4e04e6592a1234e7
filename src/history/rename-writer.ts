/**
 * A tree in which what a writer wrote after some clock is another writer's (rule F3 of doc/merge.md): dots, ids and link groups, also
 * within units. Only what has such dots is read. Deep trees do not deepen the stack.
 */
import {
  compareDots,
  type DatedValue,
  type DirectoryValue,
  type Dot,
  type Entry,
  type Hash,
  kinds,
  type Summary,
  type WriterId,
} from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { putRoot } from "./directory-builder.ts";
import { type DirectoryEdit, editDirectory } from "./edit-directory.ts";
import { walkParts } from "./part-walk.ts";
import type { TreeReader } from "./tree-reader.ts";

export interface Renaming {
  readonly writer: WriterId;
  /** Dots of later clocks than this one. */
  readonly after: bigint;
  readonly to: WriterId;
}

/** @returns The name of the tree; the old one where nothing is renamed. @throws OuroError "not-found", "corrupt". */
export function renameWriter(reader: TreeReader, sink: MetaSink, tree: Hash, renaming: Renaming): Hash {
  return putRoot(sink, new Renamer(reader, sink, renaming).entry(reader.root(tree)));
}

/** An entry, and which of its values that are directories are done. */
interface Frame {
  readonly entry: Entry;
  readonly data: DatedValue[];
  /** The directory at hand: its entries that are still to be renamed, and those that are. */
  readonly waiting: Entry[];
  readonly edits: DirectoryEdit[];
}

class Renamer {
  readonly #reader: TreeReader;
  readonly #sink: MetaSink;
  readonly #renaming: Renaming;
  readonly #dots = new Map<Dot, Dot>();

  constructor(reader: TreeReader, sink: MetaSink, renaming: Renaming) {
    this.#reader = reader;
    this.#sink = sink;
    this.#renaming = renaming;
  }

  entry(root: Entry): Entry {
    const frames = [this.#open(root)];
    for (;;) {
      const frame = frames.at(-1) as Frame;
      const next = frame.waiting.pop();
      if (next !== undefined) {
        frames.push(this.#open(next));
        continue;
      }
      if (this.#closeValue(frame)) continue;
      frames.pop();
      const done = this.#registers(frame);
      const above = frames.at(-1);
      if (above === undefined) return done;
      above.edits.push({ name: done.name, entry: done });
    }
  }

  #open(entry: Entry): Frame {
    const frame: Frame = { entry, data: [], waiting: [], edits: [] };
    this.#openValue(frame);
    return frame;
  }

  /** Takes the entry's next value in hand. */
  #openValue({ entry, data, waiting }: Frame): void {
    const value = entry.data[data.length]?.value;
    if (value?.kind !== kinds.directory || !this.#isIn(value.summary)) return;
    walkParts(this.#reader, value, undefined, {
      enters: ({ summary }) => this.#isIn(summary),
      take: (child) => {
        waiting.push(child);
      },
    });
  }

  /** Ends the value at hand. @returns Whether there is another one. */
  #closeValue(frame: Frame): boolean {
    const { entry, data, edits } = frame;
    const dated = entry.data[data.length];
    if (dated === undefined) return false;
    const { dot, value } = dated;
    data.push({ dot: this.#dot(dot), value: value.kind === kinds.directory ? this.#edited(value, edits) : value });
    edits.length = 0;
    this.#openValue(frame);
    return true;
  }

  #edited(value: DirectoryValue, edits: readonly DirectoryEdit[]): DirectoryValue {
    if (edits.length === 0) return value;
    const sorted = edits.toSorted((x, y) => Buffer.compare(x.name, y.name));
    return editDirectory(this.#reader, this.#sink, value, sorted);
  }

  #registers({ entry, data }: Frame): Entry {
    const { id, placeDot, metaDot, mtimeDot, meta } = entry;
    const { link } = meta;
    const [first, ...rest] = data.sort((x, y) => compareDots(y.dot, x.dot));
    return {
      ...entry,
      id: this.#dot(id),
      placeDot: this.#dot(placeDot),
      metaDot: this.#dot(metaDot),
      mtimeDot: this.#dot(mtimeDot),
      meta: link === undefined ? meta : { ...meta, link: this.#dot(link) },
      data: [first as DatedValue, ...rest],
    };
  }

  /** The same object for the same object: entries tell by that which registers are dated by the id. */
  #dot(dot: Dot): Dot {
    const { writer, after, to } = this.#renaming;
    if (dot.writer !== writer || dot.clock <= after) return dot;
    const known = this.#dots.get(dot);
    if (known !== undefined) return known;
    const renamed = { clock: dot.clock, writer: to, counter: dot.counter };
    this.#dots.set(dot, renamed);
    return renamed;
  }

  #isIn({ max }: Summary): boolean {
    const { writer, after } = this.#renaming;
    return max.some((event) => event.writer === writer && event.clock > after);
  }
}
