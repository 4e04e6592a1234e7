/**
 * Which packs of a remote are needed, and for how much: every object that is needed is laid to the account of one pack, the large ones first, so that of
 * two copies one is waste. Packs of which too little is needed, and small ones where there are several, are to be packed anew; so is what only packs have that
 * are condemned already.
 *
 * Reads the directories of packs, from here where they are here. Memory: some 90 bytes for each object that is needed, and one directory.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import {
  directoryHash,
  type Hash,
  type PackClass,
  type PackDirectory,
  type PackInfo,
  packLimits,
} from "../format/mod.ts";
import { HashSet, type LiveObjects } from "../history/mod.ts";
import { fileReader, readDirectoryThere, readPackDirectory } from "./pack-directory.ts";
import { isDamage } from "./remote-index.ts";
import type { SyncOptions } from "./sync-options.ts";

/** A pack of which less than this share is needed is packed anew. */
const liveShareMin = 0.5;
/** Packs under this are merged, when there are two of them. */
const smallBytes = 4 * 1024 * 1024;

export interface ScanRequest {
  readonly live: LiveObjects;
  /** Packs that are listed, there, and not condemned. */
  readonly counted: readonly PackInfo[];
  /** Packs that are listed, there, and condemned. */
  readonly condemned: readonly PackInfo[];
  /** For tests: whether what only condemned packs have is looked for. */
  readonly rescues: boolean;
}

export interface ScannedPacks {
  /** Nothing is needed from these. */
  readonly dead: readonly PackInfo[];
  /** Something is, and is to be packed anew. */
  readonly wasteful: readonly PackInfo[];
  /** Condemned packs that have what no other has. */
  readonly rescued: readonly PackInfo[];
  /** What is needed from the wasteful and rescued ones, in bytes as they were before compression. */
  readonly copiedBytes: number;
  /** Whether an object is to be copied; says so once. */
  readonly takeOnce: (hash: Hash, packClass: PackClass) => boolean;
}

type Sets = Readonly<Record<PackClass, HashSet>>;

/** @throws OuroError "not-found" when something that is needed is in none of the packs; as `Remote.get`. */
export async function scanPacks(options: SyncOptions, request: ScanRequest): Promise<ScannedPacks> {
  return await new Scan(options, request).run();
}

class Scan {
  readonly #options: SyncOptions;
  readonly #request: ScanRequest;
  readonly #here: ReadonlySet<string>;
  /** What the packs have that stay. */
  readonly #placed: Sets = { content: new HashSet(), meta: new HashSet() };
  readonly #found: Sets = { content: new HashSet(), meta: new HashSet() };
  readonly #turns: Turns;
  #copiedBytes = 0;

  constructor(options: SyncOptions, request: ScanRequest) {
    this.#options = options;
    this.#request = request;
    const whole = options.store.packs().filter(({ complete }) => complete);
    this.#here = new Set(whole.map(({ name }) => toHex(name)));
    this.#turns = new Turns(options.signal, 16);
  }

  async run(): Promise<ScannedPacks> {
    const { counted, condemned, rescues } = this.#request;
    const [dead, wasteful, rescued]: PackInfo[][] = [[], [], []];
    const small: Record<PackClass, { readonly pack: PackInfo; readonly bytes: number }[]> = { content: [], meta: [] };
    for (const pack of [...counted].sort(bySize)) {
      const directory = await this.#directory(pack);
      const { bytes, total } = this.#measure(directory);
      if (bytes === 0) dead?.push(pack);
      else if (bytes < total * liveShareMin) {
        wasteful?.push(pack);
        this.#copiedBytes += bytes;
      } else if (isSmall(pack)) small[pack.class].push({ pack, bytes });
      else this.#place(directory);
    }
    for (const packs of [small.content, small.meta]) {
      const [only] = packs;
      if (packs.length === 1 && only !== undefined) this.#place(await this.#directory(only.pack));
      else {
        wasteful?.push(...packs.map(({ pack }) => pack));
        this.#copiedBytes += packs.reduce((sum, { bytes }) => sum + bytes, 0);
      }
    }
    if (this.#missing > 0 && rescues) {
      for (const pack of [...condemned].sort(bySize)) if (await this.#rescue(pack)) rescued?.push(pack);
    }
    if (this.#missing > 0 && rescues) throw notThere(this.#missing, this.#options.remote.url);
    return {
      dead: dead ?? [],
      wasteful: wasteful ?? [],
      rescued: rescued ?? [],
      copiedBytes: this.#copiedBytes,
      takeOnce: (hash, packClass) => this.#isLive(hash, packClass) && this.#placed[packClass].add(hash),
    };
  }

  /** How many objects are needed and have not been found. */
  get #missing(): number {
    const { meta, chunks } = this.#request.live;
    return meta.size + chunks.size - this.#found.meta.size - this.#found.content.size;
  }

  #isLive(hash: Hash, packClass: PackClass): boolean {
    const { meta, chunks } = this.#request.live;
    return packClass === "content" ? chunks.has(hash) : meta.has(hash);
  }

