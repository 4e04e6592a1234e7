/** Reading a box's history: log, differences, names of commits, what is at a path, the bytes of a file. */

import { equalBytes, toHex, toText, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { quoteBytes, quotePath } from "../base/quote.ts";
import { Turns } from "../base/turns.ts";
import { dotKey, type Entry, type Hash, kinds, type NamedCommit, writerHex } from "../format/mod.ts";
import {
  diffTrees,
  directoryOf,
  followPaths,
  forgottenCommit,
  type IsForgotten,
  joinPath,
  keptParents,
  type OwnHead,
  PathFilter,
  resolveRevision,
  splitPath as splitPathBytes,
  walkEntries,
  walkLog,
} from "../history/mod.ts";
import { statusOf } from "./box-commit.ts";
import { findOthersBranch } from "./branches.ts";
import type { Change, Path } from "./changes.ts";
import { piecesHere } from "./content-here.ts";
import { forgottenIn } from "./forgotten.ts";
import type { OpenBox } from "./open-box.ts";
import { headsOfRemotes } from "./remote-heads.ts";

export interface LogRequest {
  readonly paths: readonly Path[];
  readonly withChanges: boolean;
  /** Absent: the head. */
  readonly from?: Hash;
}

export interface LogRow extends NamedCommit {
  /** What it changed of its first parent, lazily. */
  readonly changes?: Iterable<Change>;
}

/** Newest first. */
export function* logBox(box: OpenBox, { paths, withChanges, from }: LogRequest): Generator<LogRow> {
  const start = from ?? box.head()?.commit;
  if (start === undefined) return;
  const options = { onMissing: (): void => {}, isForgotten: forgottenIn(box) };
  const rows: Iterable<NamedCommit & { readonly paths?: readonly Path[] }> =
    paths.length === 0
      ? walkLog(box.commits, [start], options)
      : followPaths(box.commits, box.reader, [start], paths, options);
  for (const row of rows) {
    if (!withChanges) yield row;
    else yield { ...row, changes: changesOf(box, row, options.isForgotten, row.paths) };
  }
}

/** Since the nearest of its parents that is kept. */
function changesOf(
  box: OpenBox,
  { commit }: NamedCommit,
  isForgotten: IsForgotten,
  paths: readonly Path[] = [],
): Iterable<Change> {
  const [parent] = keptParents(box.commits, commit.parents.slice(0, 1), isForgotten);
  return changesWithin(box, parent?.commit.tree, commit.tree, paths);
}

/**
 * @param a Absent: everything is new. With "working" the paths are those that are looked at: what was moved in or out is new or removed.
 * @param options.readsNew Whether new files of the folder are read. Without, their content is unknown but for its size, and that of directories.
 */
export async function* diffBox(
  box: OpenBox,
  a: Hash | undefined,
  b: Hash | "working",
  { paths, readsNew }: { readonly paths: readonly Path[]; readonly readsNew: boolean },
): AsyncGenerator<Change> {
  const before = a === undefined ? undefined : box.commits.read(a).commit.tree;
  if (b !== "working") {
    yield* changesWithin(box, before, box.commits.read(b).commit.tree, paths);
    return;
  }
  const filter = paths.length === 0 ? {} : { paths };
  const head = box.headCommit()?.commit.tree;
  if (!readsNew && (before === undefined || head === undefined ? before === head : equalBytes(before, head))) {
    const { changes } = await statusOf(box, { opensNew: true, ...filter });
    yield* withRemoved(box, changes);
    return;
  }
  const { workingTree } = await statusOf(box, { withTree: true, ...filter });
  if (workingTree !== undefined) yield* diffTrees(workingTree.reader, before, workingTree.tree, filter);
}

/** Changes of the folder, with what was in the directories that are gone. */
function* withRemoved({ reader }: OpenBox, changes: readonly Change[]): Generator<Change> {
  const moved = new Set(
    changes.flatMap(({ type, before }) => (type === "rename" && before ? [dotKey(before.id)] : [])),
  );
  const isGone = ({ entry }: { readonly entry: Entry }): boolean => !moved.has(dotKey(entry.id));
  for (const change of changes) {
    yield change;
    const directory = change.type === "remove" && change.before !== undefined ? directoryOf(change.before) : undefined;
    if (directory === undefined) continue;
    for (const placed of walkEntries(reader, directory, change.path, { enters: isGone }))
      if (isGone(placed)) yield { type: "remove", path: placed.path, before: placed.entry, what: new Set() };
  }
}

/** What changed at some paths of two trees, or anywhere for none. What was moved across their border is shown as moved. */
function* changesWithin(
  box: OpenBox,
  before: Hash | undefined,
  after: Hash,
  paths: readonly Path[],
): Generator<Change> {
  const filter = new PathFilter(paths);
  const isMovedThere = ({ path, oldPath }: Change): boolean =>
    oldPath !== undefined && (filter.match(path) !== "not" || filter.match(oldPath) !== "not");
  const areMoved = paths.length > 0 && diffTrees(box.reader, before, after, { isCollapsed: true }).some(isMovedThere);
  if (!areMoved) {
    yield* diffTrees(box.reader, before, after, paths.length === 0 ? {} : { paths });
    return;
  }
  for (const change of diffTrees(box.reader, before, after)) {
    if (isMovedThere(change) || filter.match(change.path) === "chosen") yield change;
  }
}

/** @throws OuroError "not-found" also for a commit that has been forgotten. */
export function resolveIn(box: OpenBox, text: string): Hash {
  const { state } = box;
  const head = state.head();
  const isForgotten = forgottenIn(box);
  const id = resolveRevision(text, {
    commits: box.commits,
    ...(head === undefined ? {} : { head: head.commit }),
    findTag: (name) => state.findTag(name),
    findHead: (name) => findHead(box, name),
    allHeads: () => [
      ...ownHeads(box).map(({ commit }) => commit),
      ...state.tags().flatMap(({ commit }) => (commit === undefined ? [] : [commit])),
      ...state.remoteHeads().map(({ commit }) => commit),
    ],
    findCommits: (prefix, max) => box.store.findCommits(prefix, max),
    operations: () => state.operations(),
    nowMs: box.context.clock.nowMs(),
    isForgotten,
  });
  if (box.store.hasMeta(id) && isForgotten(box.commits.read(id))) throw forgottenCommit(toHex(id).slice(0, 12));
  return id;
}

/**
 * An own branch; "origin/main" for what a remote has of a branch, "origin" for it has of the one at hand; a branch that only remotes have; a
 * writer's id, alone or with the remote's name before it.
 */
function findHead(box: OpenBox, name: string): Hash | undefined {
  const own = ownHeads(box).find(({ branch, writer }) => name === branch || name === writerHex(writer));
  if (own !== undefined) return own.commit;
  const heads = headsOfRemotes(box);
  const ofWriter = heads.find(
    ({ remote, writer }) => name === writerHex(writer) || name === `${remote}/${writerHex(writer)}`,
  );
  if (ofWriter !== undefined) return ofWriter.commit;
  for (const remote of new Set(heads.map((each) => each.remote))) {
    if (name === remote) return findOthersBranch(box, box.branch, remote);
    if (name.startsWith(`${remote}/`)) return findOthersBranch(box, name.slice(remote.length + 1), remote);
  }
  return findOthersBranch(box, name);
}

function ownHeads({ state }: OpenBox): (OwnHead & { readonly commit: Hash })[] {
  const head = state.head();
  const parked = state.branches().flatMap(({ commit, ...rest }) => (commit === undefined ? [] : [{ ...rest, commit }]));
  return head === undefined ? parked : [head, ...parked];
}

/** @throws OuroError "not-found", "corrupt". */
export function findEntry(box: OpenBox, commit: Hash, path: Path): Entry | undefined {
  return box.reader.findPath(box.reader.root(box.commits.read(commit).commit.tree), splitPathBytes(path));
}

/** What is in the directory at a path, or the file there itself. @throws OuroError "not-found". */
export function* listEntries(
  box: OpenBox,
  commit: Hash,
  path: Path,
  { recursive }: { readonly recursive: boolean },
): Generator<{ path: Path; entry: Entry }> {
  const entry = findEntry(box, commit, path);
  if (entry === undefined)
    throw new OuroError("not-found", `Cannot find ${quotePath(path)} in that commit`, { subject: toText(path) });
  const directory = directoryOf(entry);
  if (directory === undefined) yield { path, entry };
  else if (recursive) yield* walkEntries(box.reader, directory, path);
  else for (const each of box.reader.entries(directory)) yield { path: joinPath(path, each.name), entry: each };
}

const zeros = new Uint8Array(64 * 1024);
/** Some megabytes. */
const turnChunks = 64;

/** @throws OuroError "is-dir", "invalid" (no file), "not-found", "corrupt", "offline" where it is to be brought first. */
export async function* readContent(box: OpenBox, entry: Entry): AsyncGenerator<Uint8Array> {
  const { value } = entry.data[0];
  if (value.kind === kinds.symlink) yield value.target;
  else if (value.kind === kinds.directory)
    throw new OuroError("is-dir", `Cannot read ${quoteBytes(entry.name)}: it is a directory`);
  else if (value.kind !== kinds.file)
    throw new OuroError("invalid", `Cannot read ${quoteBytes(entry.name)}: it is not a file`);
  else {
    const turns = new Turns(box.context.signal, turnChunks);
    for await (const piece of piecesHere(box, value.content)) {
      await turns.step();
      if ("bytes" in piece) yield piece.bytes;
      else
        for (let left = piece.hole; left > 0; left -= zeros.length)
          yield zeros.subarray(0, Math.min(left, zeros.length));
    }
  }
}

/** The empty path. */
export const rootPath: Path = utf8("");
