/** Bringing boxes and remotes together: making a remote, push, fetch. */
export { type FetchOptions, type FetchResult, fetch, type KeptOut } from "./fetch.ts";
export {
  type BegunRemote,
  beginRemote,
  type InitResult,
  initRemote,
  readRemoteIdentity,
} from "./init-remote.ts";
export { type PushOptions, type PushResult, push } from "./push.ts";
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
export type { SyncOptions, SyncProgress, SyncState, SyncStore } from "./sync-options.ts";
