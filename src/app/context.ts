/** What the world gives to the application: time, chance, disk, a person to ask. The command line makes one; tests make another. */
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import type { FolderWriter } from "../workdir/mod.ts";

/** Where long work tells how far it is. */
export interface Progress {
  /** Begins a phase; totals are 0 when unknown. */
  phase(name: string, totals?: { readonly files?: number; readonly bytes?: number }): void;
  add(files: number, bytes: number): void;
  done(): void;
}

export const silentProgress: Progress = { phase() {}, add() {}, done() {} };

export type PassphrasePurpose = "open" | "first" | "new";

export interface AppContext {
  /** Absolute. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** Unpredictable bytes, for keys and ids. */
  random(length: number): Uint8Array;
  readonly disk: Disk;
  /** Worker threads for reading and writing files; 0 does all in this thread, through `disk` and `folderWriter`. */
  readonly workers: number;
  /** How folders are written; `posixWriter` by default. */
  readonly folderWriter?: FolderWriter;
  /** How much room the disk has that a path is on; the system is asked by default. */
  readonly diskSpace?: (path: string) => { readonly total: number; readonly free: number };
  readonly signal: AbortSignal;
  readonly progress: Progress;
  /** Something went wrong for one file; the command goes on and ends with "partial". */
  warn(message: string): void;
  /** Worth a line, not a problem. */
  notice(message: string): void;
  /**
   * @param purpose "open" unless given. "first" is of a new remote: a person types it twice. "new" is one beside or instead of another,
   * for which scripts have variables of their own.
   * @throws OuroError "wrong-key" when there is nobody to ask.
   */
  askPassphrase(prompt: string, purpose?: PassphrasePurpose): Promise<string>;
}
