/**
 * Walking history: commits from the newest to the oldest, and the commits that changed a path, wherever it was at the time.
 */
import { compareBytes, equalBytes, toHex } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import {
  compareVectors,
  type Entry,
  equalDots,
  fullVector,
  greatestClock,
  type Hash,
  type NamedCommit,
} from "../format/mod.ts";
import type { CommitReader } from "./commits.ts";
import { diffTrees } from "./diff.ts";
import { entryDifferences } from "./entry-difference.ts";
import { type IsForgotten, keptParents } from "./kept-parents.ts";
import { comparePaths, isWithin, joinPath, splitPath } from "./paths.ts";
import { directoryOf, type TreeReader } from "./tree-reader.ts";

export interface WalkOptions {
  /**
   * Told of a parent that is not there. History may have been trimmed: the walk then goes on without it.
   * Absent: it throws "not-found".
   */
  readonly onMissing?: (id: Hash) => void;
  /** Commits that are passed over: only what was before them is looked at. */
  readonly isForgotten?: IsForgotten;
}

/** Waiting commits, the newest first: by clock, which is above those of all parents; then by id. */
class Frontier {
  readonly #waiting: { readonly named: NamedCommit; readonly clock: bigint }[] = [];
  readonly #seen = new Set<string>();
  readonly #commits: CommitReader;
  readonly #options: WalkOptions;

  constructor(commits: CommitReader, options: WalkOptions) {
    this.#commits = commits;
    this.#options = options;
  }

