/**
 * The differences of two trees, in the order of a walk. A moved node is one change, found by its id; what is below a moved
 * directory is named only where it changed itself.
 *
 * Equal subtrees are skipped by hash: the cost is that of what differs. What is only in one of the trees is matched by id at
 * its top first; only when nodes from before may be inside something new (its summary says so) are both sides opened. New
 * subtrees are never held in memory; what else differs is, until it is in order.
 */
import {
  type DirectoryValue,
  type Dot,
  dotKey,
  type Entry,
  type EventName,
  emptySummary,
  equalDots,
  type Hash,
  kinds,
} from "../format/mod.ts";
import { type Difference, entryDifferences } from "./entry-difference.ts";
import { comparePaths, joinPath, PathFilter } from "./paths.ts";
import { directoryOf, type TreeReader } from "./tree-reader.ts";
import { differingEntries, type PlacedEntry, walkEntries } from "./tree-walk.ts";

export interface Change {
  readonly type: "add" | "remove" | "change" | "rename";
  /** Where it is, or was when it is removed. */
  readonly path: Uint8Array;
  /** Where a renamed node was. */
  readonly oldPath?: Uint8Array;
  /** Absent when it is new. */
  readonly before?: Entry;
  /** Absent when it is removed. */
  readonly after?: Entry;
  /** In what it differs, where there are both. */
  readonly what: ReadonlySet<Difference>;
}

export interface DiffOptions {
  /** Only these and what is below them. A node moved across their border counts as new or removed. */
  readonly paths?: readonly Uint8Array[];
  /** Name a new or removed directory without what is below it, unless it was moved in or out. */
  readonly isCollapsed?: boolean;
}

/** Whether people want to see a change: not when only a time differs, or another node of the same looks is there. */
export function isShown({ type, what }: Change): boolean {
  return type !== "change" || [...what].some((each) => each !== "mtime" && each !== "node");
}

/**
 * What changed from `before` to `after`, both names of trees.
 * @param before Absent: everything is new.
 * @throws OuroError "not-found", "corrupt".
 */
export function* diffTrees(
  reader: TreeReader,
  before: Hash | undefined,
  after: Hash,
  options: DiffOptions = {},
): Generator<Change> {
  const one = before === undefined ? undefined : reader.root(before);
  const diff = new TreeDiff(reader, one, reader.root(after), options);
  diff.run();
  yield* diff.changes();
}

const noDifference: ReadonlySet<Difference> = new Set();

/** Something that is in one of the trees only, as far as is known. */
interface OneSided extends PlacedEntry {
  /** It has been found in the other tree, too. */
  isMatched: boolean;
  /** Its children are one-sided things of their own. */
  isOpened: boolean;
}

interface DirectoryPair {
  readonly oldPath: Uint8Array;
  readonly before: DirectoryValue | undefined;
  readonly path: Uint8Array;
  readonly after: DirectoryValue | undefined;
}

/** A change to be given, and a directory whose children follow it as new or removed. */
interface Result {
  readonly change: Change | undefined;
  readonly path: Uint8Array;
  readonly below?: { readonly directory: DirectoryValue; readonly type: "add" | "remove" };
}

class TreeDiff {
  readonly #reader: TreeReader;
  readonly #filter: PathFilter;
  readonly #isCollapsed: boolean;
  /** The greatest clocks of the old tree: what was born later cannot be in it. */
  readonly #oldMax: ReadonlyMap<bigint, bigint>;
  readonly #pairs: DirectoryPair[] = [];
  readonly #results: Result[] = [];
  #removed: OneSided[] = [];
  #added: OneSided[] = [];

  constructor(reader: TreeReader, before: Entry | undefined, after: Entry, options: DiffOptions) {
    this.#reader = reader;
    this.#filter = new PathFilter(options.paths);
    this.#isCollapsed = options.isCollapsed ?? false;
    const old = before === undefined ? undefined : directoryOf(before);
    this.#oldMax = new Map((old?.summary ?? emptySummary).max.map(({ writer, clock }) => [writer, clock]));
    const path = new Uint8Array();
    if (before !== undefined) this.#addChange(undefined, before, path, after);
    this.#pairs.push({ oldPath: path, before: old, path, after: directoryOf(after) });
  }

