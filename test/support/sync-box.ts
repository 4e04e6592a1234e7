/**
 * A box for tests of push and fetch: a real store, a state in memory, and commits of flat folders given as names and contents.
 * Names may hold one "/": "dir/file".
 */
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compareBytes, toHex, toText, utf8 } from "../../src/base/bytes.ts";
import type { Disk } from "../../src/base/disk.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import {
  type BoxIdentity,
  type BoxSecrets,
  buildContent,
  type ContentItem,
  contentItems,
  type DirectoryValue,
  type Dot,
  type Entry,
  type EventName,
  fullVector,
  type Hash,
  kinds,
  rootId,
  wrapKey,
} from "../../src/format/mod.ts";
import {
  CommitReader,
  checkHistory,
  DirectoryBuilder,
  directoryOf,
  makeEventCommit,
  markLive,
  nextEvent,
  putCommit,
  putRoot,
  State,
  TreeReader,
} from "../../src/history/mod.ts";
import { SigningKey, verifySignature } from "../../src/peer/mod.ts";
import type { Remote } from "../../src/remote/mod.ts";
import { type GcResult, type MetaSink, Store } from "../../src/store/mod.ts";
import {
  type FetchOptions,
  type FetchResult,
  fetch,
  initRemote,
  type PushOptions,
  type PushResult,
  push,
} from "../../src/sync/mod.ts";
import { plainDirectory, plainFile } from "./random-trees.ts";

export type Files = Readonly<Record<string, string | Uint8Array>>;

/** Where random bytes come from. */
export type Random = (length: number) => Uint8Array;
export const testPassphrase = "correct horse";
const cheap = { memoryKiB: 64, passes: 1, lanes: 1 };

export function someSecrets(suite: BoxSecrets["suite"] = "aes-256-gcm", random: Random = randomBytes): BoxSecrets {
  const secrets = { box: random(16), suite, hash: "blake3" } as const;
  return suite === "plain" ? secrets : { ...secrets, key: random(32) };
}

const chunk = { min: 256, avg: 1024, max: 4096 };

export interface TestBoxOptions {
  readonly disk?: Disk;
  readonly writer?: bigint;
  /** The box's own folder; a fresh one by default. It is removed with the box either way. */
  readonly folder?: string;
  /** For runs that are to be the same each time. */
  readonly random?: Random;
}

export class TestBox implements Disposable {
  readonly folder: string;
  readonly secrets: BoxSecrets;
  readonly store: Store;
  readonly state: State;
  readonly peer: SigningKey;
  readonly commits: CommitReader;
  writer: bigint;
  readonly #disk: Disk;
  readonly #random: Random;
  #nowMs = 1_700_000_000_000;

