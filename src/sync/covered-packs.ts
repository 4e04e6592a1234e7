/**
 * Which of the packs that a remote lacks hold nothing that it lacks. Collecting garbage packs objects anew, under new names; without
 * this, the next push would send everything once more.
 *
 * Only a pack that was shared and has been removed here can have its objects in a new pack here. So the directories of those
 * packs are read from the remote (two small ranges each), once after each collection, and a new pack all of whose
 * objects are in them is covered: remembered, and not pushed. When reading them costs more than pushing, all is pushed. A pack that came
 * from elsewhere and was never looked into whole does not count: what it says may be a lie (doc/decisions/0005-remotes.md).
 */
import { toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import { directoryHash, type PackDirectory, type PackInfo } from "../format/mod.ts";
import { HashSet } from "../history/mod.ts";
import { readDirectoryThere } from "./pack-directory.ts";
import { forEachParallel } from "./parallel.ts";
import { isDamage } from "./remote-index.ts";
import type { RemoteMemory } from "./remote-memory.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

/** What two requests are worth in bytes that are sent instead. */
const requestBytes = 32 * 1024;

type Reading = Pick<SyncOptions, "remote" | "secrets" | "store" | "signal" | "transfers">;

/**
 * Finds new covered packs and notes them in `memory.covered`.
 * @param lacking The packs here that the remote lacks.
 * @param there The packs that the remote has, by name in hex.
 * @param options.atAnyCost Where it is not about what is to be pushed.
 * @returns Whether the remote was asked: then there is more in `memory` than before.
 */
export async function findCovered(
  lacking: readonly PackInfo[],
  there: ReadonlyMap<string, PackInfo>,
  memory: RemoteMemory,
  options: Reading & { readonly atAnyCost?: boolean },
): Promise<boolean> {
  forgetLost(memory, there);
  const removed = findRemoved(there, memory, options);
  const candidates = lacking.filter(({ name }) => !memory.covered.has(toHex(name)));
  if (candidates.length === 0 || removed.every(([name]) => memory.compared.has(name))) return false;
  const packs = removed.map(([, pack]) => pack);
  if (options.atAnyCost !== true && costOf(packs) > sizeOf(candidates)) return false;
  const objects = await readObjects(packs, options);
  if (objects === undefined) return false;
  for (const pack of candidates) {
    const name = toHex(pack.name);
    if (isCovered(options.store.sparse.directory(pack.name), objects)) memory.covered.add(name);
  }
  memory.compared.clear();
  for (const [name] of removed) memory.compared.add(name);
  return true;
}

/**
 * What is in packs there that were here, too, once, and were removed here.
 * @param instead What would be sent if it were not known; undefined when reading costs more than that.
 */
export async function readRemoved(
  instead: readonly PackInfo[],
  there: ReadonlyMap<string, PackInfo>,
  memory: RemoteMemory,
  options: SyncOptions,
): Promise<Record<PackInfo["class"], HashSet> | undefined> {
  const packs = findRemoved(there, memory, options).map(([, pack]) => pack);
  return packs.length === 0 || costOf(packs) > sizeOf(instead) ? undefined : await readObjects(packs, options);
}

function findRemoved(
  there: ReadonlyMap<string, PackInfo>,
  memory: RemoteMemory,
  { store }: Reading,
): (readonly [string, PackInfo])[] {
  const here = new Set(store.packs().map(({ name }) => toHex(name)));
  return [...there].filter(([name]) => memory.shared.has(name) && !memory.unproven.has(name) && !here.has(name));
}

/** What was found with the help of a pack that is no longer there is found no more. */
function forgetLost(memory: RemoteMemory, there: ReadonlyMap<string, PackInfo>): void {
  if ([...memory.compared].every((name) => there.has(name))) return;
  memory.compared.clear();
  memory.covered.clear();
}

function costOf(packs: readonly PackInfo[]): number {
  return packs.reduce((sum, { directorySize }) => sum + directorySize + requestBytes, 0);
}

function sizeOf(packs: readonly PackInfo[]): number {
  return packs.reduce((sum, { size }) => sum + size, 0);
}

/** The objects of packs on the remote, chunks and metadata apart; undefined when one of the packs cannot be read. */
export async function readObjects(
  packs: readonly PackInfo[],
  options: Reading,
): Promise<Record<PackInfo["class"], HashSet> | undefined> {
  const { remote, secrets, signal } = options;
  const objects = { content: new HashSet(), meta: new HashSet() };
  try {
    await forEachParallel(packs, options.transfers ?? transfersDefault, async (pack) => {
      const directory = await readDirectoryThere(remote, pack, secrets, signal === undefined ? {} : { signal });
      for (let index = 0; index < directory.objects; index += 1)
        objects[pack.class].add(directoryHash(directory, index));
    });
    return objects;
  } catch (thrown) {
    // Then the new packs are pushed, which mends it.
    if (isDamage(thrown) || isKind(thrown, "not-found") || isKind(thrown, "invalid")) return undefined;
    throw thrown;
  }
}

function isCovered(directory: PackDirectory, objects: Record<PackInfo["class"], HashSet>): boolean {
  for (let index = 0; index < directory.objects; index += 1) {
    if (!objects[directory.class].has(directoryHash(directory, index))) return false;
  }
  return true;
}
