/**
 * Restoring straight from a remote, on a machine that has nothing of the box: its metadata comes to a temporary box in the folder that is written
 * to, and of content only what is restored. The temporary box is removed at the end; where the line broke or somebody interrupted, it stays, and the same
 * command goes on with what has come.
 *
 * Limit: for as long, the folder's file system holds what is restored twice, once compressed.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { type ErrorKind, ioError, isKind, OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import { normalizeUrl } from "../remote/mod.ts";
import { Box } from "./box.ts";
import type { RestoreReport } from "./box-restore.ts";
import type { Path } from "./changes.ts";
import { type CloneReport, cloneBox } from "./clone-box.ts";
import type { AppContext } from "./context.ts";
import { findStat, makeFolders, removeFolder } from "./disk-folders.ts";
import { layoutOf } from "./layout.ts";
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
  using folder = new TemporaryFolder(target, context, nameOf(normalizeUrl(url, context.cwd)));
  const place = join(folder.path, "box");
  try {
    const { partial } = await cloneAgain(url, place, context);
    await using box = await Box.open(place, context);
    const commit = box.resolve(source);
    const report = await box.restore({ source: commit, paths, dryRun: false, target });
    return { ...report, partial: report.partial || partial, source: commit };
  } catch (thrown) {
    const hasBegun = findStat(context.disk, layoutOf(place).identity) !== undefined;
    if (!isKind(thrown) || !passing.has(thrown.kind) || !hasBegun || !folder.canBeKept) throw thrown;
    folder.keep();
    throw new OuroError(thrown.kind, thrown.message, {
      ...(thrown.subject === undefined ? {} : { subject: thrown.subject }),
      cause: thrown,
      hint: `Run the same command again: it goes on with what has come, which is in ${folder.path} for as long.`,
    });
  }
}

/** Failures after which the same command may get further. */
const passing: ReadonlySet<ErrorKind> = new Set(["offline", "aborted", "io"]);

/** What the temporary box of a remote is called: the same each time. */
function nameOf(url: string): string {
  return createHash("sha256").update(url).digest("hex").slice(0, 16);
}

/** A clone of metadata; what is left of another box that was at this URL makes room. */
async function cloneAgain(url: string, place: string, context: AppContext): Promise<CloneReport> {
  const request = { bare: true, unreal: true, goesOn: true };
  try {
    return await cloneBox(url, place, request, context);
  } catch (thrown) {
    if (!isKind(thrown, "exists")) throw thrown;
    removeFolder(context.disk, place);
    return await cloneBox(url, place, request, context);
  }
}
