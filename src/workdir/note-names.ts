/** Noting names in the scan's rows between scans: that a directory was made in the folder, or that something which never was there is deleted. */
import type { FileStat } from "../base/posix.ts";
import type { Dot, Entry } from "../format/mod.ts";
import type { State, TreeReader } from "../history/mod.ts";
import { markXattrs } from "./kept-xattrs.ts";
import { recordOfEntry } from "./row-of-tree.ts";
import { isAbsent, mergeRow, recordOf, type ScanRecord, ScanRow } from "./scan-row.ts";

type Rows = Pick<State, "scanRow" | "setScanRow">;

/** Whether the names of a directory are, or were, in the folder, as its row has it. One character a byte. */
export function recordedNames(rows: Rows, directory: Dot): { has(name: string): boolean } {
  const bytes = rows.scanRow(directory);
  const row = bytes === undefined ? undefined : ScanRow.decode(bytes);
  if (row === undefined) return { has: () => false };
  return {
    has: (name) => {
      const at = row.find(name);
      return at >= 0 && !isAbsent(row, at);
    },
  };
}

/**
 * Notes entries of a directory as gone: the next scan takes them for deleted. In a transaction of the caller.
 * @param device Of the folder, as in `FileStat`: for a row that is not there yet.
 */
export function noteGone(
  rows: Rows,
  directory: Dot,
  {
    reader,
    entries,
    device,
  }: { readonly reader: TreeReader; readonly entries: readonly Entry[]; readonly device: bigint },
): void {
  put(
    rows,
    directory,
    entries.map((entry) => recordOfEntry(reader, entry)),
    device,
  );
}

/** Notes that what stands in the folder with this stat is a directory of the tree. In a transaction of the caller. */
export function noteDirectory(
  rows: Rows,
  directory: Dot,
  { reader, entry, stat }: { readonly reader: TreeReader; readonly entry: Entry; readonly stat: FileStat },
): void {
  const name = Buffer.from(entry.name).toString("latin1");
  const record = recordOf(name, stat, { id: entry.id, xattrs: markXattrs(reader.xattrs(entry)) });
  put(rows, directory, [record], stat.device);
}

function put(rows: Rows, directory: Dot, records: readonly ScanRecord[], device: bigint): void {
  const bytes = rows.scanRow(directory);
  const old = bytes === undefined ? undefined : ScanRow.decode(bytes);
  const own = old === undefined || old.count === 0 ? device : deviceOf(old);
  rows.setScanRow(directory, mergeRow(old, { device: own, put: records, removed: new Set() }));
}

function deviceOf(row: ScanRow): bigint {
  return (BigInt(row.deviceMajor >>> 0) << 32n) | BigInt(row.deviceMinor >>> 0);
}
