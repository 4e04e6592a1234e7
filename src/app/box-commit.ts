/**
 * `status` and `commit`: what has changed in the folder, and keeping it.
 *
 * A commit is made on the head that it found. When another process has moved the head by the time it is to move, everything is done again on the new
 * one: what it has stored meanwhile is found there, and costs nothing twice.
 */
import { OuroError } from "../base/errors.ts";
import { type EventName, fullVector, type Hash, type NamedCommit } from "../format/mod.ts";
import {
  diffTrees,
  directoryOf,
  makeEventCommit,
  nextEvent,
  OverlayMeta,
  type OwnHead,
  PathFilter,
  putCommit,
  TreeReader,
} from "../history/mod.ts";
import {
  type ChangeCounts,
  type CommittedFolder,
  commitFolder,
  type FolderContext,
  FolderRows,
  isSeenTwice,
  type Rebirths,
  statusFolder,
} from "../workdir/mod.ts";
import { countChanges } from "./change-counts.ts";
import type { Change, Path } from "./changes.ts";
import { TakenStaged } from "./commit-staged.ts";
import { withContent } from "./content-here.ts";
import { findStat } from "./disk-folders.ts";
import { keepsOwners } from "./folder.ts";
import type { GraftedTree } from "./graft-tree.ts";
import { type MarkedTree, marksOf, markUnits } from "./mark-units.ts";
import type { OpenBox } from "./open-box.ts";
import { keepOwnHead, saveOwnHead } from "./own-head.ts";
import { currentWriter, isSameHead } from "./own-writer.ts";
import { peerName } from "./peer-name.ts";
import { PickedPaths } from "./picked-changes.ts";
import { removeTaken, stagedChanges, treeWithStaged, withStaged } from "./staged-files.ts";
import { existsIn, isPartFolder } from "./unreal-setting.ts";

export interface StatusReport {
  readonly head?: NamedCommit;
  readonly branch: string;
  readonly picked: readonly Path[];
  /** By path. */
  readonly changes: readonly Change[];
  /** What the last commit has and could not be made in this folder, by path: no change. */
  readonly absent: readonly Path[];
  /** Of a folder that holds only a part: how many files of the last commit are in it, and how many names that has, folders among them. */
  readonly part?: { readonly files: number; readonly names: number };
  /** Something could not be read. */
  readonly partial: boolean;
  /** When asked for: the folder as a tree, in memory. */
  readonly workingTree?: GraftedTree;
}

export interface StatusRequest {
  /** Only these; absent: all. */
  readonly paths?: readonly Path[];
  readonly withTree?: boolean;
  /** List what is in new directories, too. */
  readonly opensNew?: boolean;
}

export interface CommitRequest {
  readonly message: string;
  /** Everything, whatever is picked. */
  readonly all: boolean;
  /** Another folder, for a bare box. */
  readonly from?: string;
  readonly dryRun?: boolean;
  /** Only these paths, whatever is picked. */
  readonly paths?: readonly Path[];
  /** Of `commitFlags`. */
  readonly flags?: number;
}

export interface CommitReport {
  /** Absent when there was nothing to commit. */
  readonly id?: Hash;
  /** In order, worked out as they are asked for. */
  readonly changes: Iterable<Change>;
  readonly counts: ChangeCounts;
  /** How much the box has grown. */
  readonly bytesAdded: number;
  readonly partial: boolean;
  readonly took: "picked" | "all";
}

/** As many other commits may come between before this gives up. */
const roundsMax = 50;

export async function statusOf(
  box: OpenBox,
  { paths, withTree = false, opensNew = false }: StatusRequest = {},
): Promise<StatusReport> {
  const head = box.headCommit();
  const picked = box.state.picks();
  const filter = paths === undefined ? undefined : new PathFilter(paths);
  const folder = folderContext(box, box.requireRoot("look at the folder"), head, filter);
  const staged = stagedChanges(box, head?.commit.tree, filter);
  const { context, store } = box;
  await using ingest = store.openIngest({ workers: context.workers, hashOnly: true, signal: context.signal });
  const report = { branch: box.branch, picked, ...(head === undefined ? {} : { head }) };
  if (withTree) {
    const sink = new OverlayMeta(store, store.hasher);
    const event = { clock: 0xffff_ffff_ffff_ffffn, writer: 0xffff_ffff_ffff_ffffn };
    const { tree, absent, isPartial } = await commitFolder({ ...folder, ingest, sink, event });
    const inFolder = tree ?? head?.commit.tree;
    const workingTree = inFolder === undefined ? undefined : treeWithStaged(sink, inFolder, staged);
    const found = workingTree === undefined ? {} : { workingTree: { tree: workingTree, reader: new TreeReader(sink) } };
    return { ...report, changes: [], absent, partial: isPartial, ...found };
  }
  const picks = new PickedPaths(picked);
  const { changes, absent, isPartial } = await statusFolder({
    ...folder,
    ingest,
    hash: (bytes) => store.hasher.hash(bytes),
    opensNew: (path) => opensNew || picks.isAbove(path),
  });
  const part = head === undefined || !isPartFolder(box) ? {} : { part: countPart(box, head) };
  return { ...report, ...part, changes: picks.mark(withStaged(changes, staged)), absent, partial: isPartial };
}

