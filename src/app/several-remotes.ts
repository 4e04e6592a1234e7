/**
 * One thing done with several remotes, one after the other: one that cannot be reached, or refuses, does not stop the others. Who names none
 * means all there are, the cheapest first.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, type OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import {
  commitsOnBranch,
  type FetchReport,
  fetchBox,
  hasFarAhead,
  type PushReport,
  pushBox,
  requireCommit,
} from "./box-remotes.ts";
import { nearCommits } from "./far-clocks.ts";
import { joinHeads } from "./join-heads.ts";
import { resumeMove } from "./move-folder.ts";
import type { OpenBox } from "./open-box.ts";
import { keepOwnHead } from "./own-head.ts";
import { headsOfRemotes } from "./remote-heads.ts";
import { costOf, getRemote, isWebServer, type RemoteRow, type RemoteSettings, remotesOf } from "./remote-list.ts";
import { mendRemoteHeads } from "./repair-box.ts";

export interface FailedRemote {
  readonly remote: string;
  readonly error: OuroError;
}

export interface SeveralReport<T> {
  readonly done: readonly (T & { readonly remote: string })[];
  readonly failed: readonly FailedRemote[];
}

export interface PullRequest {
  /** Takes in what would remove or overwrite a great part of the files, too. */
  readonly force: boolean;
  /** Takes in what is dated more than a day ahead, too. */
  readonly acceptClock?: boolean;
}

export interface PullReport {
  readonly fetched: FetchReport;
  readonly failed: readonly FailedRemote[];
  /** The commit that the head has moved to; absent when it has not. */
  readonly moved?: Hash;
  /** How many things had to be mended in a join. */
  readonly mends: number;
  /** What was not committed here and was in the way is in this commit. */
  readonly saved?: Hash;
  /** Something could not be taken in, or not written as it should be. */
  readonly partial: boolean;
}

/**
 * Those that are named, in that order and each once; without names all there are, the cheapest first.
 * @throws OuroError "not-found"; "usage" where there is none.
 */
export function chooseRemotes(box: RemoteSettings, names: readonly string[]): RemoteRow[] {
  if (names.length > 0) return [...new Set(names)].map((name) => getRemote(box, name));
  const rows = remotesOf(box).sort((a, b) => costOf(a) - costOf(b));
  return rows.length === 0 ? [getRemote(box, undefined)] : rows;
}

/** As `chooseRemotes`; without names those are left out that can only be read, unless all are such. */
export function chooseWritable(box: RemoteSettings, names: readonly string[]): RemoteRow[] {
  const rows = chooseRemotes(box, names);
  const writable = rows.filter((row) => !isWebServer(row));
  return names.length > 0 || writable.length === 0 ? rows : writable;
}

/** @throws What the first has thrown, where none is done: the others are warned of. */
export async function forEachRemote<T extends object>(
  { context }: Pick<OpenBox, "context">,
  rows: readonly RemoteRow[],
  body: (row: RemoteRow) => Promise<T>,
): Promise<SeveralReport<T>> {
  const done: (T & { readonly remote: string })[] = [];
  const failed: FailedRemote[] = [];
  for (const row of rows) {
    try {
      done.push({ remote: row.name, ...(await body(row)) });
    } catch (thrown) {
      if (!isKind(thrown) || thrown.kind === "aborted" || thrown.kind === "usage") throw thrown;
      failed.push({ remote: row.name, error: thrown });
    }
  }
  const [first, ...others] = failed;
  if (done.length > 0 || first === undefined) return { done, failed };
  for (const other of others) context.warn(describeFailure(other));
  throw first.error;
}

/** "nas: Cannot …" */
export function describeFailure({ remote, error: { message, hint } }: FailedRemote): string {
  return `${remote}: ${message}${hint === undefined ? "" : `. ${hint}`}`;
}

/** @throws As `chooseRemotes`, `forEachRemote` and `pushBox`. */
export async function pushSeveral(box: OpenBox, names: readonly string[]): Promise<SeveralReport<PushReport>> {
  const rows = chooseWritable(box, names);
  requireCommit(box);
  return await forEachRemote(box, rows, ({ name }) => pushBox(box, name));
}

/** @throws As `chooseRemotes`, `forEachRemote` and `fetchBox`. */
async function fetchSeveral(box: OpenBox, names: readonly string[]): Promise<SeveralReport<FetchReport>> {
  const rows = chooseRemotes(box, names);
  const isSure = names.length > 0 || rows.length === 1;
  return await forEachRemote(box, rows, ({ name }) => (isSure ? fetchBox(box, name) : fetchOrNothing(box, name)));
}

/** As `fetchSeveral`, where nothing is joined afterwards: the user is told of what is dated far ahead. */
export async function fetchAndTell(box: OpenBox, names: readonly string[]): Promise<SeveralReport<FetchReport>> {
  const report = await fetchSeveral(box, names);
  const remotes = new Set(report.done.map(({ remote }) => remote));
  const heads = headsOfRemotes(box).filter(({ remote }) => remotes.has(remote));
  const commits = new Map(heads.map(({ commit }) => [toHex(commit), commit]));
  nearCommits(
    box,
    [...commits.values()].map((commit) => box.commits.read(commit)),
  );
  return report;
}

/** Fetches; a remote that nobody has pushed to yet has nothing. */
export async function fetchOrNothing(box: OpenBox, remote: string): Promise<FetchReport> {
  mendRemoteHeads(box);
  const isNew = box.state.remoteHeads(remote).length === 0;
  try {
    return await fetchBox(box, remote);
  } catch (thrown) {
    // If it is not there at all, the push says so.
    if (!isNew || (!isKind(thrown, "not-found") && !isKind(thrown, "offline"))) throw thrown;
    return { packs: 0, bytes: 0, heads: 0, partial: false };
  }
}

/** Fetches from all of them, and joins what they have on this branch with what is here. @throws As `fetchSeveral` and `joinHeads`. */
export async function pullSeveral(box: OpenBox, names: readonly string[], request: PullRequest): Promise<PullReport> {
  const remotes = chooseRemotes(box, names).map(({ name }) => name);
  await resumeMove(box);
  const { done, failed } = await fetchSeveral(box, names);
  const fetched = done.reduce(sumFetches, { packs: 0, bytes: 0, heads: 0, partial: false });
  const { moved, mends, saved, isPartial } = await joinHeads(box, {
    command: "pull",
    others: () => commitsOnBranch(box, box.branch, { remotes, ...request }),
    isGuarded: !request.force,
  });
  if (moved === undefined) keepOwnHead(box);
  const isHeldBack = request.acceptClock !== true && hasFarAhead(box, box.branch, remotes);
  return {
    fetched,
    failed,
    mends,
    partial: isPartial || fetched.partial || isHeldBack || failed.length > 0,
    ...(moved === undefined ? {} : { moved }),
    ...(saved === undefined ? {} : { saved }),
  };
}

export function sumFetches(a: FetchReport, b: FetchReport): FetchReport {
  return {
    packs: a.packs + b.packs,
    bytes: a.bytes + b.bytes,
    heads: a.heads + b.heads,
    partial: a.partial || b.partial,
  };
}
