/**
 * What is kept of history. To forget a commit is to give up its tree: the commit itself stays, since chains of events must not break (doc/merge.md, F1), and
 * a log shows where something was. A retention says which commits are forgotten in little room: those up to its clocks that it does not name.
 * Why so: doc/decisions/0013-retention.md.
 */
import { isKind, OuroError } from "../base/errors.ts";
import {
  decodeRetention,
  type EventName,
  encodeRetention,
  fullVector,
  type Hash,
  type NamedCommit,
  type Retention,
  type WriterId,
} from "../format/mod.ts";
import type { CommitReader } from "./commits.ts";
import { HashSet } from "./hash-set.ts";
import type { IsForgotten } from "./kept-parents.ts";
import type { State } from "./state.ts";

/** Everything is kept. */
export const keepsAll: Retention = { seen: [], kept: [] };

const stateKey = "retention";

/** What a retention says, commit by commit. */
export class RetentionView {
  readonly #seen: ReadonlyMap<WriterId, bigint>;
  readonly #kept = new HashSet();

  constructor({ seen, kept }: Retention) {
    this.#seen = new Map(seen.map(({ writer, clock }) => [writer, clock]));
    for (const id of kept) this.#kept.add(id);
  }

  /** Whether the retention was made when the commit was known: of later ones it says nothing, and they are kept. */
  covers({ commit }: NamedCommit): boolean {
    const events: readonly EventName[] = commit.type === "event" ? [commit] : commit.vector;
    return events.every(({ writer, clock }) => (this.#seen.get(writer) ?? 0n) >= clock);
  }

  isForgotten(named: NamedCommit): boolean {
    return this.covers(named) && !this.#kept.has(named.id);
  }
}

/**
 * A retention that has also forgotten other commits, and nothing else. Costs what is kept so far, and what has come since it was made.
 * @param roots All that is known here: what `before` keeps of it is kept.
 * @throws OuroError "too-large" when too much would have to be named, and as `CommitReader.read`.
 */
export function forgetAlso(
  commits: CommitReader,
  roots: readonly Hash[],
  before: Retention,
  isDropped: IsForgotten,
): Retention {
  const seen = new Map(before.seen.map(({ writer, clock }) => [writer, clock]));
  const kept = before.kept.filter((id) => {
    const named = find(commits, id);
    return named === undefined || !isDropped(named);
  });
  const others: NamedCommit[] = [];
  for (const named of walkUncovered(commits, roots, new RetentionView(before))) {
    if (!isDropped(named)) others.push(slim(named));
    // All that it has taken in is covered then: what is before a covered commit is, too, and need not be walked again.
    else
      for (const { writer, clock } of fullVector(named)) if (clock > (seen.get(writer) ?? 0n)) seen.set(writer, clock);
  }
  const rows = [...seen].map(([writer, clock]) => ({ writer, clock })).sort((a, b) => (a.writer < b.writer ? -1 : 1));
  const after = new RetentionView({ seen: rows, kept: [] });
  return { seen: rows, kept: [...kept, ...others.filter((named) => after.covers(named)).map(({ id }) => id)] };
}

/** The commits that came after a retention was made, in no order. */
function* walkUncovered(commits: CommitReader, roots: readonly Hash[], view: RetentionView): Generator<NamedCommit> {
  const seen = new HashSet();
  const waiting = [...roots];
  for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
    if (!seen.add(id)) continue;
    const named = find(commits, id);
    if (named === undefined || view.covers(named)) continue;
    waiting.push(...named.commit.parents);
    yield named;
  }
}

/** Undefined when it is not here. */
function find(commits: CommitReader, id: Hash): NamedCommit | undefined {
  try {
    return commits.read(id);
  } catch (error) {
    if (!isKind(error, "not-found")) throw error;
    return undefined;
  }
}

/** An event without what is not asked for here: there may be very many. */
function slim({ id, commit }: NamedCommit): NamedCommit {
  return { id, commit: commit.type === "event" ? { ...commit, vector: [], author: "", message: "" } : commit };
}

/** The box's own. @throws OuroError "corrupt". */
export function loadRetention(state: Pick<State, "value">): Retention {
  const bytes = state.value(stateKey);
  return bytes === undefined ? keepsAll : decodeRetention(bytes, "what is kept of history");
}

/** @throws OuroError "too-large". */
export function saveRetention(state: Pick<State, "setValue">, retention: Retention): void {
  state.setValue(stateKey, retention.seen.length === 0 ? undefined : encodeRetention(retention));
}

export function forgottenCommit(id: string): OuroError {
  return new OuroError("not-found", `Cannot use commit ${id}: it has been forgotten, and its files may be gone`, {
    subject: id,
    hint: "Run `ourobox log` to see the commits that are kept.",
  });
}
