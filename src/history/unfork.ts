/**
 * Joining commits of which some come from a forked writer (doc/merge.md, F1 to F3): its branches are renamed until no two states disagree, and then
 * joined. The result is an event of whoever joins; a commit of a branch that was renamed is no parent of it, as it dates by the old id.
 */
import { toHex } from "../base/bytes.ts";
import { fullVector, joinVectors, type NamedCommit, type VersionVector } from "../format/mod.ts";
import { type ForkOptions, findForks, renameBranch } from "./fork.ts";
import { type JoinState, joinAll } from "./join.ts";
import type { JoinCommitsOptions, JoinedCommits } from "./join-commits.ts";

/**
 * The writers of which any two of these commits have different histories.
 * @throws OuroError "not-found" when a chain of events is not there as far as it is needed.
 */
export function forkedWriters(commits: readonly NamedCommit[], options: ForkOptions): ReadonlySet<bigint> {
  const vectors = commits.map((commit) => fullVector(commit));
  const found = new Set<bigint>();
  for (const [at, one] of vectors.entries())
    for (const two of vectors.slice(at + 1)) for (const { writer } of findForks(one, two, options)) found.add(writer);
  return found;
}

/**
 * As `joinCommits`, where writers are forked.
 * @param options.reader Of a source that has what is put into the sink, too.
 */
export function joinForked(
  commits: readonly [NamedCommit, NamedCommit, ...NamedCommit[]],
  options: JoinCommitsOptions & Pick<ForkOptions, "findEvent">,
): JoinedCommits {
  const { reader, sink, writer, makeEvent } = options;
  const distinct = [...new Map(commits.map((commit) => [toHex(commit.id), commit])).values()];
  const given = distinct.map((commit): JoinState => ({ tree: commit.commit.tree, vector: fullVector(commit) }));
  const [first, ...others] = unforked(given, options);
  if (first === undefined) throw new TypeError("Cannot join nothing");
  const states = [first, ...others] as const;
  const seen = states.reduce((all: VersionVector, { vector }) => joinVectors(all, vector), []);
  const joined = joinAll(states, { reader, sink, writer, event: () => options.event(seen) });
  const event = joined.event ?? options.event(seen);
  const parents = distinct.filter((_, index) => states[index] === given[index]).map(({ id }) => id);
  const commit = makeEvent(event, { tree: joined.tree, seen: joined.vector, parents });
  return { type: "mend", commit, event, mends: joined.mends };
}

/** The states with branches renamed. Those that are not are the same objects. */
function unforked(
  given: readonly JoinState[],
  options: JoinCommitsOptions & Pick<ForkOptions, "findEvent">,
): JoinState[] {
  const { reader, sink } = options;
  const states = [...given];
  for (;;) {
    const found = firstFork(states, options);
    if (found === undefined) return states;
    states[found.at] = renameBranch(reader, sink, states[found.at] as JoinState, found.fork);
  }
}

function firstFork(
  states: readonly JoinState[],
  options: ForkOptions,
): { readonly at: number; readonly fork: ReturnType<typeof findForks>[number] } | undefined {
  for (const [at, one] of states.entries()) {
    for (const [other, two] of states.entries()) {
      if (other <= at) continue;
      const [fork] = findForks(one.vector, two.vector, options);
      if (fork !== undefined) return { at: fork.side === "a" ? at : other, fork };
    }
  }
  return undefined;
}
