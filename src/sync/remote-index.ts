/**
 * Which packs a remote has: what all its index files say together. Files once read are remembered, for they never change.
 *
 * A file that a later one replaces is not read. It may be removed at any time once the later one is there; so a file that is gone
 * when it is to be read means that the listing is old, and it is listed again.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { encodeIndexFile, getHasher, hashBytes, type IndexFile, type PackInfo, sealBlob } from "../format/mod.ts";
import type { BlobInfo } from "../remote/mod.ts";
import { type BoxOnRemote, indexName, indexPrefix } from "./box-on-remote.ts";
import { forEachParallel } from "./parallel.ts";
import type { RemoteMemory } from "./remote-memory.ts";
import type { SyncOptions } from "./sync-options.ts";

const requestsMax = 4;
const listingsMax = 4;
const saltBytes = 16;
/** 32 TiB of packs of the usual size. */
const packsMax = 2 ** 20;

export interface RemoteIndex {
  /** By name in hex. */
  readonly packs: ReadonlyMap<string, PackInfo>;
  /** The index files there are, by name in hex; those that are replaced by others, too. */
  readonly files: ReadonlyMap<string, BlobInfo>;
  /** Of `files` those that others of them replace. */
  readonly replaced: readonly string[];
  /** The files that could not be read: what they list may be missing from `packs`. */
  readonly damaged: readonly OuroError[];
}

/** Reads what is new. @throws OuroError as `Remote.get`; "too-large" for more packs than there can be. */
export async function readRemoteIndex(box: BoxOnRemote, memory: RemoteMemory): Promise<RemoteIndex> {
  for (let listing = 1; ; listing += 1) {
    const files = await box.listHashes(indexPrefix);
    for (const name of memory.indexFiles.keys()) if (!files.has(name)) memory.indexFiles.delete(name);
    const damaged: OuroError[] = [];
    const gone = await readFiles(box, memory, files, damaged);
    if (gone !== undefined && listing < listingsMax) continue;
    if (gone !== undefined) damaged.push(gone);
    const replaced = [...replacedBy(memory.indexFiles.values())].filter((name) => files.has(name));
    forgetReplaced(memory);
    return { packs: allPacks(memory, box.remote.url), files, replaced, damaged };
  }
}

/** @returns The error of a file that was listed and is not there. */
async function readFiles(
  box: BoxOnRemote,
  memory: RemoteMemory,
  files: ReadonlyMap<string, BlobInfo>,
  damaged: OuroError[],
): Promise<OuroError | undefined> {
  const replaced = replacedBy(memory.indexFiles.values());
  // The largest first: they are the merged ones, which make others needless.
  const unread = [...files].filter(([name]) => !memory.indexFiles.has(name)).sort(([, a], [, b]) => b.size - a.size);
  let gone: OuroError | undefined;
  await forEachParallel(unread, requestsMax, async ([name]) => {
    if (replaced.has(name)) return;
    try {
      const { index } = await box.readIndexFile(fromHex(name, hashBytes));
      memory.indexFiles.set(name, index);
      for (const each of index.replaces) replaced.add(toHex(each));
    } catch (thrown) {
      if (isKind(thrown, "not-found")) gone = thrown;
      else if (isDamage(thrown)) damaged.push(thrown);
      else throw thrown;
    }
  });
  return gone;
}

/** Whether it is the file that is at fault, not the way to it. */
export function isDamage(thrown: unknown): thrown is OuroError {
  return (
    isKind(thrown, "corrupt") ||
    isKind(thrown, "too-large") ||
    isKind(thrown, "wrong-key") ||
    isKind(thrown, "newer-format")
  );
}

export function replacedBy(indexes: Iterable<IndexFile>): Set<string> {
  const names = new Set<string>();
  for (const { replaces } of indexes) for (const name of replaces) names.add(toHex(name));
  return names;
}

function forgetReplaced(memory: RemoteMemory): void {
  for (const name of replacedBy(memory.indexFiles.values())) memory.indexFiles.delete(name);
}

/** What all index files that are remembered say together. @throws OuroError "too-large". */
export function allPacks(memory: Pick<RemoteMemory, "indexFiles">, url: string): Map<string, PackInfo> {
  const packs = new Map<string, PackInfo>();
  for (const index of memory.indexFiles.values()) {
    for (const pack of index.packs) packs.set(toHex(pack.name), pack);
    if (packs.size > packsMax) {
      throw new OuroError("too-large", `Cannot use ${url}: it lists over ${packsMax} packs`, { subject: url });
    }
  }
  return packs;
}

/** More index files than this that none has replaced are merged into one. */
const indexFilesMax = 64;

/** Whether the next index file is to list everything, and replace all. */
export function isToBeMerged({ files, replaced, damaged }: RemoteIndex): boolean {
  return damaged.length === 0 && files.size - replaced.length >= indexFilesMax;
}

/** Writes an index file, under a name that no other has had. @throws As `Remote.put`. */
export async function putIndexFile(
  options: Pick<SyncOptions, "remote" | "secrets" | "random" | "signal">,
  memory: RemoteMemory,
  file: IndexFile,
): Promise<void> {
  const { remote, secrets, random, signal } = options;
  // Sealing adds random bytes. Without: a file that says what one said that was replaced would be taken for that one.
  const salt = secrets.suite === "plain" ? random(saltBytes) : undefined;
  const blob = sealBlob(secrets, "index", encodeIndexFile(file, salt), random);
  const name = getHasher(secrets.hash).hash(blob);
  await remote.put(indexName(name), blob, signal === undefined ? {} : { signal });
  for (const replaced of file.replaces) memory.indexFiles.delete(toHex(replaced));
  memory.indexFiles.set(toHex(name), file);
}

/**
 * Removes index files that a merged one replaced which was there before `index` was read. Whoever has listed them and finds
 * them gone lists again and finds the merged one.
 */
export async function removeReplaced(
  { remote, signal }: Pick<SyncOptions, "remote" | "signal">,
  { replaced }: RemoteIndex,
): Promise<void> {
  try {
    await forEachParallel(replaced, requestsMax, async (name) => {
      await remote.remove(indexName(fromHex(name, hashBytes)), signal === undefined ? {} : { signal });
    });
  } catch (thrown) {
    // Somebody who may add may not be one who may remove; they do no harm.
    if (!isKind(thrown, "permission") && !isKind(thrown, "read-only") && !isKind(thrown, "unsupported")) throw thrown;
  }
}
