/**
 * A commit and its push in one. What the commit has stored goes to the first of the remotes while it stores more: so the line and the processors work at the same time. The
 * others get it afterwards, one after the other, as by any push.
 */
import { isKind, type OuroError } from "../base/errors.ts";
import { type SentAhead, sendAhead } from "../sync/mod.ts";
import {
  type BegunPush,
  beginPush,
  endPush,
  isNewRemote,
  type PushReport,
  pushBox,
  syncOptions,
} from "./box-remotes.ts";
import type { OpenBox } from "./open-box.ts";
import type { RemoteRow } from "./remote-list.ts";
import { chooseWritable, forEachRemote, type SeveralReport } from "./several-remotes.ts";

interface Begun {
  readonly push: BegunPush;
  readonly ahead: SentAhead;
}

interface SendingAhead {
  /** What has been begun, or why it could not be; undefined where that failed long before the end and is to be tried again. */
  readonly outcome: Promise<Begun | OuroError | undefined>;
  /** No more packs are begun. */
  finish(): void;
  /** Those that are on their way are given up. */
  stop(): void;
}

/**
 * @param commit Makes the commit. @returns As `pushSeveral`.
 * @throws What `commit` throws, or as `pushSeveral`.
 */
export async function commitAndPush(box: OpenBox, commit: () => Promise<void>): Promise<SeveralReport<PushReport>> {
  const rows = chooseWritable(box, []);
  const first = rows[0] as RemoteRow;
  const beginning = beginPush(box, first);
  // Whoever waits for it is told; that nobody waits yet when it fails is no accident.
  beginning.catch(() => undefined);
  // A new remote asks for a passphrase: not while a commit shows how far it is.
  if (isNewRemote(box, first)) await beginning.catch(() => undefined);
  const sending = sendMeanwhile(box, first, beginning);
  try {
    await commit();
  } catch (thrown) {
    sending.stop();
    const outcome = await sending.outcome;
    if (outcome !== undefined && "push" in outcome) await outcome.push[Symbol.asyncDispose]();
    throw thrown;
  }
  sending.finish();
  const outcome = await sending.outcome;
  const begun = outcome !== undefined && "push" in outcome ? outcome : undefined;
  await using _ = begun?.push;
  return await forEachRemote(box, rows, async (row) => {
    if (row !== first || outcome === undefined) return await pushBox(box, row.name);
    if (begun === undefined) throw outcome;
    const { packs, bytes } = await endPush(box, row, begun.push);
    return { packs: packs + begun.ahead.packs, bytes: bytes + begun.ahead.bytes };
  });
}

function sendMeanwhile(box: OpenBox, row: RemoteRow, beginning: Promise<BegunPush>): SendingAhead {
  const [isOver, isStopped] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([box.context.signal, isStopped.signal]);
  const send = async (): ReturnType<() => SendingAhead["outcome"]> => {
    try {
      const push = await beginning;
      const options = { ...syncOptions(box, row, push.remote), signal };
      return { push, ahead: await sendAhead(options, isOver.signal) };
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      return isOver.signal.aborted ? thrown : undefined;
    }
  };
  const outcome = send();
  outcome.catch(() => undefined);
  return {
    outcome,
    finish: () => isOver.abort(),
    stop() {
      isStopped.abort();
      isOver.abort();
    },
  };
}
