/**
 * `restore`: paths of the folder made what they are in a commit, or files written to another folder.
 *
 * What would be replaced or removed and is not in a commit yet is committed first, so nothing is lost. The restored files are then changes of the
 * folder like any other: the next commit takes them.
 */
import { equalBytes, toHex, toText } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { commitFlags, type Hash, kinds } from "../format/mod.ts";
import { diffTrees, isShown, keysAbove, PathFilter, pathKey, splitPath } from "../history/mod.ts";
import { type CheckoutReport, FolderRows, saveObservations } from "../workdir/mod.ts";
import { type CommitReport, commitBox, statusOf } from "./box-commit.ts";
import type { Change, Path } from "./changes.ts";
import { makeFolders } from "./disk-folders.ts";
import { checkoutFolder } from "./folder.ts";
import { type GraftedTree, graftTree, withoutPaths } from "./graft-tree.ts";
import { wantedIn } from "./marks.ts";
import { lockWhole } from "./move-folder.ts";
import { broughtBy, noteReal } from "./number-moves.ts";
import type { OpenBox } from "./open-box.ts";
import { changesOfPart } from "./part-changes.ts";
import { TemporaryFolder } from "./temporary-folder.ts";
import { existsIn, isPartFolder, statIn } from "./unreal-setting.ts";

const nothing = new Uint8Array();

export interface RestoreRequest {
  readonly source: Hash;
  /** None: everything. */
  readonly paths: readonly Path[];
  /** Another folder; absent: the box's. */
  readonly target?: string;
  readonly dryRun: boolean;
}

export interface RestoreReport {
  readonly written: number;
  readonly removed: number;
  /** The commit in which what was replaced was saved. */
  readonly saved?: Hash;
  readonly partial: boolean;
}

/** @throws OuroError "not-found" (a path that is in neither), "no-space", …. */
export async function restoreBox(
  box: OpenBox,
  { source, paths, target, dryRun }: RestoreRequest,
): Promise<RestoreReport> {
  const tree = box.commits.read(source).commit.tree;
  requirePaths(box, source, { paths, isInFolder: target === undefined });
  return target === undefined
    ? restoreHere(box, tree, { source, paths, dryRun })
    : restoreThere(box, tree, { paths, target, dryRun });
}

function requirePaths(
  box: OpenBox,
  source: Hash,
  { paths, isInFolder }: { readonly paths: readonly Path[]; readonly isInFolder: boolean },
): void {
  const trees = [box.commits.read(source).commit.tree, ...(isInFolder ? [box.headCommit()?.commit.tree] : [])].filter(
    (each) => each !== undefined,
  );
  for (const path of paths) {
    if (trees.some((tree) => box.reader.findPath(box.reader.root(tree), splitPath(path)) !== undefined)) continue;
    throw new OuroError("not-found", `Cannot restore ${quotePath(path)}: it is not in ${toHex(source).slice(0, 12)}`, {
      subject: toText(path),
      hint: `Run \`ourobox log -- ${quotePath(path)}\` to see when it was there.`,
    });
  }
}

type HereRequest = Pick<RestoreRequest, "source" | "paths" | "dryRun">;

async function restoreHere(box: OpenBox, tree: Hash, request: HereRequest): Promise<RestoreReport> {
  const root = box.requireRoot("restore");
  requireFoldersAbove(box, request.paths);
  if (request.dryRun) return restoreLocked(box, root, tree, request);
  using _ = await lockWhole(box, "alone");
  return await restoreLocked(box, root, tree, request);
}

/** What somebody has put in place of a directory stays, unless the directory itself is named. @throws OuroError "not-dir". */
function requireFoldersAbove(box: OpenBox, paths: readonly Path[]): void {
  const tree = box.headCommit()?.commit.tree;
  if (tree === undefined) return;
  const stat = statIn(box);
  for (const path of paths) {
    const above = keysAbove(pathKey(path)).reverse().map(pathOfKey);
    const taken = above.find((each) => (stat(each)?.kind ?? "directory") !== "directory");
    if (taken === undefined) continue;
    if (box.reader.findPath(box.reader.root(tree), splitPath(taken))?.kind !== kinds.directory) continue;
    throw new OuroError("not-dir", `Cannot restore ${quotePath(path)}: ${quotePath(taken)} is no folder any more`, {
      subject: toText(path),
      hint: `Bring it back whole: \`ourobox restore ${quotePath(taken)}\`.`,
    });
  }
}

async function restoreLocked(
  box: OpenBox,
  root: string,
  tree: Hash,
  { source, paths, dryRun }: HereRequest,
): Promise<RestoreReport> {
  const chosen = paths.length === 0 ? [new Uint8Array()] : paths;
  const { changes, absent } = await statusOf(box, { paths: chosen });
  let saved: CommitReport | undefined;
  if (!dryRun && changes.some(isLost)) {
    const message = `Before restoring from ${toHex(source).slice(0, 12)}`;
    saved = await commitBox(box, { message, all: true, paths: chosen, flags: commitFlags.automatic });
  }
  const isCommitted = saved !== undefined || changes.length === 0;
  const { reader, tree: from } = await folderTree(box, { paths: chosen, isCommitted, absent });
  const grafted = graftTree(reader.source, box.store.hasher, { onto: from, source: tree, paths: chosen });
  const only = onlyOf(box, grafted, from, paths);
  if (dryRun) {
    const all = [...(only ?? diffTrees(grafted.reader, from, grafted.tree))];
    const removed = all.filter(({ type }) => type === "remove").length;
    return { written: all.length - removed, removed, partial: false };
  }
  using rowsAside = box.store.openSpill();
  const isNoted = only !== undefined && equalBytes(source, box.head()?.commit ?? nothing);
  const report = await checkoutFolder(box, {
    folder: root,
    from,
    to: grafted.tree,
    isLive: true,
    reader: grafted.reader,
    ...(only === undefined ? {} : { only }),
    ...(isNoted ? { rowsAside } : {}),
  });
  if (isNoted) noteRestored(box, report, only);
  return {
    written: report.written,
    removed: report.removed,
    partial: (saved?.partial ?? false) || report.isPartial,
    ...(saved?.id === undefined ? {} : { saved: saved.id }),
  };
}