  /** Bytes of a pack that are needed from it, as what was looked at before has not them, and bytes of all that is in it. */
  #measure(directory: PackDirectory): { readonly bytes: number; readonly total: number } {
    let [bytes, total] = [0, 0];
    for (let object = 0; object < directory.objects; object += 1) {
      const length = directory.objectLengths[object] as number;
      const hash = directoryHash(directory, object);
      total += length;
      if (!this.#isLive(hash, directory.class)) continue;
      this.#found[directory.class].add(hash);
      if (!this.#placed[directory.class].has(hash)) bytes += length;
    }
    return { bytes, total };
  }

  #place(directory: PackDirectory): void {
    for (let object = 0; object < directory.objects; object += 1) {
      const hash = directoryHash(directory, object);
      if (this.#isLive(hash, directory.class)) this.#placed[directory.class].add(hash);
    }
  }

  /** Whether a condemned pack has something that no pack has that is not. */
  async #rescue(pack: PackInfo): Promise<boolean> {
    const before = this.#missing;
    const directory = await this.#directory(pack);
    for (let object = 0; object < directory.objects; object += 1) {
      const hash = directoryHash(directory, object);
      if (!this.#isLive(hash, directory.class) || !this.#found[directory.class].add(hash)) continue;
      this.#copiedBytes += directory.objectLengths[object] as number;
    }
    return this.#missing < before;
  }

  async #directory(pack: PackInfo): Promise<PackDirectory> {
    await this.#turns.step();
    const { disk, store, secrets, remote, signal } = this.#options;
    if (this.#here.has(toHex(pack.name))) {
      try {
        const read = fileReader(disk, store.packPath(pack.name));
        return await readPackDirectory(pack.size, pack.class, secrets, read, toHex(pack.name));
      } catch (thrown) {
        // A collection of garbage may have removed it, or it is damaged here.
        if (!isKind(thrown, "not-found") && !isDamage(thrown)) throw thrown;
      }
    }
    return await orGone(pack, () => readDirectoryThere(remote, pack, secrets, signal === undefined ? {} : { signal }));
  }
}

/**
 * Reads a pack that was there a moment ago.
 * @throws OuroError "stale" when it is gone: another prune has deleted it.
 */
export async function orGone<T>(pack: PackInfo, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (thrown) {
    if (!isKind(thrown, "not-found")) throw thrown;
    throw deletedMeanwhile(pack, thrown);
  }
}

export function deletedMeanwhile({ name }: PackInfo, cause: unknown): OuroError {
  return new OuroError("stale", `Cannot go on: pack ${toHex(name)} was deleted by another prune meanwhile`, {
    hint: "Run it again.",
    cause,
  });
}

function bySize(a: PackInfo, b: PackInfo): number {
  return b.size - a.size || (toHex(a.name) < toHex(b.name) ? -1 : 1);
}

/** A pack of many tiny objects is as large as packs of those get. */
function isSmall({ size, objects }: PackInfo): boolean {
  return size < smallBytes && objects < packLimits.targetObjects / 4;
}

function notThere(count: number, url: string): OuroError {
  return new OuroError(
    "not-found",
    `Cannot prune ${url}: ${count} objects that its heads need are in none of its packs`,
    {
      subject: url,
      hint: "Nothing was deleted. Run `ourobox push` on the machines that write there; what they have is sent again.",
    },
  );
}
