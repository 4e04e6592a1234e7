/** `fetch` and `push`: the box and one of its remotes. */
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { type BoxIdentity, type NamedCommit, wrapKey } from "../format/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import { nodeCopier, openRemote, publishListing, type Remote } from "../remote/mod.ts";
import { beginRemote, type FetchResult, fetch, push, readRemoteIdentity, type SyncOptions } from "../sync/mod.ts";
import { requireContentThere } from "./content-there.ts";
import { findFarAhead, latestClock, nearCommits } from "./far-clocks.ts";
import { noteKey } from "./key-note-here.ts";
import type { OpenBox } from "./open-box.ts";
import { peerName } from "./peer-name.ts";
import { headsOfRemotes } from "./remote-heads.ts";
import { getRemote, type RemoteRow } from "./remote-list.ts";
import { noteSeen } from "./remote-seen.ts";
import { mendRemoteHeads } from "./repair-box.ts";
import { readTransferSettings } from "./transfer-limits.ts";
import { isUnreal } from "./unreal-setting.ts";

export interface FetchReport {
  readonly packs: number;
  readonly bytes: number;
  /** Heads that are new or have moved. */
  readonly heads: number;
  /** Something that is there was not taken in; each has been warned of. */
  readonly partial: boolean;
}

export interface PushReport {
  readonly packs: number;
  readonly bytes: number;
}

export async function fetchBox(box: OpenBox, name: string | undefined): Promise<FetchReport> {
  const row = getRemote(box, name);
  await using remote = openBoxRemote(box, row, { create: false });
  return await fetchFrom(box, row, remote);
}

export async function fetchFrom(box: OpenBox, row: RemoteRow, remote: Remote): Promise<FetchReport> {
  const { context } = box;
  context.progress.phase("Fetching");
  mendRemoteHeads(box);
  const note = await remote.note?.({ signal: context.signal });
  if (note !== undefined) context.notice(note);
  let result: FetchResult;
  // From before the packs that are here are looked at: a gc must not take one away that counts as here.
  box.store.beginWriting();
  try {
    const content = isUnreal(box) ? "none" : "all";
    result = await fetch({ ...syncOptions(box, row, remote), latestClock: latestClock(box), content });
  } finally {
    box.store.endWriting();
  }
  context.progress.done();
  noteSeen(box, row.url, result);
  for (const { writer, reason, error, commit } of result.keptOut) {
    const what = commit === undefined ? "" : `, commit ${toHex(commit).slice(0, 12)}`;
    context.warn(`The head of ${writer}${what}, was not taken in (${reason}): ${error.message}`);
  }
  for (const [pack, error] of result.failedPacks)
    context.warn(`Pack ${pack.slice(0, 12)} could not be fetched: ${error.message}`);
  for (const error of result.damaged) context.warn(error.message);
  for (const tag of result.lateTags)
    context.warn(
      `The tag ${tag} was not taken over: it is dated more than a day ahead. See that the clocks are right.`,
    );
  const partial = result.keptOut.length + result.failedPacks.size + result.damaged.length > 0;
  return { packs: result.packs, bytes: result.bytes, heads: result.heads.length, partial };
}

export async function pushBox(box: OpenBox, name: string | undefined): Promise<PushReport> {
  const row = getRemote(box, name);
  requireCommit(box);
  await using begun = await beginPush(box, row);
  return await endPush(box, row, begun);
}

/** A remote that holds this box, or is about to: packs may be put there, and nothing else by others than `endPush`. */
export interface BegunPush extends AsyncDisposable {
  readonly remote: Remote;
  readonly made: Promise<unknown>;
}

/** A remote that was there before and is not now is a disk that is not mounted: its folder is not made anew. */
export function isNewRemote({ state }: OpenBox, { name }: RemoteRow): boolean {
  return state.remoteHeads(name).length === 0;
}

