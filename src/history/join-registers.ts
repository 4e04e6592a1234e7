/**
 * Joining the registers of one node, and asking what of a node the other side has seen (rules R5 and R6 of doc/merge.md).
 * Pure functions of entries and vectors.
 *
 * A *unit* is an atomic directory but for the root: what is in it is a value of its data register. A plain directory, a fifo or a
 * socket has no data register, though its entry shows one value dated by its id.
 */
import {
  compareDots,
  type DatedValue,
  type DirectoryValue,
  type Dot,
  type Entry,
  type EventName,
  equalDots,
  kinds,
  type Meta,
  type Value,
  type VersionVector,
} from "../format/mod.ts";
import { equalContents } from "./entry-difference.ts";
import type { JoinRules } from "./join-rules.ts";
import { directoryOf } from "./tree-reader.ts";

export type Values = readonly DatedValue[];

/** Whether a node joins as one. */
export function isUnit({ kind, meta, id }: { readonly kind: number; readonly meta: Meta; readonly id: Dot }): boolean {
  return kind === kinds.directory && meta.atomic && id.writer !== 0n;
}

/** What a directory that is no unit holds; undefined for all else. */
export function plainDirectory(entry: Entry): DirectoryValue | undefined {
  return entry.kind === kinds.directory && !isUnit(entry) ? directoryOf(entry) : undefined;
}

/** The values of the data register; none where there is no such register. */
export function valuesOf(entry: Entry): Values {
  const hasData = entry.kind !== kinds.fifo && entry.kind !== kinds.socket && plainDirectory(entry) === undefined;
  return hasData ? entry.data : [];
}

/** A vector, for asking many times. */
export class Coverage {
  readonly #clocks: ReadonlyMap<bigint, bigint>;

  constructor(vector: VersionVector) {
    this.#clocks = new Map(vector.map(({ writer, clock }) => [writer, clock]));
  }

  covers({ writer, clock }: EventName): boolean {
    if (writer === 0n) return true;
    const greatest = this.#clocks.get(writer);
    return greatest !== undefined && clock <= greatest;
  }

  coversAll(events: readonly EventName[]): boolean {
    for (const event of events) if (!this.covers(event)) return false;
    return true;
  }

  coversNone(events: readonly EventName[]): boolean {
    for (const event of events) if (this.covers(event)) return false;
    return true;
  }
}

/** Whether two states of one node are the same; of a plain directory also what is below it. */
export function isSameState(a: Entry, b: Entry): boolean {
  if (a === b) return true;
  const hasSameDots =
    equalDots(a.placeDot, b.placeDot) && equalDots(a.metaDot, b.metaDot) && equalDots(a.mtimeDot, b.mtimeDot);
  if (!hasSameDots) return false;
  const [one, two] = [plainDirectory(a), plainDirectory(b)];
  if (one !== undefined && two !== undefined) {
    if (one.top === undefined || two.top === undefined) return one.top === two.top;
    return Buffer.compare(one.top, two.top) === 0;
  }
  return (
    a.data.length === b.data.length && a.data.every(({ dot }, at) => equalDots(dot, (b.data[at] as DatedValue).dot))
  );
}

export interface JoinedRegisters {
  /** With the name of the side whose place counts; `a` itself where nothing of `b` counts. Its data is right unless `values` says so. */
  readonly entry: Entry;
  readonly placeFrom: "a" | "b";
  /** The joined data register; of a directory that is no unit by its meta register, the values of the side where it is one. */
  readonly values: Values;
}

export interface RegisterOptions {
  readonly seenByA: Coverage;
  readonly seenByB: Coverage;
  readonly rules: JoinRules;
}

/** R5 for a node that both sides have. */
export function joinRegisters(a: Entry, b: Entry, options: RegisterOptions): JoinedRegisters {
  const isPlaceA = compareDots(a.placeDot, b.placeDot) >= 0;
  const isMetaA = compareDots(a.metaDot, b.metaDot) >= 0;
  const isMtimeA = compareDots(a.mtimeDot, b.mtimeDot) >= 0;
  const [dataA, dataB] = [valuesOf(a), valuesOf(b)];
  const values = joinValues(dataA, dataB, options);
  const placeFrom = isPlaceA ? "a" : "b";
  if (isPlaceA && isMetaA && isMtimeA && values === dataA) return { entry: a, placeFrom, values };
  const [place, meta, mtime] = [isPlaceA ? a : b, isMetaA ? a : b, isMtimeA ? a : b];
  const [first, ...rest] = values;
  const entry: Entry = {
    name: place.name,
    kind: a.kind,
    id: a.id,
    placeDot: place.placeDot,
    metaDot: meta.metaDot,
    meta: meta.meta,
    mtimeDot: mtime.mtimeDot,
    mtimeNs: mtime.mtimeNs,
    data: first === undefined ? a.data : [first, ...rest],
  };
  return { entry, placeFrom, values };
}

/** @returns `a` itself where nothing of `b` counts. */
function joinValues(a: Values, b: Values, { seenByA, seenByB, rules }: RegisterOptions): Values {
  const has = (values: Values, dot: Dot): boolean => values.some((each) => equalDots(each.dot, dot));
  const fromA = a.filter(({ dot }) => !seenByB.covers(dot) || has(b, dot));
  const fromB = b.filter(({ dot }) => !seenByA.covers(dot) && !has(a, dot));
  if (fromB.length === 0) return fromA.length === a.length ? a : fromA;
  const all = [...fromA, ...fromB].sort((x, y) => compareDots(y.dot, x.dot));
  return rules.keepsEqualValues
    ? all
    : all.filter(({ value }, at) => all.findIndex((x) => isSameContent(x.value, value)) === at);
}

function isSameContent(a: Value, b: Value): boolean {
  return a.kind === kinds.file && b.kind === kinds.file && equalContents(a.content, b.content);
}

/** Whether `other` knows of a node: it then has deleted what it does not have. */
export function isKnown(entry: Entry, other: Coverage, rules: JoinRules): boolean {
  if (rules.asksBirth) return other.covers(entry.id);
  const dots = [entry.placeDot, entry.metaDot, ...valuesOf(entry).map(({ dot }) => dot)];
  if (entry.kind !== kinds.directory) dots.push(entry.mtimeDot);
  return dots.some((dot) => other.covers(dot));
}

/** Whether `other` has seen all that keeps a node from being deleted: its registers, but a directory's mtime. */
export function isAllSeen(entry: Entry, other: Coverage): boolean {
  if (!other.covers(entry.id) || !other.covers(entry.placeDot) || !other.covers(entry.metaDot)) return false;
  if (entry.kind !== kinds.directory && !other.covers(entry.mtimeDot)) return false;
  return valuesOf(entry).every(({ dot }) => other.covers(dot));
}

/** A survivor's values: those that `other` has not seen, if there are any. */
export function survivingData(entry: Entry, other: Coverage): Entry["data"] {
  const [first, ...rest] = valuesOf(entry).filter(({ dot }) => !other.covers(dot));
  return first === undefined ? entry.data : [first, ...rest];
}
