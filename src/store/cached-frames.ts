/**
 * The cache as the index knows it: frames that are here because somebody has read them, with what they take on the disk, those not used longest first.
 * A frame that is here and not among them is here to stay.
 *
 * With the index it can be lost. Then all that is here of sparse packs counts as cache, used long ago: who gives something up looks first whether
 * it is to stay.
 */
import type { StatementSync } from "node:sqlite";
import type { PackDirectory } from "../format/mod.ts";
import type { FrameKey } from "./index-rows.ts";

/** What a disk gives and takes back. */
const blockBytes = 4096;
/** So many rows are read at once. */
const pageRows = 4096;

export interface CachedFrame extends FrameKey {
  /** On the disk. */
  readonly bytes: number;
}

export interface CacheSize {
  readonly frames: number;
  readonly bytes: number;
}

/** The index's database: its statements, and what turns a failure of reading into an error of ours. */
export interface IndexStatements {
  readonly statement: (sql: string) => StatementSync;
  readonly guard: <T>(read: () => T) => T;
}

/**
 * What a frame takes on the disk at most: the blocks that it lies in. Of two that share a block each counts it.
 * @param sealed In bytes.
 */
export function bytesOnDisk(offset: number, sealed: number): number {
  return (Math.ceil((offset + sealed) / blockBytes) - Math.floor(offset / blockBytes)) * blockBytes;
}

/** The frames of a pack that are here. */
export function cachedFramesOf(
  { frames, frameOffsets, frameSealed }: PackDirectory,
  isHere: (offset: number) => boolean,
): Omit<CachedFrame, "pack">[] {
  return Array.from({ length: frames }, (_, frame) => {
    const offset = frameOffsets[frame] as number;
    return { offset, bytes: bytesOnDisk(offset, frameSealed[frame] as number) };
  }).filter(({ offset }) => isHere(offset));
}

export class CachedFrames {
  readonly #index: IndexStatements;

  constructor(index: IndexStatements) {
    this.#index = index;
  }

  /** The first row. */
  #find(sql: string, ...values: number[]): readonly number[] | undefined {
    const { statement, guard } = this.#index;
    return guard(() => statement(sql).get(...values) as unknown as number[] | undefined);
  }

  get size(): CacheSize {
    const [frames = 0] = this.#find("SELECT count(*) FROM cached") ?? [];
    return { frames, bytes: this.bytes };
  }

  /** As in `size`: asked often. */
  get bytes(): number {
    return this.#find("SELECT coalesce(sum(cached), 0) FROM packs")?.[0] ?? 0;
  }

  has(pack: number, offset: number): boolean {
    return this.#find("SELECT 1 FROM cached WHERE pack = ? AND offset = ?", pack, offset) !== undefined;
  }

  /** Whether anything of a pack is cache. */
  hasOf(pack: number): boolean {
    return this.#find("SELECT 1 FROM cached WHERE pack = ? LIMIT 1", pack) !== undefined;
  }

  /** Those not used longest first. Rows may be removed meanwhile. */
  *oldestFirst(): Generator<CachedFrame> {
    const sql = `SELECT used, pack, offset, bytes FROM cached WHERE (used, pack, offset) > (?, ?, ?)
      ORDER BY used, pack, offset LIMIT ${pageRows}`;
    const { statement, guard } = this.#index;
    let last: readonly number[] | undefined = [-1, -1, -1];
    while (last !== undefined) {
      const [used, pack, offset] = last as [number, number, number];
      const page: number[][] = guard(() => statement(sql).all(used, pack, offset) as unknown as number[][]);
      for (const row of page) yield { pack: row[1] as number, offset: row[2] as number, bytes: row[3] as number };
      last = page.length < pageRows ? undefined : page.at(-1);
    }
  }

  /** Later than all uses that are noted. */
  #now(): number {
    return this.#find("SELECT coalesce(max(used), 0) + 1 FROM cached")?.[0] ?? 1;
  }

  /**
   * Notes that frames are cache, used now, in a transaction of the caller.
   * @param options.isOld They are thought to have been used before all others.
   */
  add(
    pack: number,
    frames: readonly Omit<CachedFrame, "pack">[],
    { isOld = false }: { readonly isOld?: boolean } = {},
  ): void {
    if (frames.length === 0) return;
    const used = isOld ? 0 : this.#now();
    const insert = this.#index.statement("INSERT INTO cached(pack, offset, bytes, used) VALUES(?, ?, ?, ?)");
    let sum = 0;
    for (const { offset, bytes } of frames) {
      this.remove(pack, offset);
      insert.run(pack, offset, bytes, used);
      sum += bytes;
    }
    this.#count(pack, sum);
  }

  #count(pack: number, bytes: number): void {
    this.#index.statement("UPDATE packs SET cached = cached + ? WHERE id = ?").run(bytes, pack);
  }

  /** Notes that a frame is no cache: it is here to stay, or gone. In a transaction of the caller. */
  remove(pack: number, offset: number): void {
    const sql = "DELETE FROM cached WHERE pack = ? AND offset = ? RETURNING bytes";
    const removed = this.#index.statement(sql).get(pack, offset) as unknown as [number] | undefined;
    if (removed !== undefined) this.#count(pack, -removed[0]);
  }

  /** As `remove`, of all frames of a pack. */
  removeAll(pack: number): void {
    this.#index.statement("DELETE FROM cached WHERE pack = ?").run(pack);
    this.#index.statement("UPDATE packs SET cached = 0 WHERE id = ?").run(pack);
  }

  /** Notes that frames were used now, in this order, in a transaction of the caller; those that are no cache are passed over. */
  noteUses(frames: Iterable<FrameKey>): void {
    let used = this.#now();
    const update = this.#index.statement("UPDATE cached SET used = ? WHERE pack = ? AND offset = ?");
    for (const { pack, offset } of frames) {
      update.run(used, pack, offset);
      used += 1;
    }
  }
}
