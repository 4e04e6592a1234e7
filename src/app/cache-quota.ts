/**
 * The cache's quota: room is made before anything is kept, so that the cache is never larger, but for what processes that read at the same moment have just
 * written. Much is given up at once, so that it is seldom done. What there is no room for is read all the same, and not kept.
 */
import { isKind, type OuroError } from "../base/errors.ts";
import type { CacheRoom } from "../store/mod.ts";
import { CacheEvictor, type EvictReport } from "./cache-evict.ts";
import { readCacheLimits } from "./cache-limits.ts";
import type { OpenBox } from "./open-box.ts";

/** Room is made until this share of the quota is used. */
const shareLeft = 0.9;
/** For one read room is made, or waited for, so often. */
const triesMax = 3;
/** When nothing could be given up it is tried again after so long. */
const pauseMs = 30_000;

export interface Room {
  /** All that the cache may take now: the quota, or less where the disk is full. */
  readonly limit: number;
  readonly used: number;
  readonly quota: number;
}

/** What the cache may take now. @param used What it takes. @throws OuroError as `readCacheLimits`. */
export function roomOf(box: OpenBox, used: number): Room {
  const { size, free, disk } = readCacheLimits(box);
  return { limit: Math.max(0, Math.min(size, used + disk.free - free)), used, quota: size };
}

/** One for each open box: what is told once is told once, and what was found out is known. */
const quotas = new WeakMap<OpenBox, CacheQuota>();

export function quotaOf(box: OpenBox): CacheRoom {
  return findQuota(box);
}

/** Where it is said, once, that what is read is not kept; as a notice by default. */
export function tellOfCache(box: OpenBox, tell: (text: string) => void): void {
  findQuota(box).tell = tell;
}

function findQuota(box: OpenBox): CacheQuota {
  const quota = quotas.get(box) ?? new CacheQuota(box);
  quotas.set(box, quota);
  return quota;
}

class CacheQuota implements CacheRoom {
  readonly #box: OpenBox;
  readonly #evictor: CacheEvictor;
  tell: (text: string) => void;
  #making: Promise<void> | undefined;
  #pausedUntilMs = Number.NEGATIVE_INFINITY;
  #hasTold = false;
  #hasFailed = false;
  /** The file system gives no space back: what is kept would stay for good. */
  #givesNothingBack = false;

  constructor(box: OpenBox) {
    this.#box = box;
    this.#evictor = new CacheEvictor(box);
    this.tell = (text) => box.context.notice(text);
  }

  async keep<T>(sizes: readonly number[], take: (count: number) => T): Promise<T> {
    if (this.#box.isReadOnly || this.#givesNothingBack) return take(0);
    for (let tries = 0; ; tries += 1) {
      const room = roomOf(this.#box, this.#box.store.cache.bytes);
      const most = countFitting(sizes, room.limit);
      const count = countFitting(sizes, room.limit - room.used);
      const isMade = count >= most && room.used <= room.limit;
      if (isMade || tries >= triesMax || this.#isStuck) {
        if (count < sizes.length && (room.limit < room.quota || this.#isStuck)) this.#tell(room);
        return take(count);
      }
      await this.#make(room, sumOf(sizes.slice(0, most)));
    }
  }

  /** Nothing could be given up a moment ago. */
  get #isStuck(): boolean {
    return this.#box.context.clock.nowMs() < this.#pausedUntilMs;
  }

  /** Gives up enough for so many bytes more; one after the other. */
  async #make({ used, limit }: Room, bytes: number): Promise<void> {
    if (this.#making !== undefined) return await this.#making;
    const goal = Math.max(0, Math.min(limit * shareLeft, limit - bytes));
    this.#making = this.#evict(used - goal);
    try {
      await this.#making;
    } finally {
      this.#making = undefined;
    }
  }

  async #evict(bytes: number): Promise<void> {
    let report: EvictReport | undefined;
    try {
      report = await this.#evictor.evict(bytes);
    } catch (thrown) {
      // Reading goes on, and keeps nothing.
      if (!isKind(thrown) || thrown.kind === "aborted") throw thrown;
      this.#givesNothingBack ||= thrown.kind === "unsupported";
    }
    if (report === undefined || report.bytes === 0) this.#pausedUntilMs = this.#box.context.clock.nowMs() + pauseMs;
  }

  failed({ message }: OuroError): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.tell(`Not all that is read is kept: ${message}. It is read from the remotes again.`);
  }

  /** Once, and not to who wants no cache. */
  #tell({ limit, quota }: Room): void {
    if (this.#hasTold || quota === 0) return;
    this.#hasTold = true;
    const why =
      limit < quota ? "as the disk is nearly full (config cache.free)" : "as it is at its quota (config cache.size)";
    this.tell(`Not all that is read is kept: the cache has no room for it, ${why}. \`ourobox cache stat\` says more.`);
  }
}

/** How many of the first fit. */
function countFitting(sizes: readonly number[], bytes: number): number {
  let sum = 0;
  const at = sizes.findIndex((size) => {
    sum += size;
    return sum > bytes;
  });
  return at < 0 ? sizes.length : at;
}

function sumOf(sizes: readonly number[]): number {
  return sizes.reduce((sum, size) => sum + size, 0);
}
