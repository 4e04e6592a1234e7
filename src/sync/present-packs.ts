/** Which packs a remote has now: listed, there in full, and not about to be deleted. Asked of it, not remembered. */
import { toHex } from "../base/bytes.ts";
import { BoxOnRemote, packPrefix } from "./box-on-remote.ts";
import { findCovered } from "./covered-packs.ts";
import { readRemoteIndex } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import type { SyncOptions } from "./sync-options.ts";

/**
 * Names in hex. Packs that are here only, as after a collection of garbage, count, too, where the remote still has packs that were once here and hold the same objects.
 * @throws OuroError "not-found", "invalid" where no such box is there; as `Remote.list`.
 */
export async function presentPacks(
  options: Pick<SyncOptions, "remote" | "secrets" | "verify" | "state" | "store" | "signal">,
): Promise<ReadonlySet<string>> {
  const { remote, secrets, verify, state, store } = options;
  const box = new BoxOnRemote(remote, secrets, verify, options);
  await box.checkIdentity();
  const memory = RemoteMemory.load(state, remote.url);
  const [condemned, index] = [await box.readCondemned(), await readRemoteIndex(box, memory)];
  const files = await box.listHashes(packPrefix);
  const isThere = (name: string): boolean => {
    const pack = index.packs.get(name);
    return pack !== undefined && files.get(name)?.size === pack.size && !condemned.has(name);
  };
  const there = new Map([...index.packs].filter(([name]) => isThere(name)));
  const lacking = store.packs().filter(({ name }) => !there.has(toHex(name)));
  if (await findCovered(lacking, there, memory, { ...options, atAnyCost: true })) memory.save(state, remote.url);
  return new Set(there.keys()).union(memory.covered);
}
