/**
 * At most one live mount of a folder: `.ourobox/live`, or what a branch's folder has of that name beside it, is locked by the kernel for as long as its process lives, and says where the mount is. Two would each
 * commit what the other is writing, and keep locks that the other does not know.
 */
import { setTimeout as delay } from "node:timers/promises";
import { toText, utf8 } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { tryLock } from "../base/posix-space.ts";
import { branchLayout, type Layout, layoutOf } from "./layout.ts";
import type { OpenBox } from "./open-box.ts";

const directoryBytesMax = 4096;
/** Somebody may be looking at the lock just now, which takes it for a moment. */
const triesMax = 5;
const pauseMs = 20;

/** What is mounted live: the folder of a box, or that of one of its branches. */
export interface LivePlace {
  /** The box's folder. */
  readonly box: string;
  readonly branch?: string | undefined;
}

function layoutAt({ box, branch }: LivePlace): Layout {
  const layout = layoutOf(box);
  return branch === undefined ? layout : branchLayout(layout, branch);
}

/** The folder that is shown. */
export function liveFolder(place: LivePlace): string {
  return layoutAt(place).files;
}

/**
 * @param directory Where the mount will be.
 * @returns What ends it; so does the end of the process.
 * @throws OuroError "locked": there is a live mount, and where; "permission", "no-space" and their like.
 */
export async function lockLive(box: OpenBox, directory: string): Promise<Disposable> {
  const { disk } = box.context;
  const { top, branch, live: path } = box.layout;
  let fd: number | undefined;
  try {
    fd = openFile(disk, path);
    for (let tries = 1; !tryLock(fd, "exclusive"); tries += 1) {
      if (tries === triesMax) throw mounted({ box: top, branch }, readDirectory(disk, fd));
      await delay(pauseMs);
    }
    disk.truncate(fd, 0);
    disk.write(fd, utf8(directory), 0);
  } catch (thrown) {
    if (fd !== undefined) disk.close(fd);
    throw ioError(`Cannot lock ${path}`, thrown, path);
  }
  const held = fd;
  return { [Symbol.dispose]: () => disk.close(held) };
}

/** Where the live mount of a folder is; undefined when there is none, or this process may not know. */
export function findLive(disk: Disk, place: LivePlace): string | undefined {
  let fd: number | undefined;
  try {
    fd = disk.open(layoutAt(place).live, "read");
    return tryLock(fd, "shared") ? undefined : readDirectory(disk, fd);
  } catch (thrown) {
    ioError("Cannot look for a live mount", thrown);
    return undefined;
  } finally {
    if (fd !== undefined) disk.close(fd);
  }
}

/** Does something at once while no live mount can begin; nothing where there is one. @throws OuroError of the disk. */
export function unlessLive(box: OpenBox, act: () => void): void {
  const { disk } = box.context;
  const { live: path } = box.layout;
  let fd: number | undefined;
  try {
    fd = openFile(disk, path);
    if (tryLock(fd, "exclusive")) act();
  } catch (thrown) {
    throw ioError(`Cannot lock ${path}`, thrown, path);
  } finally {
    if (fd !== undefined) disk.close(fd);
  }
}

function openFile(disk: Disk, path: string): number {
  try {
    return disk.open(path, "write");
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw thrown;
  }
  try {
    return disk.open(path, "create-new");
  } catch (thrown) {
    if (errnoOf(thrown) !== "EEXIST") throw thrown;
    return disk.open(path, "write");
  }
}

function readDirectory(disk: Disk, fd: number): string {
  const bytes = new Uint8Array(directoryBytesMax);
  return toText(bytes.subarray(0, disk.read(fd, bytes, 0)));
}

function mounted({ box, branch }: LivePlace, directory: string): OuroError {
  const what = branch === undefined ? box : `the branch ${branch} of ${box}`;
  return new OuroError("locked", `Cannot mount ${what}: it is mounted already, on ${directory}`, {
    subject: directory,
    hint: `Use it there, or run \`ourobox umount ${directory}\` first. Commits can be mounted beside it: \`ourobox mount ${branch ?? "HEAD"} DIR\`.`,
  });
}
