/**
 * Garbage collection: removes packs in which nothing is needed, packs anew what is needed of those that are mostly not, and
 * merges small ones. What is needed is the caller's to say.
 *
 * Safe beside any number of writers, in this process or others. A pack is removed only while nobody writes (the exclusive
 * lock, for one transaction), after the caller has looked at the heads as they are then (`remark`), and only if nothing
 * that is needed is found in it. A writer that has counted on an object holds the lock shared until its head has moved, so
 * its head is among those looked at. When others never stop writing, nothing is removed, and `busy` says so.
 * Others have a turn after each pack that is packed anew, and none while it is alone. doc/decisions/0002-store.md has the argument.
 */
import { setTimeout as delay } from "node:timers/promises";
import { toHex } from "../base/bytes.ts";
import { errnoOf, isKind } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import {
  directoryHash,
  getHasher,
  type Hash,
  type MetaKind,
  metaKindNames,
  type PackClass,
  packLimits,
} from "../format/mod.ts";
import { addFiller } from "./filler.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { PackRow } from "./index-rows.ts";
import { removeTemporaryPacks, reviveDuplicates, type UpkeepContext } from "./index-upkeep.ts";
import { isNamed } from "./object-name.ts";
import { type FramePlace, PackFile } from "./pack-file.ts";
import { type CompletePack, PackWriter, publishPacks } from "./pack-writer.ts";

/** A pack of which less than this share is needed is packed anew. */
const liveShareMin = 0.5;
/** Packs under this are merged, when there are two of them. */
const smallBytes = 4 * 1024 * 1024;
const lockTriesMax = 100;
const lockPauseMs = 50;

export interface GcOptions {
  readonly isLiveMeta: (hash: Hash, kind: MetaKind) => boolean;
  readonly isLiveChunk: (hash: Hash) => boolean;
  /**
   * Called while nobody can write: after it, the two above must answer for the heads as they are now. Quick, when no head
   * has moved since they were first asked.
   */
  readonly remark: () => void;
  /** Only says what it would do. */
  readonly dryRun?: boolean;
  /** How often it tries to be alone, 50 ms apart; 100 times unless given. */
  readonly lockTries?: number;
  /** Ends it between two packs, with this signal's reason. What was packed anew by then is left for the next time. */
  readonly signal?: AbortSignal;
}

export interface GcResult {
  /** Packs that are gone, or would be. */
  readonly removed: number;
  readonly removedBytes: number;
  /** How many of them were packed anew. */
  readonly rewritten: number;
  /** Packs written for what was needed of those. */
  readonly written: number;
  readonly writtenBytes: number;
  /** Others were writing all the time: what could be removed is left for the next time. */
  readonly busy: boolean;
}

type LiveTest = Pick<GcOptions, "isLiveMeta" | "isLiveChunk">;

export interface GcContext extends UpkeepContext {
  readonly index: IndexDatabase;
  readonly random: (count: number) => Uint8Array;
}

interface PackUse {
  readonly pack: PackRow;
  total: number;
  live: number;
}

export async function collectGarbage(context: GcContext, options: GcOptions): Promise<GcResult> {
  const { index, lock } = context;
  const wasHeld = lock.isHeld;
  try {
    lock.share();
    const uses = measureUse(index, options);
    const dead = uses.filter(({ live }) => live === 0).map(({ pack }) => pack);
    // What is cache must not come to stay by being packed anew.
    const wasteful = chooseWasteful(uses.filter(({ pack }) => !index.cached.hasOf(pack.id)));
    const rewritten = options.dryRun === true ? wasteful : [];
    const written: CompletePack[] = [];
    if (options.dryRun !== true) {
      for (const packClass of ["content", "meta"] as const) {
        rewritten.push(...(await rewritePacks(context, options, packClass, wasteful, written)));
      }
    }
    const doomed = [...dead, ...rewritten];
    const removed = options.dryRun === true ? doomed : await sweep(context, options, doomed);
    return {
      removed: removed?.length ?? 0,
      removedBytes: (removed ?? []).reduce((sum, { size }) => sum + size, 0),
      rewritten: rewritten.length,
      written: written.length,
      writtenBytes: written.reduce((sum, { size }) => sum + size, 0),
      busy: removed === undefined,
    };
  } finally {
    lock.release();
    if (wasHeld) lock.share();
    else removeTemporaryPacks(context);
  }
}

