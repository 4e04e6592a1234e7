/**
 * Settling conflicts as `.ouroboxattributes` say, after a sync has joined: an ordinary edit, never part of a join, which must be the same on every peer.
 *
 * Only the working copy that wrote the latest of the values does it, and never where a merge made that value: else two peers could merge each
 * other's merges for ever.
 */
import { commitFlags } from "../format/mod.ts";
import { TreeAttributes } from "./attributes.ts";
import type { Path } from "./changes.ts";
import { type Conflict, conflictsOf } from "./conflicts.ts";
import { findDriver } from "./merge-driver.ts";
import type { OpenBox } from "./open-box.ts";
import { currentWriter } from "./own-writer.ts";
import { type Resolution, resolveConflicts } from "./resolve.ts";

/** Together on no other commit: earlier values, put together by no person. */
const mergeFlags = commitFlags.automatic | commitFlags.restore;

/** @returns How many conflicts were settled. What cannot be stays as it is. */
export async function settleConflicts(box: OpenBox): Promise<number> {
  const head = box.headCommit();
  const conflicts = head === undefined ? [] : conflictsOf(box).filter((conflict) => isToSettleHere(box, conflict));
  if (head === undefined || conflicts.length === 0) return 0;
  const attributes = new TreeAttributes(box, head.commit.tree);
  const byMerge = new Map<string, Path[]>();
  for (const { path } of conflicts) {
    const { merge } = attributes.of(path);
    if (merge !== undefined && resolutionOf(box, merge) !== undefined)
      byMerge.set(merge, [...(byMerge.get(merge) ?? []), path]);
  }
  let settled = 0;
  for (const [merge, paths] of byMerge) {
    const resolution = resolutionOf(box, merge);
    if (resolution === undefined) continue;
    const { resolved } = await resolveConflicts(box, paths, resolution, { flags: mergeFlags });
    settled += resolved.length;
  }
  return settled;
}

/** What an attribute asks for; undefined for a driver that this machine does not have. */
function resolutionOf(box: OpenBox, merge: string): Resolution | undefined {
  if (merge === "keep-both") return { keep: "both" };
  return merge === "text" || findDriver(box, merge) !== undefined ? { keep: "merge" } : undefined;
}

function isToSettleHere(box: OpenBox, { values: [latest] }: Conflict): boolean {
  if (latest === undefined || latest.dot.writer !== currentWriter(box, box.state.head()).writer) return false;
  if (latest.commit === undefined) return false;
  const { commit } = box.commits.read(latest.commit);
  return commit.type === "event" && (commit.flags & mergeFlags) !== mergeFlags;
}
