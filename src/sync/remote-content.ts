/**
 * Content from remotes, brought when it is needed: a `ContentSource` over the packs that remotes list.
 *
 * The chunks' frames are looked for in what is known here, then in the directories of packs that nobody has looked into: two small reads each, the
 * packs listed last first, once for good. Frames that lie near each other come in one read, what lies between them too; a frame that several
 * want at one time comes once. Of the remotes that list a pack the cheapest is asked first and the others when it fails, and one that is silent
 * or lies is left alone for a while. Every frame is verified before it counts.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { type Hash, hashKey, type PackDirectory, type PackInfo, sealHeaderBytes } from "../format/mod.ts";
import type { ByteRange } from "../remote/mod.ts";
import {
  type ArrivedFrame,
  bytesOnDisk,
  type CacheRoom,
  type ChunkPlace,
  type ContentSource,
  type MissingChunk,
  type PackEnds,
  type Store,
} from "../store/mod.ts";
import { ContentPlace, type NamedSource, type PlaceFailure, type PlaceOptions } from "./content-place.ts";
import { planRanges, type RangePlan } from "./frame-ranges.ts";
import { LateKeeping } from "./late-keeping.ts";
import { forEachParallel, Turns } from "./parallel.ts";
import { SharedWork, unlessAborted } from "./shared-work.ts";

export interface RemoteContentOptions extends PlaceOptions {
  readonly sources: readonly NamedSource[];
  readonly store: Pick<Store, "findChunk" | "packs" | "sparse">;
  /** What comes is only read: it is cache, as far as there is room. Absent: it comes to stay. */
  readonly room?: CacheRoom;
  /** What is only read is answered before it is kept, for a process that goes on: it is kept a moment later, and when this is closed. */
  readonly keepsLater?: boolean;
  /** How many reads are on their way at once; 8 by default. */
  readonly transfers?: number;
}

const transfersDefault = 8;
/** A pack of no more bytes comes whole, in one read. */
const wholeBytesMax = 96 * 1024;
/** So many packs are looked into at first; twice as many each time after that. */
const lookMin = 8;
const lookMax = 64;
/** So many packs, 2 GiB mostly, are looked into before anything is read: a millisecond or two of a processor each, and 28 KB of the disk. */
const preparedMax = 64;
const trailerBytes = 32;
/** One fetch looks for other places of a chunk so often. */
const roundsMax = 4;

/** What the places that were asked have said. */
class NotHad extends Error {
  readonly failures: readonly PlaceFailure[];

  constructor(failures: readonly PlaceFailure[]) {
    super("content was not to be had");
    this.failures = failures;
  }
}

export class RemoteContent implements ContentSource, AsyncDisposable {
  readonly #options: RemoteContentOptions;
  readonly #places: readonly ContentPlace[];
  readonly #turns: Turns;
  /** Frames on their way, by pack and offset. */
  readonly #coming = new Map<string, SharedWork>();
  /** One after another looks for packs, so that none is looked into twice. */
  #looking: Promise<void> = Promise.resolve();
  readonly #stop = new AbortController();
  readonly #later: LateKeeping | undefined;