export async function beginPush(box: OpenBox, row: RemoteRow): Promise<BegunPush> {
  const { signal } = box.context;
  await using opened = new AsyncDisposableStack();
  const remote = opened.use(openBoxRemote(box, row, { create: isNewRemote(box, row) }));
  const { made } = await beginRemote(remote, box.secrets, () => wrappedIdentity(box, row), { signal });
  const kept = opened.move();
  return { remote, made, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

export async function endPush(box: OpenBox, row: RemoteRow, { remote, made }: BegunPush): Promise<PushReport> {
  const { context } = box;
  requireCommit(box);
  requireContentThere(box, row.name);
  context.progress.phase("Pushing");
  const result = await push({
    ...syncOptions(box, row, remote),
    made,
    sign: (message) => box.peer().sign(message),
    peer: box.peer().publicKey,
    peerName: peerName(box),
  });
  context.progress.done();
  noteSeen(box, row.url, result);
  return { packs: result.packs, bytes: result.bytes };
}

/** @throws OuroError "not-found" where there is nothing to push yet. */
export function requireCommit(box: OpenBox): void {
  if (box.head() === undefined)
    throw new OuroError("not-found", "Cannot push: there is no commit yet", { hint: "Run `ourobox commit` first." });
}

/**
 * Writes down in a remote what it has, for readers that come through a web server.
 * @returns How many files there are.
 * @throws OuroError "not-found" when no box is there.
 */
export async function publishRemote(box: OpenBox, name: string | undefined): Promise<number> {
  const row = getRemote(box, name);
  const { signal, clock } = box.context;
  await using remote = openBoxRemote(box, row, { create: false });
  await readRemoteIdentity(remote, { signal });
  return await publishListing(remote, { signal, nowMs: clock.nowMs() });
}

/**
 * What a new remote is to say of this box; of a sealed one with the key wrapped by a passphrase that is asked for here. The
 * wrapping takes a while and goes on when this is back.
 */
async function wrappedIdentity(box: OpenBox, row: RemoteRow): Promise<{ readonly identity: Promise<BoxIdentity> }> {
  const { identity, secrets, context } = box;
  if (secrets.key === undefined) return { identity: Promise.resolve(identity) };
  const passphrase = await context.askPassphrase(`New passphrase for the remote ${row.name} (${row.url})`, "first");
  const wrapping = wrapKey(secrets.key, identity.box, passphrase, { random: context.random });
  const note = { label: "passphrase", kind: "passphrase" } as const;
  return { identity: wrapping.then((key) => ({ ...identity, keys: [noteKey(box, key, note)] })) };
}

/**
 * What remotes have of a branch, but for what is dated far ahead, of which the user is warned.
 * @param options.remotes Only these ones'; absent: all. @param options.acceptClock With what is dated far ahead.
 */
export function commitsOnBranch(
  box: OpenBox,
  branch: string,
  { remotes, acceptClock }: { readonly remotes?: readonly string[]; readonly acceptClock?: boolean } = {},
): NamedCommit[] {
  const commits = allOnBranch(box, branch, remotes);
  return acceptClock === true ? commits : nearCommits(box, commits);
}

/** Whether something of a branch is not joined, being dated far ahead. */
export function hasFarAhead(box: OpenBox, branch: string, remotes?: readonly string[]): boolean {
  return allOnBranch(box, branch, remotes).some((commit) => findFarAhead(box, commit) !== undefined);
}

function allOnBranch(box: OpenBox, branch: string, remotes: readonly string[] | undefined): NamedCommit[] {
  return headsOfRemotes(box)
    .filter((head) => head.branch === branch && remotes?.includes(head.remote) !== false)
    .map(({ commit }) => box.commits.read(commit));
}

/** @throws OuroError "unsupported", "usage", and with `create` those of making a folder. */
export function openBoxRemote(
  { context }: Pick<OpenBox, "context">,
  { url, verdict }: Pick<RemoteRow, "url" | "verdict">,
  { create }: { readonly create: boolean },
): Remote {
  const { cwd, disk, random, env, clock } = context;
  const { limits } = readTransferSettings(context);
  const copier = disk === nodeDisk ? { copier: nodeCopier } : {};
  const onRetry = (failure: OuroError, waitMs: number): void =>
    context.notice(`${failure.message}. It is tried again in ${Math.ceil(waitMs / 1000)} s.`);
  return openRemote(url, { cwd, disk, random, create, env, clock, verdict, limits, onRetry, ...copier });
}

/** What fetch, push and check are given of a box. */
export function syncOptions({ context, secrets, store, state }: OpenBox, row: RemoteRow, remote: Remote): SyncOptions {
  const { disk, random, signal, progress, workers } = context;
  const { transfers } = readTransferSettings(context);
  return {
    remote,
    remoteName: row.name,
    secrets,
    store,
    state,
    disk,
    random,
    verify: verifySignature,
    signal,
    progress,
    workers,
    ...(transfers === undefined ? {} : { transfers }),
  };
}
