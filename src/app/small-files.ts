/** The small files of a box: read whole within a limit, and replaced by rename, so that a crash leaves the old or the new one. */
import { dirname, join } from "node:path";
import { copyBytes, toHex } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";

const smallFileBytesMax = 1024 * 1024;

/**
 * The bytes of a file, or undefined when there is none.
 * @throws OuroError "too-large" over `bytesMax`, "io" and its like.
 */
export function findSmallFile(disk: Disk, path: string, bytesMax: number = smallFileBytesMax): Uint8Array | undefined {
  let fd: number;
  try {
    if (disk.stat(path) === undefined) return undefined;
    fd = disk.open(path, "read");
  } catch (thrown) {
    throw ioError(`Cannot read ${path}`, thrown, path);
  }
  try {
    const { size } = disk.statFile(fd);
    if (size > bytesMax)
      throw new OuroError("too-large", `Cannot read ${path}: it has ${size} bytes (at most ${bytesMax})`);
    const bytes = new Uint8Array(size);
    return copyBytes(bytes.subarray(0, disk.read(fd, bytes, 0)));
  } catch (thrown) {
    throw ioError(`Cannot read ${path}`, thrown, path);
  } finally {
    disk.close(fd);
  }
}

export interface WriteOptions {
  readonly permissions?: number;
  /** Leave a file that is there already. */
  readonly ifAbsent?: boolean;
  readonly random: (length: number) => Uint8Array;
}

/**
 * Writes a file whole and durably.
 * @returns False when `ifAbsent` and there was one.
 */
export function writeSmallFile(disk: Disk, path: string, bytes: Uint8Array, options: WriteOptions): boolean {
  const folder = dirname(path);
  const temporary = join(folder, `.${toHex(options.random(8))}.tmp`);
  try {
    const fd = disk.open(temporary, "create-new", options.permissions ?? 0o644);
    try {
      disk.write(fd, bytes, 0);
      disk.syncFile(fd);
    } finally {
      disk.close(fd);
    }
    if (options.ifAbsent === true) {
      const placed = linkIfAbsent(disk, temporary, path);
      disk.unlink(temporary);
      disk.syncDirectory(folder);
      return placed;
    }
    disk.rename(temporary, path);
    disk.syncDirectory(folder);
    return true;
  } catch (thrown) {
    discard(disk, temporary);
    throw ioError(`Cannot write ${path}`, thrown, path);
  }
}

/** What has failed before is what is told. */
function discard(disk: Disk, path: string): void {
  try {
    disk.unlink(path);
  } catch (thrown) {
    ioError(`Cannot remove ${path}`, thrown, path);
  }
}

function linkIfAbsent(disk: Disk, from: string, to: string): boolean {
  try {
    disk.link(from, to);
    return true;
  } catch (thrown) {
    if (ioError("Cannot link", thrown).kind === "exists") return false;
    throw thrown;
  }
}
