/**
 * Who is at work on the folder: a lock of the kernel on `.ourobox/moving`, or what a branch's folder has of that name beside it, so that it ends with its process however that ends.
 *
 * What writes the folder's files (a pull, a restore, the end of a clone) holds it alone; commits hold it shared. So none takes what another
 * has half done for the work of a person. Why it cannot be shorter: doc/decisions/0004-folder.md.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";
import type { OpenBox } from "./open-box.ts";

const triesMax = 200;
const pauseMs = 50;
/** After so many, somebody may wonder why nothing happens. */
const triesUntold = 20;

export function movingFolder({ layout }: OpenBox): string {
  return layout.moving;
}

/**
 * @returns To be disposed of when the work is done.
 * @throws OuroError "read-only", "locked" after ten seconds, "permission", "no-space" and their like.
 */
export function lockFolder(box: OpenBox, kind: "alone" | "shared"): Promise<Disposable> {
  return lockDirectory(box, movingFolder(box), { kind, of: "the files of this folder" });
}

/** Who goes to another branch or deletes one holds this alone, who begins to mount one shared. @throws As `lockFolder`. */
export function lockBranches(box: OpenBox, kind: "alone" | "shared"): Promise<Disposable> {
  return lockDirectory(box, box.layout.branches, { kind, of: "the branches of this box" });
}

async function lockDirectory(
  box: OpenBox,
  path: string,
  { kind, of }: { readonly kind: "alone" | "shared"; readonly of: string },
): Promise<Disposable> {
  box.requireWritable();
  const { disk, signal } = box.context;
  const fd = openFolder(disk, path);
  try {
    for (let tries = 1; !flock(fd, kind === "alone" ? "exclusive" : "shared"); tries += 1) {
      if (tries === triesMax) throw locked(of);
      if (tries === triesUntold) box.context.notice(`Waiting for another command that is at work on ${of}.`);
      await delay(pauseMs, undefined, { signal }).catch(() => signal?.throwIfAborted());
    }
  } catch (thrown) {
    disk.close(fd);
    throw ioError("Cannot lock the folder", thrown, path);
  }
  return { [Symbol.dispose]: () => disk.close(fd) };
}

function openFolder(disk: Disk, path: string): number {
  try {
    if (disk.stat(path) === undefined) makeFolder(disk, path);
    return disk.open(path, "read");
  } catch (thrown) {
    throw ioError(`Cannot open ${path}`, thrown, path);
  }
}

function makeFolder(disk: Disk, path: string): void {
  try {
    disk.makeDirectory(path, 0o700);
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
  }
}

function locked(of: string): OuroError {
  return new OuroError("locked", `Cannot go on: another command is at work on ${of}`, {
    hint: "Run it again when that has ended.",
  });
}
