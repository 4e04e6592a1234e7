/** Which packs a remote has now: listed, there in full, and not about to be deleted. Asked of it, not remembered. */
import { BoxOnRemote, packPrefix } from "./box-on-remote.ts";
import { readRemoteIndex } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import type { SyncOptions } from "./sync-options.ts";

/**
 * Names in hex. Packs that are here only count, too, where the remote still has all the packs that hold the same objects, as far as is known.
 * @throws OuroError "not-found", "invalid" where no such box is there; as `Remote.list`.
 */
export async function presentPacks(
  options: Pick<SyncOptions, "remote" | "secrets" | "verify" | "state"> & { readonly signal?: AbortSignal },
): Promise<ReadonlySet<string>> {
  const { remote, secrets, verify, state } = options;
  const box = new BoxOnRemote(remote, secrets, verify, options);
  await box.checkIdentity();
  const memory = RemoteMemory.load(state, remote.url);
  const [condemned, index] = [await box.readCondemned(), await readRemoteIndex(box, memory)];
  const files = await box.listHashes(packPrefix);
  const isThere = (name: string): boolean => {
    const pack = index.packs.get(name);
    return pack !== undefined && files.get(name)?.size === pack.size && !condemned.has(name);
  };
  const present = new Set([...index.packs.keys()].filter(isThere));
  const isCoveredStill = [...memory.compared].every(isThere);
  return isCoveredStill ? present.union(memory.covered) : present;
}
