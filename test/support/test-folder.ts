/** A folder with a box beside it, for tests: real files, a real store, the state in memory, commits and checkouts without the app around. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { toText } from "../../src/base/bytes.ts";
import type { Entry, EventName, Hash } from "../../src/format/mod.ts";
import { directoryOf, PathFilter, State, TreeReader, walkEntries } from "../../src/history/mod.ts";
import type { Store } from "../../src/store/mod.ts";
import {
  type CheckoutReport,
  type CommittedFolder,
  checkout,
  commitFolder,
  type FolderContext,
  type FolderStatus,
  inlinePool,
  isSeenTwice,
  posixWriter,
  saveObservations,
  statusFolder,
} from "../../src/workdir/mod.ts";
import { smallSpill } from "./small-spill.ts";
import { TestBox } from "./test-box.ts";

export interface TestFolderOptions {
  readonly isRoot?: boolean;
  readonly keepsOwner?: boolean;
  /** Real time, unless files are to be unsure. */
  readonly nowMs?: () => number;
}

/** Another folder of the same tree. */
export interface Elsewhere {
  readonly path: string;
  readonly state: State;
}

export class TestFolder implements Disposable {
  readonly box: TestBox = new TestBox();
  readonly store: Store;
  readonly state: State = State.open(":memory:");
  /** Everything of this test. */
  readonly place: string;
  /** The folder that is versioned. */
  readonly path: string;
  tree: Hash | undefined;
  /** Called before files are read for a commit. */
  beforeReading: (() => void) | undefined;
  readonly warnings: string[] = [];
  readonly #options: TestFolderOptions;
  #clock = 1n;

  constructor(options: TestFolderOptions = {}) {
    this.#options = options;
    this.store = this.box.open();
    this.place = mkdtempSync(join(tmpdir(), "ourobox-folder-"));
    this.path = join(this.place, "folder");
    mkdirSync(this.path);
  }

  get reader(): TreeReader {
    return new TreeReader(this.store);
  }

  get root(): Entry | undefined {
    return this.tree === undefined ? undefined : this.reader.root(this.tree);
  }

  #context(paths?: readonly string[], other: Elsewhere = this): FolderContext {
    const nowMs = this.#options.nowMs ?? ((): number => Date.now() + 1000);
    return {
      path: other.path,
      rows: other.state,
      reader: this.reader,
      tree: this.root,
      clock: { nowMs },
      keepsOwner: this.#options.keepsOwner ?? true,
      isRoot: this.#options.isRoot ?? true,
      warn: (message) => this.warnings.push(message),
      ...(paths === undefined ? {} : { filter: new PathFilter(paths.map((path) => Buffer.from(path))) }),
    };
  }

  async commit(paths?: readonly string[]): Promise<CommittedFolder> {
    for (;;) {
      const committed = await this.#tryCommit(paths);
      if (committed !== undefined) return committed;
    }
  }

  /** @returns Undefined when it has a node twice. */
  async #tryCommit(paths?: readonly string[]): Promise<CommittedFolder | undefined> {
    await using ingest = this.store.openIngest({ workers: 0 });
    using sink = this.store.openMetaWriter();
    const event: EventName = { clock: this.#clock++, writer: 7n };
    const read: Pick<typeof ingest, "ingest" | "whenRoom"> = {
      ingest: (...files) => {
        this.beforeReading?.();
        return ingest.ingest(...files);
      },
      whenRoom: () => ingest.whenRoom(),
    };
    using rowsAside = smallSpill();
    const result = await commitFolder({ ...this.#context(paths), ingest: read, sink, event, rowsAside });
    await ingest.finish();
    sink.finish();
    if (result.tree !== undefined && isSeenTwice(this.reader, result.tree, result.moved)) return undefined;
    result.saveRows(this.state);
    if (result.tree !== undefined) this.tree = result.tree;
    this.store.endWriting();
    return result;
  }

  async status(paths?: readonly string[], other?: Elsewhere): Promise<FolderStatus> {
    await using ingest = this.store.openIngest({ workers: 0, hashOnly: true });
    return await statusFolder({
      ...this.#context(paths, other),
      ingest,
      hash: (bytes) => this.store.hasher.hash(bytes),
    });
  }

  /** The status as lines: "change a (content mtime)". @param other Another folder than this one, with its own rows. */
  async statusLines(paths?: readonly string[], other?: Elsewhere): Promise<string[]> {
    const { changes } = await this.status(paths, other);
    return changes.map(({ type, path, oldPath, what }) => {
      const from = oldPath === undefined ? "" : ` from ${toText(oldPath)}`;
      const differences = what.size === 0 ? "" : ` (${[...what].sort().join(" ")})`;
      return `${type} ${toText(path)}${from}${differences}`;
    });
  }

  /** Makes another folder what a tree says. */
  async checkout(
    target: string,
    to: Hash,
    options: { readonly from?: Hash; readonly state?: State } = {},
  ): Promise<CheckoutReport> {
    mkdirSync(target, { recursive: true });
    const root = posixWriter.openRoot(target);
    mkdirSync(join(this.place, "moving"), { recursive: true });
    const moving = posixWriter.openRoot(join(this.place, "moving"));
    try {
      const setsOwner = this.#options.keepsOwner ?? true;
      const live = options.from === undefined ? {} : { moving };
      const place = { writer: posixWriter, root, label: "0123456789ab", setsOwner, ...live };
      using rowsAside = smallSpill();
      const report = await checkout({
        reader: this.reader,
        place,
        pool: inlinePool(place, this.store),
        from: options.from,
        to,
        rowsAside,
        warn: (message) => this.warnings.push(message),
      });
      if (options.state !== undefined) {
        saveObservations(options.state, report, { nowMs: Date.now() + 1000 });
      }
      return report;
    } finally {
      posixWriter.close(root);
      posixWriter.close(moving);
    }
  }

  /** Every entry of the tree by its path. */
  entries(): Map<string, Entry> {
    const { root } = this;
    const found = new Map<string, Entry>();
    if (root === undefined) return found;
    found.set("", root);
    const top = directoryOf(root);
    if (top === undefined) return found;
    for (const { path, entry } of walkEntries(this.reader, top, new Uint8Array())) {
      found.set(Buffer.from(path).toString("latin1"), entry);
    }
    return found;
  }

  entry(path: string): Entry {
    const entry = this.entries().get(path);
    if (entry === undefined) throw new Error(`the tree has no ${path}`);
    return entry;
  }

  [Symbol.dispose](): void {
    this.state[Symbol.dispose]();
    this.box[Symbol.dispose]();
    // Directories may be without the permissions to empty them.
    execFileSync("chmod", ["-R", "u+rwX", this.place], { stdio: "ignore" });
    rmSync(this.place, { recursive: true, force: true });
  }
}
