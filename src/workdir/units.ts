/**
 * Units, the directories marked atomic, as a commit of a folder sees them. What comes into one or leaves it is born anew (doc/merge.md,
 * "Units"): it is no move, though it has the inode that it had.
 */
import { type Dot, dotKey, type Entry, summaryFlags } from "../format/mod.ts";
import { directoryOf, isUnit, type State, splitPath, type TreeReader } from "../history/mod.ts";
import { latin } from "./folder-walk.ts";
import { isDirectoryMode, ScanRow, ScanRowBuilder } from "./scan-row.ts";

/** What is in no unit is in this one. */
export const noUnit = "";

/** The unit that what is in a directory is in. @param above That of the directory itself. */
export function unitIn(directory: Entry | undefined, above: string): string {
  return above === noUnit && directory !== undefined && isUnit(directory) ? dotKey(directory.id) : above;
}

/** Which units the tree has. */
export class UnitsOfTree {
  readonly #reader: TreeReader;
  readonly #root: Entry | undefined;
  readonly #hasAny: boolean;

  constructor(reader: TreeReader, root: Entry | undefined) {
    this.#reader = reader;
    this.#root = root;
    const directory = root === undefined ? undefined : directoryOf(root);
    this.#hasAny = directory !== undefined && (directory.summary.flags & summaryFlags.atomics) !== 0;
  }

  /** The outermost unit around a path of the tree, one character a byte. */
  around(path: string): string {
    if (!this.#hasAny) return noUnit;
    let at = this.#root;
    for (const name of splitPath(latin(path)).slice(0, -1)) {
      const directory = at === undefined ? undefined : directoryOf(at);
      at = directory === undefined ? undefined : this.#reader.find(directory, name);
      if (at === undefined) return noUnit;
      if (isUnit(at)) return dotKey(at.id);
    }
    return noUnit;
  }
}

/** A directory that was born anew. */
export interface Rebirth {
  readonly from: Dot;
  readonly to: Dot;
}

/** What marking and unmarking units has changed of a tree's ids. */
export interface Rebirths {
  /** By `dotKey` of the id that a directory had. */
  readonly directories: ReadonlyMap<string, Rebirth>;
  /** The units themselves, which keep their ids. */
  readonly units: readonly Dot[];
}

/** Moves what was observed in directories to the ids that they have now. */
export function renewRows(
  state: Pick<State, "scanRow" | "setScanRow" | "deleteScanRow">,
  { directories, units }: Rebirths,
): void {
  for (const id of units) {
    const row = readRow(state, id);
    if (row !== undefined) state.setScanRow(id, renewed(row, directories));
  }
  for (const { from, to } of directories.values()) {
    const row = readRow(state, from);
    if (row === undefined) continue;
    state.setScanRow(to, renewed(row, directories));
    state.deleteScanRow(from);
  }
}

function readRow(state: Pick<State, "scanRow">, id: Dot): ScanRow | undefined {
  const bytes = state.scanRow(id);
  return bytes === undefined ? undefined : ScanRow.decode(bytes);
}

function renewed(row: ScanRow, directories: Rebirths["directories"]): Uint8Array {
  const builder = new ScanRowBuilder(row.deviceMajor, row.deviceMinor);
  for (const at of row.starts) {
    const rebirth = isDirectoryMode(row.mode(at)) ? directories.get(dotKey(row.id(at))) : undefined;
    if (rebirth === undefined) builder.copy(row, at);
    else builder.add({ ...row.record(at), id: rebirth.to });
  }
  return builder.finish();
}
