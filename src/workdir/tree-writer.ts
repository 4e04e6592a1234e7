/**
 * Writing trees and scan rows from what an examination tells: a frame for each directory from the root to the one at hand.
 *
 * New directories and those with many changes are built as their names come, in bounded memory; of the others a few nodes are edited.
 * Rows, about 80 bytes a name, are put aside: they belong into the transaction that moves the head.
 */

import { equalBytes } from "../base/bytes.ts";
import type { Spill, SpilledBytes } from "../base/spill.ts";
import {
  type DirectoryValue,
  type Dot,
  type Entry,
  type EventName,
  emptySummary,
  type Hash,
  kinds,
} from "../format/mod.ts";
import {
  DirectoryBuilder,
  type DirectoryEdit,
  directoryOf,
  editDirectory,
  entryDifferences,
  isUnit,
  putRoot,
  type TreeReader,
} from "../history/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import type { DirectoryVisit, FolderVisitor, LeafVisit } from "./folder-visitor.ts";
import { latin } from "./folder-walk.ts";
import { mergeRow, type ScanRecord, type ScanRow, ScanRowBuilder } from "./scan-row.ts";
import type { MovedNode } from "./seen-twice.ts";

/** A directory with more changes than this is built anew, reading the old one along. */
const editsMax = 4096;

/** What was done, in numbers: names, not registers. */
export interface ChangeCounts {
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
  readonly renamed: number;
  /** Directories of which the time alone moved, as it does with every name in them. */
  readonly times: number;
}

/** Which directories are to be marked as units. */
export interface UnitMarks {
  /** Of the files that say so: where one is changed, all below may be. */
  readonly fileName: string;
  /** Whether a path is to be one, as the tree was before. */
  readonly isMarked: (path: string) => boolean;
}

export interface TreeWriterOptions {
  readonly reader: TreeReader;
  readonly sink: MetaSink;
  /** Dates the edits. */
  readonly event: EventName;
  /** How directories are marked; absent: as they are. */
  readonly marks?: UnitMarks;
  /** Where rows are put aside; absent: they are not wanted. */
  readonly rowsAside?: Spill;
}

/** One character a byte. */
export interface UnitChecks {
  /** Directories in and below which marks may have changed. */
  readonly below: readonly string[];
  /** Directories that may have another mark themselves. */
  readonly at: readonly string[];
}

interface Frame {
  readonly visit: DirectoryVisit;
  readonly data: DirectoryData;
  readonly row: RowCollector;
  hasNames: boolean;
}

export class TreeWriter implements FolderVisitor {
  readonly #reader: TreeReader;
  readonly #sink: MetaSink;
  readonly #event: EventName;
  readonly #marks: UnitMarks | undefined;
  readonly #aside: Spill | undefined;
  readonly #unitChecks: { readonly below: string[]; readonly at: string[] } = { below: [], at: [] };
  readonly #frames: Frame[] = [];
  readonly #rows: { readonly id: Dot; readonly place: SpilledBytes }[] = [];
  #tree: Hash | undefined;
  #isEdited = false;
  readonly #counts = { added: 0, changed: 0, times: 0 };
  /** Paths in the tree. */
  readonly #removed = new Set<string>();
  readonly #renamed = new Set<string>();
  readonly #moved: MovedNode[] = [];

  constructor({ reader, sink, event, marks, rowsAside }: TreeWriterOptions) {
    this.#reader = reader;
    this.#sink = sink;
    this.#event = event;
    this.#marks = marks;
    this.#aside = rowsAside;
  }

  /** The root node; undefined when nothing in the tree was edited. */
  get tree(): Hash | undefined {
    return this.#isEdited ? this.#tree : undefined;
  }

