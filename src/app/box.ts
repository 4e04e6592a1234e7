/**
 * A box with everything that can be done with it. What a command does is in a file of its own beside this one; here they are put together.
 */
import type { BoxIdentity, ChunkSizes, Entry, Hash, HashName } from "../format/mod.ts";
import { findCommon, type Operation } from "../history/mod.ts";
import type { Damage } from "../store/mod.ts";
import type { PruneReport } from "../sync/mod.ts";
import { type CacheReport, cacheOf, type ShrinkReport, shrinkCache } from "./box-cache.ts";
import { type CommitReport, type CommitRequest, commitBox, type StatusReport, statusOf } from "./box-commit.ts";
import {
  diffBox,
  findEntry,
  type LogRequest,
  type LogRow,
  listEntries,
  logBox,
  readContent,
  resolveIn,
} from "./box-history.ts";
import {
  addKey,
  changePassphrase,
  type ExportRequest,
  exportKey,
  type KeyRow,
  listKeys,
  type NewKey,
  removeKey,
} from "./box-keys.ts";
import { type FetchReport, fetchBox, type PushReport, publishRemote, pushBox } from "./box-remotes.ts";
import { type RestoreReport, type RestoreRequest, restoreBox } from "./box-restore.ts";
import { checkBox, type GcReport, gcBox } from "./box-upkeep.ts";
import {
  type BeginRequest,
  type BranchRow,
  beginBranch,
  branchesOf,
  deleteBranch,
  makeBranch,
  type SwitchReport,
  type SwitchRequest,
  switchBranch,
} from "./branches.ts";
import type { Change, Path } from "./changes.ts";
import { checkRemoteOf, type RemoteCheckReport, type RemoteCheckRequest } from "./check-remote-box.ts";
import { commitAndPush } from "./commit-and-push.ts";
import { type Conflict, conflictsOf } from "./conflicts.ts";
import { mayLackContent } from "./content-here.ts";
import { type ContentShare, contentShare } from "./content-share.ts";
import type { AppContext } from "./context.ts";
import { type CopiesReport, copiesOf, type WaitRequest, waitForCopies } from "./copies.ts";
import { type ForgetReport, type ForgetRequest, forgetCommits } from "./forget.ts";
import { forgetKey } from "./forget-key.ts";
import { forgottenIdsIn, forgottenIn } from "./forgotten.ts";
import { type JoinReport, type MergeRequest, mergeCommit } from "./join-heads.ts";
import type { KeyReport } from "./key-places.ts";
import { branchLayout, findBox } from "./layout.ts";
import { makeBoxFolder } from "./make-box.ts";
import type { Mark } from "./marks.ts";
import { lockWhole } from "./move-folder.ts";
import { OpenBox } from "./open-box.ts";
import { addPicks, removePicks } from "./picks.ts";
import { pruneRemote } from "./prune-remote.ts";
import {
  markedPaths,
  markPaths,
  type RealizeReport,
  realizePaths,
  type UnrealizeReport,
  unrealizePaths,
} from "./realize.ts";
import {
  addRemote,
  measureRemote,
  type RemoteRow,
  remotesOf,
  removeRemote,
  renameRemote,
  setRemoteUrl,
} from "./remote-list.ts";
import { findSeen, type RemoteSeen } from "./remote-seen.ts";
import { type RepairReport, repairBox } from "./repair-box.ts";
import { type Resolution, type ResolveReport, resolveConflicts } from "./resolve.ts";
import {
  fetchAndTell,
  type PullReport,
  type PullRequest,
  pullSeveral,
  pushSeveral,
  type SeveralReport,
} from "./several-remotes.ts";
import { type SyncReport, type SyncRequest, syncBox } from "./sync-box.ts";
import { setTag, type TagRow, tagsOf, untag } from "./tags.ts";
import { thinHistory } from "./thin-history.ts";
import { findUndone, operationsOf, restoreOperation, type UndoReport, undoOperation } from "./undo.ts";
import { type WatchRequest, watchBox } from "./watch-box.ts";
import { type WhereReport, whereIs } from "./where-box.ts";

