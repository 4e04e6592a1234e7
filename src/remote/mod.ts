/** Remotes: named blobs on dumb storage. */
export { DirRemote, type DirRemoteOptions } from "./dir-remote.ts";
export { type FileCopier, nodeCopier } from "./file-copier.ts";
export { listingName, publishListing } from "./http/listing.ts";
export type { Limits } from "./limit-remote.ts";
export { MemoryPlace, MemoryRemote } from "./memory-remote.ts";
export { measureConditions, normalizeUrl, type OpenRemoteOptions, openRemote } from "./open-remote.ts";
export {
  type BlobInfo,
  type BlobSource,
  type ByteRange,
  type DownloadOptions,
  type GetOptions,
  getBytesMax,
  type PutCondition,
  type Remote,
  type RemoteOptions,
} from "./remote.ts";
export { isVerdict, type S3Verdict } from "./s3/s3-remote.ts";
