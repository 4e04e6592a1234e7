/**
 * What a live filesystem asks of a box about files that were changed and are not in the folder: each has a log of its edits, on the content that the tree had of it
 * (doc/decisions/0021-staged-files.md). They are found by their node ids, so whoever moves a directory takes them along.
 */
import type { Dot } from "../format/mod.ts";
import type { StagedBase, StagedFile } from "../workdir/mod.ts";

export interface StagedFiles {
  /** How many there are: mostly none. */
  readonly count: number;
  /** Whether one more may be begun. */
  readonly hasRoom: boolean;
  /** What was changed of a file since a commit has seen it. */
  find(id: Dot): StagedFile | undefined;
  /** Begins to keep edits of a file. Undefined where there are too many already. @throws Error of the disk. */
  begin(base: StagedBase): StagedFile | undefined;
  /** Forgets all edits of a file, which was deleted for good. */
  end(id: Dot): void;
  /** To be called after each edit. */
  changed(): void;
  /** For times of change. */
  nowNs(): bigint;
  /** Below this a file is brought whole. In bytes. */
  readonly sizeMin: number;
}