  run(): void {
    this.#comparePairs();
    while (this.#matchById()) this.#comparePairs();
    if (this.#mayBeInside()) this.#matchInside();
    while (this.#matchByPath()) this.#comparePairs();
    for (const { path, entry, isOpened } of this.#removed) this.#addOneSided(path, entry, "remove", isOpened);
    for (const { path, entry, isOpened } of this.#added) this.#addOneSided(path, entry, "add", isOpened);
  }

  *changes(): Generator<Change> {
    // Stable: what is removed from a path comes before what is new there.
    this.#results.sort((a, b) => comparePaths(a.path, b.path));
    for (const { change, path, below } of this.#results) {
      if (change !== undefined) yield change;
      if (below === undefined) continue;
      const { directory, type } = below;
      const enters = (): boolean => !this.#isCollapsed;
      for (const placed of walkEntries(this.#reader, directory, path, { enters })) yield oneSidedChange(placed, type);
    }
  }

  #addOneSided(path: Uint8Array, entry: Entry, type: "add" | "remove", isOpened: boolean): void {
    const directory = directoryOf(entry);
    const change = oneSidedChange({ path, entry }, type);
    const hasBelow = directory?.top !== undefined && !isOpened && !this.#isCollapsed;
    this.#results.push(hasBelow ? { change, path, below: { directory, type } } : { change, path });
  }

  /**
   * Notes in what two states of one node differ, where that is chosen.
   * @param oldPath Where it was, when its directory or its name is another now.
   */
  #addChange(oldPath: Uint8Array | undefined, before: Entry, path: Uint8Array, after: Entry): void {
    const what = entryDifferences(before, after);
    const isMoved = oldPath !== undefined;
    if ((what.size === 0 && !isMoved) || this.#filter.match(path) !== "chosen") return;
    const change: Change = isMoved
      ? { type: "rename", path, oldPath, before, after, what }
      : { type: "change", path, before, after, what };
    this.#results.push({ change, path });
  }

  #comparePairs(): void {
    for (let pair = this.#pairs.pop(); pair !== undefined; pair = this.#pairs.pop()) {
      const { oldPath, path, before, after } = pair;
      if (
        before?.top === undefined &&
        after?.top !== undefined &&
        this.#isNew(after) &&
        this.#filter.match(path) === "chosen"
      ) {
        this.#results.push({ change: undefined, path, below: { directory: after, type: "add" } });
        continue;
      }
      for (const each of differingEntries(this.#reader, before, after))
        this.#compareEntries(oldPath, each.before, path, each.after);
    }
  }

  #compareEntries(
    oldParent: Uint8Array,
    before: Entry | undefined,
    parent: Uint8Array,
    after: Entry | undefined,
  ): void {
    if (before !== undefined && after !== undefined && equalDots(before.id, after.id)) {
      const path = joinPath(parent, after.name);
      if (this.#filter.match(path) === "not") return;
      this.#addChange(undefined, before, path, after);
      this.#compareChildren(joinPath(oldParent, before.name), before, path, after);
      return;
    }
    if (before !== undefined) this.#addRemoved(joinPath(oldParent, before.name), before);
    if (after !== undefined) this.#addAdded(joinPath(parent, after.name), after);
  }

  #compareChildren(oldPath: Uint8Array, before: Entry, path: Uint8Array, after: Entry): void {
    const [one, two] = [directoryOf(before), directoryOf(after)];
    if (one !== undefined || two !== undefined) this.#pairs.push({ oldPath, before: one, path, after: two });
  }

  #addRemoved(path: Uint8Array, entry: Entry): void {
    const match = this.#filter.match(path);
    if (match === "chosen") this.#removed.push({ path, entry, isMatched: false, isOpened: false });
    else if (match === "above") this.#pairs.push({ oldPath: path, before: directoryOf(entry), path, after: undefined });
  }

  #addAdded(path: Uint8Array, entry: Entry): void {
    const match = this.#filter.match(path);
    if (match === "chosen") this.#added.push({ path, entry, isMatched: false, isOpened: false });
    else if (match === "above") this.#pairs.push({ oldPath: path, before: undefined, path, after: directoryOf(entry) });
  }

  /** Pairs what is on both lists by id. @returns Whether there is anything to compare now. */
  #matchById(): boolean {
    const byId = new Map(this.#removed.map((each) => [dotKey(each.entry.id), each]));
    for (const added of this.#added) {
      const removed = this.#isOld(added.entry.id) ? byId.get(dotKey(added.entry.id)) : undefined;
      if (removed === undefined || removed.isMatched) continue;
      removed.isMatched = true;
      added.isMatched = true;
      this.#addChange(removed.path, removed.entry, added.path, added.entry);
      this.#compareChildren(removed.path, removed.entry, added.path, added.entry);
    }
    this.#dropMatched();
    return this.#pairs.length > 0;
  }

  /** Pairs what is on both lists by path: another node in the same place. @returns Whether there is anything to compare now. */
  #matchByPath(): boolean {
    const byPath = new Map(this.#removed.map((each) => [Buffer.from(each.path).toString("latin1"), each]));
    for (const added of this.#added) {
      const removed = byPath.get(Buffer.from(added.path).toString("latin1"));
      if (removed === undefined || removed.isMatched) continue;
      const [one, two] = [directoryOf(removed.entry), directoryOf(added.entry)];
      if ((one === undefined) !== (two === undefined)) continue;
      removed.isMatched = true;
      added.isMatched = true;
      this.#addChange(undefined, removed.entry, added.path, added.entry);
      const before = removed.isOpened ? undefined : one;
      const after = added.isOpened ? undefined : two;
      if (before !== undefined || after !== undefined)
        this.#pairs.push({ oldPath: removed.path, before, path: added.path, after });
    }
    this.#dropMatched();
    return this.#pairs.length > 0;
  }

  #dropMatched(): void {
    this.#removed = this.#removed.filter(({ isMatched }) => !isMatched);
    this.#added = this.#added.filter(({ isMatched }) => !isMatched);
  }

  /** Whether a node that was in the old tree may still be on both sides, in different depths. */
  #mayBeInside(): boolean {
    if (this.#removed.length === 0) return false;
    const hasDirectory = this.#removed.some(({ entry }) => entry.kind === kinds.directory);
    return this.#added.some(({ entry }) => {
      const directory = directoryOf(entry);
      return (hasDirectory && this.#isOld(entry.id)) || (directory !== undefined && !this.#isNew(directory));
    });
  }

  /** Opens all that was removed, and what is new where something old may be in it, and pairs by id. */
  #matchInside(): void {
    const pool = new Map<string, OneSided>();
    for (const removed of this.#removed) this.#open(removed, pool);
    const added: OneSided[] = [];
    const open = this.#added.toReversed();
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      const removed = this.#isOld(each.entry.id) ? pool.get(dotKey(each.entry.id)) : undefined;
      if (removed !== undefined && !removed.isMatched) {
        removed.isMatched = true;
        this.#addChange(removed.path, removed.entry, each.path, each.entry);
        this.#matchChildren(removed, each, pool, open);
        continue;
      }
      added.push(each);
      const directory = directoryOf(each.entry);
      if (directory?.top === undefined || this.#isNew(directory)) continue;
      each.isOpened = true;
      for (const entry of this.#reader.entries(directory)) {
        open.push({ path: joinPath(each.path, entry.name), entry, isMatched: false, isOpened: false });
      }
    }
    const rest = [...pool.values()].filter(({ isMatched }) => !isMatched);
    this.#added = this.#isCollapsed ? withoutChildren(added) : added;
    this.#removed = this.#isCollapsed ? withoutChildren(rest) : rest;
  }

  /** What is in both of two states of a moved directory is no longer one-sided; what is in the new one only, goes to `open`. */
  #matchChildren(removed: OneSided, added: OneSided, pool: ReadonlyMap<string, OneSided>, open: OneSided[]): void {
    const pairs = [{ removed, added }];
    for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
      const [one, two] = [directoryOf(pair.removed.entry), directoryOf(pair.added.entry)];
      if (two === undefined) continue;
      const oldById = new Map<string, Entry>();
      if (one !== undefined) for (const entry of this.#reader.entries(one)) oldById.set(dotKey(entry.id), entry);
      for (const entry of this.#reader.entries(two)) {
        const child: OneSided = {
          path: joinPath(pair.added.path, entry.name),
          entry,
          isMatched: false,
          isOpened: false,
        };
        const key = dotKey(entry.id);
        const old = oldById.get(key);
        const known = old === undefined ? undefined : pool.get(key);
        if (old === undefined || known === undefined || known.isMatched || comparePaths(old.name, entry.name) !== 0) {
          open.push(child);
          continue;
        }
        known.isMatched = true;
        const what = entryDifferences(old, entry);
        const { path } = child;
        if (what.size > 0)
          this.#results.push({ change: { type: "change", path, before: old, after: entry, what }, path });
        pairs.push({ removed: known, added: child });
      }
    }
  }

  /** Puts something removed, and all that is below it, into the pool by id. */
  #open(removed: OneSided, pool: Map<string, OneSided>): void {
    pool.set(dotKey(removed.entry.id), removed);
    const directory = directoryOf(removed.entry);
    if (directory === undefined) return;
    removed.isOpened = true;
    for (const { path, entry } of walkEntries(this.#reader, directory, removed.path)) {
      pool.set(dotKey(entry.id), { path, entry, isMatched: false, isOpened: true });
    }
  }

  /** Whether a node with this id may have been in the old tree. */
  #isOld(id: Dot): boolean {
    const greatest = this.#oldMax.get(id.writer);
    return greatest !== undefined && id.clock <= greatest;
  }

  /** Whether nothing below can have been in the old tree. */
  #isNew(directory: DirectoryValue): boolean {
    return directory.summary.minBirth.every(({ writer, clock }: EventName) => {
      const greatest = this.#oldMax.get(writer);
      return greatest === undefined || clock > greatest;
    });
  }
}

function oneSidedChange({ path, entry }: PlacedEntry, type: "add" | "remove"): Change {
  return type === "add"
    ? { type, path, after: entry, what: noDifference }
    : { type, path, before: entry, what: noDifference };
}

/** Of one-sided things, those whose directory is not among them. */
function withoutChildren(all: readonly OneSided[]): OneSided[] {
  const kept: OneSided[] = [];
  const directories = new Set(all.map(({ path }) => Buffer.from(path).toString("latin1")));
  for (const each of all) {
    const end = each.path.lastIndexOf(0x2f);
    const parent = end < 0 ? undefined : Buffer.from(each.path.subarray(0, end)).toString("latin1");
    if (parent === undefined || !directories.has(parent)) kept.push(each);
  }
  return kept;
}
