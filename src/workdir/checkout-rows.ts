/** What a checkout observed, as the scan rows that the next scan compares the folder with. */
import { dotKey, kinds, listXattrs, rootId } from "../format/mod.ts";
import type { State } from "../history/mod.ts";
import type { MetaSource } from "../store/mod.ts";
import type { CheckoutReport, DirectoryObservation, ObservedName } from "./checkout.ts";
import { isRootsXattr, markXattrs } from "./kept-xattrs.ts";
import { mergeRow, recordFlags, recordOf, type ScanRecord, ScanRow } from "./scan-row.ts";

/** A kernel's file times advance in steps of at most 10 ms: of what is younger than this, a later change may not show. */
const granuleNs = 20_000_000n;

export interface SaveOptions {
  readonly source: MetaSource;
  /** Whether attributes that are root's were set. */
  readonly isRoot: boolean;
  readonly nowMs: number;
}

/**
 * Writes the rows of what was checked out. To be called within the transaction that moves the head.
 * @param state Of the box whose folder it is.
 */
export function saveObservations(
  state: State,
  { directories, gone, rootStat }: CheckoutReport,
  options: SaveOptions,
): void {
  const sureBeforeNs = BigInt(Math.floor(options.nowMs)) * 1_000_000n - granuleNs;
  for (const observation of directories.values()) {
    const isRootRow = dotKey(observation.id) === dotKey(rootId);
    const put = lastOfEach(observation.written).map((each) => recordFor(each, sureBeforeNs, options));
    if (isRootRow) put.push(recordOf("", rootStat, { id: rootId }));
    const old = observation.isNew ? undefined : decodeRow(state.scanRow(observation.id));
    const removed = new Set(observation.removed.map(latin1));
    const device = observation.written[0]?.stat.device ?? rootStat.device;
    state.setScanRow(observation.id, mergeRow(old, { device, put, removed }));
  }
  for (const id of gone) state.deleteScanRow(id);
}

function decodeRow(bytes: Uint8Array | undefined): ScanRow | undefined {
  return bytes === undefined ? undefined : ScanRow.decode(bytes);
}

/** Of a name that was observed twice, the later. */
function lastOfEach(written: DirectoryObservation["written"]): ObservedName[] {
  return [...new Map(written.map((each) => [latin1(each.entry.name), each])).values()];
}

function recordFor({ entry, stat }: ObservedName, sureBeforeNs: bigint, { source, isRoot }: SaveOptions): ScanRecord {
  const list = listXattrs(entry.meta.xattrs, (hash) => source.getMeta(hash, "xattrs"));
  const xattrs = markXattrs(isRoot ? list : list.filter(({ name }) => !isRootsXattr(name)));
  const flags = stat.ctimeNs < sureBeforeNs ? 0 : recordFlags.unsure;
  return recordOf(latin1(entry.name), stat, {
    xattrs,
    flags,
    ...(entry.kind === kinds.directory ? { id: entry.id } : {}),
  });
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
