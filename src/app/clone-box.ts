/**
 * `clone`: a box made from a remote. Everything that was done is kept when it is interrupted, and the same command goes on from there: the
 * head is set last, and until then the folder is one whose files this command has written.
 */
import { equalBytes, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type BoxIdentity, fullVector, greatestClock, type Hash, type NamedCommit } from "../format/mod.ts";
import { normalizeUrl } from "../remote/mod.ts";
import { readRemoteIdentity, unlockRemote } from "../sync/mod.ts";
import { Box } from "./box.ts";
import { commitsOnBranch, fetchFrom, hasFarAhead, openBoxRemote } from "./box-remotes.ts";
import type { AppContext } from "./context.ts";
import { findStat, listNames } from "./disk-folders.ts";
import { findFarAhead } from "./far-clocks.ts";
import { joinHeads } from "./join-heads.ts";
import { boxFolder, layoutOf } from "./layout.ts";
import { makeBoxFolder, readSecrets } from "./make-box.ts";
import { keepOwnHead } from "./own-head.ts";
import { headsOfRemotes } from "./remote-heads.ts";
import { addRemote, remotesOf } from "./remote-list.ts";

export interface CloneReport {
  /** Absent when the remote has no commit yet. */
  readonly head?: Hash;
  readonly partial: boolean;
}

export interface CloneRequest {
  readonly bare: boolean;
  /** Only metadata: content is brought when it is read. */
  readonly unreal?: boolean;
  /** Absent: the one called "main" or, without such a one, that of the newest commit. */
  readonly branch?: string;
  /** Takes in what is dated more than a day ahead, too. */
  readonly acceptClock?: boolean;
  /** A clone of the same box that has ended is gone on with, too: it takes in what has come since. */
  readonly goesOn?: boolean;
}

/**
 * @throws OuroError "not-empty" (the folder holds something else), "not-found" (no box there, or no such branch), "wrong-key",
 * "diverged", ….
 */
export async function cloneBox(
  url: string,
  folder: string,
  { bare, unreal = false, branch: wanted, acceptClock = false, goesOn = false }: CloneRequest,
  context: AppContext,
): Promise<CloneReport> {
  // As the box will know it: what is remembered of a remote is kept under that name.
  const place = normalizeUrl(url, context.cwd);
  await using remote = openBoxRemote({ context }, { url: place }, { create: false });
  const identity = await readRemoteIdentity(remote, { signal: context.signal });
  if (!isBegun(context, folder, { remote: identity, goesOn })) {
    requireEmpty(context, folder);
    const { signal } = context;
    const secrets = await unlockRemote(remote, () => context.askPassphrase(`Passphrase of ${url}`), { signal });
    const { keys: _, ...own } = identity;
    const key = secrets.key === undefined ? {} : { key: secrets.key };
    const settings = [...(bare ? ["box.bare = true"] : []), ...(unreal ? ["box.content = unreal"] : [])];
    makeBoxFolder(context, folder, { identity: own, settings, ...key });
  }
  await using box = await Box.open(folder, context);
  if (!remotesOf(box).some(({ name }) => name === "origin")) addRemote(box, "origin", place);
  const [row] = remotesOf(box).filter(({ name }) => name === "origin");
  if (row === undefined) throw new OuroError("not-found", "Cannot clone: the remote origin was removed meanwhile");
  const fetched = await fetchFrom(box, row, remote);
  const branch = wanted ?? likelyBranch(box, row.name, acceptClock);
  const findOthers = (): NamedCommit[] => commitsOnBranch(box, branch, { remotes: [row.name], acceptClock });
  const others = findOthers();
  const isHeldBack = !acceptClock && hasFarAhead(box, branch, [row.name]);
  if (others.length === 0 && isHeldBack) throw onlyFarAhead(url);
  if (wanted !== undefined && others.length === 0) throw noBranch(url, wanted);
  if (others.length === 0) {
    if (fetched.partial && box.head() === undefined) throw nothingWhole(url);
    keepOwnHead(box);
    return { partial: fetched.partial };
  }
  const { moved, isPartial } = await joinHeads(box, {
    command: "clone",
    branch,
    others: findOthers,
    isGuarded: false,
  });
  // The last run may have ended it, but for the file of its head.
  if (moved === undefined) keepOwnHead(box);
  const head = moved ?? box.head()?.commit;
  return { partial: isPartial || fetched.partial || isHeldBack, ...(head === undefined ? {} : { head }) };
}

function likelyBranch(box: Box, remote: string, acceptClock: boolean): string {
  const all = headsOfRemotes(box, remote);
  const near = all.filter(({ commit }) => acceptClock || findFarAhead(box, box.commits.read(commit)) === undefined);
  const heads = near.length > 0 ? near : all;
  const [newest] = heads
    .map(({ branch, commit }) => ({ branch, clock: greatestClock(fullVector(box.commits.read(commit))) }))
    .sort((a, b) => (a.clock > b.clock ? -1 : 1));
  return newest === undefined || heads.some(({ branch }) => branch === box.branch) ? box.branch : newest.branch;
}

function onlyFarAhead(url: string): OuroError {
  return new OuroError("invalid", `Cannot clone ${url}: all that is there is dated more than a day ahead`, {
    subject: url,
    hint: "See that this machine's clock is right, and run the same command again: it goes on. With --accept-clock it takes in what is there, and dates all later commits after it.",
  });
}

function noBranch(url: string, branch: string): OuroError {
  return new OuroError("not-found", `Cannot clone the branch ${branch}: ${url} has none of that name`, {
    subject: branch,
    hint: "Run the command again without --branch, and look with `ourobox branch` there.",
  });
}

function nothingWhole(url: string): OuroError {
  return new OuroError("corrupt", `Cannot clone ${url}: no commit there is whole; the warnings say what is wrong`, {
    subject: url,
    hint: "Push to it again from a machine that has the box: the same command then goes on. Or look at what has come, in that folder, with `ourobox ls COMMIT:`, and write it out with `ourobox restore --source COMMIT --target DIR`.",
  });
}

/** Whether an earlier clone of the same box was interrupted in this folder. @throws OuroError "exists" for any other box. */
function isBegun(
  context: AppContext,
  folder: string,
  { remote, goesOn }: { readonly remote: BoxIdentity; readonly goesOn: boolean },
): boolean {
  const layout = layoutOf(folder);
  if (findStat(context.disk, layout.identity) === undefined) return false;
  const { identity } = readSecrets(context, layout);
  if (equalBytes(identity.box, remote.box) && (goesOn || !hasHead(context, layout.heads))) return true;
  throw new OuroError("exists", `Cannot clone into ${folder}: it holds a box already`, {
    subject: folder,
    hint: "Run `ourobox pull` there, or choose another folder.",
  });
}

/** A clone that ended has written the file of its head. */
function hasHead({ disk }: AppContext, heads: string): boolean {
  return listNames(disk, heads).some((name) => /^[0-9a-f]{16}$/.test(toText(name)));
}

function requireEmpty({ disk }: AppContext, folder: string): void {
  const [first] = listNames(disk, folder).filter((name) => !toText(name).startsWith(`${boxFolder}.`));
  if (first === undefined) return;
  throw new OuroError(
    "not-empty",
    `Cannot clone into ${folder}: it is not empty (it holds ${JSON.stringify(toText(first))})`,
    {
      subject: folder,
      hint: "Choose a new folder.",
    },
  );
}
