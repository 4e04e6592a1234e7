/** The heads of a remote as a prune sees them: what they need, when each was written, and which are silent. */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import {
  fullVector,
  type Hash,
  type Head,
  headName,
  type PackInfo,
  type Tag,
  type VersionVector,
  writerHex,
} from "../format/mod.ts";
import { CommitReader, type LiveObjects, loadRetention, markLiveInTurns, RetentionView } from "../history/mod.ts";
import type { BlobInfo } from "../remote/mod.ts";
import { type BoxOnRemote, packName, retentionPrefix } from "./box-on-remote.ts";
import { includes } from "./completeness.ts";
import { FetchedPacks, fetchPacks } from "./fetch-packs.ts";
import { hasTags, joinTags } from "./own-head.ts";
import { deletedMeanwhile } from "./prune-scan.ts";
import type { RemoteIndex } from "./remote-index.ts";
import { isForgottenByAll, type KeepingHead, readRetentions } from "./retentions.ts";
import type { SyncOptions } from "./sync-options.ts";

/** A head that is on the remote. */
export interface HeadThere {
  readonly head: Head;
  readonly info: BlobInfo;
}

/**
 * All heads that there are.
 * @throws OuroError "corrupt" and its like for one that cannot be read: nobody knows what it needs.
 */
export async function readHeads(box: BoxOnRemote): Promise<HeadThere[]> {
  const found: HeadThere[] = [];
  for (const [writer, info] of await box.listHeads()) {
    try {
      const { head } = await box.readHead(BigInt(`0x${writer}`));
      found.push({ head, info });
    } catch (thrown) {
      // Its branch has been deleted since the listing.
      if (isKind(thrown, "not-found")) continue;
      if (!isKind(thrown)) throw thrown;
      throw new OuroError(thrown.kind, `Cannot tell what is needed there: ${thrown.message}`, {
        hint: "Push from the machine whose head it is, or remove that file if the machine is gone.",
        cause: thrown,
      });
    }
  }
  return found;
}

/**
 * What the heads need, by what their writers keep. Metadata that is not here is brought.
 * @param asksAll For tests.
 * @throws OuroError "not-found" when a head needs metadata that is nowhere, "corrupt".
 */
export async function markNeeded(
  box: BoxOnRemote,
  heads: readonly HeadThere[],
  index: RemoteIndex,
  options: SyncOptions,
  asksAll = true,
): Promise<LiveObjects> {
  const { store, secrets, verify, signal } = options;
  const commits = (): CommitReader => new CommitReader(store, { hasher: store.hasher, box: secrets.box, verify });
  const mark = async (): Promise<LiveObjects> => {
    const reader = commits();
    const vectors = heads.map(({ head }) => ({ head, vector: fullVector(reader.read(head.commit)) }));
    const keeping = await readRetentions(box, vectors);
    const asked = (asksAll ? keeping : keeping.slice(0, 1)).map((each) => withOwn(each, options));
    return await markLiveInTurns(reader, rootsOf(heads, store), {
      isForgotten: isForgottenByAll(asked),
      ...(signal === undefined ? {} : { signal }),
    });
  };
  const isHere = taggedCommits(heads).every((id) => store.hasMeta(id));
  if (isHere) {
    try {
      return await mark();
    } catch (thrown) {
      if (!isKind(thrown, "not-found") && !isKind(thrown, "corrupt")) throw thrown;
    }
  }
  const gone = await bringMetadata(index, options);
  try {
    return await mark();
  } catch (thrown) {
    if (gone === undefined || (!isKind(thrown, "not-found") && !isKind(thrown, "corrupt"))) throw thrown;
    throw deletedMeanwhile(gone, thrown);
  }
}

/** Of this box's own heads what it keeps now, be it published yet or not. */
function withOwn(each: KeepingHead, { state }: SyncOptions): KeepingHead {
  const own = [state.head(), ...state.branches()].some((mine) => mine?.writer === each.head.writer);
  return own ? { ...each, keeps: new RetentionView(loadRetention(state)) } : each;
}

/** Commits of heads, their writers' last events, and tags; of tags that were never pushed here nothing is known. */
function rootsOf(heads: readonly HeadThere[], store: SyncOptions["store"]): Hash[] {
  const own = heads.flatMap(({ head: { commit, last } }) => (last === undefined ? [commit] : [commit, last.id]));
  return [...own, ...taggedCommits(heads).filter((id) => store.hasMeta(id))];
}

/** Of two tags of one name the later counts. */
function taggedCommits(heads: readonly HeadThere[]): Hash[] {
  const tags = heads.reduce<readonly Tag[]>((joined, { head }) => joinTags(joined, head.tags), []);
  return tags.flatMap(({ commit }) => (commit === undefined ? [] : [commit]));
}

/** Brings all metadata that is not here. @returns A pack that was listed and is gone, if there is one. */
async function bringMetadata(index: RemoteIndex, options: SyncOptions): Promise<PackInfo | undefined> {
  const { store } = options;
  const here = new Set(store.packs().map(({ name }) => packName(name)));
  const missing = [...index.packs.values()].filter((pack) => pack.class === "meta" && !here.has(packName(pack.name)));
  if (missing.length === 0) return undefined;
  options.progress?.phase("Fetching metadata", { files: missing.length });
  const fetched = new FetchedPacks();
  await using adoption = store.openAdoption({ workers: options.workers ?? 0, contentBytes: 0 });
  await fetchPacks(missing, options, adoption, fetched);
  return missing.find(({ name }) => isKind(fetched.failed.get(toHex(name)), "not-found"));
}

/** Heads that are silent and say nothing that another of their branch does not say. */
export function findNeedless(
  heads: readonly HeadThere[],
  isSilent: (head: HeadThere) => boolean,
  vectorOf: (head: Head) => VersionVector,
): HeadThere[] {
  const live = heads.filter((each) => !isSilent(each));
  return heads
    .filter(isSilent)
    .filter(({ head }) =>
      live.some(
        (other) =>
          other.head.branch === head.branch &&
          includes(vectorOf(other.head), vectorOf(head)) &&
          hasTags(other.head, head.tags),
      ),
    );
}

/** Removes a head, unless it has been written since, and what its writer keeps. @returns Whether it did. */
export async function removeHead({ head, info }: HeadThere, { remote, signal }: SyncOptions): Promise<boolean> {
  const options = signal === undefined ? {} : { signal };
  const now = await remote.stat(headName(head.writer), options);
  if (!isUnchanged(info, now)) return false;
  await remote.remove(headName(head.writer), options);
  await remote.remove(`${retentionPrefix}${writerHex(head.writer)}`, options);
  return true;
}

/** Whether a file is as it was listed before. */
export function isUnchanged(before: BlobInfo, now: BlobInfo | undefined): boolean {
  return before.tag === now?.tag && before.size === now?.size && before.modifiedMs === now?.modifiedMs;
}
