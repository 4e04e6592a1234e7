/** Making the scan forget files that are about to leave a folder which holds only a part of its tree: that they are missing is no deletion then. */
import type { Entry } from "../format/mod.ts";
import type { State } from "../history/mod.ts";
import { type Change, pathKey, splitLast, splitPath, type TreeReader } from "../history/mod.ts";
import { mergeRow, ScanRow } from "./scan-row.ts";

/** @param root Of the tree that the rows are of. @param removals By path; of a directory all that is in it comes, too. In a transaction of the caller. */
export function forgetRows(
  state: Pick<State, "scanRow" | "setScanRow" | "deleteScanRow">,
  reader: TreeReader,
  root: Entry,
  removals: readonly Change[],
): void {
  const removed = new Set(removals.map(({ path }) => pathKey(path)));
  const names = new Map<string, { readonly path: Uint8Array; readonly names: Set<string> }>();
  for (const { path, before } of removals) {
    if (before?.kind === 2) state.deleteScanRow(before.id);
    const [parent, name] = splitLast(path);
    const key = pathKey(parent);
    // Of a directory that goes itself the whole row has gone.
    if (removed.has(key) && parent.length > 0) continue;
    const group = names.get(key) ?? { path: parent, names: new Set() };
    names.set(key, group);
    group.names.add(Buffer.from(name).toString("latin1"));
  }
  for (const { path, names: gone } of names.values()) {
    const directory = reader.findPath(root, splitPath(path));
    const bytes = directory === undefined ? undefined : state.scanRow(directory.id);
    const row = bytes === undefined ? undefined : ScanRow.decode(bytes);
    if (directory === undefined || row === undefined) continue;
    const device = (BigInt(row.deviceMajor >>> 0) << 32n) | BigInt(row.deviceMinor >>> 0);
    state.setScanRow(directory.id, mergeRow(row, { device, put: [], removed: gone }));
  }
}
