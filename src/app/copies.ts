/**
 * Whether what is committed here is in as many remotes as it is to be (setting `copies`), and waiting until it is. Nothing is pushed by this.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import type { Hash, NamedCommit } from "../format/mod.ts";
import { knownPacks } from "../sync/mod.ts";
import { CommitPlaces, holdersOf } from "./commit-places.ts";
import type { OpenBox } from "./open-box.ts";
import { fetchOrNothing } from "./several-remotes.ts";

export interface CopiesReport {
  /** In how many remotes everything is to be. */
  readonly wanted: number;
  /** How many remotes there are that could hold a copy. */
  readonly holders: number;
  /** Commits that are in fewer; not counted beyond `commitsMax`. */
  readonly commits: number;
  /** Of the packs here that fewer remotes are known to have: the most that is to be sent to one of them. */
  readonly bytes: number;
}

export interface WaitRequest {
  /** Absent: as the setting says. */
  readonly copies?: number;
  /** Absent: for ever. */
  readonly timeoutMs?: number;
}

/** Beyond this it is only said that there are so many. */
export const commitsMax = 1000;
/** How often another process of this machine is looked after, and how often remotes are. */
const pollMs = 500;
const lookMs = 10_000;

/** As was last seen; undefined where there are no remotes and nobody has said how many there should be. */
export function copiesOf(box: OpenBox): CopiesReport | undefined {
  const row = box.settings.findRow("copies");
  if (row?.origin === "default" && holdersOf(box).length === 0) return undefined;
  return countCopies(box, ownCommits(box), Number(row?.value ?? 1));
}

/** The commits that the own branches are at. */
function ownCommits({ state }: OpenBox): Hash[] {
  return [state.head(), ...state.branches()].flatMap((own) => (own?.commit === undefined ? [] : [own.commit]));
}

function countCopies(box: OpenBox, heads: readonly Hash[], wanted: number): CopiesReport {
  const holders = holdersOf(box);
  const places = new CommitPlaces(box);
  const isSafe = (commit: NamedCommit): boolean =>
    holders.filter(({ name }) => places.has(name, commit)).length >= wanted;
  const seen = new Set<string>();
  const waiting = [...heads];
  let commits = 0;
  // Whoever has a commit has all that are before it.
  for (let id = waiting.pop(); id !== undefined && commits < commitsMax; id = waiting.pop()) {
    if (seen.has(toHex(id))) continue;
    seen.add(toHex(id));
    const commit = findCommit(box, id);
    if (commit === undefined || isSafe(commit)) continue;
    commits += 1;
    waiting.push(...commit.commit.parents);
  }
  return { wanted, holders: holders.length, commits, bytes: commits === 0 ? 0 : lackingBytes(box, wanted) };
}

/** Undefined where history was trimmed, or is damaged: that is for `check` to tell. */
function findCommit({ commits }: OpenBox, id: Hash): NamedCommit | undefined {
  try {
    return commits.read(id);
  } catch (thrown) {
    if (isKind(thrown, "not-found") || isKind(thrown, "corrupt")) return undefined;
    throw thrown;
  }
}

function lackingBytes(box: OpenBox, wanted: number): number {
  const known = holdersOf(box).map(({ url }) => knownPacks(box.state, url));
  const lacking = box.store.packs().filter(({ name }) => {
    const key = toHex(name);
    return known.filter(({ packs, covered }) => packs.has(key) || covered.has(key)).length < wanted;
  });
  return lacking.reduce((sum, { size }) => sum + size, 0);
}

/**
 * Waits until what is committed here now is in so many remotes, by whoever brings it there: other processes of this box are seen to, and the
 * remotes are fetched from again and again. One that cannot be reached is waited for.
 * @returns How it was at the end: with commits that are lacking when the time was over.
 * @throws OuroError "invalid" when there are fewer remotes; "aborted".
 */
export async function waitForCopies(box: OpenBox, { copies, timeoutMs }: WaitRequest): Promise<CopiesReport> {
  const wanted = copies ?? Number(box.settings.findRow("copies")?.value ?? 1);
  const { signal } = box.context;
  const heads = ownCommits(box);
  const begin = performance.now();
  const left = (): number => (timeoutMs ?? Number.POSITIVE_INFINITY) - (performance.now() - begin);
  const told = new Set<string>();
  let looked = Number.NEGATIVE_INFINITY;
  for (;;) {
    const report = countCopies(box, heads, wanted);
    if (report.holders < wanted) throw tooFew(report);
    if (report.commits === 0 || left() <= 0) return report;
    if (performance.now() - looked >= lookMs) {
      await lookAgain(box, heads, told);
      looked = performance.now();
    } else await sleep(Math.max(1, Math.min(pollMs, left())), undefined, { signal });
  }
}

/** Fetches from the remotes that are not known to have it all. @param told What was told already. */
async function lookAgain(box: OpenBox, heads: readonly Hash[], told: Set<string>): Promise<void> {
  const places = new CommitPlaces(box);
  const commits = heads.flatMap((id) => findCommit(box, id) ?? []);
  for (const { name } of holdersOf(box)) {
    if (commits.every((commit) => places.has(name, commit))) continue;
    try {
      await fetchOrNothing(box, name);
    } catch (thrown) {
      if (!isKind(thrown) || ["aborted", "usage", "no-space", "read-only", "wrong-key"].includes(thrown.kind))
        throw thrown;
      if (!told.has(name)) box.context.notice(`${name}: ${thrown.message}. It is looked at again.`);
      told.add(name);
    }
  }
}

function tooFew({ wanted, holders }: CopiesReport): OuroError {
  const there = holders === 1 ? "there is 1 remote" : `there are ${holders} remotes`;
  return new OuroError("invalid", `Cannot wait for ${wanted} copies: ${there} that could hold one`, {
    hint: "Add one with `ourobox remote add NAME URL`. What a web server gives out does not count.",
  });
}
