/**
 * A second copy of an object whose first one is damaged, or was never what its pack says: one object can be in several packs, of
 * which the index knows one place only. Slow, as directories are read, and only asked when something is wrong.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { isKind } from "../base/errors.ts";
import {
  type BoxSecrets,
  directoryHash,
  getHasher,
  type Hash,
  type MetaKind,
  metaKindCodes,
  type PackDirectory,
} from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import { framesOfObjects } from "./index-rows.ts";
import { isNamed } from "./object-name.ts";
import { PackFile } from "./pack-file.ts";
import type { StorePaths } from "./store-paths.ts";

export interface CopiesContext {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
}

/** @param kind Absent for a chunk. @returns Bytes that are what the name says; undefined when no other pack has them. */
export function findOtherCopy(
  { disk, secrets, paths }: CopiesContext,
  index: IndexDatabase,
  hash: Hash,
  kind: MetaKind | undefined,
): Uint8Array | undefined {
  const packClass = kind === undefined ? "content" : "meta";
  // Only a pack of which not everything is indexed can have what is found elsewhere.
  for (const pack of index.packs().filter((each) => each.class === packClass && each.indexed < each.objects)) {
    try {
      using file = PackFile.open(disk, secrets, paths.pack(pack.name), `packs/${toHex(pack.name)}`);
      const { directory } = file.readDirectory();
      const bytes = findIn(file, directory, hash, kind);
      if (bytes !== undefined && isNamed(getHasher(secrets.hash), kind, bytes, hash)) return bytes;
    } catch (error) {
      if (!isKind(error, "corrupt") && !isKind(error, "wrong-key") && !isKind(error, "not-found")) throw error;
    }
  }
  return undefined;
}

function findIn(
  file: PackFile,
  directory: PackDirectory,
  hash: Hash,
  kind: MetaKind | undefined,
): Uint8Array | undefined {
  const code = kind === undefined ? 0 : metaKindCodes[kind];
  for (let object = 0; object < directory.objects; object += 1) {
    if (directory.kinds[object] !== code || !equalBytes(directoryHash(directory, object), hash)) continue;
    const frame = framesOfObjects(directory)[object] as number;
    const bytes = file.readFrame({
      offset: directory.frameOffsets[frame] as number,
      sealed: directory.frameSealed[frame] as number,
      method: directory.frameMethods[frame] as 0 | 1,
      decoded: directory.frameLengths[frame] as number,
    });
    const at = directory.objectOffsets[object] as number;
    return bytes.subarray(at, at + (directory.objectLengths[object] as number));
  }
  return undefined;
}
