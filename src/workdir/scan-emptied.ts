/**
 * Directories that are gone from a folder which holds only a part of its tree. Only what was in the folder is gone with them: a directory of which
 * more is in the tree stays there, with what never was here.
 */
import { dotKey, kinds } from "../format/mod.ts";
import { directoryOf, splitPath } from "../history/mod.ts";
import type { DirectoryScan, NameChange, Scanner } from "./folder-scanner.ts";
import { below, latin } from "./folder-walk.ts";
import { isAbsent, isDirectoryMode } from "./scan-row.ts";

/** @param movedIds Of directories that stand elsewhere now: they take along what they have. */
export function keepUnseen(scanner: Scanner, scans: Iterable<DirectoryScan>, movedIds: ReadonlySet<string>): void {
  const stack = [...scans];
  for (let scan = stack.pop(); scan !== undefined; scan = stack.pop()) {
    for (const change of [...scan.changes.values()]) {
      if (change.scan !== undefined) stack.push(change.scan);
      else if (change.type === "gone" && change.isDirectory) {
        const emptied = emptiedAt(scanner, scan, change, movedIds);
        if (emptied !== undefined) scan.changes.set(change.name, emptied);
      }
    }
  }
}

/** The change that it is; undefined when all of the directory is gone, or it is elsewhere. */
function emptiedAt(
  scanner: Scanner,
  parent: DirectoryScan,
  { name, at }: NameChange,
  movedIds: ReadonlySet<string>,
): NameChange | undefined {
  const { reader, tree } = scanner.options;
  if (movedIds.has(dotKey(parent.row.id(at)))) return undefined;
  const record = { row: parent.row, at };
  const scan = scanner.scanOf({ parent, place: "", name }, record, below(parent.oldPath, name));
  const entry = tree === undefined ? undefined : reader.findPath(tree, splitPath(latin(scan.oldPath)));
  const directory = entry?.kind === kinds.directory ? directoryOf(entry) : undefined;
  if (directory === undefined) return undefined;
  const { row } = scan;
  let here = 0;
  let isEmptied = false;
  for (const start of row.starts) {
    if (row.nameLength(start) === 0) continue;
    const inner = row.name(start);
    if (isAbsent(row, start)) continue;
    here += 1;
    const isDirectory = isDirectoryMode(row.mode(start));
    const change: NameChange = { name: inner, type: "gone", at: start, scan: undefined, isDirectory };
    const emptied = isDirectory ? emptiedAt(scanner, scan, change, movedIds) : undefined;
    if (emptied !== undefined) isEmptied = true;
    scan.changes.set(inner, emptied ?? change);
  }
  if (!isEmptied && here >= directory.summary.names) return undefined;
  return { name, type: "emptied", at, scan, isDirectory: true };
}
