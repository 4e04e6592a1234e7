/**
 * Bringing packs here: downloaded beside the store, then verified and taken in, those together that have come together. What a transfer
 * that was cut off had brought is gone on with; if the whole then is not what its name says, it is fetched once more from the start.
 */
import { toHex } from "../base/bytes.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import type { PackInfo } from "../format/mod.ts";
import type { Adoption } from "../store/mod.ts";
import { packName } from "./box-on-remote.ts";
import type { ChunkLists } from "./chunk-list.ts";
import { forEachParallel, Turns } from "./parallel.ts";
import { PartFile } from "./part-file.ts";
import { isDamage } from "./remote-index.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

/** So many packs may wait for being taken in while others are on their way. */
const waitingMax = 28;

/** What has become of the packs that were wanted. */
export class FetchedPacks {
  readonly arrived: Set<string> = new Set();
  /** Those that are not there, or are not what they should be, with the reason; by name in hex. */
  readonly failed: Map<string, OuroError> = new Map();
  readonly #chunks: ChunkLists | undefined;
  bytes = 0;

  /** @param chunks Told of the chunks that have arrived. */
  constructor(chunks?: ChunkLists) {
    this.#chunks = chunks;
  }

  /** Notes that a pack is here. @param hashes Of its objects, one after another. */
  add(pack: PackInfo, hashes: Uint8Array): void {
    this.arrived.add(toHex(pack.name));
    this.bytes += pack.size;
    if (pack.class === "content") this.#chunks?.addArrived(hashes);
  }
}

/**
 * Brings packs into the store, the smallest first. A pack that is missing or damaged there does not stop the others.
 * @throws OuroError when the remote cannot be reached, the disk is full, or it was stopped; a next call goes on from there.
 */
export async function fetchPacks(
  packs: readonly PackInfo[],
  options: SyncOptions,
  adoption: Adoption,
  result: FetchedPacks,
): Promise<void> {
  const ordered = [...packs].sort((a, b) => a.size - b.size);
  const transfers = options.transfers ?? transfersDefault;
  const fetcher = new PackFetcher(options, adoption, new Turns(transfers));
  await forEachParallel(ordered, transfers + waitingMax, async (pack) => {
    const hashes = await fetcher.fetch(pack);
    if (hashes instanceof OuroError) result.failed.set(toHex(pack.name), hashes);
    else result.add(pack, hashes);
    options.progress?.add(1, 0);
  });
}

class PackFetcher {
  readonly #options: SyncOptions;
  readonly #adoption: Adoption;
  readonly #turns: Turns;

  constructor(options: SyncOptions, adoption: Adoption, turns: Turns) {
    this.#options = options;
    this.#adoption = adoption;
    this.#turns = turns;
  }

  /** @returns The hashes of its objects, or why it could not be had. */
  async fetch(pack: PackInfo): Promise<Uint8Array | OuroError> {
    const { disk, store, random } = this.#options;
    const name = toHex(pack.name);
    using part = PartFile.open(disk, store.temporaryFolder, name, random);
    try {
      const here = part.size;
      if (here > 0 && here <= pack.size) {
        const hashes = await this.#transfer(pack, part, here);
        if (!(hashes instanceof OuroError)) return hashes;
      }
      const hashes = await this.#transfer(pack, part, 0);
      if (hashes instanceof OuroError) part.discard();
      return hashes;
    } catch (thrown) {
      throw ioError(`Cannot fetch pack ${name}`, thrown, name);
    }
  }

  async #transfer(pack: PackInfo, { path }: PartFile, offset: number): Promise<Uint8Array | OuroError> {
    try {
      await this.#turns.take(() => this.#download(pack, path, offset));
      return await this.#adoption.adopt({ ...pack, path });
    } catch (thrown) {
      // "invalid": what is here is longer than what is there.
      if (isKind(thrown, "not-found") || isKind(thrown, "invalid") || isDamage(thrown)) return thrown;
      throw thrown;
    }
  }

  async #download(pack: PackInfo, path: string, offset: number): Promise<void> {
    const { remote, signal, progress } = this.#options;
    const name = packName(pack.name);
    const size = await remote.download(name, path, {
      offset,
      bytesMax: pack.size,
      onBytes: (count) => progress?.add(0, count),
      ...(signal === undefined ? {} : { signal }),
    });
    if (size === pack.size) return;
    throw new OuroError("corrupt", `Cannot fetch ${name}: it has ${size} bytes there (must be ${pack.size})`, {
      subject: name,
    });
  }
}
