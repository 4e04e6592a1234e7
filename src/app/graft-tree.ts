/** Trees put together in memory for a restore: chosen paths of one tree, alone or grafted onto another. Nothing is stored. */
import { type DirectoryValue, type Entry, emptySummary, type Hash, type Hasher, kinds } from "../format/mod.ts";
import {
  type DirectoryEdit,
  directoryOf,
  editDirectory,
  editTree,
  joinPath,
  OverlayMeta,
  pathKey,
  putRoot,
  splitPath,
  TreeReader,
  withDirectory,
} from "../history/mod.ts";
import type { MetaSource } from "../store/mod.ts";

export interface GraftedTree {
  readonly reader: TreeReader;
  readonly tree: Hash;
}

export interface GraftRequest {
  /** Absent: nothing, so that only the chosen paths are there. */
  readonly onto?: Hash;
  readonly source: Hash;
  readonly paths: readonly Uint8Array[];
  /** Whether the times of directories above the chosen paths are those of the source. */
  readonly takesTimes?: boolean;
}

/**
 * A tree that is `onto` but for the chosen paths, which are as in `source`: there, or not there.
 */
export function graftTree(
  below: MetaSource,
  hasher: Hasher,
  { onto, source, paths, takesTimes = false }: GraftRequest,
): GraftedTree {
  const meta = new OverlayMeta(below, hasher);
  const reader = new TreeReader(meta);
  const chosen = new ChosenNames(paths);
  const sourceRoot = reader.root(source);
  if (chosen.has(new Uint8Array())) return { reader, tree: source };
  const base = onto === undefined ? undefined : reader.root(onto);
  const value = graft(base === undefined ? undefined : directoryOf(base), directoryOf(sourceRoot), new Uint8Array());
  const root = withDirectory(timed(base, sourceRoot) ?? sourceRoot, value);
  return { reader, tree: putRoot(meta, root) };

  function graft(
    mine: DirectoryValue | undefined,
    theirs: DirectoryValue | undefined,
    path: Uint8Array,
  ): DirectoryValue {
    const edits: DirectoryEdit[] = [];
    for (const name of chosen.below(path)) {
      const at = joinPath(path, name);
      const [own, other] = [find(mine, name), find(theirs, name)];
      if (own === undefined && other === undefined) continue;
      if (chosen.has(at)) edits.push(other === undefined ? { name } : { name, entry: other });
      else {
        const below = graft(
          own === undefined ? undefined : directoryOf(own),
          other === undefined ? undefined : directoryOf(other),
          at,
        );
        const entry = own !== undefined && directoryOf(own) !== undefined ? timed(own, other) : other;
        if (entry === undefined || (own === undefined && below.top === undefined)) continue;
        if (directoryOf(entry) !== undefined) edits.push({ name, entry: withDirectory(entry, below) });
      }
    }
    return editDirectory(reader, meta, mine ?? { kind: kinds.directory, summary: emptySummary }, edits);
  }

  /** A directory above chosen paths, with its time as it is in the source when that is wanted. */
  function timed(own: Entry | undefined, other: Entry | undefined): Entry | undefined {
    if (!takesTimes || own === undefined || other === undefined) return own;
    return { ...own, mtimeNs: other.mtimeNs };
  }

  function find(directory: DirectoryValue | undefined, name: Uint8Array): Entry | undefined {
    return directory === undefined ? undefined : reader.find(directory, name);
  }
}

/** A tree that is another but for some paths, which it has not. */
export function withoutPaths({ reader, tree }: GraftedTree, hasher: Hasher, paths: readonly Uint8Array[]): GraftedTree {
  if (paths.length === 0) return { reader, tree };
  const meta = new OverlayMeta(reader.source, hasher);
  const edited = editTree(
    reader,
    meta,
    tree,
    paths.map((path) => ({ path })),
  );
  return { reader: new TreeReader(meta), tree: edited };
}

/** Paths by the directories above them. */
class ChosenNames {
  readonly #chosen: ReadonlySet<string>;
  readonly #below = new Map<string, Map<string, Uint8Array>>();

  constructor(paths: readonly Uint8Array[]) {
    this.#chosen = new Set(paths.map(pathKey));
    for (const path of paths) {
      let parent: Uint8Array = new Uint8Array();
      for (const name of splitPath(path)) {
        const names = this.#below.get(pathKey(parent)) ?? new Map<string, Uint8Array>();
        this.#below.set(pathKey(parent), names.set(pathKey(name), name));
        parent = joinPath(parent, name);
      }
    }
  }

  has(path: Uint8Array): boolean {
    return this.#chosen.has(pathKey(path));
  }

  /** The names in a directory that are chosen or lead there, sorted. */
  below(path: Uint8Array): Uint8Array[] {
    return [...(this.#below.get(pathKey(path))?.values() ?? [])].sort((a, b) => Buffer.compare(a, b));
  }
}
