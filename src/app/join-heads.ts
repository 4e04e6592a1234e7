/**
 * Joining others' heads with the own, and moving the folder to what comes out. Used by pull, sync, merge and clone.
 *
 * What is not committed and in the way is committed first, so that a join loses nothing (doc/merge.md, R3). When another command moves the head
 * meanwhile, all is done again.
 */
import { equalBytes } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import {
  commitFlags,
  type EventName,
  type Hash,
  type NamedCommit,
  type VersionVector,
  type WriterId,
} from "../format/mod.ts";
import {
  type ChainLink,
  forkedWriters,
  type JoinDraft,
  type JoinedCommits,
  joinCommits,
  joinForked,
  makeEventCommit,
  nextEvent,
  OverlayMeta,
  type OwnHead,
  putCommit,
  TreeReader,
} from "../history/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { type CommitReport, commitBox } from "./box-commit.ts";
import { findFarAhead } from "./far-clocks.ts";
import { isStoppedByGuard, requireModest } from "./guard.ts";
import { isStoppedByChanges, lockWhole, moveFolder, resumeMove } from "./move-folder.ts";
import type { OpenBox } from "./open-box.ts";
import { currentWriter, ownOn } from "./own-writer.ts";
import { peerName } from "./peer-name.ts";

export interface JoinRequest {
  /** What is recorded of it. */
  readonly command: string;
  /** The branch of a box that has no head yet; that at hand by default. */
  readonly branch?: string;
  /** What is to be joined with the head, asked for anew when it must be done again. */
  readonly others: () => readonly NamedCommit[];
  /** Refuses to remove or overwrite a great part of the files. */
  readonly isGuarded: boolean;
  /** Called before a join that mends, once: whoever waits may find the mend done by another. @returns Whether to look again. */
  readonly beforeMend?: () => Promise<boolean>;
}

export interface JoinReport {
  /** What the head has moved to; absent when it has all that the others have. */
  readonly moved?: Hash;
  /** How many things had to be mended. */
  readonly mends: number;
  /** What was not committed and in the way is in this commit. */
  readonly saved?: Hash;
  readonly isPartial: boolean;
}

const roundsMax = 20;
/** Of commits whose ids begin with the same eight bytes. */
const sameBeginningMax = 100;

interface JoinedOf {
  readonly from: OwnHead | undefined;
  readonly own: NamedCommit | undefined;
  readonly others: readonly NamedCommit[];
  readonly branch: string | undefined;
}

interface Joined {
  readonly commit: NamedCommit;
  readonly mends: number;
  /** Of a mend: who this working copy is after its event. */
  readonly onto?: Omit<OwnHead, "commit">;
}

/** @throws OuroError "diverged" when the guard stops it; "not-found" when histories of one writer cannot be told apart; "stale" when the head moves all the time. */
export async function joinHeads(box: OpenBox, request: JoinRequest): Promise<JoinReport> {
  const { state, store } = box;
  let saved: Hash | undefined;
  let hasWaited = false;
  let isPartial = false;
  for (let round = 1; ; round += 1) {
    await resumeMove(box);
    const from = state.head();
    const own = from === undefined ? undefined : box.commits.read(from.commit);
    const meta = store.openMetaWriter();
    try {
      const joined = joinAndPut(box, meta, { from, own, others: request.others(), branch: request.branch });
      if (joined === undefined || (own !== undefined && equalBytes(joined.commit.id, own.id))) {
        meta.abort();
        return { mends: 0, isPartial, ...(saved === undefined ? {} : { saved }) };
      }
      if (joined.mends > 0 && !hasWaited && request.beforeMend !== undefined) {
        hasWaited = true;
        if (await request.beforeMend()) {
          meta.abort();
          continue;
        }
      }
      meta.finish();
      const { commit, mends } = joined;
      const onto = joined.onto ?? (from === undefined ? ownOn(box, request.branch ?? box.branch) : undefined);
      if (request.isGuarded && own !== undefined) requireModest(box, own, commit);
      const options = { command: request.command, ...(onto && { onto }), ...(from && { from }) };
      const moved = await moveFolder(box, commit.id, options);
      isPartial ||= moved.isPartial;
      return { moved: commit.id, mends, isPartial, ...(saved === undefined ? {} : { saved }) };
    } catch (thrown) {
      meta.abort();
      if (round === roundsMax) throw thrown;
      if (isKind(thrown, "stale")) continue;
      if (!isStoppedByChanges(thrown)) throw thrown;
      const report = await commitChanges(box, `Before a ${request.command}`, commitFlags.automatic);
      isPartial ||= report.partial;
      if (report.id === undefined) throw thrown;
      saved = report.id;
    } finally {
      store.endWriting();
    }
  }
}

/** Commits everything that was changed in the folder. @param flags Of `commitFlags`. */
export async function commitChanges(box: OpenBox, message: string, flags: number): Promise<CommitReport> {
  using _ = await lockWhole(box, "shared");
  return await commitBox(box, { message, all: true, flags });
}

