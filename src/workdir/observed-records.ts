/**
 * What a checkout saw of the names in one directory, packed as they come: 70 bytes and the name each, where objects would take a
 * thousand, and put aside a row after another. In no order; a name may come twice, and the later counts.
 */
import type { FileStat } from "../base/posix.ts";
import type { Spill, SpilledBytes } from "../base/spill.ts";
import { type Entry, kinds, type Xattr } from "../format/mod.ts";
import { markXattrs } from "./kept-xattrs.ts";
import { recordFlags, recordOf, type ScanRecord, ScanRow, ScanRowBuilder } from "./scan-row.ts";

/** So many that come one by one are put aside together. */
const recordsAtOnce = 256;

export class ObservedRecords {
  readonly #aside: Spill;
  /** Rows, in the order in which they were seen. */
  #parts: SpilledBytes[] = [];
  /** What was seen since. */
  #builder: ScanRowBuilder | undefined;
  #device: bigint | undefined;

  /** @param aside Where rows are put; to be there until they are taken out. */
  constructor(aside: Spill) {
    this.#aside = aside;
  }

  /** The device of what was seen first; undefined while nothing was seen. */
  get device(): bigint | undefined {
    return this.#device;
  }

  /** @param xattrs Those that the entry has and that were set. */
  put(entry: Entry, stat: FileStat, xattrs: readonly Xattr[]): void {
    this.#device ??= stat.device;
    this.#builder ??= new ScanRowBuilder();
    const { name, kind, id } = entry;
    const text = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
    const mark = { xattrs: markXattrs(xattrs) };
    this.#builder.add(recordOf(text, stat, kind === kinds.directory ? { ...mark, id } : mark));
    if (this.#builder.count >= recordsAtOnce) this.#endPart();
  }

  /** Takes in the records of a row that this process made. */
  putRow(bytes: Uint8Array): void {
    const row = rowIn(bytes);
    if (row.count === 0) return;
    this.#device ??= (BigInt(row.deviceMajor >>> 0) << 32n) | BigInt(row.deviceMinor >>> 0);
    this.#endPart();
    this.#parts.push(this.#aside.put(bytes));
  }

  /** Notes what could not be made. @param record As of the tree. */
  putAbsent(record: ScanRecord): void {
    this.#builder ??= new ScanRowBuilder();
    this.#builder.add({ ...record, flags: recordFlags.unsure | recordFlags.absent });
  }

  #endPart(): void {
    if (this.#builder === undefined) return;
    this.#parts.push(this.#aside.put(this.#builder.finish()));
    this.#builder = undefined;
  }

  /** Takes out the records, the last of each name, by name. @param sureBeforeNs What was changed before this time cannot have been changed again unnoticed. */
  takeRecords(sureBeforeNs: bigint): ScanRecord[] {
    return this.#take().map(({ row, at }) => {
      const record = row.record(at);
      return { ...record, flags: record.flags | unsureFlag(row, at, sureBeforeNs) };
    });
  }

  /** As `takeRecords`, as the row of a directory in which nothing else is. */
  takeRow(sureBeforeNs: bigint, device: bigint): Uint8Array {
    const builder = new ScanRowBuilder(Number(device >> 32n), Number(device & 0xffff_ffffn));
    for (const { row, at } of this.#take()) builder.copy(row, at, unsureFlag(row, at, sureBeforeNs));
    return builder.finish();
  }

  #take(): { readonly row: ScanRow; readonly at: number }[] {
    this.#endPart();
    const byName = new Map<string, { readonly row: ScanRow; readonly at: number }>();
    for (const part of this.#parts) {
      const row = rowIn(this.#aside.get(part));
      for (const at of row.starts) byName.set(row.name(at), { row, at });
    }
    this.#parts = [];
    return [...byName].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
  }
}

function unsureFlag(row: ScanRow, at: number, sureBeforeNs: bigint): number {
  return row.ctimeNs(at) < sureBeforeNs ? 0 : recordFlags.unsure;
}

/** A row that is none would hide what is missing from a folder for ever. */
function rowIn(bytes: Uint8Array): ScanRow {
  const row = ScanRow.decode(bytes);
  if (row === undefined) throw new TypeError("Cannot read what was seen: it is no row");
  return row;
}
