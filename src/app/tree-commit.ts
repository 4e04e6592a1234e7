/**
 * Commits that are made of a tree, not of the folder: a conflict that was resolved, a command that was undone. The folder is then moved to
 * them like to any other commit.
 */
import { OuroError } from "../base/errors.ts";
import { commitFlags, type EventName, fullVector, type Hash, type NamedCommit } from "../format/mod.ts";
import { makeEventCommit, nextEvent, putCommit } from "../history/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { moveFolder, resumeMove } from "./move-folder.ts";
import type { OpenBox } from "./open-box.ts";
import { currentWriter } from "./own-writer.ts";
import { peerName } from "./peer-name.ts";

export interface TreeCommitRequest {
  /** What is recorded of it. */
  readonly command: string;
  readonly message: string;
  /** Of `commitFlags`. */
  readonly flags?: number;
  /**
   * Makes the new tree of the head's; undefined when there is nothing to change. What it keeps is durable before the head moves.
   * @param event Dates every edit.
   */
  readonly edit: (head: NamedCommit, event: EventName, sink: MetaSink) => Hash | undefined | Promise<Hash | undefined>;
}

export interface TreeCommitReport {
  /** Absent when there was nothing to change. */
  readonly id?: Hash;
  readonly isPartial: boolean;
}

/**
 * @throws OuroError "not-found" before the first commit; "diverged" when the folder has uncommitted changes in the way; "stale" when
 * another command has moved the head meanwhile.
 */
export async function commitTree(box: OpenBox, request: TreeCommitRequest): Promise<TreeCommitReport> {
  await resumeMove(box);
  const { state, store, context } = box;
  const own = state.head();
  if (own === undefined) throw new OuroError("not-found", `Cannot ${request.command}: there is no commit yet`);
  const head = box.commits.read(own.commit);
  const writer = currentWriter(box, own);
  const nowMs = context.clock.nowMs();
  const event = nextEvent({ ...writer, nowMs, seen: fullVector(head) });
  const meta = store.openMetaWriter();
  try {
    const tree = await request.edit(head, event, meta);
    if (tree === undefined) {
      meta.abort();
      return { isPartial: false };
    }
    const made = makeEventCommit(
      {
        box: box.identity.box,
        tree,
        parents: [head.id],
        ...event,
        ...(writer.last === undefined ? {} : { previous: writer.last }),
        peer: box.peer().publicKey,
        timeMs: nowMs,
        flags: request.flags ?? commitFlags.automatic,
        author: peerName(box),
        message: request.message,
        seen: fullVector(head),
      },
      { hasher: store.hasher, sign: (bytes) => box.peer().sign(bytes) },
    );
    putCommit(meta, made);
    meta.finish();
    const onto = { ...writer, last: { clock: event.clock, id: made.id } };
    const { isPartial } = await moveFolder(box, made.id, { command: request.command, onto, from: own });
    return { id: made.id, isPartial };
  } catch (thrown) {
    meta.abort();
    throw thrown;
  } finally {
    store.endWriting();
  }
}
