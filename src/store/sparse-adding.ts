/** Making packs known of which nothing is here yet: their header and directory, in a file of their full length that says that it is sparse. */
import { toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import {
  type BoxSecrets,
  decodePackDirectory,
  decodePackTrailer,
  type Hash,
  packClassCodes,
  packTrailerBytes,
  Seal,
} from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { NewPack } from "./index-rows.ts";
import { sparseMagic } from "./pack-file.ts";
import { type StorePaths, temporaryPackPrefix } from "./store-paths.ts";

/** What is to be known of a pack before anything of it is here. */
export interface PackEnds {
  readonly name: Hash;
  /** Of the whole file. */
  readonly size: number;
  /** The first 64 bytes. */
  readonly header: Uint8Array;
  /** The sealed directory and the trailer: the last bytes. */
  readonly tail: Uint8Array;
}

export interface SparseContext {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
  readonly random: (count: number) => Uint8Array;
  readonly index: () => IndexDatabase;
  /** Runs something during which no pack is removed. */
  readonly asWriter: <T>(body: () => T) => T;
}

interface DescribedPack {
  readonly pack: PackEnds;
  readonly described: NewPack;
}

/**
 * Takes in what packs say of themselves, with no frame of them, as a writer. What is here of a pack stays.
 * @returns Why each was refused ("corrupt", "wrong-key", "newer-format"); undefined for one that is known now.
 */
export function addSparsePacks(context: SparseContext, packs: readonly PackEnds[]): (OuroError | undefined)[] {
  const described = packs.map((pack) => describe(context, pack));
  const wanted = described.flatMap((each, at): DescribedPack[] => {
    const pack = packs[at];
    return each instanceof OuroError || pack === undefined ? [] : [{ pack, described: each }];
  });
  publish(
    context,
    wanted.filter(({ pack }) => context.index().findPackNamed(pack.name) === undefined),
  );
  return described.map((each) => (each instanceof OuroError ? each : undefined));
}

function describe({ secrets }: SparseContext, { name, size, header, tail }: PackEnds): NewPack | OuroError {
  const what = `pack ${toHex(name)}`;
  try {
    const seal = Seal.open(secrets, "pack", header, what);
    if (seal.type !== packClassCodes.content || tail.length < packTrailerBytes)
      throw new OuroError("corrupt", `Cannot take in ${what}: it is no pack of content`, { subject: what });
    const trailer = decodePackTrailer(tail.subarray(tail.length - packTrailerBytes), size, seal.overhead, what);
    if (trailer.length + packTrailerBytes !== tail.length)
      throw new OuroError("corrupt", `Cannot take in ${what}: its directory is of another length`, { subject: what });
    const bytes = seal.openPiece(trailer.offset, tail.subarray(0, trailer.length), what);
    const directory = decodePackDirectory(bytes, "content", trailer.offset, seal.overhead, what);
    return { name, size, directorySize: trailer.length, directory, absent: new Set(directory.frameOffsets) };
  } catch (thrown) {
    if (isKind(thrown, "corrupt") || isKind(thrown, "wrong-key") || isKind(thrown, "newer-format")) return thrown;
    throw thrown;
  }
}

function publish({ disk, paths, random, index }: SparseContext, packs: readonly DescribedPack[]): void {
  if (packs.length === 0) return;
  const temporary: string[] = [];
  try {
    for (const { pack } of packs) {
      const path = `${paths.temporary}/${temporaryPackPrefix}${toHex(random(8))}`;
      const fd = disk.open(path, "create-new");
      temporary.push(path);
      try {
        disk.truncate(fd, pack.size);
        disk.write(fd, pack.header, 0);
        disk.write(fd, withEnd(pack.tail, sparseMagic), pack.size - pack.tail.length);
        disk.syncFile(fd);
      } finally {
        disk.close(fd);
      }
    }
    const made = packs.filter(({ pack }, at) => giveName(disk, temporary[at] as string, paths.pack(pack.name)));
    disk.syncDirectory(paths.packs);
    index().transaction(() => {
      for (const { described } of made) index().addPack(described);
    });
  } finally {
    for (const path of temporary) removeQuietly(disk, path);
  }
}

/** Gives a file its name unless another has it: a whole pack of that name must not be replaced. @returns Whether it has the name. */
function giveName(disk: Disk, path: string, name: string): boolean {
  try {
    disk.link(path, name);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST") return false;
    // A file system without hard links.
    if (!["EPERM", "EOPNOTSUPP", "ENOSYS", "EMLINK"].includes(errnoOf(thrown) ?? "")) throw thrown;
  }
  if (disk.stat(name) !== undefined) return false;
  disk.rename(path, name);
  return true;
}

function removeQuietly(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch (thrown) {
    // What is left is removed when the box is next opened.
    ioError("Cannot remove a temporary pack", thrown);
  }
}

/** A copy of a pack's last bytes with another end. */
function withEnd(tail: Uint8Array, magic: Uint8Array): Uint8Array {
  const copy = new Uint8Array(tail);
  copy.set(magic, copy.length - magic.length);
  return copy;
}