function countPart(box: OpenBox, { commit }: NamedCommit): NonNullable<StatusReport["part"]> {
  const root = box.reader.root(commit.tree);
  const rows = new FolderRows(box.reader, box.state, root, existsIn(box));
  return { files: rows.count(), names: directoryOf(root)?.summary.entries ?? 0 };
}

/** @throws OuroError "stale" (the folder looks unmounted), "no-space", "permission", "locked", …: nothing is changed then. */
export async function commitBox(box: OpenBox, request: CommitRequest): Promise<CommitReport> {
  const folder = folderOf(box, request);
  if (request.dryRun === true) return previewCommit(box, folder, request);
  for (let round = 1; round <= roundsMax; round += 1) {
    // Files of attributes are read.
    const report = await withContent(box, () => tryCommit(box, folder, request));
    if (report !== undefined) return report;
  }
  throw new OuroError("locked", "Cannot commit: files are renamed, or other commands move the head, all the time", {
    hint: "Run it again when that has ended.",
  });
}

function folderOf(box: OpenBox, { from }: CommitRequest): string {
  if (from === undefined) return box.requireRoot("commit");
  if (box.root === undefined) return requireFolder(box, from);
  throw new OuroError("usage", `Cannot commit from ${from}: this box is that of the folder ${box.root}`, {
    hint: "Use --from with a box made by `ourobox init --bare`.",
  });
}

/** @throws OuroError "not-found", "not-dir", "permission", …. */
function requireFolder({ context: { disk } }: OpenBox, folder: string): string {
  // With a dot at the end a symlink is followed, and a file is not there.
  if (findStat(disk, `${folder}/.`) !== undefined) return folder;
  const [kind, what] =
    findStat(disk, folder) === undefined
      ? (["not-found", "there is no such folder"] as const)
      : (["not-dir", "it is not a folder"] as const);
  throw new OuroError(kind, `Cannot commit from ${folder}: ${what}`, {
    subject: folder,
    hint: "Say with --from where the files are.",
  });
}

/** Which paths a commit takes. */
function choiceOf(
  box: OpenBox,
  { all, paths, from }: CommitRequest,
): { readonly filter?: PathFilter; readonly took: "picked" | "all" } {
  if (paths !== undefined) return { filter: new PathFilter(paths), took: "all" };
  const picks = all || from !== undefined ? [] : box.state.picks();
  return picks.length === 0 ? { took: "all" } : { filter: new PathFilter(picks), took: "picked" };
}

async function previewCommit(box: OpenBox, path: string, request: CommitRequest): Promise<CommitReport> {
  const { filter, took } = choiceOf(box, request);
  const { context, store } = box;
  await using ingest = store.openIngest({ workers: context.workers, hashOnly: true, signal: context.signal });
  const head = box.headCommit();
  const folder = folderContext(box, path, head, filter);
  const { changes: inFolder, isPartial } = await statusFolder({
    ...folder,
    ingest,
    hash: (bytes) => store.hasher.hash(bytes),
    opensNew: () => true,
  });
  const staged = box.root === undefined ? [] : stagedChanges(box, head?.commit.tree, filter);
  const changes = withStaged(inFolder, staged);
  return { changes, counts: countChanges(changes), bytesAdded: 0, partial: isPartial, took };
}

