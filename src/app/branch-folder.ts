/**
 * The folder that a branch has of its own, `.ourobox/branches/<name>/files`, once it was mounted to be written: a folder that holds a part, as that of an unreal clone,
 * with what was changed there. Its commits are the branch's. It stays until somebody goes to the branch in the box's own folder, or deletes it; then it is taken away,
 * unless something in it is in no commit. See doc/decisions/0020-branch-mounts.md.
 *
 * That it is there, and what the state has of it, go together so: rows without the folder are forgotten before it is made; it goes after its rows have, file by file as they
 * are committed, or out of sight first.
 */
import { dirname, join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { type Hash, rootId } from "../format/mod.ts";
import { directoryOf, isShown } from "../history/mod.ts";
import { recordedNames, saveObservations } from "../workdir/mod.ts";
import { statusOf } from "./box-commit.ts";
import { discardFolder, findStat, listNames, makeFolders, removeFolder } from "./disk-folders.ts";
import { checkoutFolder } from "./folder.ts";
import { branchLayout } from "./layout.ts";
import { findLive } from "./live-lock.ts";
import { lockWhole } from "./move-folder.ts";
import { findGoal } from "./move-goal.ts";
import type { OpenBox } from "./open-box.ts";
import { changesOfPart } from "./part-changes.ts";
import { takeOut } from "./realize.ts";
import { realizeInFolder } from "./realize-folder.ts";
import { refNameProblem } from "./ref-names.ts";
import { existsIn } from "./unreal-setting.ts";

/** One that is being removed whole is called so, and digits of chance. */
const removedPrefix = "removed-";
/** What is in use as long as the folder is there. */
const inUse: ReadonlySet<string> = new Set(["files", "live", "moving"]);

/** Where the branch's folder is to be, and its lock. @param box Worked on in that folder. */
export function makePlaceOfBranch({ context, layout }: OpenBox): void {
  const place = dirname(layout.files);
  try {
    makeFolders(context.disk, place, 0o700);
  } catch (thrown) {
    throw ioError(`Cannot make ${place}`, thrown, place);
  }
}

/**
 * Makes the folder, if there is none. Nothing but what says how to read it is in it at first. Under its live lock, and with the branches locked.
 * @param box Worked on in that folder.
 * @throws OuroError "invalid" when the branch has come to hand in the box's own folder; "no-space", "permission" and their like.
 */
export async function prepareBranchFolder(box: OpenBox): Promise<void> {
  const { context, layout, state } = box;
  const { branch = "", files } = layout;
  const head = box.headCommit();
  if (head === undefined || findGoal({ state: state.ofBranch(undefined) })?.onto?.branch === branch)
    throw atHand(branch);
  if (findStat(context.disk, files) === undefined) {
    removeBeside(box, branch);
    state.forgetFolder(branch);
    try {
      context.disk.makeDirectory(files, 0o777);
    } catch (thrown) {
      throw ioError(`Cannot make ${files}`, thrown, files);
    }
  }
  using _ = await lockWhole(box, "alone");
  await fillTop(box, files, head.commit.tree);
}

/** Gives the folder the attributes that it has in the tree, and brings what says how to read it, but for what somebody has deleted there. */
async function fillTop(box: OpenBox, folder: string, tree: Hash): Promise<void> {
  const { context, reader, state, store } = box;
  const exists = existsIn(box);
  if (!recordedNames(state, rootId).has("")) {
    using rowsAside = store.openSpill();
    const report = await checkoutFolder(box, { folder, from: undefined, to: tree, only: [], isLive: true, rowsAside });
    state.transaction(() => saveObservations(state, report, { nowMs: context.clock.nowMs(), isPart: true }));
  }
  const noted = recordedNames(state, rootId);
  const rules = changesOfPart({ reader, rows: state, exists, from: undefined, to: tree, isWanted: () => false });
  const lacking = rules.map(({ path }) => path).filter((path) => !noted.has(Buffer.from(path).toString("latin1")));
  await realizeInFolder(box, lacking);
}

export function atHand(branch: string): OuroError {
  return new OuroError(
    "invalid",
    `Cannot mount the branch ${branch} beside the box's folder: it is the one at hand there`,
    {
      subject: branch,
      hint: "Mount the box itself: `ourobox mount DIR`.",
    },
  );
}

/**
 * Takes the folder of a branch away, if there is one: for who goes to that branch, or deletes it. With the branches locked, alone. What is ignored there stays.
 * @param options.force Whatever is in it.
 * @throws OuroError "locked" where it is mounted; "diverged" for what is not committed; with `whole` also for what is ignored.
 */
export async function endBranchFolder(
  box: OpenBox,
  branch: string,
  { command, force, whole }: { readonly command: string; readonly force: boolean; readonly whole: boolean },
): Promise<void> {
  const { disk, random } = box.context;
  const { files } = branchLayout(box.layout, branch);
  // Others may call a branch what is no name of one here.
  if (refNameProblem(branch) !== undefined || findStat(disk, files) === undefined) return;
  const at = findLive(disk, { box: box.layout.top, branch });
  if (at !== undefined)
    throw new OuroError("locked", `Cannot ${command}: it is mounted on ${at}`, {
      subject: branch,
      hint: `Run \`ourobox umount ${at}\` first.`,
    });
  if (!force) await takeOutCommitted(box, branch, command);
  const [left] = force ? [] : listNames(disk, files);
  if (left !== undefined) {
    if (!whole) return;
    throw new OuroError("diverged", `Cannot ${command}: its mount has left what is ignored, as ${quotePath(left)}`, {
      subject: branch,
      hint: `It is in ${files}. With --force it goes, too.`,
    });
  }
  const removed = join(dirname(files), `${removedPrefix}${toHex(random(4))}`);
  try {
    disk.rename(files, removed);
    // It must not be there again when the branch has gone on without it.
    disk.syncDirectory(dirname(files));
  } catch (thrown) {
    throw ioError(`Cannot remove ${files}`, thrown, files);
  }
  box.state.forgetFolder(branch);
  discardFolder(disk, dirname(files));
}

/** Removes what goes with the folder, or has been left of a former one. */
function removeBeside({ context: { disk }, layout }: OpenBox, branch: string): void {
  const place = dirname(branchLayout(layout, branch).files);
  for (const name of listNames(disk, place).map(toText)) {
    const path = join(place, name);
    if (inUse.has(name)) continue;
    if (name.startsWith(removedPrefix)) discardFolder(disk, path);
    else removeWhole(disk, path);
  }
}

function removeWhole(disk: Disk, path: string): void {
  try {
    removeFolder(disk, path);
  } catch (thrown) {
    throw ioError(`Cannot remove ${path}`, thrown, path);
  }
}

/** Takes out of a branch's folder what is committed, which is all. */
async function takeOutCommitted(box: OpenBox, branch: string, command: string): Promise<void> {
  await using own = box.openBranch(branch);
  const folder = own.requireRoot(command);
  using _ = await lockWhole(own, "alone");
  const { changes, partial } = await statusOf(own);
  const [changed] = changes.filter(isShown);
  if (changed !== undefined || partial) {
    const what = changed === undefined ? "something in it cannot be read" : `as ${quotePath(changed.path)}`;
    throw new OuroError("diverged", `Cannot ${command}: what was written in its mount is not committed, ${what}`, {
      subject: branch,
      hint: `Mount it again, which commits it: \`ourobox mount -b ${branch} DIR\`. Or commit in ${folder}.`,
    });
  }
  const root = own.headCommit()?.commit.tree;
  const directory = root === undefined ? undefined : directoryOf(own.reader.root(root));
  const paths = directory === undefined ? [] : [...own.reader.entries(directory)].map(({ name }) => name);
  removeBeside(own, branch);
  // What cannot be taken out, or has not been when this is interrupted, is then as it is committed, and no row says otherwise.
  own.state.forgetFolder(branch);
  const report = await takeOut(own, folder, paths);
  own.state.forgetFolder(branch);
  if (report.partial)
    throw new OuroError("io", `Cannot ${command}: not all files of its mount could be removed`, {
      subject: folder,
      hint: "The warnings say which.",
    });
}
