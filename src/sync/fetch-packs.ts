/**
 * Bringing packs here: downloaded beside the store, verified by their name, taken in. What a transfer that was cut off had brought
 * is gone on with; if the whole then is not what its name says, it is fetched once more from the start.
 */
import { toHex } from "../base/bytes.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import type { PackInfo } from "../format/mod.ts";
import { packName } from "./box-on-remote.ts";
import { ArrivedChunks } from "./chunk-list.ts";
import { fileReader, readPackDirectory } from "./pack-directory.ts";
import { forEachParallel } from "./parallel.ts";
import { PartFile } from "./part-file.ts";
import { isDamage } from "./remote-index.ts";
import { type SyncOptions, transfersDefault } from "./sync-options.ts";

/** What has become of the packs that were wanted. */
export class FetchedPacks {
  readonly arrived: Set<string> = new Set();
  /** Those that are not there, or are not what they should be, with the reason; by name in hex. */
  readonly failed: Map<string, OuroError> = new Map();
  readonly chunks: ArrivedChunks = new ArrivedChunks();
  bytes = 0;
}

/**
 * Brings packs into the store, the smallest first. A pack that is missing or damaged there does not stop the others.
 * @throws OuroError when the remote cannot be reached, the disk is full, or it was stopped; a next call goes on from there.
 */
export async function fetchPacks(
  packs: readonly PackInfo[],
  options: SyncOptions,
  result: FetchedPacks = new FetchedPacks(),
): Promise<FetchedPacks> {
  const ordered = [...packs].sort((a, b) => a.size - b.size);
  await forEachParallel(ordered, options.transfers ?? transfersDefault, async (pack) => {
    const name = toHex(pack.name);
    const failure = await fetchPack(pack, options);
    if (failure === undefined) {
      result.arrived.add(name);
      result.bytes += pack.size;
      if (pack.class === "content") {
        const read = fileReader(options.disk, options.store.packPath(pack.name));
        result.chunks.add(await readPackDirectory(pack.size, pack.class, options.secrets, read, name));
      }
    } else result.failed.set(name, failure);
    options.progress?.add(1, 0);
  });
  return result;
}

/** @returns Why it could not be had, or undefined when it is here. */
async function fetchPack(pack: PackInfo, options: SyncOptions): Promise<OuroError | undefined> {
  const { disk, store, random } = options;
  const name = toHex(pack.name);
  using part = PartFile.open(disk, store.temporaryFolder, name, random);
  try {
    const here = part.size;
    if (here > 0 && here <= pack.size) {
      const failure = await transfer(pack, part, here, options);
      if (failure === undefined) return undefined;
    }
    const failure = await transfer(pack, part, 0, options);
    if (failure !== undefined) part.discard();
    return failure;
  } catch (thrown) {
    throw ioError(`Cannot fetch pack ${name}`, thrown, name);
  }
}

async function transfer(
  pack: PackInfo,
  part: PartFile,
  offset: number,
  options: SyncOptions,
): Promise<OuroError | undefined> {
  const { remote, store, signal, progress } = options;
  const name = packName(pack.name);
  try {
    const size = await remote.download(name, part.path, {
      offset,
      bytesMax: pack.size,
      onBytes: (count) => progress?.add(0, count),
      ...(signal === undefined ? {} : { signal }),
    });
    if (size !== pack.size) {
      return new OuroError("corrupt", `Cannot fetch ${name}: it has ${size} bytes there (must be ${pack.size})`, {
        subject: name,
      });
    }
    store.adoptPack(part.path, pack.name, pack.class);
    return undefined;
  } catch (thrown) {
    // "invalid": what is here is longer than what is there.
    if (isKind(thrown, "not-found") || isKind(thrown, "invalid") || isDamage(thrown)) return thrown;
    throw thrown;
  }
}
