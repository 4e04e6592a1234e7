/**
 * Marking directories as units, where `.ouroboxattributes` say `atomic`, and unmarking others: part of the commit that changes what they say, or makes
 * such a directory. The join looks only at the marks (doc/merge.md, "Units").
 *
 * Marking writes a value with all that is in the directory, born anew. So a tree of which nothing is to be marked costs nothing, and a
 * changed file of attributes a look at every directory below it.
 */
import { asBuffer } from "../base/bytes.ts";
import {
  type DirectoryValue,
  type Dot,
  dotKey,
  type Entry,
  type EventName,
  type Hash,
  isDatedById,
  type NamedCommit,
} from "../format/mod.ts";
import {
  type Births,
  copySubtree,
  directoryOf,
  editTree,
  joinPath,
  keysAbove,
  pathKey,
  splitPath,
  type TreeEdit,
} from "../history/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import type { Rebirth, Rebirths, UnitChecks, UnitMarks } from "../workdir/mod.ts";
import { attributesFileName, TreeAttributes } from "./attributes.ts";
import type { Path } from "./changes.ts";
import type { OpenBox } from "./open-box.ts";

export interface MarkRequest {
  /** Of the commit that is being made, which can be read; absent when nothing was edited. */
  readonly tree: Hash | undefined;
  readonly unitChecks: UnitChecks;
  readonly event: EventName;
  readonly births: Births;
  readonly sink: MetaSink;
}

export interface MarkedTree {
  readonly tree: Hash | undefined;
  /** Absent when nothing was marked or unmarked. */
  readonly rebirths?: Rebirths | undefined;
}

/** How directories are marked that a commit finds in the folder, as far as the commit before says. */
export function marksOf(box: OpenBox, before: NamedCommit | undefined): UnitMarks {
  const attributes = before === undefined ? undefined : new TreeAttributes(box, before.commit.tree);
  return {
    fileName: attributesFileName,
    isMarked: (path) => attributes?.of(Buffer.from(path, "latin1"), true).atomic === true,
  };
}

/** The tree with all marked as it should be. */
export function markUnits(box: OpenBox, request: MarkRequest): MarkedTree {
  const { tree } = request;
  if (tree === undefined) return { tree };
  const marking = new Marking(box, tree, request);
  for (const path of request.unitChecks.below) marking.below(Buffer.from(path, "latin1"));
  for (const path of request.unitChecks.at) marking.at(Buffer.from(path, "latin1"));
  return marking.finish();
}

class Marking {
  readonly #box: OpenBox;
  readonly #tree: Hash;
  readonly #request: MarkRequest;
  readonly #attributes: TreeAttributes;
  readonly #root: Entry;
  readonly #edits = new Map<string, TreeEdit>();
  readonly #directories = new Map<string, Rebirth>();
  readonly #units: Dot[] = [];

  constructor(box: OpenBox, tree: Hash, request: MarkRequest) {
    this.#box = box;
    this.#tree = tree;
    this.#request = request;
    this.#attributes = new TreeAttributes(box, tree);
    this.#root = box.reader.root(tree);
  }

  /** A directory alone, unless it is within a unit: what is in there is no business of the join. */
  at(path: Path): void {
    let at = this.#root;
    for (const name of splitPath(path)) {
      if (at !== this.#root && !isDatedById(at)) return;
      const directory = directoryOf(at);
      const next = directory === undefined ? undefined : this.#box.reader.find(directory, name);
      if (next === undefined) return;
      at = next;
    }
    this.#settle(path, at);
  }

  /** All directories below one, that itself excepted, but for those within units. */
  below(path: Path): void {
    const top = this.#box.reader.findPath(this.#root, splitPath(path));
    const directory = top === undefined || (top !== this.#root && !isDatedById(top)) ? undefined : directoryOf(top);
    if (directory === undefined) return;
    const open: { readonly path: Path; readonly directory: DirectoryValue }[] = [{ path, directory }];
    for (let each = open.pop(); each !== undefined; each = open.pop()) {
      for (const entry of this.#box.reader.entries(each.directory)) {
        const inner = directoryOf(entry);
        if (inner === undefined) continue;
        const at = joinPath(each.path, entry.name);
        this.#settle(at, entry);
        if (isDatedById(entry) && !this.#edits.has(pathKey(at))) open.push({ path: at, directory: inner });
      }
    }
  }

  #settle(path: Path, entry: Entry): void {
    const directory = directoryOf(entry);
    const atomic = this.#attributes.of(path, true).atomic === true;
    // A unit in conflict stays one until that is resolved: its other values have no other place.
    if (directory === undefined || path.length === 0 || entry.meta.atomic === atomic || entry.data.length > 1) return;
    const key = pathKey(path);
    if (this.#edits.has(key) || keysAbove(key).some((above) => this.#edits.has(above))) return;
    const { event, births, sink } = this.#request;
    const dot: Dot = { ...event, counter: 0 };
    const value = copySubtree(directory, {
      reader: this.#box.reader,
      sink,
      births,
      onDirectory: (from, to) => this.#directories.set(dotKey(from), { from, to }),
    });
    this.#units.push(entry.id);
    const marked: Entry = {
      ...entry,
      meta: { ...entry.meta, atomic },
      metaDot: dot,
      ...(atomic ? { mtimeDot: dot } : {}),
      data: [{ dot: atomic ? dot : entry.id, value }],
    };
    this.#edits.set(key, { path: asBuffer(path), entry: marked });
  }

  finish(): MarkedTree {
    if (this.#edits.size === 0) return { tree: this.#tree };
    const { sink, event } = this.#request;
    return {
      tree: editTree(this.#box.reader, sink, this.#tree, this.#edits.values(), event),
      rebirths: { directories: this.#directories, units: this.#units },
    };
  }
}
