/** Serving a mount of a commit, from the moment it answers until somebody ends it: `umount`, a signal, or the kernel. */
import { realpathSync } from "node:fs";
import { type Box, findContentSource, type MountRequest, openMount } from "../app/mod.ts";
import { toHex } from "../base/bytes.ts";
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { type FuseBehaviour, type FuseMount, mountFilesystem } from "../front/fuse/mod.ts";
import { mountSource, mountSubtype } from "./box-mounts.ts";
import { busyMount } from "./busy-mount.ts";

/** What does not change is believed for as long as the kernel likes. */
const foreverMs = 365 * 86_400_000;
const readAheadBytes = 1024 * 1024;

export interface ServeRequest extends MountRequest {
  readonly allowOther: boolean;
  readonly uid: number;
  readonly gid: number;
  /** Ends it: busy or not. */
  readonly signal: AbortSignal;
  /** It answers. */
  readonly onMounted: () => void;
  /** Who was still in it when the signal ended it. */
  readonly onBusy: (error: OuroError) => void;
}

/** How the kernel is to behave: all requests that need not be are done without. */
function behaviour(hasXattrs: boolean): Partial<FuseBehaviour> {
  return {
    entryMs: foreverMs,
    attributesMs: foreverMs,
    negativeMs: foreverMs,
    tellsChanges: true,
    withoutOpens: true,
    withoutFlushes: true,
    posixAcl: hasXattrs,
    readAheadBytes,
  };
}

/**
 * Mounts a commit and serves it to the end.
 * @throws OuroError as `mountFilesystem` and `openMount`; "usage" where the box is itself below the directory.
 */
export async function serveCommit(box: Box, request: ServeRequest): Promise<void> {
  const { signal, onMounted, allowOther, uid, gid } = request;
  const directory = realDirectory(request.directory);
  refuseOwnBox(box, directory);
  await using source = findContentSource(box);
  using opened = openMount(box, { ...request, directory, ...(source === undefined ? {} : { source }) });
  const mount = await mountFilesystem(opened.filesystem, {
    ...behaviour(opened.hasXattrs),
    directory,
    source: mountSource(box.layout.top, toHex(request.commit)),
    subtype: mountSubtype,
    uid,
    gid,
    allowOther,
    readOnly: true,
    onFailure: (thrown) => opened.log.add(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)),
  });
  onMounted();
  const stop = (): void => void leave(mount, request);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    await mount.ended;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function realDirectory(path: string): string {
  try {
    return realpathSync(path);
  } catch (thrown) {
    throw ioError(`Cannot mount on ${path}`, thrown, path);
  }
}

/** What serves a mount reads the box: by way of the mount it would wait for itself. */
function refuseOwnBox(box: Box, directory: string): void {
  const inside = realpathSync(box.layout.box);
  if (inside !== directory && !inside.startsWith(directory === "/" ? "/" : `${directory}/`)) return;
  throw new OuroError("usage", `Cannot mount on ${directory}: the box itself is in it`, {
    subject: directory,
    hint: "Choose an empty folder elsewhere.",
  });
}

/** A mount that is in use goes out of sight; whoever is in it hears of the end when this process does. */
async function leave(mount: FuseMount, { onBusy }: ServeRequest): Promise<void> {
  try {
    await mount.unmount();
  } catch (thrown) {
    if (isKind(thrown, "locked")) onBusy(busyMount(mount.directory, thrown));
    await mount.unmount({ lazy: true }).catch(() => {});
    mount.abort();
  }
}
