/** What examining a folder is given, and what it holds while it goes through it. */
import type { FileStat } from "../base/posix.ts";
import type { DirectoryValue, Dot, Entry, Hash } from "../format/mod.ts";
import type { PathFilter, TreeReader } from "../history/mod.ts";
import type { Ingest } from "../store/mod.ts";
import type { EntryContext } from "./entry-of-file.ts";
import type { DirectoryScan, NameChange } from "./folder-scanner.ts";
import type { FolderWalk } from "./folder-walk.ts";
import type { IgnoreRules } from "./ignore-rules.ts";
import type { ListedName } from "./observer.ts";
import type { FolderScan } from "./scan.ts";
import type { ScanRecord } from "./scan-row.ts";
import type { LinkedFiles } from "./survey.ts";
import type { VanishedFiles } from "./vanished.ts";

export interface ExamineOptions {
  readonly root: number;
  /** The folder's absolute path, for opening its files. */
  readonly rootPath: Uint8Array;
  readonly scan: FolderScan;
  readonly reader: TreeReader;
  readonly tree: Entry | undefined;
  readonly filter?: PathFilter;
  readonly context: EntryContext;
  readonly ingest: Pick<Ingest, "ingest" | "whenRoom">;
  readonly vanished: VanishedFiles;
  readonly links: LinkedFiles;
  /** Keeps a list node. */
  readonly putList: (bytes: Uint8Array) => Hash;
  readonly nextId: () => Dot;
  /** What was changed before this time cannot have been changed again unnoticed. Nanoseconds since 1970. */
  readonly sureBeforeNs: bigint;
  /** Whether to read what is new: else only so far as it may be something renamed. */
  readonly readsNew: boolean;
  /** Which new directories are gone into all the same. */
  readonly opensNew?: (path: Uint8Array) => boolean;
  readonly signal?: AbortSignal;
  readonly warn: (message: string) => void;
  readonly onFile?: (files: number, bytes: number) => void;
}

export interface Frame {
  readonly path: string;
  /** The path for opening what is in it, with its last "/". */
  readonly prefix: Buffer;
  readonly device: bigint;
  /** Of a directory of the tree; with the tree's data of it, and its changes by name. */
  readonly scan: DirectoryScan | undefined;
  readonly value: DirectoryValue | undefined;
  readonly changes: readonly NameChange[];
  /** Of a new one. */
  readonly names: readonly ListedName[];
  readonly rules: IgnoreRules | undefined;
  /** That what is in it is in. */
  readonly unit: string;
  next: number;
}

/** A name at hand. */
export interface Place {
  readonly walk: FolderWalk;
  readonly frame: Frame;
  readonly path: string;
  readonly name: string;
  readonly stat: FileStat;
}

/** The node that a name is, as far as it is known before it is read. */
export interface Known {
  readonly before: Entry;
  /** What was seen of it last. */
  readonly record: ScanRecord;
  /** Where it stood. */
  readonly oldPath: string;
  /** Whether that was in another directory or under another name. */
  readonly isMoved: boolean;
}

export interface Identity {
  readonly known: Known | undefined;
  /** The tree's entry of that name, when it is another node. */
  readonly replaced: Entry | undefined;
  /** The inode of what the last scan saw under that name, where that may stand elsewhere now. */
  readonly lastInode?: bigint;
}
