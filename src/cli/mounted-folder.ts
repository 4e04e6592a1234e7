/**
 * Commands that are run in a mount of a box: in a live one they work on the box, in the folder of the same path that it shows; a commit's is no box.
 * The kernel is asked what is mounted where, so that no mount has to answer, a dead one neither.
 */
import { readFileSync, realpathSync } from "node:fs";
import { join } from "node:path";

export interface MountedFolder {
  /** Where the mount is. */
  readonly directory: string;
  /** The folder that holds its box. */
  readonly box: string;
  /** The beginning of its commit's id; undefined of a live mount. */
  readonly commit: string | undefined;
  /** The folder that was asked about, in the one that is shown. */
  readonly folder: string;
}

const mountsFile = "/proc/self/mountinfo";
const mountType = " fuse.ourobox ";

/** Undefined where the folder is in no mount of a box: of one's own or of root's. @param folder Absolute. */
export async function findMountedFolder(folder: string): Promise<MountedFolder | undefined> {
  if (!hasMounts()) return undefined;
  const [{ listBoxMounts }, { liveFolder }] = await Promise.all([import("../daemon/mod.ts"), import("../app/mod.ts")]);
  const uid = process.geteuid?.() ?? 0;
  const path = withoutLinks(folder);
  const mounts = listBoxMounts()
    .filter((each) => each.uid === uid || each.uid === 0)
    .map((each) => ({ ...each, directory: Buffer.from(each.directory, "latin1").toString() }))
    .filter(({ directory }) => path === directory || path.startsWith(`${directory}/`));
  // The innermost, and of those on one directory the topmost.
  let found: (typeof mounts)[number] | undefined;
  for (const each of mounts) if (each.directory.length >= (found?.directory.length ?? 0)) found = each;
  if (found === undefined) return undefined;
  const { directory, box, commit } = found;
  return { directory, box, commit, folder: join(liveFolder(found), path.slice(directory.length)) };
}

/** Most machines have none, and most commands need not load what reads them. */
function hasMounts(): boolean {
  try {
    return readFileSync(mountsFile, "latin1").includes(mountType);
  } catch {
    return false;
  }
}

/** As it is where that cannot be told, as of a folder that is no more. */
function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
