/** Commits: a tree, where it came from, and what it has seen. Format: doc/format.md, section 5. */
import type { EventName, WriterId } from "./dot.ts";
import type { Hash } from "./entry.ts";

/** What a version vector says of one writer: its greatest event seen, and the first 8 bytes of that commit's id. */
export interface VectorEntry extends EventName {
  readonly event: Uint8Array;
}

/** Sorted by writer, one entry each. */
export type VersionVector = readonly VectorEntry[];

interface CommitBase {
  readonly box: Uint8Array;
  /** The root node. */
  readonly tree: Hash;
  /** As stored: an event leaves out its own writer. `fullVector` adds it. */
  readonly vector: VersionVector;
  readonly parents: readonly Hash[];
}

export interface EventCommit extends CommitBase {
  readonly type: "event";
  readonly writer: WriterId;
  readonly clock: bigint;
  /** The writer's own last event before this; absent for its first. */
  readonly previous?: { readonly clock: bigint; readonly id: Hash };
  /** ed25519 public key, 32 bytes. */
  readonly peer: Uint8Array;
  /** Milliseconds since 1970, of the peer's wall clock. */
  readonly timeMs: number;
  /** Of `commitFlags`. */
  readonly flags: number;
  readonly author: string;
  readonly message: string;
}

export interface JoinCommit extends CommitBase {
  readonly type: "join";
}

export type Commit = EventCommit | JoinCommit;

export const commitFlags = { automatic: 1, mend: 2, restore: 4 } as const;

/** A commit with its name, as read from the store. */
export interface NamedCommit {
  readonly id: Hash;
  readonly commit: Commit;
}
