/** Which commits this box has forgotten: `log` passes them over, `check` does not miss their trees, `gc` gives them up. */
import { toHex } from "../base/bytes.ts";
import type { Hash, NamedCommit } from "../format/mod.ts";
import { forgottenCommit, loadRetention, RetentionView } from "../history/mod.ts";
import { heldCommits } from "./mount-holds.ts";
import type { OpenBox } from "./open-box.ts";

/** As it is now. What a head names, here or on a remote, is never forgotten, nor what is mounted. @throws OuroError "corrupt". */
export function forgottenIn(box: OpenBox): (named: NamedCommit) => boolean {
  const { state } = box;
  const retention = loadRetention(state);
  if (retention.seen.length === 0) return () => false;
  const view = new RetentionView(retention);
  const named = [state.head(), ...state.branches(), ...state.remoteHeads()].map((each) => each?.commit);
  const held = [...named, ...heldCommits(box)].flatMap((id) => (id === undefined ? [] : [toHex(id)]));
  const names = new Set(held);
  return (commit) => !names.has(toHex(commit.id)) && view.isForgotten(commit);
}

/** The same by id, for many at once; nothing is said of a commit that is not here. */
export function forgottenIdsIn(box: OpenBox): (id: Hash) => boolean {
  const isForgotten = forgottenIn(box);
  return (id) => box.store.hasMeta(id) && isForgotten(box.commits.read(id));
}

/** @throws OuroError "not-found" for a commit that has been forgotten. */
export function requireKept(box: OpenBox, id: Hash): void {
  if (forgottenIdsIn(box)(id)) throw forgottenCommit(toHex(id).slice(0, 12));
}
