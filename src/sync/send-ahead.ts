/**
 * Packs go to a remote while there is no head yet that needs them: what a commit has stored is on its way while it stores more. A pack alone does no harm there, and the
 * push that follows finds it by name and size (doc/decisions/0005-remotes.md).
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { PackInfo } from "../format/mod.ts";
import { packName } from "./box-on-remote.ts";
import { Turns } from "./parallel.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

const lookMs = 100;

export interface SentAhead {
  readonly packs: number;
  readonly bytes: number;
}

/**
 * Sends content packs that come to be here from now on. The remote must hold this box, or be about to.
 * @param isOver Aborted when no more are to be begun; those that are on their way are waited for.
 * @returns What has been sent. What goes wrong with the remote ends it, and is for the push to tell.
 */
export async function sendAhead(
  { remote, store, transfers = transfersDefault, signal }: SyncOptions,
  isOver: AbortSignal,
): Promise<SentAhead> {
  const seen = new Set(store.packs().map(({ name }) => toHex(name)));
  const turns = new Turns(transfers);
  const sending: Promise<void>[] = [];
  const sent = { packs: 0, bytes: 0 };
  let hasFailed = false;
  const send = async ({ name, size }: PackInfo): Promise<void> => {
    // Another process must not give up a part of it meanwhile.
    using held = hasFailed || isOver.aborted ? undefined : store.sparse.hold(name);
    if (held === undefined) return;
    try {
      await remote.put(packName(name), { path: store.packPath(name), size }, signal === undefined ? {} : { signal });
      sent.packs += 1;
      sent.bytes += size;
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      hasFailed = true;
    }
  };
  while (!isOver.aborted && !hasFailed) {
    await sleep(lookMs, undefined, { signal: isOver }).catch(() => undefined);
    for (const pack of store.packs()) {
      if (pack.class !== "content" || seen.has(toHex(pack.name))) continue;
      seen.add(toHex(pack.name));
      sending.push(turns.take(() => send(pack)));
    }
  }
  await Promise.all(sending);
  return sent;
}
