/**
 * Moving head and folder to a commit that has all that is here: the end of a pull and of a clone.
 *
 * Before the folder is touched, state.sqlite says where it is going ("moving"); a killed pull so knows, when it is run again, that what differs
 * from the old head may be its own work. Head and scan rows move in one transaction at the end.
 */
import { equalBytes, toHex, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import { type Change, diffTrees, equalContents, isWithin, splitPath } from "../history/mod.ts";
import { type CheckoutReport, saveObservations } from "../workdir/mod.ts";
import { statusOf } from "./box-commit.ts";
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
    if (from !== undefined) await requireUntouched(box, from, to, isResumed);
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
async function requireUntouched(box: OpenBox, from: Hash, to: Hash, isResumed: boolean): Promise<void> {
  const { changes } = await statusOf(box);
  if (changes.length === 0) return;
  const written = [...diffTrees(box.reader, from, to)].flatMap(({ path, oldPath }) =>
    oldPath === undefined ? [path] : [path, oldPath],
  );
  const root = box.reader.root(to);
  const touched = changes.filter((change) => {
    if (isResumed && isDone(change, box, root)) return false;
    const paths = change.oldPath === undefined ? [change.path] : [change.path, change.oldPath];
    return paths.some(
      (path) =>
        path.length > 0 &&
        written.some(
          (each) => each.length > 0 && (isWithin(each, path) || isWithin(path, each)) && overlaps(change, each),
        ),
    );
  });
  if (touched.length === 0) return;
  const shown = touched.slice(0, pathsShownMax).map(({ path }) => toText(path));
  throw new OuroError(
    "diverged",
    `Cannot move to ${toHex(box.commits.read(box.state.head()?.commit ?? to).id).slice(0, 12)}'s successor: ${touched.length} changed files are not committed and would be replaced: ${shown.join(", ")}`,
    { hint: "Commit them, or bring them back with `ourobox restore`." },
  );
}

/** A directory that changed itself is in nobody's way; a file, and what was removed or moved, is. */
function overlaps(change: Change, written: Uint8Array): boolean {
  const isDirectory = (change.after ?? change.before)?.kind === 2;
  return !isDirectory || change.type !== "change" || equalBytes(change.path, written);
}

/** Whether a change in the folder is what an interrupted move has written already. */
function isDone({ path, after }: Change, box: OpenBox, root: ReturnType<OpenBox["reader"]["root"]>): boolean {
  const wanted = box.reader.findPath(root, splitPath(path));
  if (after === undefined || wanted === undefined) return after === wanted;
  const [is, shall] = [after.data[0].value, wanted.data[0].value];
  if ("content" in is && "content" in shall) return equalContents(is.content, shall.content);
  return is.kind === shall.kind;
}
