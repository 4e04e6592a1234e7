/**
 * A pack on its way here: `tmp/fetch-<name>` in the box, which stays when the transfer is cut off, so that the next one goes on
 * where it stopped. Whoever writes it holds a lock on it (flock: it ends with the process); another process that wants
 * the same pack meanwhile fetches it under a name of its own.
 */
import { join } from "node:path";
import { findText, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";

const prefix = "fetch-";
const triesMax = 5;

export class PartFile implements Disposable {
  readonly path: string;
  readonly #disk: Disk;
  readonly #fd: number;

  private constructor(disk: Disk, path: string, fd: number) {
    this.#disk = disk;
    this.path = path;
    this.#fd = fd;
  }

  /** @param name The pack's, in hex. @throws OuroError "no-space" and its like. */
  static open(disk: Disk, folder: string, name: string, random: (length: number) => Uint8Array): PartFile {
    const path = join(folder, `${prefix}${name}`);
    try {
      for (let tries = 0; tries < triesMax; tries += 1) {
        const fd = openOrMake(disk, path);
        if (fd === undefined) continue;
        const isFree = lockNamed(disk, fd, path);
        if (isFree === true) return new PartFile(disk, path, fd);
        disk.close(fd);
        if (isFree === false) break;
      }
      const own = `${path}-${toHex(random(8))}`;
      const fd = disk.open(own, "create-new");
      flock(fd, "exclusive");
      return new PartFile(disk, own, fd);
    } catch (thrown) {
      throw ioError(`Cannot write ${path}`, thrown, path);
    }
  }

  /** How many bytes have arrived. */
  get size(): number {
    return this.#disk.statFile(this.#fd).size;
  }

  /** Removes the file; not when it has been moved to its place. */
  discard(): void {
    if (isNamed(this.#disk, this.#fd, this.path)) this.#disk.unlink(this.path);
  }

  /** Lets go of the file; it stays. */
  [Symbol.dispose](): void {
    this.#disk.close(this.#fd);
  }
}

/** Undefined when it was removed in between. */
function openOrMake(disk: Disk, path: string): number | undefined {
  for (const mode of ["create-new", "write"] as const) {
    try {
      return disk.open(path, mode);
    } catch (thrown) {
      if (errnoOf(thrown) !== (mode === "write" ? "ENOENT" : "EEXIST")) throw thrown;
    }
  }
  return undefined;
}

/** True when the lock is ours; false when it is another's; undefined when the name has come to mean another file. */
function lockNamed(disk: Disk, fd: number, path: string): boolean | undefined {
  if (!flock(fd, "exclusive")) return false;
  return isNamed(disk, fd, path) ? true : undefined;
}

function isNamed(disk: Disk, fd: number, path: string): boolean {
  const [open, named] = [disk.statFile(fd), disk.stat(path)];
  return named !== undefined && named.inode === open.inode && named.device === open.device;
}

function namesIn(disk: Disk, folder: string): Uint8Array[] {
  try {
    return disk.list(folder);
  } catch (thrown) {
    throw ioError(`Cannot list ${folder}`, thrown, folder);
  }
}

/** Removes the parts that nobody is writing: to be called when all packs have arrived. */
export function removeParts(disk: Disk, folder: string): void {
  for (const bytes of namesIn(disk, folder)) {
    const name = findText(bytes);
    if (name === undefined || !/^fetch-[0-9a-f]{64}(-[0-9a-f]{16})?$/.test(name)) continue;
    const path = join(folder, name);
    try {
      const fd = disk.open(path, "write");
      try {
        if (lockNamed(disk, fd, path) === true) disk.unlink(path);
      } finally {
        disk.close(fd);
      }
    } catch (thrown) {
      const failure = ioError(`Cannot remove ${path}`, thrown, path);
      if (!(failure instanceof OuroError) || failure.kind !== "not-found") throw failure;
    }
  }
}