/** Joins commits, and keeps what comes out in the sink. @returns Undefined when there is nothing at all. */
function joinAndPut(box: OpenBox, meta: MetaSink, { from, own, others, branch }: JoinedOf): Joined | undefined {
  const [first, ...rest] = own === undefined ? others : [own, ...others];
  if (first === undefined) return undefined;
  const forked = findForked(box, [first, ...rest]);
  if (from !== undefined && forked.has(from.writer)) {
    box.renewWriter();
    box.context.notice("This box was used as two: it goes on under a new writer id, and nothing is lost.");
  }
  const writer = currentWriter(box, from, from?.branch ?? branch);
  const joined = joinAs(box, writer, [first, ...rest], { sink: meta, isForked: forked.size > 0 });
  if (joined.type !== "greatest") putCommit(meta, joined.commit);
  if (joined.type !== "mend") return { commit: joined.commit, mends: 0 };
  const last = { clock: joined.event.clock, id: joined.commit.id };
  return { commit: joined.commit, mends: joined.mends.length, onto: { ...writer, last } };
}

function findForked(box: OpenBox, commits: readonly NamedCommit[]): ReadonlySet<WriterId> {
  return forkedWriters(commits, { hasher: box.store.hasher, findEvent: (event) => findEvent(box, event) });
}

/** A writer's event by its clock and the beginning of its id. */
function findEvent(box: OpenBox, { clock, event }: { clock: bigint; event: Uint8Array }): ChainLink | undefined {
  for (const id of box.store.findCommits(event, sameBeginningMax)) {
    const { commit } = box.commits.read(id);
    if (commit.type === "event" && commit.clock === clock)
      return { clock, id, ...(commit.previous === undefined ? {} : { previous: commit.previous }) };
  }
  return undefined;
}

function joinAs(
  box: OpenBox,
  writer: Omit<OwnHead, "commit">,
  commits: readonly [NamedCommit, ...NamedCommit[]],
  { sink, isForked }: { readonly sink: MetaSink; readonly isForked: boolean },
): JoinedCommits {
  const { hasher } = box.store;
  const nowMs = box.context.clock.nowMs();
  const options = {
    hasher,
    box: box.identity.box,
    writer: writer.writer,
    event: (seen: VersionVector) => nextEvent({ ...writer, nowMs, seen }),
    makeEvent: (event: EventName, draft: JoinDraft) =>
      makeEventCommit(
        {
          ...draft,
          box: box.identity.box,
          ...event,
          ...(writer.last === undefined ? {} : { previous: writer.last }),
          peer: box.peer().publicKey,
          timeMs: nowMs,
          flags: commitFlags.automatic | commitFlags.mend,
          author: peerName(box),
          message: "",
        },
        { hasher, sign: (bytes) => box.peer().sign(bytes) },
      ),
  };
  const [first, second, ...rest] = commits;
  if (!isForked || second === undefined) return joinCommits(commits, { ...options, reader: box.reader, sink });
  // What is renamed is read again before it is kept.
  const overlay = new OverlayMeta(box.store, hasher);
  const joined = joinForked([first, second, ...rest], {
    ...options,
    reader: new TreeReader(overlay),
    sink: overlay,
    findEvent: (event) => findEvent(box, event),
  });
  overlay.copyTo(sink);
  return joined;
}

/** Of some heads those which, joined alone with the own, would take away more than the guard allows. Nothing is kept. */
export function immodestHeads(box: OpenBox, others: readonly NamedCommit[]): NamedCommit[] {
  const from = box.state.head();
  const own = box.headCommit();
  if (own === undefined) return [];
  return others.filter((other) => {
    const sink = new OverlayMeta(box.store, box.store.hasher);
    const joined = joinAndPut(box, sink, { from, own, others: [other], branch: undefined });
    try {
      if (joined !== undefined) requireModest(box, own, joined.commit, new TreeReader(sink));
      return false;
    } catch (thrown) {
      if (!isStoppedByGuard(thrown)) throw thrown;
      return true;
    }
  });
}

export interface MergeRequest {
  /** What people call the commit. */
  readonly name: string;
  /** Takes in what is dated more than a day ahead, too. */
  readonly acceptClock: boolean;
}

/** Joins a commit of another branch, or any other, with the head. @throws OuroError "invalid" for one that is dated far ahead. */
export async function mergeCommit(
  box: OpenBox,
  commit: Hash,
  { name, acceptClock }: MergeRequest,
): Promise<JoinReport> {
  const other = box.commits.read(commit);
  const ahead = acceptClock ? undefined : findFarAhead(box, other);
  if (ahead !== undefined) throw ahead;
  return joinHeads(box, { command: `merge ${name}`, others: () => [other], isGuarded: false });
}
