/**
 * A box that is open: its layout, secrets, settings, store, state and history, and who writes here. What can be done with it is in the files
 * beside this one, put together in box.ts.
 */
import { ioError, isKind, OuroError } from "../base/errors.ts";
import { type BoxIdentity, type BoxSecrets, getHasher, type Hash, type NamedCommit } from "../format/mod.ts";
import { type CommitKeys, CommitReader, readCommit, type State, TreeReader } from "../history/mod.ts";
import { openPeerIdentity, type SigningKey, verifySignature } from "../peer/mod.ts";
import type { IsRight, Store } from "../store/mod.ts";
import { checkKey } from "./check-key.ts";
import type { AppContext } from "./context.ts";
import { findDatabases } from "./databases.ts";
import { branchLayout, type Layout, rootOf } from "./layout.ts";
import { readSecrets } from "./make-box.ts";
import { isOnlyReadable, OpenedDatabases } from "./open-databases.ts";
import { peerKeyPath } from "./peer-key.ts";
import { renewState } from "./recover-state.ts";
import { Settings } from "./settings.ts";
import { defaultBranch, openWriterFile, type WriterFile } from "./writer-file.ts";

export class OpenBox implements AsyncDisposable {
  readonly context: AppContext;
  readonly layout: Layout;
  readonly identity: BoxIdentity;
  readonly secrets: BoxSecrets;
  readonly settings: Settings;
  /** It belongs to another user, or is mounted read-only. */
  readonly isReadOnly: boolean;
  /** Where index.sqlite is. */
  readonly indexFolder: string;
  readonly store: Store;
  readonly reader: TreeReader;
  readonly commits: CommitReader;
  readonly #opened: DisposableStack;
  #state: State;
  #writer: WriterFile | undefined;
  #peer: SigningKey | undefined;

  protected constructor(context: AppContext, layout: Layout) {
    this.context = context;
    const { identity, secrets } = readSecrets(context, layout);
    this.identity = identity;
    this.secrets = secrets;
    this.settings = Settings.load({ disk: context.disk, env: context.env, cwd: layout.top });
    this.isReadOnly = isOnlyReadable(layout);
    const places = findDatabases(context, layout, this);
    this.layout = { ...layout, state: places.state };
    const databases = new OpenedDatabases({
      ...this,
      places,
      isRight: (...object) => isRight(secrets, ...object),
    });
    const opened = new DisposableStack();
    opened.use(databases);
    try {
      this.store = opened.use(databases.openStore());
      this.indexFolder = databases.indexFolder;
      this.reader = new TreeReader(this.store);
      this.commits = new CommitReader(this.store, keysOf(secrets));
      checkKey(context, layout, { secrets, store: this.store });
      this.#state = stateOf(layout, databases.openState());
      opened.defer(() => this.#state[Symbol.dispose]());
      this.#opened = opened;
    } catch (thrown) {
      opened.dispose();
      throw thrown;
    }
  }

  get state(): State {
    return this.#state;
  }

  /** The same box, worked on in the folder of a branch that is not at hand; that folder need not be there yet. @throws OuroError "not-found". */
  openBranch(name: string): OpenBox {
    return new OpenBox(this.context, branchLayout(this.layout, name));
  }

  /** Sets the state aside, and makes another one from the heads' files: nothing else helps. @throws OuroError as `openState`. */
  renewState(): void {
    this.requireWritable();
    this.#state[Symbol.dispose]();
    this.#state = stateOf(this.layout, renewState(this.context, this.layout, this.secrets, "it cannot be mended"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened.dispose();
  }

  /** @throws OuroError "read-only" where this box can only be read. */
  requireWritable(): void {
    if (!this.isReadOnly) return;
    throw new OuroError("read-only", `Cannot write to ${this.layout.box}: it can only be read here`, {
      subject: this.layout.box,
      hint: "It belongs to another user, or is mounted read-only: clone it to work with it.",
    });
  }

  /** The folder whose states are kept; undefined in a bare box, but for the folder of a branch there. */
  get root(): string | undefined {
    return rootOf(this.layout, this.settings);
  }

  get branch(): string {
    return this.state.head()?.branch ?? (this.isReadOnly ? defaultBranch : this.writer().branch);
  }

  /** Who this working copy is; made on first use. A copied or restored box gets a new id here. */
  writer(): WriterFile {
    this.requireWritable();
    if (this.#writer === undefined) {
      const opened = openWriterFile(this.context, this.layout, this.peer().publicKey);
      if (opened.copied)
        this.context.notice(
          "This box has been copied or moved, or this device has a new key: it goes on under a new writer id.",
        );
      this.#writer = opened;
    }
    return this.#writer;
  }

  /** After it was noticed that another has this writer id: the next use makes a new one. */
  renewWriter(): void {
    const { writer } = this.layout;
    try {
      this.context.disk.unlink(writer);
    } catch (thrown) {
      throw ioError(`Cannot remove ${writer}`, thrown, writer);
    }
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

  /** @throws OuroError "usage" in the folder of a branch: that is for the box's own. */
  requireOwnFolder(what: string): void {
    const { branch, top } = this.layout;
    if (branch === undefined) return;
    throw new OuroError("usage", `Cannot ${what} here: this is the branch ${branch}, beside the box's own folder`, {
      subject: branch,
      hint: `Do it in ${top}.`,
    });
  }

  /** @throws OuroError "usage" in a bare box. */
  requireRoot(what: string): string {
    const { root } = this;
    if (root !== undefined) return root;
    throw new OuroError("usage", `Cannot ${what}: this box has no folder`, {
      hint: "Use `commit --from DIR` and `restore --target DIR` with a bare box.",
    });
  }
}

/** As it is for the folder that is worked in. @throws OuroError "not-found" where that is of a branch that there is not. */
function stateOf({ branch, files }: Layout, state: State): State {
  if (branch === undefined) return state;
  const own = state.ofBranch(branch);
  if (own.head() !== undefined) return own;
  state[Symbol.dispose]();
  throw new OuroError(
    "not-found",
    `Cannot work in ${files}: there is no branch ${branch}, or it is at hand in the box's own folder`,
    {
      subject: branch,
      hint: "Run `ourobox branch` in the box's own folder for the list.",
    },
  );
}

function keysOf({ hash, box }: BoxSecrets): CommitKeys {
  return { hasher: getHasher(hash), box, verify: verifySignature };
}

/** Of a commit its name says everything but the signature. */
function isRight(secrets: BoxSecrets, ...[hash, kind, bytes]: Parameters<IsRight>): boolean {
  if (kind !== "commit") return true;
  try {
    readCommit({ getMeta: () => bytes }, hash, keysOf(secrets));
    return true;
  } catch (thrown) {
    if (!isKind(thrown, "corrupt")) throw thrown;
    return false;
  }
}