/** Of a folder that holds only a part: what was written as the head has it is there from now on. */
function noteRestored(box: OpenBox, report: CheckoutReport, only: readonly Change[]): void {
  const { state, context } = box;
  const nowMs = context.clock.nowMs();
  state.transaction(() => {
    saveObservations(state, report, { nowMs, isPart: true });
    noteReal(box, broughtBy(only));
  });
}

/** Of a folder that holds only a part: what is there, and all of the paths that were named. */
function onlyOf(
  box: OpenBox,
  { reader, tree }: GraftedTree,
  from: Hash,
  paths: readonly Path[],
): readonly Change[] | undefined {
  if (!isPartFolder(box)) return undefined;
  const named = new PathFilter(paths);
  const isWanted =
    paths.length > 0 ? (path: Path): boolean => named.match(path) === "chosen" : wantedIn(box, reader, tree);
  return changesOfPart({ reader, rows: box.state, exists: existsIn(box), from, to: tree, isWanted });
}

/** Whether a change is something that a restore would take away for good: what is missing is not. */
function isLost(change: Change): boolean {
  return change.type !== "remove" && isShown(change);
}

/** The folder as a tree: the head's when it is as committed, but for what could not be made in it. */
async function folderTree(
  box: OpenBox,
  {
    paths,
    isCommitted,
    absent,
  }: { readonly paths: readonly Path[]; readonly isCommitted: boolean; readonly absent: readonly Path[] },
): Promise<GraftedTree> {
  const { workingTree } = isCommitted ? { workingTree: undefined } : await statusOf(box, { paths, withTree: true });
  const tree = workingTree?.tree ?? box.headCommit()?.commit.tree;
  if (tree === undefined) throw new OuroError("not-found", "Cannot restore: there is no commit yet");
  const whole = { tree, reader: workingTree?.reader ?? box.reader };
  const gone = isPartFolder(box) ? missingAt(box, whole, paths) : goneAbove(box, whole, paths);
  return withoutPaths(withoutPaths(whole, box.store.hasher, absent), box.store.hasher, gone);
}

/** The topmost directories above some paths that somebody has deleted. Only what was named of them has been looked for. */
function goneAbove(box: OpenBox, { tree, reader }: GraftedTree, paths: readonly Path[]): Path[] {
  const exists = existsIn(box);
  const gone = new Set(
    paths.flatMap((path) => keysAbove(pathKey(path)).findLast((key) => !exists(pathOfKey(key))) ?? []),
  );
  return [...gone].map(pathOfKey).filter((path) => reader.findPath(reader.root(tree), splitPath(path)) !== undefined);
}

function pathOfKey(key: string): Path {
  return Buffer.from(key, "latin1");
}

/** What of some paths was never brought into the folder. All that is named is to be there. */
function missingAt(box: OpenBox, { tree, reader }: GraftedTree, paths: readonly Path[]): Path[] {
  const rows = new FolderRows(reader, box.state, reader.root(tree), existsIn(box));
  return paths.flatMap((path) => (path.length === 0 ? [] : [...rows.missing(path)]));
}

type ThereRequest = Pick<RestoreRequest, "paths" | "dryRun"> & { readonly target: string };

async function restoreThere(box: OpenBox, tree: Hash, { paths, target, dryRun }: ThereRequest): Promise<RestoreReport> {
  const grafted = graftTree(box.store, box.store.hasher, {
    source: tree,
    paths: paths.length === 0 ? [new Uint8Array()] : paths,
  });
  if (dryRun)
    return { written: [...diffTrees(grafted.reader, undefined, grafted.tree)].length, removed: 0, partial: false };
  const { disk } = box.context;
  const isEmpty = makeTarget(disk, target);
  using moving = isEmpty ? undefined : new TemporaryFolder(target, box.context);
  const how = moving === undefined ? { isLive: false } : { isLive: true, moving: moving.path };
  const report = await checkoutFolder(box, {
    folder: target,
    from: undefined,
    to: grafted.tree,
    reader: grafted.reader,
    ...how,
  });
  return { written: report.written, removed: 0, partial: report.isPartial };
}

/** Makes the folder if it is not there. @returns Whether it is empty. */
function makeTarget(disk: Disk, target: string): boolean {
  try {
    makeFolders(disk, target);
    return disk.list(target).length === 0;
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST")
      throw new OuroError("not-dir", `Cannot restore to ${target}: it is not a folder`, { subject: target });
    throw ioError(`Cannot restore to ${target}`, thrown, target);
  }
}
