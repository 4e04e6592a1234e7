/** Serving a mount of a commit, from the moment it answers until somebody ends it: `umount`, a signal, or the kernel. */
import { type Box, findContentSource, type MountRequest, openMount } from "../app/mod.ts";
import { toHex } from "../base/bytes.ts";
import { type FuseBehaviour, mountFilesystem } from "../front/fuse/mod.ts";
import { mountSource, mountSubtype } from "./box-mounts.ts";
import { type MountOwner, placeOfMount, type Serving, serveToEnd, whenWaiting } from "./serve-mount.ts";

/** What does not change is believed for as long as the kernel likes. */
const foreverMs = 365 * 86_400_000;

export interface ServeRequest extends MountRequest, MountOwner, Serving {
  readonly waitMs: number;
}

/** How the kernel is to behave: all requests that need not be are done without. */
function behaviour(hasXattrs: boolean, { readAheadBytes }: MountOwner): Partial<FuseBehaviour> {
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
 * @throws OuroError as `mountFilesystem`, `openMount` and `placeOfMount`.
 */
export async function serveCommit(box: Box, request: ServeRequest): Promise<void> {
  const { allowOther, uid, gid } = request;
  const directory = placeOfMount(box, request.directory);
  await using source = findContentSource(box);
  using opened = openMount(box, { ...request, directory, ...(source === undefined ? {} : { source }) });
  const mount = await mountFilesystem(opened.filesystem, {
    ...behaviour(opened.hasXattrs, request),
    ...whenWaiting(request.waitMs),
    directory,
    source: mountSource(box.layout.top, { commit: toHex(request.commit) }),
    subtype: mountSubtype,
    uid,
    gid,
    allowOther,
    readOnly: true,
    onFailure: (thrown) => opened.log.add(thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)),
  });
  await serveToEnd(mount, request);
}
