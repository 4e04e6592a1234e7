/** What a checkout observed, as the scan rows that the next scan compares the folder with. */
import { dotKey, rootId } from "../format/mod.ts";
import type { State } from "../history/mod.ts";
import type { CheckoutReport } from "./checkout.ts";
import { mergeRow, recordOf, ScanRow } from "./scan-row.ts";

/** A kernel's file times advance in steps of at most 10 ms: of what is younger than this, a later change may not show. */
const granuleNs = 20_000_000n;

/**
 * Writes the rows of what was checked out. To be called within the transaction that moves the head.
 * @param state Of the box whose folder it is.
 * @param options.nowMs The time: of what was changed just before it, a later change may not show.
 * @param options.isPart The folder holds only a part of the tree: of a directory without a row nothing else is there.
 */
export function saveObservations(
  state: State,
  { directories, gone, rootStat }: CheckoutReport,
  { nowMs, isPart = false }: { readonly nowMs: number; readonly isPart?: boolean },
): void {
  const sureBeforeNs = BigInt(Math.floor(nowMs)) * 1_000_000n - granuleNs;
  for (const observation of directories.values()) {
    const device = observation.written.device ?? rootStat.device;
    const isRoot = dotKey(observation.id) === dotKey(rootId);
    if (observation.isNew && !isRoot) {
      state.setScanRow(observation.id, observation.written.takeRow(sureBeforeNs, device));
      continue;
    }
    const put = observation.written.takeRecords(sureBeforeNs);
    if (isRoot) put.push(recordOf("", rootStat, { id: rootId }));
    const old = observation.isNew ? undefined : decodeRow(state.scanRow(observation.id));
    // Without a row the next scan looks at everything; one with only what was written would hide the rest.
    if (old === undefined && !observation.isNew && !isPart) continue;
    const removed = new Set(observation.removed.map(latin1));
    state.setScanRow(observation.id, mergeRow(old, { device, put, removed }));
  }
  for (const id of gone) state.deleteScanRow(id);
}

function decodeRow(bytes: Uint8Array | undefined): ScanRow | undefined {
  return bytes === undefined ? undefined : ScanRow.decode(bytes);
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
