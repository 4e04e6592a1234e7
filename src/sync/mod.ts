/** Bringing boxes and remotes together: making a remote, push, fetch. */
export { type CheckRemoteOptions, checkRemote, type RemoteFindings } from "./check-remote.ts";
export type { NamedSource } from "./content-place.ts";
export { type CopyRemoteOptions, type CopyRemoteResult, copyRemote } from "./copy-remote.ts";
export { type FetchOptions, type FetchResult, fetch, type KeptOut } from "./fetch.ts";
export {
  type BegunRemote,
  beginRemote,
  type InitResult,
  initRemote,
  readRemoteIdentity,
} from "./init-remote.ts";
export { type KnownPacks, knownPacks } from "./known-packs.ts";
export { type MendOptions, type MendResult, mendRemote } from "./mend-remote.ts";
export { fileReader, readDirectoryThere, readPackDirectory } from "./pack-directory.ts";
export { forEachParallel } from "./parallel.ts";
export { presentPacks } from "./present-packs.ts";
export { type PruneOptions, type PruneReport, prune } from "./prune.ts";
export type { PruneRules } from "./prune-rules.ts";
export { type PushOptions, type PushResult, push } from "./push.ts";
export { RemoteContent, type RemoteContentOptions } from "./remote-content.ts";
export {
  type ChangeOptions,
  changeRemoteKeys,
  type KeyChange,
  type RemoteKeys,
  readRemoteKeys,
  remoteKeysMax,
  unlockRemote,
} from "./remote-keys.ts";
export { forgetRemote } from "./remote-memory.ts";
export { publishOwnRetention } from "./retentions.ts";
export { type SentAhead, sendAhead } from "./send-ahead.ts";
export type { SyncOptions, SyncProgress, SyncState, SyncStore } from "./sync-options.ts";
