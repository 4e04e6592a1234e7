/**
 * Keeping the index and the packs in step: opening it, making it anew from the packs' directories when it is missing,
 * damaged or of another version, and taking in or dropping the packs that a crash has left in one of the two only.
 *
 * A file is replaced under the exclusive writing lock alone, so no writer has rows in the file that goes away.
 */
import { equalBytes, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, isKind, OuroError } from "../base/errors.ts";
import { type BoxSecrets, getHasher, type Hash, hashKey } from "../format/mod.ts";
import { IndexDatabase } from "./index-database.ts";
import type { NewPack } from "./index-rows.ts";
import { PackFile } from "./pack-file.ts";
import { findAbsentFrames } from "./pack-frames.ts";
import { packNameOf, type StorePaths, temporaryPackPrefix } from "./store-paths.ts";
import { pause, type WritingLock } from "./writing-lock.ts";

export interface UpkeepContext {
  readonly disk: Disk;
  readonly secrets: BoxSecrets;
  readonly paths: StorePaths;
  readonly lock: WritingLock;
  /** Told what was found and mended, one sentence each. */
  readonly onNotice?: (text: string) => void;
}

/** Told after each pack that was read. */
export type OnPacks = (done: number, total: number) => void;

const lockTries = 100;
const lockPauseMs = 50;

/**
 * Opens the index for writing, in step with the packs; one that cannot be used is made anew.
 * @throws OuroError "locked" when it must be made anew and someone is writing.
 */
export function openIndex(context: UpkeepContext): IndexDatabase {
  try {
    return openInStep(context);
  } catch (error) {
    if (!isKind(error, "corrupt")) throw error;
  }
  return withExclusive(context, () => {
    try {
      // Another process may have mended it meanwhile.
      return openInStep(context);
    } catch (error) {
      if (!isKind(error, "corrupt")) throw error;
      context.onNotice?.(`${error.message}. Making it anew from the packs.`);
    }
    const index = replaceIndex(context);
    reconcileIndex(context, index);
    return index;
  });
}

/** @throws OuroError "corrupt" about the index; packs that are damaged are only reported. */
function openInStep(context: UpkeepContext): IndexDatabase {
  const index = IndexDatabase.open(context.paths.index);
  try {
    reconcileIndex(context, index);
    return index;
  } catch (error) {
    index[Symbol.dispose]();
    throw error;
  }
}

/** An empty index in place of the one there is; only under the exclusive lock. */
function replaceIndex({ disk, paths }: UpkeepContext): IndexDatabase {
  for (const ending of ["-wal", "-shm", ""]) {
    if (disk.stat(paths.index + ending) !== undefined) disk.unlink(paths.index + ending);
  }
  return IndexDatabase.open(paths.index);
}

/**
 * Runs `body` while nobody writes; what was shared before is shared again afterwards.
 * @throws OuroError "locked" when others are writing for seconds on end.
 */
export function withExclusive<T>({ lock, paths }: UpkeepContext, body: () => T): T {
  const wasShared = lock.isHeld;
  try {
    for (let tries = 1; !lock.tryExclusive(); tries += 1) {
      if (tries === lockTries) {
        throw new OuroError("locked", "Cannot mend the index: another process is writing to this box", {
          subject: paths.index,
          hint: "Try again when it is done.",
        });
      }
      pause(lockPauseMs);
    }
    return body();
  } finally {
    lock.release();
    if (wasShared) lock.share();
  }
}

/** The packs that are in the folder, by the names of their files. */
export function listPacks({ disk, paths }: Pick<UpkeepContext, "disk" | "paths">): Map<string, Hash> {
  const names = disk.list(paths.packs).flatMap((file) => packNameOf(file) ?? []);
  return new Map(names.map((name) => [hashKey(name), name]));
}

/**
 * Takes in packs that have no rows (their writer was killed, or the power went), and drops the rows of packs that are gone.
 * Costs one listing and one query when there is nothing to do.
 */
export function reconcileIndex(context: UpkeepContext, index: IndexDatabase, onPacks?: OnPacks): void {
  if (isInStep(context, index)) return;
  // A pack that is being removed has lost its rows before its file; a shared lock keeps us from seeing that.
  const wasHeld = context.lock.isHeld;
  context.lock.share();
  try {
    index.forgetPacks();
    const files = listPacks(context);
    const known = new Map(index.packs().map((pack) => [hashKey(pack.name), pack]));
    const extra = [...files].filter(([key]) => !known.has(key)).map(([, name]) => name);
    addFromFiles(context, index, extra, onPacks);
    const gone = [...known].filter(([key]) => !files.has(key)).map(([, pack]) => pack);
    if (gone.length === 0) return;
    index.transaction(() => {
      const stillGone = gone.filter(({ name }) => context.disk.stat(context.paths.pack(name)) === undefined);
      index.removePacks(stillGone.map(({ id }) => id));
      for (const { name } of stillGone) {
        context.onNotice?.(
          `The pack ${toHex(name)} is gone; what was in it is no longer here. Run \`ourobox fetch\` to bring it back.`,
        );
      }
    });
    reviveDuplicates(context, index);
  } finally {
    if (!wasHeld) context.lock.release();
  }
}