  constructor(options: RemoteContentOptions) {
    this.#options = options;
    this.#places = options.sources.map((source) => new ContentPlace(source, options));
    this.#turns = new Turns(options.transfers ?? transfersDefault);
    if (options.keepsLater === true) {
      const onFailure = (reason: OuroError): void => options.room?.failed(reason);
      this.#later = new LateKeeping((pack, frames) => this.#keep(pack, frames), onFailure);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new OuroError("aborted", "Cannot go on: it was closed"));
    await this.#later?.[Symbol.asyncDispose]();
    for (const place of this.#places) await place[Symbol.asyncDispose]();
  }

  async fetch(chunks: readonly MissingChunk[], { signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const failures: PlaceFailure[] = [];
    /** Packs that could not be had, in hex. */
    const tried = new Set<string>();
    /** What has come to be read, and may be gone already. */
    const come = new Set<string>();
    for (let round = 1; ; round += 1) {
      let missing = this.#missing(chunks, come);
      const lost = missing.filter((hash) => !this.#isPlaced(hash, tried));
      if (lost.length > 0) {
        failures.push(...(await this.#look(lost, tried, signal)));
        // Small packs have come whole.
        missing = this.#missing(chunks, come);
      }
      if (missing.length === 0) return;
      signal?.throwIfAborted();
      const wanted = this.#framesOf(missing, tried);
      if (wanted.size === 0 || round > roundsMax) throw this.#failure(missing, failures);
      const groups = [...wanted];
      const results = await Promise.allSettled(groups.map(([pack, offsets]) => this.#bring(pack, offsets, signal)));
      for (const [at, result] of results.entries()) {
        if (result.status === "fulfilled") {
          this.#noteCome(missing, groups[at]?.[0] as string, come);
          continue;
        }
        if (!(result.reason instanceof NotHad)) throw result.reason;
        failures.push(...result.reason.failures);
        tried.add(groups[at]?.[0] as string);
      }
    }
  }

  /**
   * Learns what is where in packs that are listed and not known here, some of the large ones: then the first read need not.
   * @param options.costMax Of the places that are asked.
   * @throws OuroError "aborted": it was closed. What a place does not give is not told.
   */
  async prepare({ costMax }: { readonly costMax: number }): Promise<void> {
    const { signal } = this.#stop;
    const places = this.#places.filter(({ cost }) => cost <= costMax);
    const looked = new Set<string>();
    const lookOnce = async (): Promise<void> => {
      const packs = this.#unknownPacks(new Set(), looked, places).filter(({ size }) => size > wholeBytesMax);
      const batch = packs.slice(0, Math.min(lookMin, preparedMax - looked.size));
      for (const { name } of batch) looked.add(toHex(name));
      if (batch.length > 0) await this.#lookInto(batch, signal);
    };
    // Who reads meanwhile waits for a few of them only.
    for (let before = -1; before < looked.size && looked.size < preparedMax; ) {
      before = looked.size;
      await this.#inTurn(signal, lookOnce);
    }
  }

  /** Each once. */
  #missing(chunks: readonly MissingChunk[], come: ReadonlySet<string>): Hash[] {
    const all = new Map(chunks.map(({ hash }) => [hashKey(hash), hash]));
    return [...all].flatMap(([key, hash]) =>
      come.has(key) || this.#isHere(this.#options.store.findChunk(hash)) ? [] : [hash],
    );
  }

  /** What comes to be read is here for a while only: when there is no room for more of it, what came first may be gone by now. */
  #noteCome(missing: readonly Hash[], pack: string, come: Set<string>): void {
    const { room, store } = this.#options;
    if (room === undefined) return;
    for (const hash of missing) {
      const place = store.findChunk(hash);
      if (place !== undefined && toHex(place.pack) === pack) come.add(hashKey(hash));
    }
  }

  /** What is to stay must be on the disk. */
  #isHere(place: ChunkPlace | undefined): boolean {
    return (this.#options.room === undefined ? place?.isOnDisk : place?.isHere) === true;
  }

  /** Whether it is known where it is, and the place may have it. */
  #isPlaced(hash: Hash, tried: ReadonlySet<string>): boolean {
    const place = this.#options.store.findChunk(hash);
    if (place === undefined) return false;
    const pack = toHex(place.pack);
    return this.#isHere(place) || (!tried.has(pack) && this.#places.some(({ packs }) => packs.has(pack)));
  }

  /** By pack in hex. */
  #framesOf(hashes: readonly Hash[], tried: ReadonlySet<string>): Map<string, Set<number>> {
    const frames = new Map<string, Set<number>>();
    for (const hash of hashes) {
      const place = this.#options.store.findChunk(hash);
      if (place === undefined || this.#isHere(place) || !this.#isPlaced(hash, tried)) continue;
      const pack = toHex(place.pack);
      frames.set(pack, (frames.get(pack) ?? new Set()).add(place.offset));
    }
    return frames;
  }

  /** @throws NotHad. */
  async #bring(pack: string, offsets: ReadonlySet<number>, signal: AbortSignal | undefined): Promise<void> {
    const name = Buffer.from(pack, "hex");
    const works = new Set<SharedWork>();
    const rest = new Set<number>();
    for (const offset of offsets) {
      const coming = this.#coming.get(`${pack} ${offset}`);
      if (coming === undefined) rest.add(offset);
      else works.add(coming);
    }
    for (const plan of this.#plan(name, pack, rest)) works.add(this.#begin(name, pack, plan));
    const results = await Promise.allSettled([...works].map((work) => work.wait(signal)));
    const failed = results.flatMap((result) => (result.status === "rejected" ? [result.reason as unknown] : []));
    const other = failed.find((reason) => !(reason instanceof NotHad));
    if (other !== undefined) throw other;
    if (failed.length > 0) throw new NotHad(failed.flatMap((reason) => (reason as NotHad).failures));
  }

  #plan(name: Hash, pack: string, offsets: ReadonlySet<number>): RangePlan[] {
    if (offsets.size === 0) return [];
    const { sparse } = this.#options.store;
    const absent = sparse.absentFrames(name);
    const isWanted = (offset: number): boolean => absent.has(offset) && !this.#coming.has(`${pack} ${offset}`);
    return planRanges(sparse.directory(name), offsets, isWanted);
  }

  #begin(name: Hash, pack: string, plan: RangePlan): SharedWork {
    const keys = plan.frames.map(({ offset }) => `${pack} ${offset}`);
    const work = new SharedWork(async (signal) => {
      try {
        await this.#turns.take(() => this.#readRange(name, pack, plan, AbortSignal.any([signal, this.#stop.signal])));
      } finally {
        for (const key of keys) this.#coming.delete(key);
      }
    });
    for (const key of keys) this.#coming.set(key, work);
    return work;
  }

  /** Asks one place after another until all frames are here. @throws NotHad. */
  async #readRange(name: Hash, pack: string, { range, frames }: RangePlan, signal: AbortSignal): Promise<void> {
    const failures: PlaceFailure[] = [];
    for (const place of this.#placesOf(pack, range.end - range.start)) {
      const error = place.resting ?? (await this.#readFrom(place, name, { range, frames }, signal));
      if (error === undefined) return;
      failures.push({ name: place.name, error });
    }
    throw new NotHad(failures);
  }

  /** @returns Why it did not give all frames as they should be. @throws OuroError "aborted"; "no-space" and its like of this machine. */
  async #readFrom(
    place: ContentPlace,
    name: Hash,
    { range, frames }: RangePlan,
    signal: AbortSignal,
  ): Promise<OuroError | undefined> {
    let bytes: Uint8Array;
    try {
      bytes = await place.read(name, range, signal);
    } catch (thrown) {
      if (!isKind(thrown) || signal.aborted) throw thrown;
      return thrown;
    }
    const arrived = frames.map(({ offset, sealed }): ArrivedFrame => {
      const at = offset - range.start;
      return { offset, bytes: bytes.subarray(at, at + sealed) };
    });
    const refused = await this.#take(name, arrived);
    if (refused !== undefined) place.noteLie(refused);
    return refused;
  }

  /** @returns Why some were refused. */
  async #take(name: Hash, arrived: readonly ArrivedFrame[]): Promise<OuroError | undefined> {
    const { store, room } = this.#options;
    if (arrived.length === 0) return undefined;
    if (room === undefined) return store.sparse.take(name, arrived).refused;
    const { right, bytes, refused } = store.sparse.lend(name, arrived);
    await (this.#later === undefined ? this.#keep(name, right) : this.#later.add(name, right, bytes));
    return refused;
  }

  /** @param frames Right. */
  async #keep(name: Hash, frames: readonly ArrivedFrame[]): Promise<void> {
    const { store, room } = this.#options;
    const sizes = frames.map(({ offset, bytes }) => bytesOnDisk(offset, bytes.length));
    await room?.keep(sizes, (count) => store.sparse.keepLent(name, frames.slice(0, count)));
  }

  /** Those that list a pack: the cheapest first, of equal ones that which should be quickest. */
  #placesOf(pack: string, bytes: number): ContentPlace[] {
    return this.#places
      .filter(({ packs }) => packs.has(pack))
      .sort((a, b) => a.cost - b.cost || a.estimateMs(bytes) - b.estimateMs(bytes));
  }

