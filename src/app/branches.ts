/**
 * Branches of this working copy. A branch is another writer: each has a writer id, and so a head and a chain of events, of its own. One is at
 * hand, in the state's head; the others are parked. What others call by the same name are heads of the same branch.
 */
import { join } from "node:path";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { compareVectors, fullVector, type Hash, type NamedCommit, type WriterId, writerHex } from "../format/mod.ts";
import { atHand, endBranchFolder } from "./branch-folder.ts";
import { findFarAhead } from "./far-clocks.ts";
import { lockBranches } from "./folder-lock.ts";
import { findLive } from "./live-lock.ts";
import { moveFolder, resumeMove } from "./move-folder.ts";
import type { OpenBox } from "./open-box.ts";
import { ownOn } from "./own-writer.ts";
import { refNameProblem } from "./ref-names.ts";
import { type BranchHead, headsOfRemotes } from "./remote-heads.ts";

export interface BranchRow {
  readonly name: string;
  /** The one at hand. */
  readonly isCurrent: boolean;
  /** What it is here; absent when it is only on remotes. */
  readonly commit?: Hash;
  /** What others' heads of it were when they were last fetched. */
  readonly remotes: readonly BranchHead[];
  /** Where it is mounted to be written, beside the box's folder. */
  readonly mountedOn?: string;
}

/** All branches there are, here and on remotes, by name. */
export function branchesOf(box: OpenBox): BranchRow[] {
  const { state } = box;
  const head = state.head();
  const remote = headsOfRemotes(box);
  const here = new Map<string, Hash>();
  for (const { branch, commit } of state.branches()) if (commit !== undefined) here.set(branch, commit);
  if (head !== undefined) here.set(head.branch, head.commit);
  const names = new Set([box.branch, ...here.keys(), ...remote.map(({ branch }) => branch)]);
  return [...names].sort().map((name) => {
    const commit = here.get(name);
    const remotes = remote.filter(({ branch }) => branch === name);
    const mountedOn = findLive(box.context.disk, { box: box.layout.top, branch: name });
    return {
      name,
      isCurrent: name === box.branch,
      remotes,
      ...(commit === undefined ? {} : { commit }),
      ...(mountedOn === undefined ? {} : { mountedOn }),
    };
  });
}

/**
 * Starts a branch at a commit; the one at hand stays.
 * @throws OuroError "invalid" (the name), "exists".
 */
export function makeBranch(box: OpenBox, name: string, commit: Hash): void {
  requireNew(box, name);
  box.commits.read(commit);
  box.state.transaction(() => {
    requireNew(box, name);
    box.state.setBranch({ ...ownOn(box, name), commit });
  });
}

function requireNew(box: OpenBox, name: string): void {
  const problem = refNameProblem(name);
  if (problem !== undefined)
    throw new OuroError("invalid", `Cannot name a branch ${JSON.stringify(name)}: ${problem}`, { subject: name });
  if (name !== box.branch && box.state.findBranch(name)?.commit === undefined) return;
  throw new OuroError("exists", `Cannot make the branch ${name}: there is one`, {
    subject: name,
    hint: `Go to it with \`ourobox switch ${name}\`.`,
  });
}

/**
 * Takes a branch away. Its commits stay as long as something else names them.
 * @throws OuroError "not-found"; "invalid" for the one at hand; "locked" for one that is mounted; without `force` "diverged" when it has commits that no other head
 * has, or its mount has left something that is in none.
 */
export async function deleteBranch(box: OpenBox, name: string, { force }: { readonly force: boolean }): Promise<void> {
  box.requireOwnFolder("delete a branch");
  using _ = await lockBranches(box, "alone");
  if (name === box.branch)
    throw new OuroError("invalid", `Cannot delete the branch ${name}: it is the one at hand`, {
      subject: name,
      hint: "Go to another with `ourobox switch` first.",
    });
  const parked = box.state.findBranch(name);
  if (parked?.commit === undefined) {
    throw new OuroError("not-found", `Cannot delete the branch ${name}: there is none here`, {
      subject: name,
      hint: "Run `ourobox branch` for the list. A branch that is only on a remote is deleted where it was made.",
    });
  }
  const commit = box.commits.read(parked.commit);
  if (!force && !isTakenIn(box, commit, parked)) {
    throw new OuroError("diverged", `Cannot delete the branch ${name}: it has commits that no other branch has`, {
      subject: name,
      hint: `Take them in with \`ourobox merge ${name}\`, or delete it with --force.`,
    });
  }
  await endBranchFolder(box, name, { command: `delete the branch ${name}`, force, whole: true });
  const { writer, last } = parked;
  box.state.setBranch({ branch: name, writer, ...(last === undefined ? {} : { last }) });
  removeHeadFile(box, writer);
}

