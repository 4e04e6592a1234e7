/**
 * What a live filesystem asks of a box about the part of its tree that is not in the folder. Directories are named by their node ids, so that a moved one takes
 * along what is known of it.
 *
 * Whether a name of the tree that is not in the folder is unreal or was deleted is what scan rows say (doc/decisions/0012-unreal-content.md): what is recorded
 * and missing was deleted. So deleting something unreal is recording it.
 */
import type { Content, Dot, Entry, Hash, Meta } from "../format/mod.ts";
import type { StagedFiles } from "./staged-files.ts";

export type LayerMark = "real" | "unreal";

/** A directory that something was deleted from. */
export interface RemovedFrom {
  readonly id: Dot;
  /** Where the tree has it. */
  readonly path: Uint8Array;
  /** Where the folder has it, when asked; undefined where that is not known any more. */
  readonly placeNow: () => Uint8Array | undefined;
}

/** What a file is in the folder, whatever its names. */
export interface FolderFile {
  readonly device: bigint;
  readonly inode: bigint;
  readonly birthNs?: bigint | undefined;
}

/** Of a file that is not in the folder, and that the tree has at this path. */
export interface UnrealChange {
  readonly id: Dot;
  readonly path: Uint8Array;
  /** Its new path, where nothing is. */
  readonly to?: Uint8Array;
  readonly meta?: Partial<Pick<Meta, "mode" | "uid" | "gid">>;
  /** What it holds from now on: a content of the last commit. It is an empty file, or one hole. */
  readonly content?: Content;
}

export interface UnrealLayer {
  /** Files that were changed and are not in the folder. */
  readonly staged: StagedFiles;
  /** The tree that is being worked on; undefined before the first commit. Asked often. */
  tree(): Hash | undefined;
  /** Whether the folder may hold only a part of it. Where not, nothing is asked of what follows but marks. */
  isPart(): boolean;
  /** Whether a name of a directory is, or was, in the folder. @param name One character a byte. */
  isRecorded(directory: Dot, name: string): boolean;
  /** What is not in the folder is deleted: at once here, durably after `flush`. */
  remove(directory: RemovedFrom, entry: Entry): void;
  /** A directory that is recorded stands in the folder, or has been found missing: then somebody has deleted it there, or moved it, and a commit is due that finds out. */
  noteStanding(directory: Dot, stands: boolean): void;
  /** What stands at a path of the folder is this directory of the tree. Durable. @param path Names joined by "/", of the folder. */
  note(directory: Dot, entry: Entry, path: Uint8Array): void;
  flush(): void;
  /**
   * Brings something into the folder, which the tree has at these paths and the folder has not: all names of one file together.
   * @throws OuroError of a `ContentSource`, "locked", "no-space" and their like.
   */
  realize(paths: readonly Uint8Array[]): Promise<void>;
  /** Does something at once while nobody commits, or changes the folder by a command. @throws OuroError "locked" and its like. */
  alone<T>(act: () => T): Promise<T>;
  /** Gives an unreal file another name or other attributes, without bringing it: by a commit. @throws OuroError "stale": it is not there any more; "locked" and their like. */
  change(change: UnrealChange): Promise<void>;
  /**
   * Makes a file of the folder unreal, with a commit of it before, if there is nothing in it and it need not be real.
   * @param mayLeave Asked after that commit.
   * @returns What it is in the tree; undefined where it stays.
   * @throws OuroError "locked" and their like.
   */
  takeOutEmpty(path: Uint8Array, file: FolderFile, mayLeave: () => boolean): Promise<Dot | undefined>;
  /** A node of the tree is this file of the folder from now on, with the number it had (inode-numbers.ts): durably after `flush`. */
  becameReal(entry: Entry, file: FolderFile): void;
  /** Makes sure that nothing else gets the number of something unreal that is shown. */
  settleNumber(entry: Entry): void;
  /** Makes the tree's paths those of the folder: commits. @throws OuroError when that cannot be. */
  settle(): Promise<void>;
  markOf(entry: Entry): LayerMark | undefined;
  setMark(entry: Entry, mark: LayerMark | undefined): void;
}