  /**
   * Looks for chunks in packs that were not tried, one caller after the other.
   * @returns Which places could not be asked, or have not what they list.
   */
  async #look(
    hashes: readonly Hash[],
    tried: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<PlaceFailure[]> {
    return await this.#inTurn(signal, () => this.#lookNow(hashes, tried, signal));
  }

  async #inTurn<T>(signal: AbortSignal | undefined, look: () => Promise<T>): Promise<T> {
    const before = this.#looking;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#looking = promise;
    try {
      await unlessAborted(before, signal);
      return await look();
    } finally {
      // Who was aborted while waiting must not let the next begin too early.
      void before.then(resolve);
    }
  }

  async #lookNow(
    hashes: readonly Hash[],
    tried: ReadonlySet<string>,
    signal: AbortSignal | undefined,
  ): Promise<PlaceFailure[]> {
    const failures: PlaceFailure[] = [];
    const left = (): Hash[] => hashes.filter((hash) => !this.#isPlaced(hash, tried));
    for (const isFresh of [false, true]) {
      if (isFresh) failures.push(...(await this.#refresh(signal)));
      this.#relocate(left(), tried);
      const looked = new Set<string>();
      for (let count = lookMin; left().length > 0; count = Math.min(lookMax, count * 2)) {
        const batch = this.#unknownPacks(tried, looked).slice(0, count);
        if (batch.length === 0) break;
        for (const { name } of batch) looked.add(toHex(name));
        failures.push(...(await this.#lookInto(batch, signal)));
        this.#relocate(left(), tried);
      }
      if (left().length === 0) return failures;
    }
    return failures;
  }

  /** Finds chunks in packs whose directories are here. */
  #relocate(hashes: readonly Hash[], tried: ReadonlySet<string>): void {
    if (hashes.length === 0) return;
    const { store } = this.#options;
    const known = store.packs().filter((pack) => {
      const name = toHex(pack.name);
      return !pack.complete && !tried.has(name) && this.#places.some(({ packs }) => packs.has(name));
    });
    if (known.length === 0) return;
    store.sparse.relocate(
      hashes,
      known.map(({ name }) => name),
    );
  }

  /** Packs that are listed and not known here, those listed last first. */
  #unknownPacks(tried: ReadonlySet<string>, looked: ReadonlySet<string>, places = this.#places): PackInfo[] {
    const here = new Set(this.#options.store.packs().map(({ name }) => toHex(name)));
    const all = new Map<string, PackInfo>();
    for (const { packs } of places) for (const [name, pack] of packs) all.set(name, pack);
    const unknown = [...all].filter(([name]) => !here.has(name) && !tried.has(name) && !looked.has(name));
    return unknown.map(([, pack]) => pack).reverse();
  }

  async #refresh(signal: AbortSignal | undefined): Promise<PlaceFailure[]> {
    const failures: PlaceFailure[] = [];
    await forEachParallel(this.#places, this.#places.length, async (place) => {
      const resting = place.resting;
      if (resting !== undefined) {
        failures.push({ name: place.name, error: resting });
        return;
      }
      try {
        await place.refresh(signal);
      } catch (thrown) {
        if (!isKind(thrown) || signal?.aborted === true) throw thrown;
        failures.push({ name: place.name, error: thrown });
      }
    });
    return failures;
  }

  async #lookInto(packs: readonly PackInfo[], signal: AbortSignal | undefined): Promise<PlaceFailure[]> {
    const failures: PlaceFailure[] = [];
    const found: { readonly place: ContentPlace; readonly ends: PackEnds; readonly whole?: Uint8Array }[] = [];
    await forEachParallel(packs, this.#options.transfers ?? transfersDefault, async (pack) => {
      for (const place of this.#placesOf(toHex(pack.name), pack.directorySize)) {
        const resting = place.resting;
        if (resting === undefined) {
          try {
            found.push({ place, ...(await readEnds(place, pack, signal)) });
            return;
          } catch (thrown) {
            if (!isKind(thrown) || signal?.aborted === true) throw thrown;
            failures.push({ name: place.name, error: thrown });
          }
        } else failures.push({ name: place.name, error: resting });
      }
    });
    const { sparse } = this.#options.store;
    const refusals = sparse.add(found.map(({ ends }) => ends));
    for (const [at, { place, ends, whole }] of found.entries()) {
      const refusal = refusals[at] ?? (await this.#take(ends.name, framesOf(sparse, ends.name, whole)));
      if (refusal === undefined) continue;
      place.noteLie(refusal);
      failures.push({ name: place.name, error: refusal });
    }
    return failures;
  }

  #failure(missing: readonly Hash[], failures: readonly PlaceFailure[]): OuroError {
    const what = missing.length === 1 ? "a piece of content" : `${missing.length} pieces of content`;
    const subject = toHex(missing[0] as Hash);
    const said = [...new Map(failures.map(({ name, error }) => [name, error]))];
    const why = said.map(([name, { message }]) => `${name}: ${message}`).join("; ");
    const cause = said[0]?.[1];
    const options = { subject, ...(cause === undefined ? {} : { cause }) };
    if (failures.some(({ error }) => error.kind === "corrupt"))
      return new OuroError("corrupt", `Cannot bring ${what}: what came is damaged (${why})`, {
        ...options,
        hint: "Push to that remote again from a machine that has the content.",
      });
    if (failures.some(({ error }) => error.kind !== "not-found"))
      return new OuroError("offline", `Cannot bring ${what}: no remote that may have it answers (${why})`, {
        ...options,
        hint: "Run the command again where one of them can be reached.",
      });
    const all = this.#places.map(({ name }) => name).join(", ");
    const where = this.#places.length === 0 ? "there is no remote" : `no remote has it (${all})`;
    return new OuroError("not-found", `Cannot bring ${what}: ${where}`, {
      ...options,
      hint: "Push it from a machine that has it, or add a remote that has it.",
    });
  }
}

