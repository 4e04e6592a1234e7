/**
 * Undoing what commands did to the head, and going back to what it was after one. No head ever goes back: the earlier state is committed anew, as an
 * edit that joins like any other.
 */
import { equalBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { commitFlags, type Entry, emptySummary, equalDots, type Hash, kinds, type NamedCommit } from "../format/mod.ts";
import {
  type Change,
  diffTrees,
  directoryOf,
  editTree,
  entryDifferences,
  type Operation,
  OverlayMeta,
  revertTree,
  splitPath,
  type TreeEdit,
  TreeReader,
  withDirectory,
} from "../history/mod.ts";
import { switchBranch } from "./branches.ts";
import type { Path } from "./changes.ts";
import { requireKept } from "./forgotten.ts";
import type { OpenBox } from "./open-box.ts";
import { commitTree } from "./tree-commit.ts";

export interface UndoReport {
  readonly operation: Operation;
  /** Absent when there was nothing to change. */
  readonly commit?: Hash;
  /** What was changed again by later commands, and stays as it is. */
  readonly left: readonly Path[];
  readonly isPartial: boolean;
}

/** Newest first. */
export function operationsOf({ state }: OpenBox, limit?: number): Operation[] {
  return state.operations(limit);
}

/**
 * The operation that an undo is about: the last that was neither undone nor is an undo itself.
 * @param id Another one, by its number.
 * @throws OuroError "not-found".
 */
export function findUndone(box: OpenBox, id?: number): Operation {
  const operations = operationsOf(box);
  const undone = new Set<number>();
  for (const operation of operations) {
    if (id !== undefined && operation.id === id) return operation;
    const [, number] = /^undo (\d+)$/.exec(operation.command) ?? [];
    if (number !== undefined) undone.add(Number(number));
    else if (id === undefined && !undone.has(operation.id)) return operation;
  }
  throw id === undefined
    ? new OuroError("not-found", "Cannot undo anything: there is nothing left to undo")
    : noOperation(id);
}

/** Whether an operation took in what others have done. */
export function takesOthersWork({ command }: Operation): boolean {
  return /^(?:pull|sync|merge)\b/.test(command);
}

/**
 * Commits what was before an operation, as far as later ones have not changed it again, and makes the folder so.
 * @throws OuroError "invalid" for what cannot be undone (a clone); as `commitTree`.
 */
export async function undoOperation(box: OpenBox, operation: Operation): Promise<UndoReport> {
  const [, , from] = /^switch (\S+) from (\S+)$/.exec(operation.command) ?? [];
  if (from !== undefined) {
    const { commit, isPartial } = await switchBranch(box, { name: from });
    return { operation, commit, left: [], isPartial };
  }
  const { before, after } = operation;
  if (before === undefined || after === undefined) {
    throw new OuroError("invalid", `Cannot undo operation ${operation.id}: there was nothing before it`, {
      hint: "Take away what is not wanted, and commit.",
    });
  }
  for (const id of [before, after]) requireKept(box, id);
  const left: Path[] = [];
  const report = await commitTree(box, {
    command: `undo ${operation.id}`,
    message: `Undo: ${operation.command}`,
    flags: commitFlags.restore,
    edit(head, event, sink) {
      const goal = goalOf(box, head, { before, after }, left);
      const tree = revertTree(goal.reader, sink, { from: head.commit.tree, goal: goal.tree, event });
      return equalBytes(tree, head.commit.tree) ? undefined : tree;
    },
  });
  const { id, isPartial } = report;
  return { operation, left, isPartial, ...(id === undefined ? {} : { commit: id }) };
}

/**
 * Commits what was after an operation, whatever came later, and makes the folder so.
 * @throws OuroError "not-found"; as `commitTree`.
 */
export async function restoreOperation(box: OpenBox, id: number): Promise<UndoReport> {
  const operation = findUndone(box, id);
  const { after } = operation;
  if (after === undefined) throw noOperation(id);
  requireKept(box, after);
  const report = await commitTree(box, {
    command: `op restore ${id}`,
    message: `Restore what was after: ${operation.command}`,
    flags: commitFlags.restore,
    edit(head, event, sink) {
      const goal = box.commits.read(after).commit.tree;
      const tree = revertTree(box.reader, sink, { from: head.commit.tree, goal, event });
      return equalBytes(tree, head.commit.tree) ? undefined : tree;
    },
  });
  const { id: commit, isPartial } = report;
  return { operation, left: [], isPartial, ...(commit === undefined ? {} : { commit }) };
}

function noOperation(id: number): OuroError {
  return new OuroError("not-found", `Cannot find operation ${id}`, {
    hint: "Run `ourobox op log` for the list.",
  });
}

/** The tree that an undo is to come to. @param left Gets the paths that later operations have changed again. */
function goalOf(
  box: OpenBox,
  head: NamedCommit,
  { before, after }: { readonly before: Hash; readonly after: Hash },
  left: Path[],
): { readonly reader: OpenBox["reader"]; readonly tree: Hash } {
  const [old, now] = [before, after].map((id) => box.commits.read(id).commit.tree) as [Hash, Hash];
  if (equalBytes(head.commit.tree, now)) return { reader: box.reader, tree: old };
  const overlay = new OverlayMeta(box.store, box.store.hasher);
  const root = box.reader.root(head.commit.tree);
  const edits = new Map<string, TreeEdit>();
  for (const change of diffTrees(box.reader, now, old)) {
    const undone = editsOf(box, root, change);
    if (undone === undefined) left.push(change.oldPath ?? change.path);
    else for (const edit of undone) edits.set(Buffer.from(edit.path).toString("latin1"), edit);
  }
  return { reader: new TreeReader(overlay), tree: editTree(box.reader, overlay, head.commit.tree, edits.values()) };
}

/** What undoes one change in the tree at hand; undefined where later operations have changed the same again. */
function editsOf(box: OpenBox, root: Entry, change: Change): TreeEdit[] | undefined {
  const { type, path, oldPath, before, after } = change;
  const at = (where: Path): Entry | undefined => box.reader.findPath(root, splitPath(where));
  if (type === "add")
    return at(path) === undefined && after !== undefined ? [{ path, entry: emptied(after) }] : undefined;
  const here = at(oldPath ?? path);
  if (before === undefined || here === undefined || !isSame(before, here)) return undefined;
  if (type === "remove") return isSameBelow(before, here) ? [{ path }] : undefined;
  if (after === undefined) return undefined;
  const directory = directoryOf(here);
  const entry = directory === undefined || after.kind !== kinds.directory ? after : withDirectory(after, directory);
  if (type === "change") return [{ path, entry }];
  return at(path) === undefined && oldPath !== undefined ? [{ path: oldPath }, { path, entry }] : undefined;
}

/** A directory without what is in it, which has changes of its own. */
function emptied(entry: Entry): Entry {
  return entry.kind === kinds.directory
    ? withDirectory(entry, { kind: kinds.directory, summary: emptySummary })
    : entry;
}

function isSame(a: Entry, b: Entry): boolean {
  const isDirectory = a.kind === kinds.directory;
  return equalDots(a.id, b.id) && [...entryDifferences(a, b)].every((each) => isDirectory && each === "mtime");
}

function isSameBelow(a: Entry, b: Entry): boolean {
  const [one, two] = [directoryOf(a)?.top, directoryOf(b)?.top];
  return one === undefined || two === undefined ? one === two : equalBytes(one, two);
}
