/**
 * A commit and its push in one. What the commit has stored goes to the first of the remotes while it stores more: so the line and the processors work at the same time. The
 * others get it afterwards, one after the other, as by any push.
 */
import { isKind } from "../base/errors.ts";
import { type SentAhead, sendAhead } from "../sync/mod.ts";
import { type BegunPush, beginPush, endPush, type PushReport, pushBox, syncOptions } from "./box-remotes.ts";
import type { OpenBox } from "./open-box.ts";
import type { RemoteRow } from "./remote-list.ts";
import { chooseWritable, forEachRemote, type SeveralReport } from "./several-remotes.ts";

interface SendingAhead {
  /** Undefined where the remote cannot be used: the push finds that out, and says so. */
  readonly sent: Promise<{ readonly push: BegunPush; readonly ahead: SentAhead } | undefined>;
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
  const sending = beginSending(box, first);
  try {
    await commit();
  } catch (thrown) {
    sending.stop();
    await (await sending.sent)?.push[Symbol.asyncDispose]();
    throw thrown;
  }
  sending.finish();
  const begun = await sending.sent;
  await using _ = begun?.push;
  return await forEachRemote(box, rows, async (row) => {
    if (row !== first || begun === undefined) return await pushBox(box, row.name);
    const { packs, bytes } = await endPush(box, row, begun.push);
    return { packs: packs + begun.ahead.packs, bytes: bytes + begun.ahead.bytes };
  });
}

function beginSending(box: OpenBox, row: RemoteRow): SendingAhead {
  const [isOver, isStopped] = [new AbortController(), new AbortController()];
  const signal = AbortSignal.any([box.context.signal, isStopped.signal]);
  const send = async (): Promise<Awaited<SendingAhead["sent"]>> => {
    try {
      const push = await beginPush(box, row);
      const options = { ...syncOptions(box, row, push.remote), signal };
      return { push, ahead: await sendAhead(options, isOver.signal) };
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      return undefined;
    }
  };
  const sent = send();
  // Whoever waits for it is told; that nobody waits yet when it fails is no accident.
  sent.catch(() => undefined);
  return {
    sent,
    finish: () => isOver.abort(),
    stop() {
      isStopped.abort();
      isOver.abort();
    },
  };
}
