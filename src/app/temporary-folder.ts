/**
 * Folders in the making: `.ourobox.` and 16 hex digits and `.tmp`, which no scan takes in. Whoever makes one holds a lock of the kernel on
 * it, so one that a dead process has left is known, and the next to make one beside it removes it. One with a name of its own may be kept for whoever goes on
 * with the same; somebody else may have put it there, so one that is another user's, or that others may look into or write to, is left alone.
 */
import { join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import type { Disk, DiskStat } from "../base/disk.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";
import { discardFolder, listNames } from "./disk-folders.ts";
import { boxFolder } from "./layout.ts";

/** So often one may be taken for a dead process's, in the moment before it is locked. */
const triesMax = 10;

interface Maker {
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
}

export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #disk: Disk;
  readonly #fd: number;
  /** Whether the next that asks for its name finds it. */
  readonly canBeKept: boolean;
  #isKept = false;

  /**
   * @param name Instead of digits of chance, 16 of them: what was left under it is gone on with, unless another process is at it or it is not ours alone.
   * @throws OuroError "permission", "no-space" and their like.
   */
  constructor(parent: string, { disk, random }: Maker, name?: string) {
    removeDead(disk, parent, name);
    this.#disk = disk;
    const named = name === undefined ? undefined : takeNamed(disk, parent, name);
    const { path, fd } = named ?? makeLocked(parent, { disk, random });
    this.path = path;
    this.#fd = fd;
    this.canBeKept = named !== undefined;
  }

  /** It stays, for the next that asks for its name. */
  keep(): void {
    this.#isKept = true;
  }

  /** Removes it with all that is in it, unless it is kept or has got another name. */
  [Symbol.dispose](): void {
    if (!this.#isKept) discardFolder(this.#disk, this.path);
    this.#disk.close(this.#fd);
  }
}

const pathOf = (parent: string, name: string): string => join(parent, `${boxFolder}.${name}.tmp`);

/** @returns Undefined when another has it, or it is not ours alone. */
function takeNamed(
  disk: Disk,
  parent: string,
  name: string,
): { readonly path: string; readonly fd: number } | undefined {
  const path = pathOf(parent, name);
  try {
    if (disk.stat(path) === undefined) disk.makeDirectory(path, 0o700);
    const fd = lockDirectory(disk, path);
    if (fd === undefined || isOursAlone(disk.statFile(fd))) return fd === undefined ? undefined : { path, fd };
    disk.close(fd);
    return undefined;
  } catch (thrown) {
    throw ioError(`Cannot make ${path}`, thrown, path);
  }
}

function isOursAlone({ owner, mode }: DiskStat): boolean {
  return owner === process.geteuid?.() && (mode & 0o077) === 0;
}

function makeLocked(parent: string, { disk, random }: Maker): { readonly path: string; readonly fd: number } {
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const path = pathOf(parent, toHex(random(8)));
    try {
      disk.makeDirectory(path, 0o700);
      const fd = lockDirectory(disk, path);
      if (fd !== undefined) return { path, fd };
    } catch (thrown) {
      discardFolder(disk, path);
      throw ioError(`Cannot make ${path}`, thrown, path);
    }
  }
  throw new OuroError("locked", `Cannot make a folder in ${parent}: others remove it each time`, {
    subject: parent,
    hint: "Run the command again.",
  });
}

/** Its descriptor; undefined when another has it, or has removed it meanwhile. @throws Node's own errors. */
function lockDirectory(disk: Disk, path: string): number | undefined {
  const fd = openDirectory(disk, path);
  if (fd === undefined) return undefined;
  let isOurs = false;
  try {
    isOurs = flock(fd, "exclusive") && disk.stat(path) !== undefined;
  } finally {
    if (!isOurs) disk.close(fd);
  }
  return isOurs ? fd : undefined;
}

function removeDead(disk: Disk, parent: string, except?: string): void {
  const isTemporary = new RegExp(`^\\${boxFolder}\\.[0-9a-f]{16}\\.tmp$`);
  for (const name of listNames(disk, parent)
    .map(toText)
    .filter((each) => isTemporary.test(each))) {
    const path = join(parent, name);
    if (except !== undefined && path === pathOf(parent, except)) continue;
    const fd = openQuietly(disk, path);
    if (fd === undefined) continue;
    try {
      if (flock(fd, "exclusive")) discardFolder(disk, path);
    } finally {
      disk.close(fd);
    }
  }
}

/** A directory's descriptor; undefined for anything else, and for what is gone. @throws Node's own errors. */
function openDirectory(disk: Disk, path: string): number | undefined {
  try {
    return disk.stat(path)?.kind === "directory" ? disk.open(path, "read") : undefined;
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
    return undefined;
  }
}

/** As `openDirectory`; undefined for what cannot be opened, too. */
function openQuietly(disk: Disk, path: string): number | undefined {
  try {
    return openDirectory(disk, path);
  } catch (thrown) {
    ioError(`Cannot open ${path}`, thrown, path);
    return undefined;
  }
}
