/** Taking away the mount of a box, whoever serves it, and also when nobody does any more. */
import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { findMount, unmountDirectory } from "../front/fuse/mod.ts";
import { boxMountOf } from "./box-mounts.ts";
import { busyMount } from "./busy-mount.ts";

export interface UnmountOptions {
  /** Whose mount it is, or 0. */
  readonly uid: number;
  readonly lazy: boolean;
}

/** @throws OuroError "not-found": no box is mounted there. "locked": it is in use, and by whom. "permission". */
export async function unmountBox(path: string, { uid, lazy }: UnmountOptions): Promise<void> {
  const directory = placeOf(path);
  const mount = findMount(Buffer.from(directory).toString("latin1"));
  if (mount === undefined || boxMountOf(mount) === undefined) {
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
}

/** Without symlinks on the way. The place itself is not looked at: a mount that does not answer would not let go. */
function placeOf(path: string): string {
  if (path === "/") return path;
  try {
    return join(realpathSync(dirname(path)), basename(path));
  } catch (thrown) {
    throw ioError(`Cannot unmount ${path}`, thrown, path);
  }
}
