/**
 * Restoring straight from a remote, on a machine that has nothing of the box: its metadata comes to a temporary box in the folder that is written
 * to, and of content only what is restored. The temporary box is removed at the end, however that is.
 *
 * Limit: for as long, the folder's file system holds what is restored twice, once compressed.
 */
import { join } from "node:path";
import { ioError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import { Box } from "./box.ts";
import type { RestoreReport } from "./box-restore.ts";
import type { Path } from "./changes.ts";
import { cloneBox } from "./clone-box.ts";
import type { AppContext } from "./context.ts";
import { makeFolders } from "./disk-folders.ts";
import { TemporaryFolder } from "./temporary-folder.ts";

export interface RestoreFromRequest {
  readonly url: string;
  /** A commit, as `resolve` takes it; HEAD is the newest of the branch that a clone would be on. */
  readonly source: string;
  /** From the box's root; none: all. */
  readonly paths: readonly Path[];
  /** Made if need be. */
  readonly target: string;
}

/** @throws OuroError as `cloneBox`, `Box.resolve` and `restoreBox`. */
export async function restoreFrom(
  { url, source, paths, target }: RestoreFromRequest,
  context: AppContext,
): Promise<RestoreReport & { readonly source: Hash }> {
  try {
    makeFolders(context.disk, target, 0o777);
  } catch (thrown) {
    throw ioError(`Cannot make ${target}`, thrown, target);
  }
  using folder = new TemporaryFolder(target, context);
  const place = join(folder.path, "box");
  const { partial } = await cloneBox(url, place, { bare: true, unreal: true }, context);
  await using box = await Box.open(place, context);
  const commit = box.resolve(source);
  const report = await box.restore({ source: commit, paths, dryRun: false, target });
  return { ...report, partial: report.partial || partial, source: commit };
}
