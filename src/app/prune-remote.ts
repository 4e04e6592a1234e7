/** `gc --remote`: says on a remote what this box keeps, and gives back the space there that nothing needs. */
import { type PruneReport, prune, publishOwnRetention } from "../sync/mod.ts";
import { fetchFrom, openBoxRemote, syncOptions } from "./box-remotes.ts";
import type { OpenBox } from "./open-box.ts";
import { getRemote } from "./remote-list.ts";

const dayMs = 86_400_000;

/** @param name Of the remote. @throws As `prune`. */
export async function pruneRemote(
  box: OpenBox,
  name: string,
  { dryRun }: { readonly dryRun: boolean },
): Promise<PruneReport> {
  if (!dryRun) box.requireWritable();
  const row = getRemote(box, name);
  const { context, settings } = box;
  await using remote = openBoxRemote(box, row, { create: false });
  // What its heads need is told by their metadata, which is here then.
  await fetchFrom(box, row, remote);
  const options = syncOptions(box, row, remote);
  const { publicKey: peer } = box.peer();
  if (!dryRun) await publishOwnRetention({ ...options, peer, sign: (message) => box.peer().sign(message) });
  const days = (key: string): number => Number(settings.findRow(key)?.value) * dayMs;
  box.store.beginWriting();
  try {
    return await prune({
      ...options,
      dryRun,
      silentMs: days("prune.silent-days"),
      condemnedMs: days("prune.condemned-days"),
    });
  } finally {
    box.store.endWriting();
    context.progress.done();
  }
}
