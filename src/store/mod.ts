/** The store: objects by their hashes, in packs, found by an index. */
export type { ArrivedPack } from "./adopt-packs.ts";
export { Adoption, type AdoptionOptions } from "./adoption.ts";
export { bytesOnDisk, type CacheSize } from "./cached-frames.ts";
export type { CheckOptions, Damage } from "./check.ts";
export type { CachedPart, ContentCache } from "./content-cache.ts";
export * from "./content-source.ts";
export type { GcOptions, GcResult } from "./gc.ts";
export { defaultWorkers, Ingest, type IngestOptions } from "./ingest.ts";
export type { ContentItems, IngestFile, IngestResult } from "./ingest-batch.ts";
export * from "./meta.ts";
export type { MetaWriter } from "./meta-writer.ts";
export type { IsRight } from "./object-name.ts";
export type { BuiltPack, IsWanted, PackRebuilder } from "./pack-rebuilder.ts";
export type { IsLive, Repacking } from "./repacking.ts";
export type { PackEnds } from "./sparse-adding.ts";
export type { ArrivedFrame, SparsePacks, TakenFrames } from "./sparse-packs.ts";
export { type ChunkPlace, Store, type StoredPack } from "./store.ts";
export type { StoreOptions } from "./store-options.ts";
