/**
 * The box itself, or a branch that is not at hand, as a filesystem, for doors: what is written there is in its folder at once, and in a commit later. See
 * live-filesystem.ts for what is shown.
 */
import { OuroError } from "../base/errors.ts";
import type { Filesystem } from "../vfs/mod.ts";
import { makePlaceOfBranch, prepareBranchFolder } from "./branch-folder.ts";
import { tellOfCache } from "./cache-quota.ts";
import { lockBranches } from "./folder-lock.ts";
import { openLiveFilesystem } from "./live-filesystem.ts";
import { lockLive } from "./live-lock.ts";
import type { MountLog } from "./mount-log.ts";
import { requireOutside } from "./mount-place.ts";
import type { OpenBox } from "./open-box.ts";

export interface LiveRequest {
  /** Where it is shown, absolute and without symlinks. */
  readonly directory: string;
  /** Nothing will be written. */
  readonly readOnly: boolean;
  /** Called for whatever changes something, as `FolderFilesystem` does. */
  readonly onChange: () => void;
  /** Commits what is in the folder. */
  readonly settle: () => Promise<void>;
  /** As in `LiveFilesystemRequest`. */
  readonly waitMs?: number;
  /** Told of each failure, beside the log. */
  readonly onFailure?: (text: string) => void;
}

export interface LiveMount extends AsyncDisposable {
  readonly filesystem: Filesystem;
  readonly log: MountLog;
  /** Has to be called before a commit. */
  flush(): void;
  /** Makes ready for the first read of what is not here. */
  prepare(): Promise<void>;
  /** Calls `onChange` where something was written that it was not called for: what the kernel writes by itself. */
  lookAtWriters(): void;
}

/**
 * Opens it, for as long as nobody else has: of a folder there is one live mount, but for those in which nothing can be written.
 * @throws OuroError "usage": a bare box, or the two places are within each other; "read-only"; as `lockLive`, and of a branch as `prepareBranchFolder`.
 */
export async function openLive(box: OpenBox, request: LiveRequest): Promise<LiveMount> {
  const { directory, readOnly } = request;
  if (box.isReadOnly && !readOnly)
    throw new OuroError("read-only", `Cannot mount ${box.root ?? "the box"}: this box can only be read here`, {
      subject: box.layout.top,
      hint: "Mount it with -o ro, or a commit of it: `ourobox mount HEAD DIR`.",
    });
  const opened = new AsyncDisposableStack();
  try {
    if (box.layout.branch !== undefined) opened.use(await openBranchFolder(box, directory));
    requireFolder(box, directory);
    if (box.layout.branch === undefined && !box.isReadOnly) opened.use(await lockLive(box, directory));
    const { filesystem, folder, log, flush, prepare } = opened.use(openLiveFilesystem(box, request));
    tellOfCache(box, (text) => log.add(text));
    return {
      filesystem,
      log,
      flush,
      prepare,
      lookAtWriters: () => folder.lookAtWriters(),
      [Symbol.asyncDispose]: () => opened.disposeAsync(),
    };
  } catch (thrown) {
    await opened.disposeAsync();
    throw thrown;
  }
}

/** While it is begun nobody goes to that branch, or deletes it; afterwards they look whether it is mounted. */
async function openBranchFolder(box: OpenBox, directory: string): Promise<Disposable> {
  using _ = await lockBranches(box, "shared");
  using locked = new DisposableStack();
  makePlaceOfBranch(box);
  locked.use(await lockLive(box, directory));
  await prepareBranchFolder(box);
  return locked.move();
}

/** The folder must be one that can be shown elsewhere. What is mounted within it, or the box's own, would be taken for a part of it. */
function requireFolder(box: OpenBox, directory: string): void {
  if (box.root === undefined)
    throw new OuroError("usage", "Cannot mount the box itself: it is bare, and has no folder", {
      hint: "Mount its last commit: `ourobox mount HEAD DIR`.",
    });
  requireOutside(box, directory);
}
