/** Changes as commands show them: history's, and whether they are picked for the next commit. */
import type { Change as TreeChange } from "../history/mod.ts";

/** Names joined by "/", from the box's root; the root's is empty. */
export type Path = Uint8Array;

export interface Change extends TreeChange {
  /** In a status: whether the next commit takes it. */
  readonly picked?: boolean;
}
