/** What this box keeps: all that its heads and tags are made of, but for the trees of what it has forgotten. */
import { toHex } from "../base/bytes.ts";
import type { Hash } from "../format/mod.ts";
import { CommitReader, loadRetention, markLiveInTurns, RetentionView } from "../history/mod.ts";
import type { IsLive } from "../store/mod.ts";
import type { SyncOptions } from "./sync-options.ts";

/** @throws OuroError "corrupt" when it cannot be told. */
export async function markKept({
  state,
  store,
  secrets,
  signal,
}: Pick<SyncOptions, "state" | "store" | "secrets" | "signal">): Promise<IsLive> {
  // Signatures were verified when commits came, and say nothing of what is kept: with many commits they would take most of the time.
  const commits = new CommitReader(store, { hasher: store.hasher, box: secrets.box, verify: () => true });
  const tips = [state.head()?.commit, ...state.branches().map(({ commit }) => commit)].filter((id) => id !== undefined);
  const tags = state.tags().flatMap(({ commit }) => (commit !== undefined && store.hasMeta(commit) ? [commit] : []));
  const view = new RetentionView(loadRetention(state));
  const names = new Set(tips.map((id: Hash) => toHex(id)));
  const live = await markLiveInTurns(commits, [...tips, ...tags], {
    isTrimmed: true,
    isForgotten: (named) => !names.has(toHex(named.id)) && view.isForgotten(named),
    ...(signal === undefined ? {} : { signal }),
  });
  return { isLiveMeta: (hash) => live.meta.has(hash), isLiveChunk: (hash) => live.chunks.has(hash) };
}
