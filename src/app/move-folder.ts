/**
 * Moving head and folder to a commit that has all that is here: the end of a pull and of a clone.
 *
 * Before the folder is touched, state.sqlite says where it is going ("moving"). When that was interrupted, what the folder holds is looked at anew:
 * what is of the old commit, of the new one or of neither's making is told apart, and the rest is done from there. Head and scan rows move in one
 * transaction at the end.
 */
import { toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { type Dot, type Entry, type Hash, kinds } from "../format/mod.ts";
import {
  diffTrees,
  entryDifferences,
  isShown,
  keysAbove,
  type OwnHead,
  pathKey,
  splitPath,
  type Change as TreeChange,
} from "../history/mod.ts";
import { type CheckoutReport, saveObservations } from "../workdir/mod.ts";
import { statusOf } from "./box-commit.ts";
import type { Change } from "./changes.ts";
import { checkoutFolder, hasHeld, putBackHeld } from "./folder.ts";
import { lockFolder } from "./folder-lock.ts";
import { type GraftedTree, graftTree, withoutPaths } from "./graft-tree.ts";
import { wantedIn } from "./marks.ts";
import { clearGoal, findGoal, type Goal, setGoal } from "./move-goal.ts";
import type { OpenBox } from "./open-box.ts";
import { saveOwnHead } from "./own-head.ts";
import { isSameHead } from "./own-writer.ts";
import { changesOfPart, type PartRequest } from "./part-changes.ts";
import { isRealizing, realizeInFolder } from "./realize-folder.ts";
import { existsIn, isPartFolder } from "./unreal-setting.ts";

const pathsShownMax = 5;

type Exists = PartRequest["exists"];

const uncommitted = Symbol("uncommitted changes in the way");

/** Whether a move was refused since it would have replaced what is not committed. */
export function isStoppedByChanges(error: unknown): boolean {
  return isKind(error, "diverged") && error.cause === uncommitted;
}

export interface MoveOptions {
  /** What is recorded of it. */
  readonly command: string;
  /** The branch to go to, and who this working copy is there with its last event; absent: the one at hand, as it is. */
  readonly onto?: Omit<OwnHead, "commit">;
  /** The head that the target was made for; absent: any. */
  readonly from?: OwnHead;
}

/**
 * @throws OuroError "diverged" when files in the folder were changed that it would replace; "stale" when the head moved meanwhile.
 */
export async function moveFolder(
  box: OpenBox,
  target: Hash,
  options: MoveOptions,
): Promise<{ readonly isPartial: boolean }> {
  if (box.root === undefined) return moveLocked(box, target, options);
  using _ = await lockFolder(box, "alone");
  return await moveLocked(box, target, options);
}

async function moveLocked(
  box: OpenBox,
  target: Hash,
  { command, onto, from }: MoveOptions,
): Promise<{ readonly isPartial: boolean }> {
  const { state, root } = box;
  putBackHeld(box);
  const before = state.head();
  if (from !== undefined && !isSameHead(before, from)) throw moved();
  const to = box.commits.read(target).commit.tree;
  using rowsAside = box.store.openSpill();
  let report: CheckoutReport | undefined;
  let start: Start | undefined;
  if (root !== undefined) {
    const isLive = before !== undefined || findGoal(box) !== undefined;
    start = before === undefined ? undefined : await findStart(box, before.commit, target);
    const reader = start?.reader ?? box.reader;
    const only = isPartFolder(box) ? partOf(box, { reader, from: start?.tree, to }) : undefined;
    setGoal(box, { commit: target, onto });
    report = await checkoutFolder(box, {
      folder: root,
      from: start?.tree,
      to,
      isLive,
      reader,
      rowsAside,
      ...(only === undefined ? {} : { only }),
    });
  }
  state.transaction(() => {
    const now = state.head();
    if (now !== undefined && (before === undefined || !isSameHead(now, before))) throw moved();
    setHead(box, before, { commit: target, onto });
    const nowMs = box.context.clock.nowMs();
    if (report !== undefined) saveObservations(state, report, { nowMs, isPart: isPartFolder(box) });
    for (const id of start?.unseen ?? []) state.deleteScanRow(id);
    state.addOperation({
      timeMs: nowMs,
      command,
      ...(before === undefined ? {} : { before: before.commit }),
      after: target,
    });
    clearGoal(box);
  });
  saveOwnHead(box);
  const absent = report?.absent ?? 0;
  if (absent > 0)
    box.context.warn(
      `${absent === 1 ? "One name" : `${absent} names`} of commit ${toHex(target).slice(0, 12)} could not be made here: \`ourobox status\` lists what is missing, \`ourobox restore\` tries again.`,
    );
  return { isPartial: report?.isPartial ?? false };
}

/** Sets the head; of another branch that at hand is parked. */
function setHead(box: OpenBox, before: OwnHead | undefined, { commit, onto }: Goal): void {
  const { state } = box;
  const next: Omit<OwnHead, "commit"> = onto ?? before ?? box.writer();
  if (before !== undefined && before.branch !== next.branch) state.setBranch(before);
  state.forgetBranch(next.branch);
  const { writer, branch, last } = next;
  state.setHead({ writer, branch, commit, ...(last === undefined ? {} : { last }) });
}

/** Whether a pull, clone or restore was interrupted while it wrote the folder. */
export function isInterrupted(box: OpenBox): boolean {
  return box.root !== undefined && (findGoal(box) !== undefined || hasHeld(box) || isRealizing(box));
}

/**
 * Ends a move that was interrupted, so that no command takes half a move for what somebody has done. To be called before the folder is
 * committed, restored or moved. A move that cannot be ended, as somebody has changed what it was to write, is given up.
 * @throws As `moveFolder`, but not "diverged".
 */
export async function resumeMove(box: OpenBox): Promise<void> {
  if (!isInterrupted(box)) return;
  using _ = await lockFolder(box, "alone");
  putBackHeld(box);
  const goal = findGoal(box);
  if (goal === undefined) {
    // What stands half written in the folder; the rest is for who asks for it again.
    if (isRealizing(box)) await realizeInFolder(box, []);
    return;
  }
  const { commit, onto } = goal;
  box.context.notice(`Going on with an interrupted move to commit ${toHex(commit).slice(0, 12)}.`);
  try {
    const command = onto === undefined ? "pull" : `switch ${onto.branch} from ${box.branch}`;
    await moveLocked(box, commit, { command, ...(onto === undefined ? {} : { onto }) });
  } catch (thrown) {
    if (!isKind(thrown, "diverged")) throw thrown;
    box.context.notice(`That move is given up. ${thrown.message}.`);
    clearGoal(box);
  }
}

/**
 * Locks the folder with nothing half done in it.
 * @returns To be disposed of when the work is done.
 * @throws As `lockFolder` and `resumeMove`.
 */
export async function lockWhole(box: OpenBox, kind: "alone" | "shared"): Promise<Disposable> {
  for (;;) {
    await resumeMove(box);
    const lock = await lockFolder(box, kind);
    if (!isInterrupted(box)) return lock;
    lock[Symbol.dispose]();
  }
}

/** What a move does in a folder that holds a part: new things are there as marks say. */
function partOf(box: OpenBox, trees: Pick<PartRequest, "reader" | "from" | "to">): readonly TreeChange[] {
  return changesOfPart({
    ...trees,
    rows: box.state,
    exists: existsIn(box),
    isWanted: wantedIn(box, trees.reader, trees.to),
  });
}

function moved(): OuroError {
  return new OuroError("stale", "Cannot go on: another command has moved the head meanwhile", {
    hint: "Run it again.",
  });
}

/** What a move starts from. */
interface Start extends GraftedTree {
  /** Directories in which an interrupted move may have made things: the next scan is to look at all that is in them. */
  readonly unseen: readonly Dot[];
}

/**
 * The tree that the folder holds, as far as the move is concerned: that of the head or, after an interrupted move, what is really there.
 * @throws OuroError "diverged" when what somebody changed is in the way.
 */
async function findStart(box: OpenBox, head: Hash, target: Hash): Promise<Start> {
  const [from, to] = [box.commits.read(head).commit.tree, box.commits.read(target).commit.tree];
  const interrupted = findGoal(box)?.commit;
  if (interrupted === undefined) {
    const { changes, absent } = await statusOf(box);
    if (changes.length > 0) {
      const way = new WrittenPaths(diffTrees(box.reader, from, to));
      requireUntouched(target, changes, way, existsIn(box));
    }
    return { ...withoutPaths({ tree: from, reader: box.reader }, box.store.hasher, absent), unseen: [] };
  }
  const { workingTree, absent } = await statusOf(box, { withTree: true });
  if (workingTree === undefined) return { tree: from, reader: box.reader, unseen: [] };
  const goals = [to, box.commits.read(interrupted).commit.tree];
  const way = new WrittenPaths(goals.flatMap((goal) => [...diffTrees(box.reader, from, goal)]));
  const changes = [...diffTrees(workingTree.reader, from, workingTree.tree)];
  const roots = goals.map((goal) => box.reader.root(goal));
  const isOurs = ({ path, before, after }: Change): boolean =>
    after === undefined ||
    (before !== undefined && isSameData(before, after)) ||
    roots.some((root) => isWritten(box.reader.findPath(root, splitPath(path)), after));
  const others = changes.filter((change) => !isOurs(change));
  requireUntouched(target, others, way, existsIn(box));
  const touched = changes.filter((change) => !isKeptDirectory(change) && way.isTouchedBy(change)).flatMap(pathsOf);
  const { hasher } = box.store;
  const { source } = workingTree.reader;
  const paths = [...touched, ...way.replaced];
  const unseen = roots.flatMap((root) =>
    parentsOf(paths).map((path) => box.reader.findPath(root, splitPath(path))?.id),
  );
  const grafted = graftTree(source, hasher, { onto: from, source: workingTree.tree, paths, takesTimes: true });
  return {
    ...withoutPaths(grafted, hasher, absent),
    unseen: unseen.filter((id) => id !== undefined),
  };
}

/** What was changed in the folder must not be in the way of what is to be written. */
function requireUntouched(target: Hash, changes: readonly Change[], way: WrittenPaths, exists: Exists): void {
  const touched = changes.filter(
    (change) => isShown(change) && (way.isTouchedBy(change) || way.remakes(change, exists)),
  );
  if (touched.length === 0) return;
  const shown = touched.slice(0, pathsShownMax).map(({ path }) => quotePath(path));
  const more = touched.length > shown.length ? ` and ${touched.length - shown.length} more` : "";
  throw new OuroError(
    "diverged",
    `Cannot go on to commit ${toHex(target).slice(0, 12)}: it would replace what is changed here and not committed: ${shown.join(", ")}${more}`,
    {
      hint: "Commit it, or bring back what was there with `ourobox restore`, and run the command again.",
      cause: uncommitted,
    },
  );
}

/** The paths that a checkout writes, moves or removes. */
class WrittenPaths {
  readonly #written = new Set<string>();
  /** Of those, directories that stay where they are and only get other attributes. */
  readonly #kept = new Set<string>();
  /** All directories above them. */
  readonly #above = new Set<string>();
  /** All but those directories. */
  readonly replaced: Uint8Array[] = [];

  constructor(changes: Iterable<TreeChange>) {
    for (const change of changes) {
      const paths = pathsOf(change);
      if (!isKeptDirectory(change)) this.replaced.push(...paths);
      for (const key of paths.map(pathKey)) {
        this.#written.add(key);
        if (isKeptDirectory(change)) this.#kept.add(key);
        for (const above of keysAbove(key)) this.#above.add(above);
      }
    }
  }

  /** Whether something is gone with a directory, of which more is elsewhere, that will be made again. */
  remakes({ type, path }: Change, exists: Exists): boolean {
    if (type !== "remove") return false;
    return keysAbove(pathKey(path)).some((key) => this.#above.has(key) && !exists(Buffer.from(key, "latin1")));
  }

  isTouchedBy(change: Change): boolean {
    return pathsOf(change)
      .map(pathKey)
      .some((key) => {
        if (key !== "" && this.#written.has(key)) return true;
        if (!isKeptDirectory(change) && this.#above.has(key)) return true;
        return keysAbove(key).some((above) => this.#written.has(above) && !this.#kept.has(above));
      });
  }
}

function isKeptDirectory({ type, before, after }: TreeChange): boolean {
  return type === "change" && before?.kind === kinds.directory && after?.kind === kinds.directory;
}

function pathsOf({ path, oldPath }: Pick<Change, "path" | "oldPath">): Uint8Array[] {
  return oldPath === undefined ? [path] : [path, oldPath];
}

function parentsOf(paths: readonly Uint8Array[]): Uint8Array[] {
  const parents = paths.map((path) => path.subarray(0, Math.max(0, path.lastIndexOf(0x2f))));
  return [...new Map(parents.map((parent) => [pathKey(parent), parent])).values()];
}

/**
 * Whether a move has written this to make it `goal`. Its time is set last: with that to the nanosecond, other bytes are what a power loss has left
 * of those that were written.
 */
function isWritten(goal: Entry | undefined, found: Entry): boolean {
  if (goal === undefined) return false;
  const isFile = goal.kind === kinds.file && found.kind === kinds.file;
  return isSameData(goal, found) || (isFile && goal.mtimeNs === found.mtimeNs);
}

/** Whether two entries hold the same: bytes, target, device, or a directory. */
function isSameData(a: Entry | undefined, b: Entry): boolean {
  if (a === undefined) return false;
  const differences = entryDifferences(a, b);
  return !(["kind", "content", "target", "device"] as const).some((each) => differences.has(each));
}
