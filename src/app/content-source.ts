/** Where a box's content comes from that is not here: its remotes, the cheapest first. */
import { verifySignature } from "../peer/mod.ts";
import { RemoteContent } from "../sync/mod.ts";
import { openBoxRemote } from "./box-remotes.ts";
import { quotaOf } from "./cache-quota.ts";
import type { OpenBox } from "./open-box.ts";
import { costOf, remotesOf } from "./remote-list.ts";
import { readTransferSettings } from "./transfer-limits.ts";

/** What comes stays, or is cache; for a process that serves others it is cache a moment later than it can be read. */
export type ContentPurpose = "staying" | "reading" | "serving";

/** Opens remotes when they are needed; to be closed when nothing is to be read any more. */
export function openContentSource(box: OpenBox, purpose: ContentPurpose): RemoteContent {
  const { context, secrets, state, store } = box;
  const { transfers } = readTransferSettings(context);
  return new RemoteContent({
    sources: remotesOf(box).map((row) => ({
      name: row.name,
      url: row.url,
      cost: costOf(row),
      open: () => openBoxRemote(box, row, { create: false }),
    })),
    secrets,
    verify: verifySignature,
    state,
    store,
    nowMs: () => context.clock.nowMs(),
    ...(purpose === "staying" ? {} : { room: quotaOf(box), keepsLater: purpose === "serving" }),
    ...(transfers === undefined ? {} : { transfers }),
  });
}
