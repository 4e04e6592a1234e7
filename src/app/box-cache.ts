/** `cache`: how much of a box's content is here only because somebody has read it, and giving some of it up. */
import { CacheEvictor, type EvictReport } from "./cache-evict.ts";
import { readCacheLimits } from "./cache-limits.ts";
import { roomOf } from "./cache-quota.ts";
import type { OpenBox } from "./open-box.ts";

/** Sizes in bytes, on the disk. */
export interface CacheReport {
  readonly frames: number;
  readonly bytes: number;
  readonly quota: number;
  /** What the cache may take now: less than the quota where the disk is nearly full. */
  readonly limit: number;
  /** To be left free on the disk. */
  readonly free: number;
  readonly disk: number;
  readonly diskFree: number;
}

export interface ShrinkReport extends EvictReport {
  /** What is in the cache afterwards. */
  readonly left: number;
  /** That is more than was asked for. */
  readonly partial: boolean;
}

export function cacheOf(box: OpenBox): CacheReport {
  const { frames, bytes } = box.store.cache.size;
  const { size, free, disk } = readCacheLimits(box);
  return { frames, bytes, quota: size, limit: roomOf(box, bytes).limit, free, disk: disk.total, diskFree: disk.free };
}

/**
 * @param to What may be left, in bytes; absent: what it may take now.
 * @throws OuroError as `CacheEvictor.evict`; "read-only".
 */
export async function shrinkCache(
  box: OpenBox,
  { to, dryRun }: { readonly to?: number; readonly dryRun: boolean },
): Promise<ShrinkReport> {
  box.requireWritable();
  const { bytes } = box.store.cache.size;
  const goal = to ?? roomOf(box, bytes).limit;
  if (!dryRun) box.store.cache.tidy();
  if (bytes <= goal) return { frames: 0, bytes: 0, uncopied: 0, silent: [], left: bytes, partial: false };
  const report = await new CacheEvictor(box).evict(bytes - goal, { dryRun });
  const left = dryRun ? bytes - report.bytes : box.store.cache.size.bytes;
  return { ...report, left, partial: left > goal };
}