/** Whether the index has just the packs that are in the folder. */
export function isInStep(context: UpkeepContext, index: IndexDatabase): boolean {
  const files = listPacks(context);
  const packs = index.packs();
  return packs.length === files.size && packs.every(({ name }) => files.has(hashKey(name)));
}

/** Reads the directories of packs and adds their rows; one that cannot be read is reported and left out. */
function addFromFiles(context: UpkeepContext, index: IndexDatabase, names: readonly Hash[], onPacks?: OnPacks): void {
  const groupObjects = 200_000;
  let group: NewPack[] = [];
  let objects = 0;
  const addGroup = (): void => {
    if (group.length > 0) {
      index.transaction(() => {
        for (const pack of group) index.addPack(pack);
      });
    }
    group = [];
    objects = 0;
  };
  names.forEach((name, done) => {
    const pack = describePack(context, name, { looksInside: true });
    if (pack !== undefined) {
      group.push(pack);
      objects += pack.directory.objects;
    }
    if (objects >= groupObjects) addGroup();
    onPacks?.(done + 1, names.length);
  });
  addGroup();
}

/** @param options.looksInside Finds out which frames of a sparse pack are here: it reads all that are. */
function describePack(
  context: UpkeepContext,
  name: Hash,
  { looksInside }: { readonly looksInside: boolean },
): NewPack | undefined {
  try {
    using file = PackFile.open(context.disk, context.secrets, context.paths.pack(name), `packs/${toHex(name)}`);
    const pack = file.describe(name);
    if (!file.isSparse || !looksInside) return pack;
    const { hash } = context.secrets;
    const absent = findAbsentFrames(file, pack.directory, getHasher(hash));
    // All of it has come, and its end was not written: so as not to forget that it was brought to be read, or since a crash was between.
    if (absent.size === 0 && equalBytes(file.hashAll(hash, { asWhole: true }), name))
      return { ...pack, proven: true, isCache: true };
    return { ...pack, absent };
  } catch (error) {
    if (
      !(
        isKind(error, "corrupt") ||
        isKind(error, "wrong-key") ||
        isKind(error, "newer-format") ||
        isKind(error, "not-found")
      )
    )
      throw error;
    context.onNotice?.(`${error.message}. Run \`ourobox check\`.`);
    return undefined;
  }
}

/** After packs were removed: finds again, in the packs that have not all of their objects indexed, what is now only there. */
export function reviveDuplicates(context: UpkeepContext, index: IndexDatabase): void {
  for (const pack of index.packs().filter(({ indexed, objects }) => indexed < objects)) {
    const described = describePack(context, pack.name, { looksInside: false });
    if (described === undefined) continue;
    index.transaction(() => index.addObjectsAgain(pack.id, described.directory));
  }
}

/**
 * Makes the index anew from the packs' directories.
 * @returns The index to use from now on; the one given is closed when it could not be kept.
 * @throws OuroError "locked", "no-space", …
 */
export function rebuildIndex(context: UpkeepContext, index: IndexDatabase, onPacks?: OnPacks): IndexDatabase {
  return withExclusive(context, () => {
    let usable = index;
    if (index.integrityProblems().length > 0) {
      index[Symbol.dispose]();
      usable = replaceIndex(context);
    } else {
      index.transaction(() => index.clear());
    }
    addFromFiles(context, usable, [...listPacks(context).values()], onPacks);
    return usable;
  });
}

/** Removes what dead writers have left in `tmp/`: only when nobody is writing, else it is left for the next time. */
export function removeTemporaryPacks({ disk, paths, lock }: UpkeepContext): void {
  const isOurs = (name: Uint8Array): boolean => Buffer.from(name).toString("latin1").startsWith(temporaryPackPrefix);
  if (lock.isHeld || !disk.list(paths.temporary).some(isOurs) || !lock.tryExclusive()) return;
  try {
    for (const name of disk.list(paths.temporary).filter(isOurs))
      disk.unlink(`${paths.temporary}/${Buffer.from(name).toString("latin1")}`);
  } finally {
    lock.release();
  }
}

/** Makes a folder unless it is there. */
export function ensureDirectory(disk: Disk, path: string): void {
  try {
    if (disk.stat(path) === undefined) disk.makeDirectory(path);
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}
