/**
 * A box that is open: its store, state and history, and everything that can be done with it.
 *
 * What a command does is in a file of its own beside this one; here they are put together.
 */
import { OuroError } from "../base/errors.ts";
import type { BoxIdentity, BoxSecrets, ChunkSizes, Entry, Hash, HashName, NamedCommit } from "../format/mod.ts";
import { CommitReader, type State, TreeReader } from "../history/mod.ts";
import { openPeerIdentity, type SigningKey, verifySignature } from "../peer/mod.ts";
import { Store } from "../store/mod.ts";
import {
  addPicks,
  type CommitReport,
  type CommitRequest,
  commitBox,
  type StatusReport,
  statusOf,
} from "./box-commit.ts";
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
import { type FetchReport, fetchBox, type PullReport, type PushReport, pullBox, pushBox } from "./box-remotes.ts";
import { type RestoreReport, type RestoreRequest, restoreBox } from "./box-restore.ts";
import { checkBox, type Damage, type GcReport, gcBox } from "./box-upkeep.ts";
import type { Change, Path } from "./changes.ts";
import type { AppContext } from "./context.ts";
import { findBox, type Layout } from "./layout.ts";
import { makeBoxFolder, readSecrets } from "./make-box.ts";
import { saveOwnHead } from "./own-head.ts";
import { peerKeyPath } from "./peer-key.ts";
import { openState } from "./recover-state.ts";
import { addRemote, type RemoteRow, remotesOf, removeRemote, renameRemote, setRemoteUrl } from "./remote-list.ts";
import { Settings } from "./settings.ts";
import { setTag, type TagRow, tagsOf, untag } from "./tags.ts";
import { openWriterFile, type WriterFile } from "./writer-file.ts";

export interface InitOptions {
  readonly hash: HashName;
  readonly chunk: ChunkSizes;
  readonly bare: boolean;
  readonly plain: boolean;
}

const boxIdBytes = 16;
const keyBytes = 32;

export class Box implements AsyncDisposable {
  readonly context: AppContext;
  readonly layout: Layout;
  readonly identity: BoxIdentity;
  readonly secrets: BoxSecrets;
  readonly settings: Settings;
  readonly store: Store;
  readonly state: State;
  readonly reader: TreeReader;
  readonly commits: CommitReader;
  #writer: WriterFile | undefined;
  #peer: SigningKey | undefined;

  private constructor(context: AppContext, layout: Layout) {
    this.context = context;
    this.layout = layout;
    const { identity, secrets } = readSecrets(context, layout);
    this.identity = identity;
    this.secrets = secrets;
    this.settings = Settings.load({ disk: context.disk, env: context.env, cwd: layout.top });
    this.store = Store.open({
      directory: layout.box,
      secrets,
      chunk: identity.chunk,
      disk: context.disk,
      random: context.random,
      onNotice: (text) => context.notice(text),
    });
    this.reader = new TreeReader(this.store);
    this.commits = new CommitReader(this.store, {
      hasher: this.store.hasher,
      box: identity.box,
      verify: verifySignature,
    });
    try {
      this.state = openState(context, layout, secrets);
    } catch (thrown) {
      this.store[Symbol.dispose]();
      throw thrown;
    }
  }

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

  async [Symbol.asyncDispose](): Promise<void> {
    this.state[Symbol.dispose]();
    this.store[Symbol.dispose]();
  }

  /** The folder whose states are kept; undefined in a bare box. */
  get root(): string | undefined {
    return this.settings.isOn("box.bare") ? undefined : this.layout.top;
  }

  get branch(): string {
    return this.state.head()?.branch ?? this.writer().branch;
  }

  /** Who this working copy is; made on first use. A copied or restored box gets a new id here. */
  writer(): WriterFile {
    if (this.#writer === undefined) {
      const opened = openWriterFile(this.context, this.layout);
      if (opened.copied)
        this.context.notice("This box has been copied or moved to another disk: it goes on under a new writer id.");
      this.#writer = opened;
    }
    return this.#writer;
  }

  /** After it was noticed that another has this writer id: the next use makes a new one. */
  renewWriter(): void {
    this.context.disk.unlink(this.layout.writer);
    this.#writer = undefined;
  }

  /** This device's signing key; made on first use. */
  peer(): SigningKey {
    this.#peer ??= openPeerIdentity(peerKeyPath(this.context), this.context);
    return this.#peer;
  }

  head(): { readonly commit: Hash } | undefined {
    return this.state.head();
  }

  /** The head with its commit read; undefined before the first. */
  headCommit(): NamedCommit | undefined {
    const head = this.state.head();
    return head === undefined ? undefined : this.commits.read(head.commit);
  }

  commitOf(id: Hash): NamedCommit {
    return this.commits.read(id);
  }

  status(): Promise<StatusReport> {
    return statusOf(this);
  }

  commit(request: CommitRequest): Promise<CommitReport> {
    return commitBox(this, request);
  }

  async add(paths: readonly Path[]): Promise<void> {
    await addPicks(this, paths);
  }

  log(request: LogRequest): Iterable<LogRow> {
    return logBox(this, request);
  }

  /** What changed between two commits, or to the folder. @param a Undefined: everything is new. */
  diff(a: Hash | undefined, b: Hash | "working", paths: readonly Path[]): AsyncIterable<Change> {
    return diffBox(this, a, b, paths);
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

  restore(request: RestoreRequest): Promise<RestoreReport> {
    return restoreBox(this, request);
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

  async addRemote(name: string, url: string): Promise<void> {
    addRemote(this, name, url);
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

  fetch(remote?: string): Promise<FetchReport> {
    return fetchBox(this, remote);
  }

  push(remote?: string): Promise<PushReport> {
    return pushBox(this, remote);
  }

  pull(remote?: string): Promise<PullReport> {
    return pullBox(this, remote);
  }

  check(options: { readonly readData: boolean }): AsyncIterable<Damage> {
    return checkBox(this, options);
  }

  gc(options: { readonly dryRun: boolean }): Promise<GcReport> {
    return gcBox(this, options);
  }

  /** @throws OuroError "usage" in a bare box. */
  requireRoot(what: string): string {
    const { root } = this;
    if (root !== undefined) return root;
    throw new OuroError("usage", `Cannot ${what}: this box has no folder`, {
      hint: "Use `commit --from DIR` and `restore --target DIR` with a bare box.",
    });
  }

  /** Keeps a copy of the head in a file, from which a lost state.sqlite is made again. */
  saveHead(): void {
    saveOwnHead(this);
  }
}
