/**
 * `sync`: commit what changed here, fetch what others have, join, push. Repeatable: when there is nothing to do nothing is done. A remote that does not
 * answer is left for the next time, and the others are served.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { equalBytes, toHex } from "../base/bytes.ts";
import { isKind, type OuroError } from "../base/errors.ts";
import { commitFlags, type Hash, type NamedCommit } from "../format/mod.ts";
import { commitsOnBranch, type FetchReport, hasFarAhead, type PushReport, pushBox } from "./box-remotes.ts";
import { conflictsOf } from "./conflicts.ts";
import { isStoppedByGuard } from "./guard.ts";
import { commitChanges, immodestHeads, type JoinReport, joinHeads } from "./join-heads.ts";
import { resumeMove } from "./move-folder.ts";
import type { OpenBox } from "./open-box.ts";
import { keepOwnHead } from "./own-head.ts";
import { remotesOf } from "./remote-list.ts";
import { settleConflicts } from "./settle.ts";
import { chooseRemotes, chooseWritable, fetchOrNothing, sumFetches } from "./several-remotes.ts";
import { thinHistory } from "./thin-history.ts";

export interface SyncRequest {
  /** Takes in what would remove or overwrite a great part of the files, too. */
  readonly force: boolean;
  /** Of the commit of what was changed here. */
  readonly message: string;
  /** Takes in what is dated more than a day ahead, too; else it is left for later, with a warning. */
  readonly acceptClock?: boolean;
  /** What the guard would stop is held back, and all else is joined. */
  readonly holdsBack?: boolean;
}

export interface SyncReport {
  /** What was changed here. */
  readonly committed?: Hash;
  /** What the head has moved to by what others did. */
  readonly moved?: Hash;
  readonly mends: number;
  /** Files in conflict, when something was joined. */
  readonly conflicts: number;
  /** Conflicts that were settled as `.ouroboxattributes` say. */
  readonly settled: number;
  readonly fetched: readonly (FetchReport & { readonly remote: string })[];
  readonly pushed: readonly (PushReport & { readonly remote: string })[];
  /** Remotes that could not be reached, or not be written to. */
  readonly failed: readonly { readonly remote: string; readonly error: OuroError }[];
  /** What the guard has held back, and why. */
  readonly held?: OuroError;
  readonly partial: boolean;
}

/** Two machines that join at the same moment would both mend the same things: whoever waits longer finds it done. */
const mendWaitMsMax = 500;

/**
 * @param names Of remotes; none: all there are.
 * @throws As `commitBox` and `joinHeads`. What goes wrong with a remote is in the report.
 */
export async function syncBox(
  box: OpenBox,
  names: readonly string[],
  { force, message, holdsBack = false, acceptClock = false }: SyncRequest,
): Promise<SyncReport> {
  await resumeMove(box);
  const hasRemotes = names.length > 0 || remotesOf(box).length > 0;
  const remotes = hasRemotes ? chooseRemotes(box, names).map(({ name }) => name) : [];
  const failed = new Map<string, OuroError>();
  const attempt = async <T>(remote: string, body: () => Promise<T>): Promise<T | undefined> => {
    if (failed.has(remote)) return undefined;
    try {
      return await body();
    } catch (thrown) {
      if (!isKind(thrown) || ["aborted", "usage", "no-space", "wrong-key", "corrupt"].includes(thrown.kind))
        throw thrown;
      failed.set(remote, thrown);
      return undefined;
    }
  };
  const fetched = new Map<string, FetchReport>();
  const fetchAll = async (): Promise<boolean> => {
    let isNew = false;
    for (const remote of remotes) {
      const report = await attempt(remote, () => fetchOrNothing(box, remote));
      if (report === undefined) continue;
      isNew ||= report.heads > 0;
      const before = fetched.get(remote);
      fetched.set(remote, before === undefined ? report : sumFetches(before, report));
    }
    return isNew;
  };
  await fetchAll();
  // Now it is known whether this box is an old copy: what it commits is then another writer's.
  // What somebody has given a message was asked for.
  const flags = message === "" ? commitFlags.automatic : 0;
  const own = box.root === undefined ? undefined : await commitChanges(box, message, flags);
  const beforeMend = async (): Promise<boolean> => {
    await sleep(((box.context.random(1)[0] ?? 0) / 255) * mendWaitMsMax, undefined, { signal: box.context.signal });
    return fetchAll();
  };
  const join = (isTaken: (commit: NamedCommit) => boolean): Promise<JoinReport> =>
    joinHeads(box, {
      command: "sync",
      others: () => commitsOnBranch(box, box.branch, { acceptClock }).filter(isTaken),
      isGuarded: !force,
      beforeMend,
    });
  let held: OuroError | undefined;
  let joined: JoinReport;
  try {
    joined = await join(() => true);
  } catch (thrown) {
    if (!holdsBack || !isStoppedByGuard(thrown) || !isKind(thrown)) throw thrown;
    held = thrown;
    const ids = new Set(
      immodestHeads(box, commitsOnBranch(box, box.branch, { acceptClock })).map(({ id }) => toHex(id)),
    );
    // Where only all of them together are too much, all wait.
    joined = await join(({ id }) => ids.size > 0 && !ids.has(toHex(id)));
  }
  if (joined.moved === undefined) keepOwnHead(box);
  const settled = await settleNews(box);
  const pushed: (PushReport & { readonly remote: string })[] = [];
  if (box.head() !== undefined && hasRemotes) {
    for (const { name: remote } of chooseWritable(box, names)) {
      const report = await attempt(remote, () => pushBox(box, remote));
      if (report !== undefined) pushed.push({ remote, ...report });
    }
  }
  if (own?.id !== undefined) await thinHistory(box);
  const isAhead = !acceptClock && hasFarAhead(box, box.branch);
  const isPartial = isAhead || [...fetched.values()].some(({ partial }) => partial);
  return {
    ...(own?.id === undefined ? {} : { committed: own.id }),
    ...(joined.moved === undefined ? {} : { moved: joined.moved }),
    mends: joined.mends,
    conflicts: joined.moved === undefined ? 0 : conflictsOf(box).length,
    settled,
    fetched: [...fetched].map(([remote, report]) => ({ remote, ...report })),
    pushed,
    failed: [...failed].map(([remote, error]) => ({ remote, error })),
    ...(held === undefined ? {} : { held }),
    partial: isPartial || joined.isPartial || own?.partial === true || failed.size > 0 || held !== undefined,
  };
}

const settledKey = "settled";

/** Settles what can be, once for every head. */
async function settleNews(box: OpenBox): Promise<number> {
  const head = box.head()?.commit;
  const last = box.state.folderValue(settledKey);
  if (head === undefined || (last !== undefined && equalBytes(last, head))) return 0;
  const settled = await settleConflicts(box);
  box.state.setFolderValue(settledKey, box.head()?.commit ?? head);
  return settled;
}
