/** Taking away the mount of a box, whoever serves it, and also when nobody does any more. */
import { readlinkSync, realpathSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findLive } from "../app/mod.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { findMount, unmountDirectory } from "../front/fuse/mod.ts";
import { boxMountOf, type ListedMount } from "./box-mounts.ts";
import { busyMount } from "./busy-mount.ts";

export interface UnmountOptions {
  /** Whose mount it is, or 0. */
  readonly uid: number;
  readonly lazy: boolean;
  readonly disk: Disk;
  /** Ends the wait for the last commit. */
  readonly signal: AbortSignal;
  /** Called when that takes a while. */
  readonly onWait: () => void;
}

const pauseMs = 50;
/** After so many, somebody may wonder why nothing happens. */
const pausesUntold = 20;
/** As the kernel has it. */
const linksMax = 40;

/**
 * Returns when the mount is gone; of a live one that is not taken away lazily, when its process is, which makes its last commit before.
 * @throws OuroError "not-found": no box is mounted there. "locked": it is in use, and by whom. "permission".
 */
export async function unmountBox(path: string, options: UnmountOptions): Promise<void> {
  const { uid, lazy } = options;
  const directory = placeOf(path);
  const mount = findMount(latin(directory));
  const listed = mount === undefined ? undefined : boxMountOf(mount);
  if (listed === undefined) {
    throw new OuroError("not-found", `Cannot unmount ${directory}: no box is mounted there`, {
      subject: directory,
      hint: "Run `ourobox mount --list` to see what is.",
    });
  }
  try {
    await unmountDirectory(directory, { uid, lazy });
  } catch (thrown) {
    if (isKind(thrown, "locked")) throw busyMount(directory, thrown);
    throw thrown;
  }
  if (listed.commit === undefined && !lazy) await waitForEnd(listed, directory, options);
}

async function waitForEnd(
  place: ListedMount,
  directory: string,
  { disk, signal, onWait }: UnmountOptions,
): Promise<void> {
  for (let pauses = 0; findLive(disk, place) === directory; pauses += 1) {
    if (pauses === pausesUntold) onWait();
    await delay(pauseMs, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Without symlinks. Where something is mounted the place itself is not looked at: a mount that does not answer would not let go. */
function placeOf(path: string): string {
  if (path === "/") return path;
  try {
    let place = join(realpathSync(dirname(path)), basename(path));
    for (let left = linksMax; left > 0 && findMount(latin(place)) === undefined; left -= 1) {
      const target = linkTarget(place);
      if (target === undefined) break;
      const next = resolve(dirname(place), target);
      place = join(realpathSync(dirname(next)), basename(next));
    }
    return place;
  } catch (thrown) {
    throw ioError(`Cannot unmount ${path}`, thrown, path);
  }
}

/** Undefined of what is no symlink, or not there. */
function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function latin(path: string): string {
  return Buffer.from(path).toString("latin1");
}
