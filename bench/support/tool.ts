/**
 * A tool is ours or a peer: how to make its repository, save a tree into it, and get it back, as a user of it would.
 * Each has one place per trial, on a ground of its own.
 */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./measure.ts";

/** Where one tool works in one trial. */
export interface Place {
  /** The tree it saves. */
  readonly tree: string;
  /** Its repository; may not exist yet. For a tool with `inTree` it lies in the tree. */
  readonly repository: string;
  /** An empty home of its own, so that caches and keys are of this trial alone. */
  readonly home: string;
  /** Any other file of its own. */
  readonly scratch: string;
}

export interface Tool {
  readonly name: string;
  /** Its repository lies in the tree: it gets its own copy of the tree, on its ground. */
  readonly inTree?: boolean;
  /** Undefined when it is not installed here. */
  findVersion(): Promise<string | undefined>;
  environment(place: Place): Record<string, string>;
  /** Undefined when there is nothing to prepare. */
  init?(place: Place): Command;
  commit(place: Place, label: string): Command;
  /** Gets the newest state back into `target`, an empty folder. */
  restore?(place: Place, target: string): Command;
  /** Keeps nothing of the last run and stores all again, so that "unchanged" says nothing new. */
  readonly forgetful?: boolean;
  /** The repository's files, for counting; a path below which everything is its own. */
  repositoryOf(place: Place): string;
  /** Names within the repository that are caches or local state, not counted as stored. */
  readonly notStored?: RegExp;
  /** Saves one file as well as a tree (casync and desync treat it as a blob). */
  readonly image?: { commit(place: Place, file: string, label: string): Command };
}

export interface Sizes {
  readonly stored: number;
  readonly local: number;
}

/** Counts a tool's bytes: sizes of files, not of blocks. */
export function countStored(tool: Tool, place: Place): Sizes {
  const repository = tool.repositoryOf(place);
  const skipped = tool.notStored;
  const all = countBytes(repository);
  const stored = skipped === undefined ? all : countBytes(repository, (name) => !skipped.test(name));
  return { stored, local: all + countBytes(place.home) };
}

/** Bytes of the regular files below a path (or of that file); 0 if it is not there. */
export function countBytes(path: string, wanted: (name: string) => boolean = () => true): number {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 0;
  if (stat.isFile()) return stat.size;
  if (!stat.isDirectory()) return 0;
  return readdirSync(path)
    .filter(wanted)
    .reduce((sum, name) => sum + countBytes(join(path, name), wanted), 0);
}