export interface InitOptions {
  readonly hash: HashName;
  readonly chunk: ChunkSizes;
  readonly bare: boolean;
  readonly plain: boolean;
}

const boxIdBytes = 16;
const keyBytes = 32;

export class Box extends OpenBox {
  /** Makes a box in a folder, which is made too if need be. @throws OuroError "exists", "permission", "no-space". */
  static async init(directory: string, { hash, chunk, bare, plain }: InitOptions, context: AppContext): Promise<Box> {
    const identity: BoxIdentity = {
      box: context.random(boxIdBytes),
      hash,
      chunk,
      suite: plain ? "plain" : "aes-256-gcm",
    };
    const settings = bare ? ["box.bare = true"] : [];
    const key = plain ? {} : { key: context.random(keyBytes) };
    return new Box(context, makeBoxFolder(context, directory, { identity, settings, ...key }));
  }

  /** Opens the box that holds a folder. @throws OuroError "no-box", "wrong-key", "corrupt", "newer-format". */
  static async open(directory: string, context: AppContext): Promise<Box> {
    return new Box(context, findBox(context.disk, directory));
  }

  status(): Promise<StatusReport> {
    return statusOf(this);
  }

  async commit(request: CommitRequest): Promise<CommitReport> {
    if (request.dryRun === true || this.root === undefined) return commitBox(this, request);
    using _ = await lockWhole(this, "shared");
    return await commitBox(this, request);
  }

