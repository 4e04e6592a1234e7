/** Going back through history past the commits that have been forgotten: to the nearest that are kept. */
import { isKind } from "../base/errors.ts";
import type { Hash, NamedCommit } from "../format/mod.ts";
import type { CommitReader } from "./commits.ts";
import { HashSet } from "./hash-set.ts";

/** Whether a commit's tree has been given up. */
export type IsForgotten = (commit: NamedCommit) => boolean;

/**
 * The commits that these are made of and that are kept, the nearest first: through those that are forgotten, to what was before them.
 * @param onMissing Told of one that is not there; absent: it throws "not-found".
 */
export function keptParents(
  commits: CommitReader,
  parents: readonly Hash[],
  isForgotten: IsForgotten,
  onMissing?: (id: Hash) => void,
): NamedCommit[] {
  const seen = new HashSet();
  const found: NamedCommit[] = [];
  const waiting = [...parents].reverse();
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!seen.add(id)) continue;
    const named = readOr(commits, id, onMissing);
    if (named === undefined) continue;
    if (isForgotten(named)) waiting.push(...[...named.commit.parents].reverse());
    else found.push(named);
  }
  return found;
}

function readOr(commits: CommitReader, id: Hash, onMissing?: (id: Hash) => void): NamedCommit | undefined {
  try {
    return commits.read(id);
  } catch (error) {
    if (onMissing === undefined || !isKind(error, "not-found")) throw error;
    onMissing(id);
    return undefined;
  }
}
