/**
 * Taking in packs that came from elsewhere, several at once: each is verified by its name, all are made durable together and moved to
 * their places, and one transaction adds their rows. Its commit is last, so that nothing is found that is not durable.
 *
 * Packs of metadata are verified object by object: they are small, and what is read of them decides what is fetched. So is content in a
 * plain box, whose packs may be anybody's. In a sealed box only who has its key can have made a pack that lies, and looking into all content
 * takes longer than bringing it: it is looked at when something is to be stored that is there already (frame-proofs.ts).
 */
import { toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { type BoxSecrets, getHasher, type Hash, type PackClass } from "../format/mod.ts";
import { checkFrames } from "./check.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { NewPack } from "./index-rows.ts";
import type { IsRight } from "./object-name.ts";
import { PackFile } from "./pack-file.ts";
import type { StorePaths } from "./store-paths.ts";

/** A pack that has come: a whole file, on the file system of the packs. */
export interface ArrivedPack {
  readonly path: string;
  readonly name: Hash;
  readonly class: PackClass;
  /** About how many are in it; few unless given. */
  readonly objects?: number;
}

/** The hashes of its objects, one after another; or why it is refused: "corrupt", "wrong-key", "newer-format". */
export type AdoptOutcome = { readonly hashes: Uint8Array } | { readonly error: OuroError };

export interface AdoptContext {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
  readonly index: IndexDatabase;
  readonly isRight?: IsRight;
  /** Tells the disk to begin writing a file, so that there is little left to do when it is synced. */
  readonly startWriting?: (fd: number) => void;
}

/**
 * @returns What came of each pack, in their order. The file of one that is refused stays where it is.
 * @throws OuroError "no-space", "io", "locked": none has been taken in then. Some may be in their places, which is harmless: they are whole.
 */
export function adoptPacks(context: AdoptContext, packs: readonly ArrivedPack[]): AdoptOutcome[] {
  const { disk, paths, index } = context;
  const open: number[] = [];
  try {
    for (const { path } of packs) {
      const fd = disk.open(path, "write");
      open.push(fd);
      context.startWriting?.(fd);
    }
    const described = packs.map((pack) => describe(context, pack));
    const whole = packs.flatMap((pack, at) => {
      const found = described[at];
      return found === undefined || found instanceof OuroError ? [] : [{ pack, fd: open[at] as number, found }];
    });
    if (whole.length > 0) {
      index.transaction(() => {
        for (const { found } of whole) index.addPack(found);
        for (const { fd } of whole) disk.syncFile(fd);
        for (const { pack } of whole) disk.rename(pack.path, paths.pack(pack.name));
        disk.syncDirectory(paths.packs);
      });
    }
    return described.map((each) => (each instanceof OuroError ? { error: each } : { hashes: hashesOf(each) }));
  } catch (error) {
    throw ioError("Cannot take in packs", error, paths.packs);
  } finally {
    for (const fd of open) disk.close(fd);
  }
}

/** What the index wants to know, or why the pack is refused. */
function describe(context: AdoptContext, { path, name, class: packClass }: ArrivedPack): NewPack | OuroError {
  const { disk, secrets } = context;
  try {
    using file = PackFile.open(disk, secrets, path, `pack ${toHex(name)}`);
    file.verifyName(name, secrets.hash);
    if (file.class !== packClass) return refused(name, `it is a ${file.class} pack (must be ${packClass})`);
    const pack = file.describe(name, { nameIsVerified: true });
    if (packClass === "content" && secrets.suite !== "plain") return pack;
    const [damage] = checkFrames(file, pack.directory, getHasher(secrets.hash), name, () => true, context.isRight);
    return damage === undefined ? { ...pack, proven: true } : refused(name, damage.what);
  } catch (error) {
    if (isKind(error, "corrupt") || isKind(error, "wrong-key") || isKind(error, "newer-format")) return error;
    throw error;
  }
}

function refused(name: Hash, why: string): OuroError {
  return new OuroError("corrupt", `Cannot take in pack ${toHex(name)}: ${why}`, { subject: toHex(name) });
}

function hashesOf({ directory: { hashes, objects } }: NewPack): Uint8Array {
  return hashes.subarray(0, objects * 32);
}