/** How much of each pack is needed. An object counts where the index finds it: a second copy of it is waste. */
function measureUse(index: IndexDatabase, options: GcOptions): PackUse[] {
  const uses = new Map(index.packs().map((pack): [number, PackUse] => [pack.id, { pack, total: 0, live: 0 }]));
  for (const packClass of ["content", "meta"] as const) {
    for (const { hash, pack, length, kind } of index.objects(packClass)) {
      const use = uses.get(pack);
      if (use === undefined) continue;
      use.total += length;
      if (isLive(options, hash, kind)) use.live += length;
    }
  }
  return [...uses.values()];
}

function isLive(options: LiveTest, hash: Hash, kind: number): boolean {
  const name = metaKindNames[kind];
  return name === undefined ? options.isLiveChunk(hash) : options.isLiveMeta(hash, name);
}

function chooseWasteful(uses: readonly PackUse[]): PackRow[] {
  const used = uses.filter(({ live, pack }) => live > 0 && pack.complete);
  const isWasteful = ({ pack, live, total }: PackUse): boolean =>
    live < total * liveShareMin || pack.indexed < pack.objects * liveShareMin;
  // A pack of many tiny objects is as large as packs of those get.
  const isSmall = ({ pack }: PackUse): boolean => pack.size < smallBytes && pack.objects < packLimits.targetObjects / 4;
  const manySmall = (packClass: PackClass): boolean =>
    used.filter((use) => use.pack.class === packClass && isSmall(use)).length > 1;
  const mergeable: Record<PackClass, boolean> = { content: manySmall("content"), meta: manySmall("meta") };
  return used.filter((use) => isWasteful(use) || (isSmall(use) && mergeable[use.pack.class])).map(({ pack }) => pack);
}

/**
 * Copies what is needed of some packs to new ones, where the index finds it from then on.
 * @returns The packs that are no longer needed by that; one that is damaged is left as it is.
 */
async function rewritePacks(
  context: GcContext,
  options: GcOptions,
  packClass: PackClass,
  wasteful: readonly PackRow[],
  written: CompletePack[],
): Promise<PackRow[]> {
  const packs = wasteful.filter((pack) => pack.class === packClass);
  const output = new RewriteOutput(context, packClass, written);
  const copied: PackRow[] = [];
  const turns = new Turns(options.signal);
  try {
    for (const pack of packs) {
      if (copyLive(context, options, pack, output)) copied.push(pack);
      await turns.end();
    }
    output.finish();
  } catch (error) {
    output.abort();
    throw error;
  }
  return copied;
}

/** New packs, published one by one as they fill; the index finds in them what it found elsewhere. */
export class RewriteOutput {
  readonly #context: GcContext;
  readonly #class: PackClass;
  readonly #written: CompletePack[];
  readonly #hasFiller: boolean;
  #writer: PackWriter | undefined;

  /** @param options.hasFiller The packs must have names of their own, also in a plain box. */
  constructor(
    context: GcContext,
    packClass: PackClass,
    written: CompletePack[] = [],
    { hasFiller = false }: { readonly hasFiller?: boolean } = {},
  ) {
    this.#context = context;
    this.#class = packClass;
    this.#written = written;
    this.#hasFiller = hasFiller;
  }

