/** `fetch`, `push` and `pull`: the box and its remotes. */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import { type BoxIdentity, compareVectors, fullVector, type Hash, type NamedCommit, wrapKey } from "../format/mod.ts";
import { verifySignature } from "../peer/mod.ts";
import { nodeCopier, openRemote, type Remote } from "../remote/mod.ts";
import { type FetchResult, fetch, initRemote, push, type SyncOptions } from "../sync/mod.ts";
import { moveFolder, resumeMove } from "./move-folder.ts";
import type { OpenBox } from "./open-box.ts";
import { keepOwnHead } from "./own-head.ts";
import { peerName } from "./peer-name.ts";
import { headsOfRemotes } from "./remote-heads.ts";
import { getRemote, type RemoteRow } from "./remote-list.ts";

/** How often a pull looks again since another command has moved the head. */
const roundsMax = 10;

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

export interface PullReport {
  readonly fetched: FetchReport;
  /** The commit that the head has moved to; absent when it has not. */
  readonly moved?: Hash;
  /** Something could not be taken in, or not written as it should be. */
  readonly partial: boolean;
}

export async function fetchBox(box: OpenBox, name: string | undefined): Promise<FetchReport> {
  const row = getRemote(box, name);
  await using remote = openBoxRemote(box, row, { create: false });
  return fetchFrom(box, row, remote);
}

export async function fetchFrom(box: OpenBox, row: RemoteRow, remote: Remote): Promise<FetchReport> {
  const { context } = box;
  context.progress.phase("Fetching");
  let result: FetchResult;
  // From before the packs that are here are looked at: a gc must not take one away that counts as here.
  box.store.beginWriting();
  try {
    result = await fetch(syncOptions(box, row, remote));
  } finally {
    box.store.endWriting();
  }
  context.progress.done();
  for (const { writer, reason, error, commit } of result.keptOut) {
    const what = commit === undefined ? "" : `, commit ${toHex(commit).slice(0, 12)}`;
    context.warn(`The head of ${writer}${what}, was not taken in (${reason}): ${error.message}`);
  }
  for (const [pack, error] of result.failedPacks)
    context.warn(`Pack ${pack.slice(0, 12)} could not be fetched: ${error.message}`);
  for (const error of result.damaged) context.warn(error.message);
  const partial = result.keptOut.length + result.failedPacks.size + result.damaged.length > 0;
  return { packs: result.packs, bytes: result.bytes, heads: result.heads.length, partial };
}

export async function pushBox(box: OpenBox, name: string | undefined): Promise<PushReport> {
  const row = getRemote(box, name);
  const { context } = box;
  if (box.head() === undefined)
    throw new OuroError("not-found", "Cannot push: there is no commit yet", { hint: "Run `ourobox commit` first." });
  // A remote that was there before and is not now is a disk that is not mounted: its folder is not made anew.
  const isNew = box.state.remoteHeads(row.name).length === 0;
  await using remote = openBoxRemote(box, row, { create: isNew });
  await initRemote(remote, box.secrets, () => wrappedIdentity(box, row), { signal: context.signal });
  context.progress.phase("Pushing");
  const { packs, bytes } = await push({
    ...syncOptions(box, row, remote),
    sign: (message) => box.peer().sign(message),
    peer: box.peer().publicKey,
    peerName: peerName(box),
  });
  context.progress.done();
  return { packs, bytes };
}

/** What a new remote is to say of this box; of a sealed one with the key wrapped by a passphrase that is asked for here. */
async function wrappedIdentity({ identity, secrets, context }: OpenBox, row: RemoteRow): Promise<BoxIdentity> {
  if (secrets.key === undefined) return identity;
  const passphrase = await context.askPassphrase(`New passphrase for the remote ${row.name} (${row.url})`);
  return { ...identity, keys: [await wrapKey(secrets.key, identity.box, passphrase, { random: context.random })] };
}

/** Fetches, and moves head and folder forward when all that is here is in what came. */
export async function pullBox(box: OpenBox, name: string | undefined): Promise<PullReport> {
  const row = getRemote(box, name);
  await resumeMove(box);
  await using remote = openBoxRemote(box, row, { create: false });
  const fetched = await fetchFrom(box, row, remote);
  for (let round = 1; ; round += 1) {
    const from = box.state.head();
    const target = findTarget(box, row);
    if (target === undefined) {
      keepOwnHead(box);
      return { fetched, partial: fetched.partial };
    }
    try {
      const { isPartial } = await moveFolder(box, target.id, {
        command: "pull",
        ...(from === undefined ? {} : { from }),
      });
      return { fetched, moved: target.id, partial: isPartial || fetched.partial };
    } catch (thrown) {
      // Somebody has committed meanwhile: the target must have that, too.
      if (round === roundsMax || !isKind(thrown, "stale")) throw thrown;
    }
  }
}

/**
 * The commit of a branch on the remote that has all others and what is here; undefined when that is here already.
 * @throws OuroError "diverged".
 */
export function findTarget(box: OpenBox, row: RemoteRow, branch: string = box.branch): NamedCommit | undefined {
  const own = box.headCommit();
  let best = own;
  for (const { commit, branch: of } of headsOfRemotes(box, row.name)) {
    if (of !== branch) continue;
    const named = box.commits.read(commit);
    if (best === undefined) {
      best = named;
      continue;
    }
    const order = compareVectors(fullVector(named), fullVector(best));
    if (order === "after") best = named;
    else if (order === "concurrent") throw diverged(best, named, own);
  }
  return best === undefined || best === own ? undefined : best;
}

function diverged(a: NamedCommit, b: NamedCommit, own: NamedCommit | undefined): OuroError {
  const name = (named: NamedCommit): string => `${toHex(named.id).slice(0, 12)}${named === own ? " (yours)" : ""}`;
  return new OuroError(
    "diverged",
    `Cannot pull: commits ${name(a)} and ${name(b)} each have changes that the other has not`,
    {
      hint: "Joining them is not in this version. Look at the other with `ourobox log COMMIT`, and take from it what you want with `ourobox restore --source COMMIT PATH`.",
    },
  );
}

/** @throws OuroError "unsupported", "usage", and with `create` those of making a folder. */
export function openBoxRemote(
  { context }: Pick<OpenBox, "context">,
  { url }: { readonly url: string },
  { create }: { readonly create: boolean },
): Remote {
  const { cwd, disk, random, env } = context;
  const copier = disk === nodeDisk ? { copier: nodeCopier } : {};
  return openRemote(url, { cwd, disk, random, create, env, ...copier });
}

function syncOptions({ context, secrets, store, state }: OpenBox, row: RemoteRow, remote: Remote): SyncOptions {
  const { disk, random, signal, progress } = context;
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
  };
}
