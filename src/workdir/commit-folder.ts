/**
 * Committing a folder: its scan, the content of what changed, and the tree that it makes of the head's.
 *
 * Content goes to the ingest and nodes to the sink; both are the caller's to publish, before the transaction that moves the head and in
 * which `saveRows` is to be called. Nothing is changed before that; a commit that finds the head moved does it all again.
 */
import type { Clock } from "../base/clock.ts";
import { close, type PathLike } from "../base/posix.ts";
import type { Spill } from "../base/spill.ts";
import { type Dot, type Entry, type EventName, type Hash, kinds } from "../format/mod.ts";
import type { Births, PathFilter, State, TreeReader } from "../history/mod.ts";
import { comparePaths, directoryOf, splitPath } from "../history/mod.ts";
import type { Ingest, MetaSink } from "../store/mod.ts";
import type { EntryContext } from "./entry-of-file.ts";
import { examineFolder } from "./examine.ts";
import type { DirectoryScan, RowSource } from "./folder-scanner.ts";
import type { FolderVisitor } from "./folder-visitor.ts";
import { latin, openRoot } from "./folder-walk.ts";
import { rowOfTree } from "./row-of-tree.ts";
import { type FolderScan, scanFolder } from "./scan.ts";
import { ScanRow } from "./scan-row.ts";
import type { MovedNode } from "./seen-twice.ts";
import { surveyFolder } from "./survey.ts";
import { type ChangeCounts, TreeWriter, type UnitChecks, type UnitMarks } from "./tree-writer.ts";
import { type Rebirths, renewRows } from "./units.ts";
import { VanishedFiles } from "./vanished.ts";

/** A kernel's file times advance in steps of at most 10 ms: of what is younger than this, a later change may not show. */
const granuleNs = 20_000_000n;

/** A folder and the tree it is compared with. */
export interface FolderContext {
  /** Absolute. */
  readonly path: PathLike;
  readonly rows: RowSource;
  readonly reader: TreeReader;
  /** The head's root; absent before the first commit: everything is new. */
  readonly tree: Entry | undefined;
  /** Only these paths; absent: all. */
  readonly filter?: PathFilter;
  /** The folder holds only a part of the tree: what was never in it is not missed. */
  readonly isPart?: boolean;
  readonly clock: Clock;
  /** Whether owners in the folder count. */
  readonly keepsOwner: boolean;
  readonly isRoot: boolean;
  readonly signal?: AbortSignal;
  /** One line about one path that was not taken in; the result is partial. */
  readonly warn: (message: string) => void;
  readonly onFile?: (files: number, bytes: number) => void;
}

export interface CommitFolderOptions extends FolderContext {
  readonly ingest: Pick<Ingest, "ingest" | "whenRoom">;
  readonly sink: MetaSink;
  /** Dates all edits. */
  readonly event: EventName;
  readonly marks?: UnitMarks;
  /** Where what was seen is put aside until `saveRows`, which is to come before its end; absent: it is not to be saved. */
  readonly rowsAside?: Spill;
}

export interface CommittedFolder {
  /** The new root node; absent when nothing in the tree was edited. */
  readonly tree: Hash | undefined;
  readonly counts: ChangeCounts;
  /** What the tree has and could not be made in this folder, by path. */
  readonly absent: readonly Uint8Array[];
  /** Something could not be read, and is as in the last commit. */
  readonly isPartial: boolean;
  /** Where directories may have to be marked as units, or unmarked. */
  readonly unitChecks: UnitChecks;
  /** What was found under another name: to be asked `isSeenTwice` about, when the tree can be read. */
  readonly moved: readonly MovedNode[];
  /** Gives out further ids of the event. */
  readonly births: Births;
  /**
   * Writes what was seen, for the next scan. To be called in the transaction that moves the head to this tree (or, without a tree, in any).
   * @param rebirths When units were marked in the tree.
   */
  saveRows(state: Pick<State, "scanRow" | "setScanRow" | "deleteScanRow">, rebirths?: Rebirths): void;
}

/**
 * @throws OuroError "stale" (the folder looks unmounted), "aborted", "no-space", "permission" about the root, "corrupt" about the tree.
 */