/** Whether another head has all that a commit has. */
function isTakenIn(
  box: OpenBox,
  commit: NamedCommit,
  { branch, writer }: { branch: string; writer: WriterId },
): boolean {
  const { state } = box;
  const others = [
    state.head()?.commit,
    ...state.branches().map((each) => (each.branch === branch ? undefined : each.commit)),
    ...state.remoteHeads().map((each) => (each.writer === writer ? undefined : each.commit)),
  ];
  const vector = fullVector(commit);
  return others.some((other) => {
    if (other === undefined) return false;
    const order = compareVectors(vector, fullVector(box.commits.read(other)));
    return order === "before" || order === "equal";
  });
}

function removeHeadFile({ context, layout }: OpenBox, writer: WriterId): void {
  const path = join(layout.heads, writerHex(writer));
  try {
    context.disk.unlink(path);
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENOENT") throw ioError(`Cannot remove ${path}`, thrown, path);
  }
}

export interface SwitchRequest {
  readonly name: string;
  /** Begin it, at this commit. */
  readonly create?: Hash;
  /** Goes to what is dated more than a day ahead, too. */
  readonly acceptClock?: boolean;
}

export interface SwitchReport {
  readonly commit: Hash;
  /** It was begun: by this command, or from what others have of it. */
  readonly isNew: boolean;
  readonly isPartial: boolean;
}

/**
 * Goes to another branch: head and folder become what it is. Uncommitted changes stay where they are.
 * @throws OuroError "exists", "not-found"; "diverged" when it would replace what is not committed, or that is in a folder of the branch's own; "locked" when it is mounted
 * there; "invalid" for what is dated far ahead.
 */
export async function switchBranch(box: OpenBox, { name, create, acceptClock }: SwitchRequest): Promise<SwitchReport> {
  box.requireOwnFolder("go to another branch");
  using _ = await lockBranches(box, "alone");
  await resumeMove(box);
  if (create !== undefined) requireNew(box, name);
  const known = create ?? findOwnBranch(box, name);
  const commit = known ?? findWhereOthersAre(box, name, "go to");
  const isNew = create !== undefined || known === undefined;
  if (isNew && acceptClock !== true) requireNear(box, commit);
  const command = `go to the branch ${name}`;
  if (name !== box.branch) await endBranchFolder(box, name, { command, force: false, whole: false });
  const { isPartial } = await moveFolder(box, commit, {
    command: `switch ${name} from ${box.branch}`,
    onto: ownOn(box, name),
  });
  return { commit, isNew, isPartial };
}

/** @throws OuroError "invalid". */
function requireNear(box: OpenBox, commit: Hash): void {
  const ahead = findFarAhead(box, box.commits.read(commit));
  if (ahead !== undefined) throw ahead;
}

/** @throws OuroError "not-found", "diverged". */
function findWhereOthersAre(box: OpenBox, name: string, act: string): Hash {
  const commit = findOthersBranch(box, name);
  if (commit !== undefined) return commit;
  throw new OuroError("not-found", `Cannot ${act} the branch ${name}: there is none`, {
    subject: name,
    hint: "Run `ourobox branch` for the list, or begin it with -c.",
  });
}

export interface BeginRequest {
  readonly name: string;
  /** Begin it, at this commit; absent: there is one, here or on remotes. */
  readonly create?: Hash;
  /** Also one that is dated more than a day ahead. */
  readonly acceptClock?: boolean;
}

/**
 * Sees to it that there is a branch that is not at hand.
 * @returns Whether it was begun by this.
 * @throws OuroError "exists", "not-found", "diverged"; "invalid" for the one at hand, a name that may not be, and what is dated far ahead.
 */
export async function beginBranch(box: OpenBox, { name, create, acceptClock }: BeginRequest): Promise<boolean> {
  box.requireOwnFolder("mount a branch");
  using _ = await lockBranches(box, "shared");
  if (create === undefined && name === box.branch) throw atHand(name);
  if (create === undefined && findOwnBranch(box, name) !== undefined) return false;
  const commit = create ?? findWhereOthersAre(box, name, "mount");
  if (acceptClock !== true) requireNear(box, commit);
  makeBranch(box, name, commit);
  return true;
}

function findOwnBranch({ state }: OpenBox, name: string): Hash | undefined {
  const head = state.head();
  return head?.branch === name ? head.commit : state.findBranch(name)?.commit;
}

/** The commit of a branch on remotes that has all that their other heads of it have. @throws OuroError "diverged" when none has. */
export function findOthersBranch(box: OpenBox, name: string, remote?: string): Hash | undefined {
  const heads = headsOfRemotes(box, remote).filter(({ branch }) => branch === name);
  let best: NamedCommit | undefined;
  for (const { commit } of heads) {
    const named = box.commits.read(commit);
    const order = best === undefined ? "after" : compareVectors(fullVector(named), fullVector(best));
    if (order === "after") best = named;
    if (order !== "concurrent") continue;
    throw new OuroError("diverged", `Cannot tell what the branch ${name} is: its writers have each gone on alone`, {
      subject: name,
      hint: `Begin a branch at one of them with \`ourobox switch -c NAME COMMIT\`; \`ourobox branch -v\` lists them.`,
    });
  }
  return best?.id;
}