/** The two ends of a pack; of a small one all of it. */
async function readEnds(
  place: ContentPlace,
  { name, size, directorySize }: PackInfo,
  signal: AbortSignal | undefined,
): Promise<{ readonly ends: PackEnds; readonly whole?: Uint8Array }> {
  const tailStart = size - trailerBytes - directorySize;
  if (tailStart < sealHeaderBytes) {
    const error = new OuroError("corrupt", `Cannot use pack ${toHex(name)}: it is listed as shorter than it can be`);
    place.noteLie(error);
    throw error;
  }
  const read = (range: ByteRange): Promise<Uint8Array> => place.read(name, range, signal);
  if (size <= wholeBytesMax) {
    const whole = await read({ start: 0, end: size });
    const [header, tail] = [whole.subarray(0, sealHeaderBytes), whole.subarray(tailStart)];
    return { ends: { name, size, header, tail }, whole };
  }
  const [header, tail] = await Promise.all([
    read({ start: 0, end: sealHeaderBytes }),
    read({ start: tailStart, end: size }),
  ]);
  return { ends: { name, size, header, tail } };
}

/** All frames of a pack whose bytes have come. */
function framesOf(sparse: Store["sparse"], name: Hash, bytes: Uint8Array | undefined): ArrivedFrame[] {
  if (bytes === undefined) return [];
  const { frames, frameOffsets, frameSealed }: PackDirectory = sparse.directory(name);
  return Array.from({ length: frames }, (_, frame) => {
    const offset = frameOffsets[frame] as number;
    return { offset, bytes: bytes.subarray(offset, offset + (frameSealed[frame] as number)) };
  });
}