  constructor(secrets: BoxSecrets, options: TestBoxOptions = {}) {
    this.folder = options.folder ?? mkdtempSync(join(tmpdir(), "ouro-sync-"));
    this.secrets = secrets;
    this.#disk = options.disk ?? nodeDisk;
    const random = options.random ?? randomBytes;
    this.#random = random;
    this.peer = new SigningKey(random(32));
    mkdirSync(this.folder, { recursive: true });
    this.store = Store.open({ directory: this.folder, secrets, chunk, disk: this.#disk, random });
    this.state = State.open(join(this.folder, "state.sqlite"));
    this.writer = options.writer ?? BigInt(`0x${toHex(random(7))}`) + 1n;
    this.commits = new CommitReader(this.store, {
      hasher: this.store.hasher,
      box: secrets.box,
      verify: verifySignature,
    });
  }

  [Symbol.dispose](): void {
    this.state[Symbol.dispose]();
    this.store[Symbol.dispose]();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async identity(): Promise<BoxIdentity> {
    const { box, hash, suite, key } = this.secrets;
    const identity = { box, hash, suite, chunk };
    if (key === undefined) return identity;
    return { ...identity, keys: [await wrapKey(key, box, testPassphrase, { random: this.#random, cost: cheap })] };
  }

  /** Commits what the folder now holds, all of it, on the box's head. */
  async commit(files: Files, options: { readonly parents?: readonly Hash[] } = {}): Promise<Hash> {
    const own = this.state.head();
    const parents = (options.parents ?? (own === undefined ? [] : [own.commit])).map((id) => this.commits.read(id));
    const [head] = parents;
    this.#nowMs += 1000;
    const event = nextEvent({
      writer: this.writer,
      nowMs: this.#nowMs,
      seen: head === undefined ? [] : fullVector(head),
      ...(own?.last && { last: own.last }),
    });
    const items = await this.#ingest(files);
    const sink = this.store.openMetaWriter();
    const tree = buildTree(sink, event, items);
    const seen = head === undefined ? [] : fullVector(head);
    const made = makeEventCommit(
      {
        ...event,
        box: this.secrets.box,
        tree,
        seen,
        parents: parents.map(({ id }) => id),
        ...(own?.last && { previous: own.last }),
        peer: this.peer.publicKey,
        timeMs: this.#nowMs,
        flags: 0,
        author: "test",
        message: "",
      },
      { hasher: this.store.hasher, sign: (message) => this.peer.sign(message) },
    );
    putCommit(sink, made);
    sink.finish();
    this.state.setHead({
      writer: this.writer,
      branch: "main",
      commit: made.id,
      last: { clock: event.clock, id: made.id },
    });
    this.store.endWriting();
    return made.id;
  }

  async #ingest(files: Files): Promise<Map<string, ContentItem[]>> {
    const folder = mkdtempSync(join(tmpdir(), "ouro-files-"));
    try {
      const names = Object.keys(files);
      const batch = names.map((name, index) => {
        const path = join(folder, `${index}`);
        const bytes = files[name] ?? "";
        writeFileSync(path, bytes);
        return { path: utf8(path), size: bytes.length, blocks: 8 };
      });
      const ingest = this.store.openIngest({ workers: 0 });
      const results = await ingest.ingest(batch);
      await ingest.finish();
      return new Map(
        results.map((result, index) => {
          if ("error" in result) throw result.error;
          return [names[index] ?? "", [...result.items]];
        }),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** The files of a commit, read back through the store. */
  files(commit: Hash | undefined = this.state.head()?.commit): Record<string, string> {
    if (commit === undefined) return {};
    const trees = new TreeReader(this.store);
    const files: Record<string, string> = {};
    const read = (directory: DirectoryValue | undefined, prefix: string): void => {
      if (directory === undefined) return;
      for (const entry of trees.entries(directory)) {
        const { value } = entry.data[0];
        const name = `${prefix}${toText(entry.name)}`;
        if (value.kind === kinds.directory) read(value, `${name}/`);
        if (value.kind !== kinds.file) continue;
        const parts = [...contentItems(value.content, (hash) => this.store.getMeta(hash, "list"))];
        files[name] = parts
          .map((item) => (item.form === "chunk" ? toText(this.store.getChunk(item.hash, item.length)) : ""))
          .join("");
      }
    };
    read(directoryOf(trees.root(this.commits.read(commit).commit.tree)), "");
    return files;
  }

  /** Moves the head to a commit that was fetched. */
  adopt(commit: Hash): void {
    const last = this.state.head()?.last;
    this.state.setHead({ writer: this.writer, branch: "main", commit, ...(last && { last }) });
  }

  /** What is missing or damaged of all that the head and the heads of remotes need. */
  damage(): string[] {
    const roots = this.#roots();
    const hasChunk = (hash: Hash): boolean => this.store.hasChunk(hash);
    return [...checkHistory(this.commits, roots, { hasChunk })].flatMap((damage) => damage?.error.message ?? []);
  }

  #roots(): Hash[] {
    const own = this.state.head();
    return [...(own === undefined ? [] : [own.commit]), ...this.state.remoteHeads().map(({ commit }) => commit)];
  }

  gc(): Promise<GcResult> {
    let live = markLive(this.commits, this.#roots());
    return this.store.gc({
      isLiveMeta: (hash) => live.meta.has(hash),
      isLiveChunk: (hash) => live.chunks.has(hash),
      remark: () => {
        live = markLive(this.commits, this.#roots());
      },
    });
  }

  pushOptions(remote: Remote): PushOptions {
    const { secrets, store, state } = this;
    return {
      remote,
      remoteName: "origin",
      secrets,
      store,
      state,
      disk: this.#disk,
      random: this.#random,
      verify: verifySignature,
      sign: (message) => this.peer.sign(message),
      peer: this.peer.publicKey,
      peerName: "test",
      transfers: 2,
    };
  }

  init(remote: Remote): Promise<unknown> {
    return initRemote(remote, this.secrets, () => this.identity());
  }

  async push(remote: Remote, options: Partial<PushOptions> = {}): Promise<PushResult> {
    return push({ ...this.pushOptions(remote), ...options });
  }

  async fetch(remote: Remote, options: Partial<FetchOptions> = {}): Promise<FetchResult> {
    const result = await fetch({ ...this.pushOptions(remote), ...options });
    this.store.endWriting();
    return result;
  }
}

function buildTree(sink: MetaSink, event: EventName, items: ReadonlyMap<string, readonly ContentItem[]>): Hash {
  let counter = 0;
  const birth = (): Dot => {
    counter += 1;
    return { ...event, counter };
  };
  const folders = new Map<string, string[]>();
  for (const name of items.keys()) {
    const at = name.indexOf("/");
    const folder = at < 0 ? "" : name.slice(0, at);
    folders.set(folder, [...(folders.get(folder) ?? []), name]);
  }
  const fileEntry = (name: string): Entry => {
    const plain = plainFile(utf8(name.slice(name.indexOf("/") + 1)), birth());
    const content = buildContent(items.get(name) ?? [], (bytes) => sink.put("list", bytes));
    return { ...plain, data: [{ dot: plain.id, value: { kind: kinds.file, content } }] };
  };
  const build = (entries: Entry[]): DirectoryValue => {
    const builder = new DirectoryBuilder(sink);
    for (const entry of entries.sort((a, b) => compareBytes(a.name, b.name))) builder.add(entry);
    return builder.finish();
  };
  const top = (folders.get("") ?? []).map(fileEntry);
  for (const [folder, names] of folders) {
    if (folder !== "") top.push(plainDirectory(utf8(folder), birth(), build(names.map(fileEntry))));
  }
  const root = plainDirectory(new Uint8Array(), rootId, build(top));
  return putRoot(sink, { ...root, metaDot: birth(), mtimeDot: birth() });
}
