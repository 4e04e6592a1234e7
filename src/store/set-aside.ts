/**
 * Taking a damaged pack out of use. What is whole in it is copied to new packs first, so damage costs only what it has hit; the file is
 * moved, never removed.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, isKind } from "../base/errors.ts";
import { getHasher, type Hash, type HashName, metaKindNames } from "../format/mod.ts";
import { type GcContext, RewriteOutput } from "./gc.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { ObjectPlace, PackRow } from "./index-rows.ts";
import { ensureDirectory, reviveDuplicates, withExclusive } from "./index-upkeep.ts";
import { type IsRight, isNamed } from "./object-name.ts";
import { PackFile } from "./pack-file.ts";

interface SetAside {
  readonly name: Hash;
  readonly folder: string;
}

interface SetAsideContext extends GcContext {
  readonly isRight?: IsRight;
}

/**
 * @param options.folder On the file system of the packs; made if need be.
 * @returns False when the pack's bytes are what its name says, or could be made so: then it stays. It may be of a newer format, or made by a
 * program in error.
 * @throws OuroError "locked" when others are writing; "no-space" and its like.
 */
export function setAsidePack(context: SetAsideContext, { name, folder }: SetAside): boolean {
  const { disk, paths, index, secrets } = context;
  const path = paths.pack(name);
  try {
    if (isWhole(disk, path, name, secrets.hash)) return false;
    const row = index.findPackNamed(name);
    if (row !== undefined) salvage(context, row);
    // Of a plain pack all of whose objects are whole, the copy has the same bytes, and so the same name: it is in its place now.
    if (isWhole(disk, path, name, secrets.hash)) return false;
    withExclusive(context, () => {
      const pack = index.findPackNamed(name);
      if (pack !== undefined) index.transaction(() => index.removePacks([pack.id]));
      ensureDirectory(disk, folder);
      disk.rename(path, `${folder}/${toHex(name)}`);
      disk.syncDirectory(folder);
      disk.syncDirectory(paths.packs);
      reviveDuplicates(context, index);
    });
    return true;
  } catch (error) {
    throw ioError(`Cannot set pack ${toHex(name)} aside`, error, toHex(name));
  }
}

/** Copies what is whole to new packs. The index says where everything is: the pack's own directory may be what is damaged. */
function salvage(context: SetAsideContext, pack: PackRow): void {
  const { disk, secrets, paths, index, isRight = () => true } = context;
  const hasher = getHasher(secrets.hash);
  const output = new RewriteOutput(context, pack.class);
  try {
    using file = PackFile.open(disk, secrets, paths.pack(pack.name), `packs/${toHex(pack.name)}`);
    let frame: { readonly offset: number; readonly bytes: Uint8Array | undefined } | undefined;
    for (const { place, hash, kind } of placesIn(index, pack)) {
      if (frame?.offset !== place.offset) frame = { offset: place.offset, bytes: findFrame(file, place) };
      const bytes = frame.bytes?.subarray(place.at, place.at + place.length);
      const kindName = metaKindNames[kind];
      if (bytes !== undefined && isNamed(hasher, kindName, bytes, hash) && isRight(hash, kindName, bytes))
        output.add(hash, bytes, kindName);
    }
    output.finish();
  } catch (error) {
    output.abort();
    // Not even its header can be read.
    if (
      !isKind(error, "corrupt") &&
      !isKind(error, "wrong-key") &&
      !isKind(error, "newer-format") &&
      !isKind(error, "invalid")
    )
      throw error;
  }
}

/** In the order in which they lie. */
function placesIn(index: IndexDatabase, { id }: PackRow): { place: ObjectPlace; hash: Hash; kind: number }[] {
  const places = [...index.objectsOf([id])].flatMap(({ hash, kind }) => {
    const name = metaKindNames[kind];
    const place = name === undefined ? index.findChunk(hash) : index.findMeta(hash, name);
    return place?.pack === id ? [{ place, hash, kind }] : [];
  });
  return places.sort((a, b) => a.place.offset - b.place.offset || a.place.at - b.place.at);
}

function findFrame(file: PackFile, place: ObjectPlace): Uint8Array | undefined {
  try {
    return file.readFrame(place);
  } catch (error) {
    if (!isKind(error, "corrupt")) throw error;
    return undefined;
  }
}

function isWhole(disk: Disk, path: string, name: Hash, hash: HashName): boolean {
  const fd = disk.open(path, "read");
  try {
    const { size } = disk.statFile(fd);
    const stream = getHasher(hash).stream();
    const block = Buffer.allocUnsafeSlow(1024 * 1024);
    for (let at = 0; at < size; ) {
      const count = disk.read(fd, block.subarray(0, Math.min(block.length, size - at)), at);
      if (count === 0) return false;
      stream.update(block.subarray(0, count));
      at += count;
    }
    return equalBytes(stream.digest(), name);
  } catch (error) {
    // A bad sector.
    if (errnoOf(error) === "EIO") return false;
    throw error;
  } finally {
    disk.close(fd);
  }
}
