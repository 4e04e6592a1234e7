/** What an examination of a folder tells of each name, in the order of the tree. */
import type { Entry } from "../format/mod.ts";
import type { EntryDraft } from "./entry-of-file.ts";
import type { ScanRecord, ScanRow } from "./scan-row.ts";

interface NameVisit {
  /** One character a byte, like `name`. */
  readonly path: string;
  readonly name: string;
  /** The node's entry in the tree; absent for a new node. */
  readonly before: Entry | undefined;
  /** What the tree has under this name, when that is another node. */
  readonly replaced: Entry | undefined;
  /** Where it stood, when it was itself moved or renamed. */
  readonly oldPath: string | undefined;
  /** Whether any register of its own was edited. */
  readonly isEdited: boolean;
}

/** A directory that is gone into: one of the tree, or a new one. */
export interface DirectoryVisit extends NameVisit {
  /** As it is now, but for its data. */
  readonly draft: EntryDraft;
  /** What was observed of itself; absent when that is as its directory's row says. */
  readonly record: ScanRecord | undefined;
  /** The row it had. */
  readonly row: ScanRow | undefined;
  readonly device: bigint;
  /** About how many of its names will be put or removed. */
  readonly changes: number;
  /** It is new and not chosen: without anything chosen in it, it is nothing. */
  readonly isAbove: boolean;
  /** It is in the folder no more, and in the tree all the same. */
  readonly isGone?: boolean;
}

/** Any other name that is new, changed, or was looked at and found as it was. */
export interface LeafVisit extends NameVisit {
  readonly entry: Entry;
  readonly record: ScanRecord;
}

/** Told of a directory, what is in it by name, its end, the next name. */
export interface FolderVisitor {
  enter(visit: DirectoryVisit): void;
  leave(): void;
  put(visit: LeafVisit): void;
  /** A name that is gone from the directory at hand. @param oldPath Where the tree has it. */
  remove(oldPath: string, name: string): void;
}
