/** What push and fetch are given: the narrow parts of a box that they use. */
import type { Disk } from "../base/disk.ts";
import type { BoxSecrets, Verify } from "../format/mod.ts";
import type { State } from "../history/mod.ts";
import type { Remote } from "../remote/mod.ts";
import type { Store } from "../store/mod.ts";

export type SyncStore = Pick<
  Store,
  | "hasher"
  | "packs"
  | "packPath"
  | "repacking"
  | "sparse"
  | "temporaryFolder"
  | "hasMeta"
  | "knowsChunk"
  | "getMeta"
  | "openAdoption"
  | "openSpill"
>;

export type SyncState = Pick<
  State,
  | "head"
  | "branches"
  | "tags"
  | "setTag"
  | "remoteHeads"
  | "setRemoteHead"
  | "deleteRemoteHeads"
  | "value"
  | "setValue"
  | "transaction"
>;

/** Where long work tells how far it is. */
export interface SyncProgress {
  /** Begins a phase; totals are 0 when unknown. */
  phase(name: string, totals?: { readonly files?: number; readonly bytes?: number }): void;
  add(files: number, bytes: number): void;
}

export interface SyncOptions {
  readonly remote: Remote;
  /** The remote's name in this box. */
  readonly remoteName: string;
  readonly secrets: BoxSecrets;
  readonly store: SyncStore;
  readonly state: SyncState;
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
  readonly verify: Verify;
  readonly signal?: AbortSignal;
  readonly progress?: SyncProgress;
  /** How many packs are on their way at once; 4 by default. */
  readonly transfers?: number;
  /** Worker threads for taking in what has come; 0, which is the default, does all in this thread and through `disk`. */
  readonly workers?: number;
}

export const transfersDefault = 4;
