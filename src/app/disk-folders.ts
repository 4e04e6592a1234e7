/** Folders through the disk of the context: looked at, made with all above them, and removed with all that is in them. */
import { dirname } from "node:path";
import type { Disk, DiskPath, DiskStat } from "../base/disk.ts";
import { errnoOf, ioError } from "../base/errors.ts";

/** What stands at a path; undefined when there is nothing. @throws OuroError "permission", "io", …. */
export function findStat(disk: Disk, path: string): DiskStat | undefined {
  try {
    return disk.stat(path);
  } catch (thrown) {
    throw ioError(`Cannot look at ${path}`, thrown, path);
  }
}

/** The names in a folder, in no order; none when it is not there. @throws OuroError "not-dir", "permission", "io", …. */
export function listNames(disk: Disk, path: string): Uint8Array[] {
  try {
    return disk.list(path);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return [];
    throw ioError(`Cannot list ${path}`, thrown, path);
  }
}

/**
 * Makes a folder and those above it that are not there, durably; a symlink to a folder is one.
 * @throws Node's own errors: EEXIST when something else has that name.
 */
export function makeFolders(disk: Disk, path: string, permissions = 0o777): void {
  if (isFolder(disk, path)) return;
  const parent = dirname(path);
  if (parent !== path) makeFolders(disk, parent, permissions);
  try {
    disk.makeDirectory(path, permissions);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST" || !isFolder(disk, path)) throw thrown;
  }
  disk.syncDirectory(parent);
}

/** `join` would take the dot away, which makes the kernel follow a symlink. */
function isFolder(disk: Disk, path: string): boolean {
  return disk.stat(`${path}/.`)?.kind === "directory";
}

/** Removes a folder of ours with everything in it; nothing when it is not there. Not deeper than a box's own folders are. @throws Node's own errors. */
export function removeFolder(disk: Disk, path: string): void {
  if (disk.stat(path) !== undefined) removeTree(disk, path);
}

/** As `removeFolder`; what cannot be removed stays: something else has failed before, and that is what is told. */
export function discardFolder(disk: Disk, path: string): void {
  try {
    removeFolder(disk, path);
  } catch (thrown) {
    ioError(`Cannot remove ${path}`, thrown, path);
  }
}

function removeTree(disk: Disk, path: DiskPath): void {
  for (const name of disk.list(path)) {
    const each = Buffer.concat([Buffer.from(path), Buffer.from("/"), name]);
    if (disk.stat(each)?.kind === "directory") removeTree(disk, each);
    else disk.unlink(each);
  }
  disk.removeDirectory(path);
}
