/** What is remembered of the packs of a remote, as its index files last said: nothing is asked of it. */
import type { PackInfo } from "../format/mod.ts";
import { allPacks } from "./remote-index.ts";
import { RemoteMemory } from "./remote-memory.ts";
import type { SyncState } from "./sync-options.ts";

/** Names are in hex. */
export interface KnownPacks {
  /** Those that it lists. */
  readonly packs: ReadonlyMap<string, PackInfo>;
  /** Packs that are here only, all of whose objects are in packs that it lists. */
  readonly covered: ReadonlySet<string>;
}

/** Empty where nothing is remembered. */
export function knownPacks(state: Pick<SyncState, "value">, url: string): KnownPacks {
  const memory = RemoteMemory.load(state, url);
  return { packs: allPacks(memory, url), covered: memory.covered };
}
