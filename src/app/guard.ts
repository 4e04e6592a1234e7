/**
 * The guard against disasters: what comes from others is not let in when it would remove or overwrite a great part of the files here, as a folder does
 * that was emptied by mistake, or a disk that was not there.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { fullVector, kinds, type NamedCommit } from "../format/mod.ts";
import { diffTrees, directoryOf, isShown, type TreeReader } from "../history/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { headsOfRemotes } from "./remote-heads.ts";

const immodest = Symbol("more would be taken away than the guard allows");

/** Whether the guard has stopped something. */
export function isStoppedByGuard(error: unknown): boolean {
  return isKind(error, "diverged") && error.cause === immodest;
}

/**
 * @param reader Of the target's tree; the box's own by default.
 * @throws OuroError "diverged" when a move would take away more than the settings allow.
 */
export function requireModest(
  box: OpenBox,
  own: NamedCommit,
  target: NamedCommit,
  reader: TreeReader = box.reader,
): void {
  const shareMax = Number(box.settings.find("sync.guard-share") ?? "50") / 100;
  const filesMax = Number(box.settings.find("sync.guard-files") ?? "100");
  const all = directoryOf(box.reader.root(own.commit.tree))?.summary.entries ?? 0;
  if (all * shareMax < 1 || all <= filesMax) return;
  let [removed, overwritten] = [0, 0];
  for (const change of diffTrees(reader, own.commit.tree, target.commit.tree)) {
    if (change.before === undefined || change.before.kind === kinds.directory) continue;
    if (change.type === "remove") removed += 1;
    else if (isShown(change) && change.what.has("content")) overwritten += 1;
  }
  const taken = removed + overwritten;
  if (taken <= filesMax || taken <= all * shareMax) return;
  const id = toHex(target.id).slice(0, 12);
  throw new OuroError(
    "diverged",
    `Cannot go on to commit ${id}: it would remove ${removed} and overwrite ${overwritten} of the ${all} files here${whoseWork(box, own)}`,
    {
      hint: `Look at it with \`ourobox diff --names HEAD ${id}\`. If that is what you want, run the command again with --force; if not, undo it where it was done.`,
      cause: immodest,
    },
  );
}

/** Whose heads have what the own has not. */
function whoseWork(box: OpenBox, own: NamedCommit): string {
  const others = headsOfRemotes(box).filter(({ commit }) => !hasAllOf(own, box.commits.read(commit)));
  const names = new Set(others.map(({ peerName }) => peerName));
  return names.size === 0 ? "" : `; it comes from ${[...names].join(", ")}`;
}

/** Whether a commit has taken in all that another has. */
export function hasAllOf(commit: NamedCommit, other: NamedCommit): boolean {
  const seen = new Map(fullVector(commit).map(({ writer, clock }) => [writer, clock]));
  return fullVector(other).every(({ writer, clock }) => (seen.get(writer) ?? 0n) >= clock);
}