  add(id: Hash): void {
    const key = toHex(id);
    if (this.#seen.has(key)) return;
    this.#seen.add(key);
    let named: NamedCommit;
    try {
      named = this.#commits.read(id);
    } catch (error) {
      if (this.#options.onMissing === undefined || !isKind(error, "not-found")) throw error;
      this.#options.onMissing(id);
      return;
    }
    const { commit } = named;
    const item = { named, clock: commit.type === "event" ? commit.clock : greatestClock(commit.vector) };
    let low = 0;
    let high = this.#waiting.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#waiting[middle] as typeof item;
      // The last is the next: a join comes before the event of the same clock that it joined.
      const isBefore = other.clock !== item.clock ? other.clock < item.clock : comesLater(other.named, named);
      if (isBefore) low = middle + 1;
      else high = middle;
    }
    this.#waiting.splice(low, 0, item);
  }

  next(): NamedCommit | undefined {
    return this.#waiting.pop()?.named;
  }
}

/** Of two commits of one clock, whether `a` comes after `b` in the log. */
function comesLater(a: NamedCommit, b: NamedCommit): boolean {
  if (a.commit.type !== b.commit.type) return a.commit.type === "event";
  if (a.commit.vector.length !== b.commit.vector.length) return a.commit.vector.length < b.commit.vector.length;
  return compareBytes(a.id, b.id) < 0;
}

/**
 * All commits that these are made of, newest first, each once.
 * @throws OuroError "not-found", "corrupt".
 */
export function* walkLog(
  commits: CommitReader,
  from: readonly Hash[],
  options: WalkOptions = {},
): Generator<NamedCommit> {
  const frontier = new Frontier(commits, options);
  for (const id of from) frontier.add(id);
  for (let named = frontier.next(); named !== undefined; named = frontier.next()) {
    if (options.isForgotten?.(named) !== true) yield named;
    for (const parent of named.commit.parents) frontier.add(parent);
  }
}

/**
 * The newest commit of `b` or of what it is made of that `a` has taken in, too; undefined when there is none, or it was trimmed from history.
 * @throws OuroError "not-found", "corrupt"; "diverged" when a writer's clocks were given out twice.
 */
export function findCommon(
  commits: CommitReader,
  a: Hash,
  b: Hash,
  options: Pick<WalkOptions, "isForgotten"> = {},
): NamedCommit | undefined {
  const seen = fullVector(commits.read(a));
  for (const named of walkLog(commits, [b], { ...options, onMissing: () => undefined })) {
    const order = compareVectors(fullVector(named), seen);
    if (order === "before" || order === "equal") return named;
  }
  return undefined;
}

/** A commit that changed a path that is followed. */
export interface PathCommit extends NamedCommit {
  /** Where what is followed is in this commit; where it was, if it is gone. */
  readonly paths: readonly Uint8Array[];
}

/**
 * The commits from these on that changed what is at the paths, or below them, newest first. Renames are followed: by node
 * id, also through those of directories above. Where a commit has several parents and one of them has it the same, only that
 * one is followed.
 * @param paths As they are in `from`; one that is not there is waited for where it was removed.
 */
export function* followPaths(
  commits: CommitReader,
  trees: TreeReader,
  from: readonly Hash[],
  paths: readonly Uint8Array[],
  options: WalkOptions = {},
): Generator<PathCommit> {
  const frontier = new Frontier(commits, options);
  const pathsOf = new Map<string, readonly Uint8Array[]>();
  const add = (id: Hash, followed: readonly Uint8Array[]): void => {
    const key = toHex(id);
    if (!pathsOf.has(key)) pathsOf.set(key, followed);
    frontier.add(id);
  };
  for (const id of from) add(id, paths);
  for (let named = frontier.next(); named !== undefined; named = frontier.next()) {
    const key = toHex(named.id);
    const here = pathsOf.get(key) ?? [];
    pathsOf.delete(key);
    const steps = stepsToParents(commits, trees, named, here, options);
    const same = steps.find(({ isChanged }) => !isChanged);
    if (
      same === undefined &&
      (steps.length > 0 || here.some((path) => entryAt(trees, named.commit.tree, path) !== undefined))
    ) {
      yield { ...named, paths: here };
    }
    for (const { parent, paths: there } of same === undefined ? steps : [same]) add(parent, there);
  }
}

interface Step {
  readonly parent: Hash;
  readonly paths: readonly Uint8Array[];
  readonly isChanged: boolean;
}

function stepsToParents(
  commits: CommitReader,
  trees: TreeReader,
  named: NamedCommit,
  paths: readonly Uint8Array[],
  options: WalkOptions,
): Step[] {
  const steps: Step[] = [];
  const { isForgotten = (): boolean => false, onMissing } = options;
  for (const known of keptParents(commits, named.commit.parents, isForgotten, onMissing)) {
    const there = paths.map((path) => stepBack(trees, named.commit.tree, known.commit.tree, path));
    const isChanged = there.some((each) => each.isChanged);
    steps.push({ parent: known.id, paths: there.map(({ path }) => path), isChanged });
  }
  return steps;
}

/** Where the node that is at `path` in `tree` was in the tree before, and whether it was different. */
function stepBack(
  trees: TreeReader,
  tree: Hash,
  before: Hash,
  path: Uint8Array,
): { path: Uint8Array; isChanged: boolean } {
  if (equalBytes(tree, before)) return { path, isChanged: false };
  const now = entryAt(trees, tree, path);
  const then = entryAt(trees, before, path);
  if (now === undefined) return { path, isChanged: then !== undefined };
  if (then !== undefined && equalDots(now.id, then.id)) return { path, isChanged: !looksEqual(now, then) };
  const oldPath = findOldPath(trees, before, tree, path);
  const old = entryAt(trees, before, oldPath);
  return old !== undefined && equalDots(old.id, now.id)
    ? { path: oldPath, isChanged: true }
    : { path, isChanged: true };
}

/** A path's old spelling by the renames between two trees: the nearest renamed one of it and the directories above counts. */
function findOldPath(trees: TreeReader, before: Hash, after: Hash, path: Uint8Array): Uint8Array {
  let nearest: { readonly path: Uint8Array; readonly oldPath: Uint8Array } | undefined;
  for (const { path: to, oldPath } of diffTrees(trees, before, after, { isCollapsed: true })) {
    if (oldPath === undefined || !isWithin(path, to)) continue;
    if (nearest === undefined || to.length > nearest.path.length) nearest = { path: to, oldPath };
  }
  if (nearest === undefined || comparePaths(nearest.path, path) === 0) return nearest?.oldPath ?? path;
  return splitPath(path.subarray(nearest.path.length + 1)).reduce(joinPath, nearest.oldPath);
}

function entryAt(trees: TreeReader, tree: Hash, path: Uint8Array): Entry | undefined {
  return trees.findPath(trees.root(tree), splitPath(path));
}

/** Whether two states of a node are the same to look at, and all below a directory is. */
function looksEqual(a: Entry, b: Entry): boolean {
  const what = entryDifferences(a, b);
  if (what.size > 1 || (what.size === 1 && !(what.has("mtime") && directoryOf(a) !== undefined))) return false;
  const [one, two] = [directoryOf(a)?.top, directoryOf(b)?.top];
  return one === undefined || two === undefined ? one === two : equalBytes(one, two);
}