export async function commitFolder(options: CommitFolderOptions): Promise<CommittedFolder> {
  const { sink, event, ingest } = options;
  const writer = new TreeWriter(options);
  let counter = 0;
  const births: Births = {
    take(count) {
      const first = counter + 1;
      counter += count;
      return { ...event, counter: first };
    },
  };
  const examined = await examine(options, writer, {
    ingest,
    event,
    putList: (bytes) => sink.put("list", bytes),
    putXattrs: (bytes) => sink.put("xattrs", bytes),
    nextId: () => births.take(1),
    readsNew: true,
  });
  const { tree, counts, unitChecks, moved } = writer;
  return {
    tree,
    counts,
    absent: examined.absent,
    isPartial: examined.isPartial,
    unitChecks,
    moved,
    births,
    saveRows(state, rebirths) {
      for (const id of examined.goneDirectories) state.deleteScanRow(id);
      for (const { id, bytes } of writer.rows()) state.setScanRow(id, bytes);
      if (rebirths !== undefined) renewRows(state, rebirths);
    },
  };
}

export interface ExamineRules {
  readonly ingest: Pick<Ingest, "ingest" | "whenRoom">;
  readonly event: EventName;
  readonly putList: (bytes: Uint8Array) => Hash;
  readonly putXattrs: (bytes: Uint8Array) => Hash;
  readonly nextId: () => Dot;
  readonly readsNew: boolean;
  readonly opensNew?: (path: Uint8Array) => boolean;
}

export interface Examined {
  readonly isPartial: boolean;
  readonly goneDirectories: readonly Dot[];
  /** What the tree has and could not be made in this folder, by path. */
  readonly absent: readonly Uint8Array[];
}

/** Scans a folder and tells the visitor what it finds. */
export async function examine(folder: FolderContext, visitor: FolderVisitor, rules: ExamineRules): Promise<Examined> {
  const { reader, tree, clock, path } = folder;
  const sureBeforeNs = BigInt(Math.floor(clock.nowMs())) * 1_000_000n - granuleNs;
  const root = openRoot(path);
  try {
    const scan = await scanFolder({ ...folder, root });
    const vanished = findVanished(folder, scan);
    const links = surveyFolder({ root, scan, vanished, entryOf: (at, name) => entryOf(folder, at, name) });
    const context: EntryContext = {
      event: rules.event,
      keepsOwner: folder.keepsOwner,
      isRoot: folder.isRoot,
      xattrsOf: (entry) => reader.xattrs(entry),
      putXattrs: rules.putXattrs,
    };
    const rootPath = typeof path === "string" ? Buffer.from(path) : path;
    const { isPartial } = await examineFolder(
      { ...folder, ...rules, root, rootPath, scan, tree, context, vanished, links, sureBeforeNs },
      visitor,
    );
    const absent = scan.absent.map(latin).sort(comparePaths);
    const goneDirectories = vanished.goneDirectories.map(({ row, at }) => row.id(at));
    return { isPartial: isPartial || scan.isPartial, goneDirectories, absent };
  } finally {
    close(root);
  }
}

function findVanished({ rows, reader, tree, isPart = false }: FolderContext, scan: FolderScan): VanishedFiles {
  return VanishedFiles.of(scan, {
    reader,
    tree,
    rowOf(row, at, oldPath) {
      const bytes = rows.scanRow(row.id(at));
      const found = bytes === undefined ? undefined : ScanRow.decode(bytes);
      if (found !== undefined || tree === undefined || isPart) return found ?? ScanRow.empty;
      const entry = reader.findPath(tree, splitPath(latin(oldPath)));
      const directory = entry === undefined ? undefined : directoryOf(entry);
      return directory === undefined ? ScanRow.empty : rowOfTree(reader, directory);
    },
  });
}

/** The tree's entry of a name in a directory of the tree. */
function entryOf({ reader, tree }: FolderContext, scan: DirectoryScan, name: string): Entry | undefined {
  if (tree === undefined) return undefined;
  const directory = reader.findPath(tree, splitPath(latin(scan.oldPath)));
  const value = directory === undefined ? undefined : directoryOf(directory);
  const entry = value === undefined ? undefined : reader.find(value, latin(name));
  return entry?.kind === kinds.file ? entry : undefined;
}