  /** Picks paths for the next commit. @throws OuroError "not-found", "invalid": nothing is picked then. */
  async add(paths: readonly Path[], { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<void> {
    await addPicks(this, paths, { dryRun });
  }

  /** Takes picked paths back. @throws OuroError "not-found". */
  async unpick(paths: readonly Path[], { dryRun = false }: { readonly dryRun?: boolean } = {}): Promise<void> {
    removePicks(this, paths, { dryRun });
  }

  log(request: LogRequest): Iterable<LogRow> {
    return logBox(this, request);
  }

  /** What changed between two commits, or to the folder. @param a Undefined: everything is new. @param options As `diffBox`. */
  diff(
    a: Hash | undefined,
    b: Hash | "working",
    { paths = [], readsNew = true }: { readonly paths?: readonly Path[]; readonly readsNew?: boolean } = {},
  ): AsyncIterable<Change> {
    return diffBox(this, a, b, { paths, readsNew });
  }

  /** The newest commit that both have taken in. */
  findCommon(a: Hash, b: Hash): Hash | undefined {
    return findCommon(this.commits, a, b, { isForgotten: forgottenIn(this) })?.id;
  }

  /** @throws OuroError "not-found", "invalid". */
  resolve(text: string): Hash {
    return resolveIn(this, text);
  }

  /** The entry at a path of a commit; the root's for the empty path. */
  find(commit: Hash, path: Path): Entry | undefined {
    return findEntry(this, commit, path);
  }

  list(commit: Hash, path: Path, options: { readonly recursive: boolean }): Iterable<{ path: Path; entry: Entry }> {
    return listEntries(this, commit, path, options);
  }

  /** A file's bytes, in pieces that are valid until the next. @throws OuroError "is-dir", "not-found", "corrupt". */
  readFile(entry: Entry): AsyncIterable<Uint8Array> {
    return readContent(this, entry);
  }

  /** Whether content may be elsewhere: of other boxes nobody needs to ask what is real. */
  get mayLackContent(): boolean {
    return mayLackContent(this);
  }

  /** How much of a file, or of all below a directory, is on this machine. */
  contentShare(entry: Entry): Promise<ContentShare> {
    return contentShare(this, entry);
  }

  realize(paths: readonly Path[]): Promise<RealizeReport> {
    return realizePaths(this, paths);
  }

  unrealize(paths: readonly Path[]): Promise<UnrealizeReport> {
    return unrealizePaths(this, paths);
  }

  /** What is here only because somebody has read it. */
  async cache(): Promise<CacheReport> {
    return cacheOf(this);
  }

  /** @param request.to What may be left, in bytes; absent: what the settings allow. */
  shrinkCache(request: { readonly to?: number; readonly dryRun: boolean }): Promise<ShrinkReport> {
    return shrinkCache(this, request);
  }

  /** @param mark Undefined: as what is around it. @throws OuroError "not-found". */
  async mark(paths: readonly Path[], mark: Mark | undefined): Promise<void> {
    markPaths(this, paths, mark);
  }

  marks(): Iterable<{ readonly path: Path; readonly mark: Mark }> {
    return markedPaths(this);
  }

  restore(request: RestoreRequest): Promise<RestoreReport> {
    return restoreBox(this, request);
  }

  /** Newest first. */
  operations(limit?: number): Operation[] {
    return operationsOf(this, limit);
  }

  /** The operation that an undo is about: the last that is to be undone, or the one of this number. */
  findUndone(id?: number): Operation {
    return findUndone(this, id);
  }

  undo(operation: Operation): Promise<UndoReport> {
    return undoOperation(this, operation);
  }

  restoreOperation(id: number): Promise<UndoReport> {
    return restoreOperation(this, id);
  }

  /** @param paths Only these and what is below them; none: all. */
  conflicts(paths: readonly Path[]): Conflict[] {
    return conflictsOf(this, paths);
  }

  resolveConflicts(paths: readonly Path[], resolution: Resolution): Promise<ResolveReport> {
    return resolveConflicts(this, paths, resolution);
  }

  branches(): BranchRow[] {
    return branchesOf(this);
  }

  async makeBranch(name: string, commit: Hash): Promise<void> {
    makeBranch(this, name, commit);
  }

  override openBranch(name: string): Box {
    return new Box(this.context, branchLayout(this.layout, name));
  }

  /** Sees to it that there is a branch that can be mounted beside the box's folder. @returns Whether it was begun by this. */
  beginBranch(request: BeginRequest): Promise<boolean> {
    return beginBranch(this, request);
  }

  async deleteBranch(name: string, options: { readonly force: boolean }): Promise<void> {
    await deleteBranch(this, name, options);
  }

  switch(request: SwitchRequest): Promise<SwitchReport> {
    return switchBranch(this, request);
  }

  /** Goes on until the context's signal: as `watchBox`. */
  watch(remotes: readonly string[], request: WatchRequest): Promise<never> {
    return watchBox(this, remotes, request);
  }

  tags(): TagRow[] {
    return tagsOf(this);
  }

  async tag(name: string, commit: Hash, options: { readonly force: boolean }): Promise<void> {
    setTag(this, name, commit, options);
  }

  async untag(name: string): Promise<void> {
    untag(this, name);
  }

  remotes(): RemoteRow[] {
    return remotesOf(this);
  }

  /** @param name Of a remote. */
  checkRemote(name: string, request: RemoteCheckRequest): Promise<RemoteCheckReport> {
    return checkRemoteOf(this, name, request);
  }

  /** Where the content at a path of a commit is known to be. */
  whereIs(commit: Hash, path: Path): Promise<WhereReport> {
    return whereIs(this, commit, path);
  }

  /** What is in fewer remotes than it is to be; undefined where nobody asks for it. */
  copies(): CopiesReport | undefined {
    return copiesOf(this);
  }

  waitForCopies(request: WaitRequest): Promise<CopiesReport> {
    return waitForCopies(this, request);
  }

  /** When a remote was last reached; undefined when it never was. */
  lastSeen({ url }: RemoteRow): RemoteSeen | undefined {
    return findSeen(this, url);
  }

  async addRemote(name: string, url: string): Promise<void> {
    addRemote(this, name, url);
    await measureRemote(this, name);
  }

  /** For readers that come through a web server. @returns How many files the remote has. */
  publishRemote(name: string): Promise<number> {
    return publishRemote(this, name);
  }

  async removeRemote(name: string): Promise<void> {
    removeRemote(this, name);
  }

  async renameRemote(name: string, newName: string): Promise<void> {
    renameRemote(this, name, newName);
  }

  async setRemoteUrl(name: string, url: string): Promise<void> {
    setRemoteUrl(this, name, url);
  }

  /** Keeps only some of the commits. @throws OuroError "usage", "not-found". */
  forget(request: ForgetRequest): Promise<ForgetReport> {
    return forgetCommits(this, request);
  }

  /** Commits, and pushes to all remotes. @param onCommit Told when the commit is made. */
  commitAndPush(request: CommitRequest, onCommit: (report: CommitReport) => void): Promise<SeveralReport<PushReport>> {
    return commitAndPush(this, async () => onCommit(await this.commit(request)));
  }

  /** After a commit that nobody asked for: as `thinHistory`. */
  thinHistory(): Promise<void> {
    return thinHistory(this);
  }

  /** Which commits' files have been given up, as it is now. */
  forgotten(): (id: Hash) => boolean {
    return forgottenIdsIn(this);
  }

  /** Gives back the space on a remote that nothing there needs. */
  pruneRemote(remote: string, options: { readonly dryRun: boolean }): Promise<PruneReport> {
    return pruneRemote(this, remote, options);
  }

  fetch(remote?: string): Promise<FetchReport> {
    return fetchBox(this, remote);
  }

  push(remote?: string): Promise<PushReport> {
    return pushBox(this, remote);
  }

  pull(remote?: string, request: PullRequest = { force: false }): Promise<PullReport> {
    return pullSeveral(this, remote === undefined ? [] : [remote], request);
  }

  /** @param remotes Here and in the next two: by name; none: all there are. */
  fetchAll(remotes: readonly string[]): Promise<SeveralReport<FetchReport>> {
    return fetchAndTell(this, remotes);
  }

  pushAll(remotes: readonly string[]): Promise<SeveralReport<PushReport>> {
    return pushSeveral(this, remotes);
  }

  pullAll(remotes: readonly string[], request: PullRequest): Promise<PullReport> {
    return pullSeveral(this, remotes, request);
  }

  /** @param remotes Here and below: by name; none: all there are. */
  keys(remotes: readonly string[]): Promise<{ readonly rows: readonly KeyRow[]; readonly partial: boolean }> {
    return listKeys(this, remotes);
  }

  addKey(remotes: readonly string[], wanted: NewKey): Promise<KeyReport> {
    return addKey(this, remotes, wanted);
  }

  changePassphrase(remotes: readonly string[]): Promise<KeyReport> {
    return changePassphrase(this, remotes);
  }

  removeKey(remotes: readonly string[], which: string): Promise<KeyReport> {
    return removeKey(this, remotes, which);
  }

  exportKey(remotes: readonly string[], options: ExportRequest): Promise<KeyReport & { readonly key: string }> {
    return exportKey(this, remotes, options);
  }

  /** @returns The remote that gives it back. */
  forgetKey(): Promise<string> {
    return forgetKey(this);
  }

  merge(commit: Hash, request: MergeRequest): Promise<JoinReport> {
    return mergeCommit(this, commit, request);
  }

  /** @param remotes By name; none: all there are. */
  sync(remotes: readonly string[], request: SyncRequest): Promise<SyncReport> {
    return syncBox(this, remotes, request);
  }

  check(options: { readonly readData: boolean }): AsyncIterable<Damage> {
    return checkBox(this, options);
  }

  /** @param found What `check` with `readData` has found. @throws OuroError "locked" when others are writing. */
  repair(found: readonly Damage[]): Promise<RepairReport> {
    return repairBox(this, found);
  }

  gc(options: { readonly dryRun: boolean }): Promise<GcReport> {
    return gcBox(this, options);
  }
}
