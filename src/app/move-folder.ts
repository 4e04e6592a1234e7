/**
 * Moving head and folder to a commit that has all that is here: the end of a pull and of a clone.
 *
 * Before the folder is touched, state.sqlite says where it is going ("moving"); a killed pull so knows, when it is run again, that what differs
 * from the old head may be its own work. Head and scan rows move in one transaction at the end.
 */
import { asBuffer, equalBytes, toHex, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Hash, kinds } from "../format/mod.ts";
import { diffTrees, equalContents, isShown, splitPath, type Change as TreeChange } from "../history/mod.ts";
import { type CheckoutReport, saveObservations } from "../workdir/mod.ts";
import { statusOf } from "./box-commit.ts";
import type { Change } from "./changes.ts";
import { checkoutFolder, keepsOwners } from "./folder.ts";
import type { OpenBox } from "./open-box.ts";
import { saveOwnHead } from "./own-head.ts";

const movingKey = "moving";
const pathsShownMax = 5;

/**
 * @param command What is recorded of it.
 * @throws OuroError "diverged" when files in the folder were changed that it would replace, or the head moved meanwhile.
 */
export async function moveFolder(
  box: OpenBox,
  target: Hash,
  command: string,
): Promise<{ readonly isPartial: boolean }> {
  const { state, root } = box;
  const before = state.head();
  const from = before === undefined ? undefined : box.commits.read(before.commit).commit.tree;
  const to = box.commits.read(target).commit.tree;
  let report: CheckoutReport | undefined;
  if (root !== undefined) {
    const isResumed = isMovingTo(box, target);
    if (from !== undefined) await requireUntouched(box, { target, from, to, isResumed });
    state.setValue(movingKey, target);
    report = await checkoutFolder(box, { folder: root, from, to, isLive: from !== undefined || isResumed });
  }
  const { writer, branch } = before ?? box.writer();
  state.transaction(() => {
    const now = state.head();
    if (now?.commit !== undefined && (before === undefined || !equalBytes(now.commit, before.commit))) throw moved();
    state.setHead({ ...(before ?? { writer, branch }), commit: target });
    const nowMs = box.context.clock.nowMs();
    if (report !== undefined) saveObservations(state, report, { source: box.store, isRoot: keepsOwners(box), nowMs });
    state.addOperation({
      timeMs: nowMs,
      command,
      ...(before === undefined ? {} : { before: before.commit }),
      after: target,
    });
    state.setValue(movingKey, undefined);
  });
  saveOwnHead(box);
  return { isPartial: report?.isPartial ?? false };
}

/**
 * Ends a move that was interrupted, so that no command takes half a move for what somebody has done. To be called before the folder is
 * committed, restored or moved.
 * @throws As `moveFolder`.
 */
export async function resumeMove(box: OpenBox): Promise<void> {
  const target = box.root === undefined ? undefined : box.state.value(movingKey);
  if (target === undefined) return;
  box.context.notice(`Going on with an interrupted move to commit ${toHex(target).slice(0, 12)}.`);
  await moveFolder(box, target, "pull");
}

function isMovingTo({ state }: OpenBox, target: Hash): boolean {
  const moving = state.value(movingKey);
  return moving !== undefined && equalBytes(moving, target);
}

function moved(): OuroError {
  return new OuroError("diverged", "Cannot go on: another command has moved the head meanwhile", {
    hint: "Run it again.",
  });
}

/** What was changed in the folder must not be in the way of what is to be written. */
interface Way {
  readonly target: Hash;
  readonly from: Hash;
  readonly to: Hash;
  readonly isResumed: boolean;
}

async function requireUntouched(box: OpenBox, { target, from, to, isResumed }: Way): Promise<void> {
  const { changes } = await statusOf(box);
  if (changes.length === 0) return;
  const way = new WrittenPaths(diffTrees(box.reader, from, to));
  const root = box.reader.root(to);
  const touched = changes.filter(
    (change) => isShown(change) && way.isTouchedBy(change) && !(isResumed && isDone(change, box, root)),
  );
  if (touched.length === 0) return;
  const shown = touched.slice(0, pathsShownMax).map(({ path }) => toText(path));
  const more = touched.length > shown.length ? ` and ${touched.length - shown.length} more` : "";
  throw new OuroError(
    "diverged",
    `Cannot go on to commit ${toHex(target).slice(0, 12)}: it would replace what is changed here and not committed: ${shown.join(", ")}${more}`,
    { hint: "Commit it, or bring back what was there with `ourobox restore`, and run the command again." },
  );
}

/** The paths that a checkout writes, moves or removes. */
class WrittenPaths {
  readonly #written = new Set<string>();
  /** Of those, directories that stay where they are and only get other attributes. */
  readonly #kept = new Set<string>();
  /** All directories above them. */
  readonly #above = new Set<string>();

  constructor(changes: Iterable<TreeChange>) {
    for (const change of changes) {
      const paths = change.oldPath === undefined ? [change.path] : [change.path, change.oldPath];
      for (const key of paths.map(keyOf)) {
        this.#written.add(key);
        if (isKeptDirectory(change)) this.#kept.add(key);
        for (const above of ancestorsOf(key)) this.#above.add(above);
      }
    }
  }

  isTouchedBy(change: Change): boolean {
    const paths = change.oldPath === undefined ? [change.path] : [change.path, change.oldPath];
    return paths.map(keyOf).some((key) => {
      if (key !== "" && this.#written.has(key)) return true;
      if (!isKeptDirectory(change) && this.#above.has(key)) return true;
      return ancestorsOf(key).some((above) => this.#written.has(above) && !this.#kept.has(above));
    });
  }
}

function isKeptDirectory({ type, before, after }: TreeChange): boolean {
  return type === "change" && before?.kind === kinds.directory && after?.kind === kinds.directory;
}

function keyOf(path: Uint8Array): string {
  return asBuffer(path).toString("latin1");
}

/** The directories above a path, but for the root. */
function ancestorsOf(key: string): string[] {
  const found: string[] = [];
  for (let at = key.lastIndexOf("/"); at > 0; at = key.lastIndexOf("/", at - 1)) found.push(key.slice(0, at));
  return found;
}

/** Whether a change in the folder is what an interrupted move has written already. */
function isDone({ path, after }: Change, box: OpenBox, root: ReturnType<OpenBox["reader"]["root"]>): boolean {
  const wanted = box.reader.findPath(root, splitPath(path));
  if (after === undefined || wanted === undefined) return after === wanted;
  const [is, shall] = [after.data[0].value, wanted.data[0].value];
  if ("content" in is && "content" in shall) return equalContents(is.content, shall.content);
  return is.kind === shall.kind;
}