/** @returns Undefined when the head was moved by another meanwhile, or files were in a way that is no state of the folder. */
async function tryCommit(box: OpenBox, path: string, request: CommitRequest): Promise<CommitReport | undefined> {
  const { context, store, state } = box;
  const { filter, took } = choiceOf(box, request);
  const head = state.head();
  const before = head === undefined ? undefined : box.commits.read(head.commit);
  const { writer, branch, last } = currentWriter(box, head);
  const event = eventFor(box, { writer, before, last });
  const sizeBefore = sizeOf(box);
  context.progress.phase("Reading the folder");
  using rowsAside = store.openSpill();
  let meta = store.openMetaWriter();
  const ingest = store.openIngest({
    workers: context.workers,
    signal: context.signal,
    onBytes: (bytes) => context.progress.add(0, bytes),
  });
  try {
    const folder = folderContext(box, path, before, filter);
    const onFile = (files: number): void => context.progress.add(files, 0);
    const marks = marksOf(box, before);
    const committed = await commitFolder({ ...folder, ingest, sink: meta, event, onFile, marks, rowsAside });
    const staged = await TakenStaged.take(box, { ingest, sink: meta, tree: before?.commit.tree, filter });
    await ingest.finish();
    if (committed.tree !== undefined && committed.moved.length > 0) {
      meta.finish();
      meta = store.openMetaWriter();
      if (isSeenTwice(box.reader, committed.tree, committed.moved)) {
        meta.abort();
        return undefined;
      }
    }
    let marked: MarkedTree = committed;
    const { unitChecks, births } = committed;
    if (unitChecks.below.length + unitChecks.at.length > 0) {
      // What says which are marked is read from the tree.
      meta.finish();
      meta = store.openMetaWriter();
      marked = markUnits(box, { tree: committed.tree, unitChecks, event, births, sink: meta });
    }
    const { rebirths } = marked;
    let { tree } = marked;
    if (!staged.isEmpty && before !== undefined) {
      meta.finish();
      meta = store.openMetaWriter();
      const inFolder = tree ?? before.commit.tree;
      const placed = staged.place({ tree: inFolder, before: before.commit.tree, event, births, sink: meta });
      if (staged.count > 0) tree = placed;
    }
    const made =
      tree === undefined
        ? undefined
        : makeEventCommit(
            {
              box: box.identity.box,
              tree,
              parents: before === undefined ? [] : [before.id],
              ...event,
              ...(last === undefined ? {} : { previous: last }),
              peer: box.peer().publicKey,
              timeMs: context.clock.nowMs(),
              flags: request.flags ?? 0,
              author: peerName(box),
              message: request.message,
              seen: before === undefined ? [] : fullVector(before),
            },
            { hasher: store.hasher, sign: (message) => box.peer().sign(message) },
          );
    if (made !== undefined) putCommit(meta, made);
    meta.finish();
    const next =
      made === undefined ? undefined : { writer, branch, commit: made.id, last: { clock: event.clock, id: made.id } };
    if (!moveHead(box, { head, next, committed, rebirths, staged, took, request })) return undefined;
    removeTaken(box);
    context.progress.done();
    if (next !== undefined) saveOwnHead(box);
    else keepOwnHead(box);
    const changes = changesBetween(box, before, tree);
    const report = {
      changes,
      counts: { ...committed.counts, changed: committed.counts.changed + staged.count },
      bytesAdded: sizeOf(box) - sizeBefore,
      partial: committed.isPartial || staged.isPartial,
      took,
    };
    return made === undefined ? report : { ...report, id: made.id };
  } catch (thrown) {
    await ingest.abort();
    meta.abort();
    throw thrown;
  } finally {
    store.endWriting();
  }
}

function eventFor(
  box: OpenBox,
  options: { writer: bigint; before: NamedCommit | undefined; last: OwnHead["last"] | undefined },
): EventName {
  const { writer, before, last } = options;
  const nowMs = box.context.clock.nowMs();
  return nextEvent({
    writer,
    nowMs,
    seen: before === undefined ? [] : fullVector(before),
    ...(last === undefined ? {} : { last }),
  });
}

interface Move {
  readonly head: OwnHead | undefined;
  readonly next: OwnHead | undefined;
  readonly committed: CommittedFolder;
  readonly rebirths: Rebirths | undefined;
  readonly staged: TakenStaged;
  readonly took: "picked" | "all";
  readonly request: CommitRequest;
}

/** Moves the head and writes the scan's rows, if the head is still where it was. @returns Whether it was. */
function moveHead(
  { state, context }: OpenBox,
  { head, next, committed, rebirths, staged, took, request }: Move,
): boolean {
  return state.transaction(() => {
    const now = state.head();
    if (!isSameHead(now, head)) return false;
    committed.saveRows(state, rebirths);
    staged.save();
    if (next === undefined) return true;
    state.setHead(next);
    const before = head === undefined ? {} : { before: head.commit };
    state.addOperation({ timeMs: context.clock.nowMs(), command: "commit", ...before, after: next.commit });
    if (took === "picked" || (request.all && request.paths === undefined)) state.removePicks();
    return true;
  });
}

function* changesBetween(box: OpenBox, before: NamedCommit | undefined, tree: Hash | undefined): Generator<Change> {
  if (tree !== undefined) yield* diffTrees(box.reader, before?.commit.tree, tree);
}

/** Without what is only read: of that, packs have no more than parts. */
function sizeOf({ store }: OpenBox): number {
  return store.packs().reduce((sum, { size, complete }) => sum + (complete ? size : 0), 0);
}

function folderContext(
  box: OpenBox,
  path: string,
  head: NamedCommit | undefined,
  filter: PathFilter | undefined,
): FolderContext {
  const { context, state, reader } = box;
  return {
    path,
    rows: state,
    isPart: path === box.root && isPartFolder(box),
    reader,
    tree: head === undefined ? undefined : reader.root(head.commit.tree),
    ...(filter === undefined ? {} : { filter }),
    clock: context.clock,
    keepsOwner: keepsOwners(box),
    isRoot: process.geteuid?.() === 0,
    signal: context.signal,
    warn: (message) => context.warn(message),
  };
}