  get counts(): ChangeCounts {
    return { ...this.#counts, removed: this.#removed.difference(this.#renamed).size, renamed: this.#renamed.size };
  }

  /** Of the directories that were gone into, one after another; none where there is no place for them. */
  *rows(): Generator<{ readonly id: Dot; readonly bytes: Uint8Array }> {
    for (const { id, place } of this.#rows) if (this.#aside !== undefined) yield { id, bytes: this.#aside.get(place) };
  }

  /** Where units may have to be marked, or unmarked. */
  get unitChecks(): UnitChecks {
    return this.#unitChecks;
  }

  /** What was found under another name. */
  get moved(): readonly MovedNode[] {
    return this.#moved;
  }

  enter(visit: DirectoryVisit): void {
    const { before: from, oldPath, path } = visit;
    if (from !== undefined && oldPath !== undefined) this.#moved.push({ id: from.id, oldPath, path });
    const isPlaced = visit.before === undefined || visit.oldPath !== undefined;
    if (isPlaced && this.#marks !== undefined && this.#marks.isMarked(visit.path) !== visit.draft.meta.atomic)
      this.#unitChecks.at.push(visit.path);
    const old = visit.before === undefined ? undefined : directoryOf(visit.before);
    const isStreamed = old === undefined || visit.changes > editsMax;
    const data = isStreamed
      ? new BuiltDirectory(this.#reader, this.#sink, old)
      : new EditedDirectory(this.#reader, this.#sink, old);
    const row = collectRow(visit);
    if (visit.path === "" && visit.record !== undefined) row.put(visit.record);
    this.#frames.push({ visit, data, row, hasNames: false });
  }

  leave(): void {
    const { visit, data, row, hasNames } = this.#frames.pop() as Frame;
    const { draft, before, isEdited } = visit;
    if (visit.isAbove && !hasNames) return;
    const value = data.finish();
    const old = before === undefined ? undefined : directoryOf(before);
    const isSame = old !== undefined && sameDirectory(old, value);
    const entry = before !== undefined && isSame && !isEdited ? before : this.#entry(visit, value, isSame);
    const bytes = this.#aside === undefined ? undefined : row.finish();
    if (this.#aside !== undefined && bytes !== undefined)
      this.#rows.push({ id: draft.id, place: this.#aside.put(bytes) });
    if (isEdited || !isSame) this.#isEdited = true;
    const parent = this.#frames.at(-1);
    if (parent === undefined) {
      this.#tree = putRoot(this.#sink, entry);
      if (before !== undefined && isEdited) this.#countDirectory(visit);
      return;
    }
    if (isEdited) this.#countDirectory(visit);
    if (isEdited || !isSame || visit.replaced !== undefined) parent.data.put(visit.name, entry);
    if (visit.record !== undefined) parent.row.put(visit.record);
    if (visit.isGone === true) parent.row.remove(visit.name);
    parent.hasNames = true;
  }

  /** Every edit within a unit is one of the unit, and has seen all its values. */
  #entry({ draft, before }: DirectoryVisit, value: DirectoryValue, isSame: boolean): Entry {
    if (before === undefined || !isUnit(draft)) return { ...draft, data: [{ dot: draft.id, value }] };
    if (isSame) return { ...draft, data: before.data };
    const dot: Dot = { ...this.#event, counter: 0 };
    return { ...draft, data: [{ dot, value }], mtimeDot: dot };
  }

  put(visit: LeafVisit): void {
    const { entry, oldPath, path } = visit;
    if (oldPath !== undefined) this.#moved.push({ id: entry.id, oldPath, path });
    const frame = this.#frames.at(-1) as Frame;
    frame.hasNames = true;
    frame.row.put(visit.record);
    if (!visit.isEdited) return;
    this.#isEdited = true;
    this.#count(visit);
    this.#noteName(frame, visit.name);
    frame.data.put(visit.name, visit.entry);
  }

  remove(oldPath: string, name: string): void {
    const frame = this.#frames.at(-1) as Frame;
    frame.hasNames = true;
    frame.row.remove(name);
    frame.data.put(name, undefined);
    this.#removed.add(oldPath);
    this.#noteName(frame, name);
    this.#isEdited = true;
  }

  #noteName({ visit }: Frame, name: string): void {
    if (name === this.#marks?.fileName) this.#unitChecks.below.push(visit.path);
  }

  #countDirectory(visit: DirectoryVisit): void {
    const { before, draft, oldPath } = visit;
    const isTimeAlone =
      before !== undefined &&
      oldPath === undefined &&
      [...entryDifferences(before, { ...draft, data: before.data })].every((each) => each === "mtime");
    if (isTimeAlone) this.#counts.times += 1;
    else this.#count(visit);
  }

  #count({
    before,
    oldPath,
    replaced,
  }: {
    readonly before: Entry | undefined;
    readonly oldPath: string | undefined;
    readonly replaced: Entry | undefined;
  }): void {
    if (oldPath !== undefined) this.#renamed.add(oldPath);
    else if (before === undefined && replaced === undefined) this.#counts.added += 1;
    else this.#counts.changed += 1;
  }
}

function sameDirectory(a: DirectoryValue, b: DirectoryValue): boolean {
  return a.top === undefined || b.top === undefined ? a.top === b.top : equalBytes(a.top, b.top);
}

interface DirectoryData {
  /** By name; undefined removes. */
  put(name: string, entry: Entry | undefined): void;
  finish(): DirectoryValue;
}

class EditedDirectory implements DirectoryData {
  readonly #reader: TreeReader;
  readonly #sink: MetaSink;
  readonly #old: DirectoryValue;
  readonly #edits: DirectoryEdit[] = [];

  constructor(reader: TreeReader, sink: MetaSink, old: DirectoryValue | undefined) {
    this.#reader = reader;
    this.#sink = sink;
    this.#old = old ?? { kind: kinds.directory, summary: emptySummary };
  }

  put(name: string, entry: Entry | undefined): void {
    this.#edits.push(entry === undefined ? { name: latin(name) } : { name: entry.name, entry });
  }

  finish(): DirectoryValue {
    return this.#edits.length === 0 ? this.#old : editDirectory(this.#reader, this.#sink, this.#old, this.#edits);
  }
}

/** Merges the old names with the changes as they come. */
class BuiltDirectory implements DirectoryData {
  readonly #builder: DirectoryBuilder;
  readonly #old: Iterator<Entry> | undefined;
  #next: Entry | undefined;

  constructor(reader: TreeReader, sink: MetaSink, old: DirectoryValue | undefined) {
    this.#builder = new DirectoryBuilder(sink);
    this.#old = old === undefined ? undefined : reader.entries(old)[Symbol.iterator]();
    this.#advance();
  }

  #advance(): void {
    const result = this.#old?.next();
    this.#next = result === undefined || result.done === true ? undefined : result.value;
  }

  put(name: string, entry: Entry | undefined): void {
    if (this.#next !== undefined) {
      const bytes = latin(name);
      let order = Buffer.compare(this.#next.name, bytes);
      while (order < 0) {
        this.#builder.add(this.#next);
        this.#advance();
        if (this.#next === undefined) break;
        order = Buffer.compare(this.#next.name, bytes);
      }
      if (order === 0) this.#advance();
    }
    if (entry !== undefined) this.#builder.add(entry);
  }

  finish(): DirectoryValue {
    for (; this.#next !== undefined; this.#advance()) this.#builder.add(this.#next);
    return this.#builder.finish();
  }
}

interface RowCollector {
  put(record: ScanRecord): void;
  remove(name: string): void;
  /** Undefined when the row stays as it is. */
  finish(): Uint8Array | undefined;
}

function collectRow({ row, before, device }: DirectoryVisit): RowCollector {
  if (row !== undefined) return new ChangedRow(row, device);
  // Of a directory of the tree that is not gone into nothing was seen but itself.
  return before === undefined ? new NewRow(device) : noRow;
}

const noRow: RowCollector = { put() {}, remove() {}, finish: () => undefined };

class NewRow implements RowCollector {
  readonly #builder: ScanRowBuilder;

  constructor(device: bigint) {
    this.#builder = new ScanRowBuilder(Number(device >> 32n), Number(device & 0xffff_ffffn));
  }

  put(record: ScanRecord): void {
    this.#builder.add(record);
  }

  remove(): void {}

  finish(): Uint8Array {
    return this.#builder.finish();
  }
}

class ChangedRow implements RowCollector {
  readonly #row: ScanRow;
  readonly #device: bigint;
  readonly #put: ScanRecord[] = [];
  readonly #removed = new Set<string>();

  constructor(row: ScanRow, device: bigint) {
    this.#row = row;
    this.#device = device;
  }

  put(record: ScanRecord): void {
    this.#put.push(record);
  }

  remove(name: string): void {
    this.#removed.add(name);
  }

  finish(): Uint8Array | undefined {
    if (this.#put.length === 0 && this.#removed.size === 0) return undefined;
    return mergeRow(this.#row, { device: this.#device, put: this.#put, removed: this.#removed });
  }
}