  add(hash: Hash, bytes: Uint8Array, kind: MetaKind | undefined): void {
    if (this.#writer?.isFull === true) this.finish();
    if (this.#writer === undefined) {
      this.#writer = new PackWriter(this.#class, this.#context);
      if (this.#hasFiller) addFiller(this.#writer, this.#class, this.#context);
    }
    this.#writer.add(hash, bytes, kind === undefined ? {} : { kind });
  }

  finish(): void {
    if (this.#writer === undefined) return;
    const { disk, paths, index } = this.#context;
    const pack = this.#writer.complete();
    this.#writer = undefined;
    publishPacks(disk, paths, [pack]);
    index.transaction(() => index.addPack(pack, { replace: true }));
    this.#written.push(pack);
  }

  abort(): void {
    this.#writer?.abort();
    this.#writer = undefined;
  }
}

/** @returns False when the pack is damaged: what could be read of it has been copied. */
export function copyLive(context: GcContext, options: LiveTest, pack: PackRow, output: RewriteOutput): boolean {
  const hasher = getHasher(context.secrets.hash);
  try {
    using file = PackFile.open(
      context.disk,
      context.secrets,
      context.paths.pack(pack.name),
      `packs/${toHex(pack.name)}`,
    );
    const { directory } = file.readDirectory();
    let whole = true;
    for (let frame = 0; frame < directory.frames; frame += 1) {
      const offset = directory.frameOffsets[frame] as number;
      const wanted: number[] = [];
      for (
        let object = directory.frameObjects[frame] as number;
        object < (directory.frameObjects[frame + 1] as number);
        object += 1
      ) {
        const [hash, kind] = [directoryHash(directory, object), directory.kinds[object] as number];
        if (isLive(options, hash, kind) && isFoundHere(context.index, pack.id, offset, hash, kind)) wanted.push(object);
      }
      if (wanted.length === 0) continue;
      const bytes = findFrame(context, file, {
        offset,
        sealed: directory.frameSealed[frame] as number,
        method: directory.frameMethods[frame] as 0 | 1,
        decoded: directory.frameLengths[frame] as number,
      });
      if (bytes === undefined) {
        whole = false;
        continue;
      }
      for (const object of wanted) {
        const hash = directoryHash(directory, object);
        const kind = metaKindNames[directory.kinds[object] as number];
        const at = directory.objectOffsets[object] as number;
        const part = bytes.subarray(at, at + (directory.objectLengths[object] as number));
        if (isNamed(hasher, kind, part, hash)) output.add(hash, part, kind);
        else whole = false;
      }
    }
    if (!whole) context.onNotice?.(`The pack ${toHex(pack.name)} is damaged. Run \`ourobox check --read-data\`.`);
    return whole;
  } catch (error) {
    if (!isKind(error, "corrupt") && !isKind(error, "not-found")) throw error;
    context.onNotice?.(`${error.message}. Run \`ourobox check --read-data\`.`);
    return false;
  }
}

/** Undefined when it is damaged. */
function findFrame(context: GcContext, file: PackFile, place: FramePlace): Uint8Array | undefined {
  try {
    return file.readFrame(place);
  } catch (error) {
    if (!isKind(error, "corrupt")) throw error;
    context.onNotice?.(`${error.message}. Run \`ourobox check --read-data\`.`);
    return undefined;
  }
}

function isFoundHere(index: IndexDatabase, pack: number, offset: number, hash: Hash, kind: number): boolean {
  const name = metaKindNames[kind];
  const place = name === undefined ? index.findChunk(hash) : index.findMeta(hash, name);
  return place?.pack === pack && place.offset === offset;
}

/**
 * Removes those of the packs in which nothing is needed, as the heads are now.
 * @returns Undefined when others were writing all the time.
 */
async function sweep(
  context: GcContext,
  options: GcOptions,
  doomed: readonly PackRow[],
): Promise<PackRow[] | undefined> {
  const { index, lock, disk, paths } = context;
  if (doomed.length === 0) return [];
  for (let tries = 1; !lock.tryExclusive(); tries += 1) {
    if (tries >= (options.lockTries ?? lockTriesMax)) return undefined;
    await delay(lockPauseMs);
    options.signal?.throwIfAborted();
  }
  options.remark();
  const needed = new Set<number>();
  const ids = new Set(doomed.map(({ id }) => id));
  for (const { hash, pack, kind } of index.objectsOf(doomed.map(({ id }) => id))) {
    if (!needed.has(pack) && isLive(options, hash, kind)) needed.add(pack);
  }
  // Another gc may have removed some since.
  const removable = index.packs().filter(({ id }) => ids.has(id) && !needed.has(id));
  index.transaction(() => index.removePacks(removable.map(({ id }) => id)));
  // While the files are there: after a crash they are found, and are in the index again.
  if (removable.length > 0) reviveDuplicates(context, index);
  for (const { name } of removable) {
    try {
      disk.unlink(paths.pack(name));
    } catch (error) {
      if (errnoOf(error) !== "ENOENT") throw error;
    }
  }
  disk.syncDirectory(paths.packs);
  return removable;
}
