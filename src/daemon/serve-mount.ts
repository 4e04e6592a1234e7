/** What serving a mount is, whatever it shows: where it may be, and that it ends when somebody unmounts it, or by a signal whoever is in it. */
import { realpathSync } from "node:fs";
import type { Box } from "../app/mod.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import type { FuseBehaviour, FuseMount } from "../front/fuse/mod.ts";
import { busyMount } from "./busy-mount.ts";

export interface Serving {
  /** Ends it: busy or not. */
  readonly signal: AbortSignal;
  /** It answers. */
  readonly onMounted: () => void;
  /** Who was still in it when the signal ended it. */
  readonly onBusy: (error: OuroError) => void;
}

/** Requests that wait are not to keep back others: the kernel holds as many as this at once of those that nobody waits for by name (what it reads ahead). */
const waitingMax = 4096;

/** What a mount whose calls may wait asks of the kernel. */
export function whenWaiting(waitMs: number): Partial<FuseBehaviour> {
  return waitMs === 0 ? {} : { backgroundMax: waitingMax };
}

/** Whose mount it is. */
export interface MountOwner {
  readonly allowOther: boolean;
  readonly uid: number;
  readonly gid: number;
  /** How far the kernel may read ahead, in bytes. */
  readonly readAheadBytes: number;
}

/**
 * The place to mount on, without symlinks.
 * @throws OuroError "usage" where the box is itself below it: what serves a mount reads the box, and by way of the mount it would wait for itself.
 */
export function placeOfMount(box: Box, path: string): string {
  let directory: string;
  try {
    directory = realpathSync(path);
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOTCONN")
      throw new OuroError("io", `Cannot mount on ${path}: the process of the mount that is there has died`, {
        subject: path,
        hint: `Run \`ourobox umount ${path}\` first.`,
        cause: thrown,
      });
    if (errnoOf(thrown) === "ENOENT")
      throw new OuroError("not-found", `Cannot mount on ${path}: there is no such folder`, {
        subject: path,
        hint: "Make it first.",
        cause: thrown,
      });
    throw ioError(`Cannot mount on ${path}`, thrown, path);
  }
  const inside = realpathSync(box.layout.box);
  if (inside !== directory && !inside.startsWith(directory === "/" ? "/" : `${directory}/`)) return directory;
  throw new OuroError("usage", `Cannot mount on ${directory}: the box itself is in it`, {
    subject: directory,
    hint: "Choose an empty folder elsewhere.",
  });
}

/** Until it has ended. */
export async function serveToEnd(mount: FuseMount, { signal, onMounted, onBusy }: Serving): Promise<void> {
  onMounted();
  const stop = (): void => void leave(mount, onBusy);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await mount.ended;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A mount that is in use goes out of sight; whoever is in it hears of the end when this process does. */
async function leave(mount: FuseMount, onBusy: Serving["onBusy"]): Promise<void> {
  try {
    await mount.unmount();
  } catch (thrown) {
    if (isKind(thrown, "locked")) onBusy(busyMount(mount.directory, thrown));
    await mount.unmount({ lazy: true }).catch(() => {});
    mount.abort();
  }
}
