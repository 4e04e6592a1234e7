/** Trees put together in memory for a restore: chosen paths of one tree, alone or grafted onto another. Nothing is stored. */
import { asBuffer } from "../base/bytes.ts";
import { type DirectoryValue, type Entry, emptySummary, type Hash, type Hasher, kinds } from "../format/mod.ts";
import {
  type DirectoryEdit,
  directoryOf,
  editDirectory,
  joinPath,
  PathFilter,
  putRoot,
  TreeReader,
} from "../history/mod.ts";
import type { MetaKind, MetaSink, MetaSource } from "../store/mod.ts";

/** Objects in memory over those of a store. */
export class OverlayMeta implements MetaSource, MetaSink {
  readonly #below: MetaSource;
  readonly #hasher: Hasher;
  readonly #objects = new Map<string, Uint8Array>();

  constructor(below: MetaSource, hasher: Hasher) {
    this.#below = below;
    this.#hasher = hasher;
  }

  getMeta(hash: Hash, kind: MetaKind): Uint8Array {
    return this.#objects.get(asBuffer(hash).toString("latin1")) ?? this.#below.getMeta(hash, kind);
  }

  put(_kind: MetaKind, bytes: Uint8Array, id?: Hash): Hash {
    const hash = id ?? this.#hasher.hash(bytes);
    this.#objects.set(asBuffer(hash).toString("latin1"), new Uint8Array(bytes));
    return hash;
  }
}

export interface GraftedTree {
  readonly reader: TreeReader;
  readonly tree: Hash;
}

/**
 * A tree that is `onto` but for the chosen paths, which are as in `source`: there, or not there.
 * @param onto Absent: nothing, so that only the chosen paths are there.
 */
export function graftTree(
  below: MetaSource,
  hasher: Hasher,
  { onto, source, paths }: { readonly onto?: Hash; readonly source: Hash; readonly paths: readonly Uint8Array[] },
): GraftedTree {
  const meta = new OverlayMeta(below, hasher);
  const reader = new TreeReader(meta);
  const filter = new PathFilter(paths);
  const sourceRoot = reader.root(source);
  if (filter.match(new Uint8Array()) === "chosen") return { reader, tree: source };
  const base = onto === undefined ? undefined : reader.root(onto);
  const value = graft(base === undefined ? undefined : directoryOf(base), directoryOf(sourceRoot), new Uint8Array());
  const root = withDirectory(base ?? sourceRoot, value);
  return { reader, tree: putRoot(meta, root) };

  function graft(
    mine: DirectoryValue | undefined,
    theirs: DirectoryValue | undefined,
    path: Uint8Array,
  ): DirectoryValue {
    const edits: DirectoryEdit[] = [];
    for (const name of chosenNames(mine, theirs, path)) {
      const at = joinPath(path, name);
      const [own, other] = [find(mine, name), find(theirs, name)];
      if (filter.match(at) === "chosen") edits.push(other === undefined ? { name } : { name, entry: other });
      else {
        const below = graft(
          own === undefined ? undefined : directoryOf(own),
          other === undefined ? undefined : directoryOf(other),
          at,
        );
        const entry = own !== undefined && directoryOf(own) !== undefined ? own : other;
        if (entry === undefined || (own === undefined && below.top === undefined)) continue;
        if (directoryOf(entry) !== undefined) edits.push({ name, entry: withDirectory(entry, below) });
      }
    }
    return editDirectory(reader, meta, mine ?? { kind: kinds.directory, summary: emptySummary }, edits);
  }

  function find(directory: DirectoryValue | undefined, name: Uint8Array): Entry | undefined {
    return directory === undefined ? undefined : reader.find(directory, name);
  }

  /** The names in a directory that lead to chosen paths or are some, sorted. */
  function chosenNames(
    mine: DirectoryValue | undefined,
    theirs: DirectoryValue | undefined,
    path: Uint8Array,
  ): Uint8Array[] {
    const names = new Map<string, Uint8Array>();
    const prefix = path.length === 0 ? 0 : path.length + 1;
    for (const each of paths) {
      if (each.length <= prefix || new PathFilter([path]).match(each) !== "chosen") continue;
      const end = each.indexOf(0x2f, prefix);
      const name = each.subarray(prefix, end < 0 ? each.length : end);
      if (find(mine, name) !== undefined || find(theirs, name) !== undefined)
        names.set(asBuffer(name).toString("latin1"), name);
    }
    return [...names.values()].sort((a, b) => Buffer.compare(a, b));
  }
}

function withDirectory(entry: Entry, value: DirectoryValue): Entry {
  return { ...entry, data: [{ dot: entry.data[0].dot, value }] };
}
