/**
 * The status: in what a folder differs from the last commit, as a list of changes, storing nothing.
 *
 * What was touched is read and hashed, so that a file of equal content shows as a change of its mtime alone. What is new is not read, except
 * for files that may be something renamed (a file of that size is missing); a new directory is one change, unless something in it was somewhere else
 * or it is to be opened. Before the first commit the folder itself is no change.
 */
import { type Dot, dotKey, type Entry, type EventName, emptySummary, type Hash, kinds } from "../format/mod.ts";
import { type Change, comparePaths, directoryOf, entryDifferences, splitPath } from "../history/mod.ts";
import type { Ingest } from "../store/mod.ts";
import { examine, type FolderContext } from "./commit-folder.ts";
import type { EntryDraft } from "./entry-of-file.ts";
import type { DirectoryVisit, FolderVisitor, LeafVisit } from "./folder-visitor.ts";
import { latin } from "./folder-walk.ts";

export interface StatusFolderOptions extends FolderContext {
  /** One that only hashes. */
  readonly ingest: Pick<Ingest, "ingest" | "whenRoom">;
  /** Names a list node or a block of attributes, and keeps nothing. */
  readonly hash: (bytes: Uint8Array) => Hash;
  /** Whether what is in a new directory is listed too, name by name; by default it is one change. */
  readonly opensNew?: (path: Uint8Array) => boolean;
}

export interface FolderStatus {
  /** By path. An entry's dots, ids of what is new, and contents of what is new are made up. */
  readonly changes: readonly Change[];
  /** What the tree has and could not be made in this folder, by path: no change. */
  readonly absent: readonly Uint8Array[];
  readonly isPartial: boolean;
}

/** Dates nothing: greater than every event there is. */
const noEvent: EventName = { clock: 0xffff_ffff_ffff_ffffn, writer: 0xffff_ffff_ffff_ffffn };

/** @throws As `commitFolder`. */
export async function statusFolder(options: StatusFolderOptions): Promise<FolderStatus> {
  const { ingest, hash, opensNew } = options;
  const lister = new ChangeLister(options);
  let counter = 0;
  const { isPartial, absent } = await examine(options, lister, {
    ingest,
    event: noEvent,
    putList: hash,
    putXattrs: hash,
    nextId(): Dot {
      counter += 1;
      return { ...noEvent, counter };
    },
    readsNew: false,
    ...(opensNew === undefined ? {} : { opensNew }),
  });
  return { changes: lister.changes(), absent, isPartial };
}

class ChangeLister implements FolderVisitor {
  readonly #folder: Pick<StatusFolderOptions, "reader" | "tree" | "opensNew">;
  readonly #changes: Change[] = [];
  readonly #renamed = new Set<string>();
  /** Of each directory that was gone into: where its changes begin, if it is new, not to be opened, and nothing in it is from elsewhere. */
  readonly #begins: (number | undefined)[] = [];

  constructor(folder: Pick<StatusFolderOptions, "reader" | "tree" | "opensNew">) {
    this.#folder = folder;
  }

  enter(visit: DirectoryVisit): void {
    const { before, draft, isEdited, path } = visit;
    const isFirst = before === undefined && path === "";
    if (isEdited && !isFirst) this.#addDirectory(visit, draft);
    const isOpened = isFirst || this.#folder.opensNew?.(latin(path)) === true;
    this.#begins.push(before === undefined && !isOpened ? this.#changes.length : undefined);
  }

  #addDirectory(visit: DirectoryVisit, draft: EntryDraft): void {
    const { before } = visit;
    const value = (before === undefined ? undefined : directoryOf(before)) ?? {
      kind: kinds.directory,
      summary: emptySummary,
    };
    this.#add(visit, { ...draft, data: [{ dot: draft.id, value }] });
  }

  leave(): void {
    const begin = this.#begins.pop();
    if (begin !== undefined) this.#changes.length = Math.min(begin, this.#changes.length);
  }

  put(visit: LeafVisit): void {
    if (visit.isEdited) this.#add(visit, visit.entry);
  }

  remove(oldPath: string): void {
    const { reader, tree } = this.#folder;
    const path = latin(oldPath);
    const before = tree === undefined ? undefined : reader.findPath(tree, splitPath(path));
    if (before !== undefined) this.#changes.push({ type: "remove", path, before, what: new Set() });
  }

  #add({ path, before, replaced, oldPath }: LeafVisit | DirectoryVisit, after: Entry): void {
    const at = { path: latin(path), after };
    if (before !== undefined && oldPath !== undefined) {
      this.#renamed.add(dotKey(before.id));
      this.#begins.fill(undefined);
      const what = entryDifferences(before, after);
      this.#changes.push({ ...at, type: "rename", oldPath: latin(oldPath), before, what });
      if (replaced !== undefined)
        this.#changes.push({ type: "remove", path: at.path, before: replaced, what: new Set() });
    } else if (before !== undefined) {
      this.#changes.push({ ...at, type: "change", before, what: entryDifferences(before, after) });
    } else if (replaced === undefined) {
      this.#changes.push({ ...at, type: "add", what: new Set() });
    } else if (replaced.kind !== kinds.directory && after.kind !== kinds.directory) {
      this.#changes.push({ ...at, type: "change", before: replaced, what: entryDifferences(replaced, after) });
    } else {
      this.#changes.push({ type: "remove", path: latin(path), before: replaced, what: new Set() });
      this.#changes.push({ ...at, type: "add", what: new Set() });
    }
  }

  changes(): Change[] {
    const isRenamed = (before: Entry | undefined): boolean =>
      before !== undefined && this.#renamed.has(dotKey(before.id));
    const changes = this.#changes.flatMap((change): Change[] => {
      const { type, path, before, after, what } = change;
      if (type === "remove") return isRenamed(before) ? [] : [change];
      // What stood there is elsewhere now: this is new.
      if (type === "change" && what.has("node") && isRenamed(before) && after !== undefined)
        return [{ type: "add", path, after, what: new Set() }];
      return [change];
    });
    return changes.sort((a, b) => comparePaths(a.path, b.path));
  }
}
