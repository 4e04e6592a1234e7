/**
 * What a checkout saw of the names in one directory, packed as they come: 70 bytes and the name each, where objects would take a
 * thousand. In no order; a name may come twice, and the later counts.
 */
import type { FileStat } from "../base/posix.ts";
import { type Entry, kinds, type Xattr } from "../format/mod.ts";
import { markXattrs } from "./kept-xattrs.ts";
import { recordFlags, recordOf, type ScanRecord, ScanRow, ScanRowBuilder } from "./scan-row.ts";

export class ObservedRecords {
  #builder: ScanRowBuilder | undefined;
  #device: bigint | undefined;

  /** The device of what was seen first; undefined while nothing was seen. */
  get device(): bigint | undefined {
    return this.#device;
  }

  /** @param xattrs Those that the entry has and that were set. */
  put(entry: Entry, stat: FileStat, xattrs: readonly Xattr[]): void {
    this.#device ??= stat.device;
    this.#builder ??= new ScanRowBuilder(Number(stat.device >> 32n), Number(stat.device & 0xffff_ffffn));
    const { name, kind, id } = entry;
    const text = Buffer.from(name.buffer, name.byteOffset, name.byteLength).toString("latin1");
    const mark = { xattrs: markXattrs(xattrs) };
    this.#builder.add(recordOf(text, stat, kind === kinds.directory ? { ...mark, id } : mark));
  }

  /** Takes in the records of a row that this process made. */
  putRow(bytes: Uint8Array): void {
    const row = rowIn(bytes);
    if (row.count === 0) return;
    this.#device ??= (BigInt(row.deviceMajor >>> 0) << 32n) | BigInt(row.deviceMinor >>> 0);
    this.#builder ??= new ScanRowBuilder(row.deviceMajor, row.deviceMinor);
    this.#builder.addAll(row);
  }

  /** Notes what could not be made. @param record As of the tree. */
  putAbsent(record: ScanRecord): void {
    this.#builder ??= new ScanRowBuilder(0, 0);
    this.#builder.add({ ...record, flags: recordFlags.unsure | recordFlags.absent });
  }

  /** The records, the last of each name. @param sureBeforeNs What was changed before this time cannot have been changed again unnoticed. */
  records(sureBeforeNs: bigint): ScanRecord[] {
    const row = this.#builder === undefined ? undefined : rowIn(this.#builder.finish());
    const byName = new Map<string, ScanRecord>();
    for (const at of row?.starts ?? []) {
      const record = (row as ScanRow).record(at);
      const isSure = record.ctimeNs < sureBeforeNs;
      byName.set(record.name, isSure ? record : { ...record, flags: record.flags | recordFlags.unsure });
    }
    return [...byName.values()];
  }
}

/** A row that is none would hide what is missing from a folder for ever. */
function rowIn(bytes: Uint8Array): ScanRow {
  const row = ScanRow.decode(bytes);
  if (row === undefined) throw new TypeError("Cannot read what was seen: it is no row");
  return row;
}
