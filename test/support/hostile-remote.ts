/**
 * A directory remote that somebody made by hand, to do harm: every hash and signature is right, and what they stand for is what no box would
 * write. Nodes, packs and index files are made without the checks that ours make.
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AppContext, type CloneReport, cloneBox, silentProgress } from "../../src/app/mod.ts";
import { ByteWriter, toHex, utf8 } from "../../src/base/bytes.ts";
import { clockMax } from "../../src/base/clock.ts";
import { isKind, type OuroError } from "../../src/base/errors.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { collectEntryEvents, writeEntry } from "../../src/format/entry-codec.ts";
import { EventCollector } from "../../src/format/event-table.ts";
import {
  type BoxIdentity,
  type BoxSecrets,
  type Content,
  type DatedValue,
  type Dot,
  type Entry,
  emptySummary,
  encodeHead,
  encodeIdentity,
  encodeIndexFile,
  encodePackTrailer,
  encodeRootNode,
  type FrameMethod,
  fullVector,
  getHasher,
  type Hash,
  type Head,
  kinds,
  type MetaKind,
  type NamedCommit,
  type PackClass,
  PackDirectoryWriter,
  type PackInfo,
  packClassCodes,
  type Reference,
  rootId,
  Seal,
  type Summary,
  sealBlob,
  summarizeEntries,
  type TreeNode,
  type Value,
  writerHex,
} from "../../src/format/mod.ts";
import { collectSummaryEvents, writeSummary } from "../../src/format/summary-codec.ts";
import { type EventDraft, makeEventCommit } from "../../src/history/mod.ts";
import { SigningKey } from "../../src/peer/mod.ts";

const hasher = getHasher("blake3");
const noRandom = (length: number): Uint8Array => new Uint8Array(length);

interface PackedObject {
  readonly hash: Hash;
  readonly bytes: Uint8Array;
  readonly kind?: MetaKind;
}

/** A frame as it stands in a pack; what it says of itself need not be true. */
export interface HostileFrame {
  readonly method: FrameMethod;
  readonly payload: Uint8Array;
  readonly decoded: number;
  readonly objects: readonly { readonly hash: Hash; readonly length: number; readonly kind?: MetaKind }[];
}

export interface Cloned {
  readonly report?: CloneReport;
  readonly error?: OuroError;
  readonly warnings: readonly string[];
}

export class HostileRemote implements Disposable {
  /** Holds `remote`, `outside` (which nothing may touch) and what is cloned. */
  readonly top: string = mkdtempSync(join(tmpdir(), "ourobox-hostile-"));
  readonly secrets: BoxSecrets;
  readonly peer: SigningKey = new SigningKey(new Uint8Array(32).fill(0x66));
  readonly writer = 0x6666n;
  readonly packs: PackInfo[] = [];
  #metas: PackedObject[] = [];
  #chunks: PackedObject[] = [];
  #clock = 1n << 40n;
  #counter = 0;
  #last: NamedCommit | undefined;

  constructor() {
    this.secrets = { box: utf8("hostile box 0123"), suite: "plain", hash: "blake3" };
    for (const name of ["remote", "remote/packs", "remote/index", "remote/heads", "outside", "config"])
      mkdirSync(join(this.top, name));
    writeFileSync(join(this.top, "outside/canary"), "untouched");
    this.writeConfig();
  }

  [Symbol.dispose](): void {
    // Node's own rm recurses: too deep for what some of these tests make.
    rmSync(this.top, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.top, name);
  }

  writeConfig(change: Partial<BoxIdentity> = {}): void {
    const { box, suite, hash } = this.secrets;
    const identity: BoxIdentity = { box, suite, hash, chunk: { min: 256, avg: 1024, max: 4096 }, ...change };
    writeFileSync(this.path("remote/config"), encodeIdentity(identity));
  }

  /** A node id that was not given before. */
  dot(): Dot {
    this.#counter += 1;
    return { clock: this.#clock, writer: this.writer, counter: this.#counter };
  }

  meta(kind: MetaKind, bytes: Uint8Array, id?: Hash): Hash {
    const hash = id ?? hasher.hash(bytes);
    this.#metas.push({ hash, bytes: Uint8Array.from(bytes), kind });
    return hash;
  }

  chunk(bytes: Uint8Array): Hash {
    const hash = hasher.hash(bytes);
    if (!this.#chunks.some((each) => Buffer.compare(each.hash, hash) === 0)) this.#chunks.push({ hash, bytes });
    return hash;
  }

  entry(name: string | Uint8Array, value: Value, change: Partial<Entry> = {}): Entry {
    const id = this.dot();
    const data: [DatedValue] = [{ dot: id, value }];
    return {
      name: typeof name === "string" ? utf8(name) : name,
      kind: value.kind,
      id,
      placeDot: id,
      metaDot: id,
      mtimeDot: id,
      meta: { mode: value.kind === kinds.directory ? 0o755 : 0o644, uid: 0, gid: 0, atomic: false },
      mtimeNs: 1_700_000_000_000_000_000n,
      data,
      ...change,
    };
  }

  file(name: string | Uint8Array, text: string): Entry {
    const bytes = utf8(text);
    const hash = this.chunk(bytes);
    const content: Content = { size: bytes.length, items: [{ form: "chunk", hash, length: bytes.length }] };
    return this.entry(name, { kind: kinds.file, content });
  }

  content(name: string, content: Content): Entry {
    return this.entry(name, { kind: kinds.file, content });
  }

  symlink(name: string, target: string): Entry {
    return this.entry(name, { kind: kinds.symlink, target: utf8(target) });
  }

  /** A directory of one node with these entries, as they are and in this order. */
  directory(name: string | Uint8Array, entries: readonly Entry[]): Entry {
    return this.directoryOf(name, entries.length === 0 ? undefined : this.leaf(entries), summarizeEntries(entries));
  }

  directoryOf(name: string | Uint8Array, top: Hash | undefined, summary: Summary): Entry {
    if (top === undefined) return this.entry(name, { kind: kinds.directory, summary: emptySummary });
    return this.entry(name, { kind: kinds.directory, top, summary });
  }

  leaf(entries: readonly Entry[]): Hash {
    return this.meta("tree", encodeUnchecked({ level: 0, entries }));
  }

  inner(level: number, references: readonly Reference[]): Hash {
    return this.meta("tree", encodeUnchecked({ level, references }));
  }

  /** A root with these entries. @param top Instead: any node. */
  root(entries: readonly Entry[], top?: { readonly hash: Hash; readonly summary: Summary }): Hash {
    const summary = top?.summary ?? summarizeEntries(entries);
    const hash = top?.hash ?? (entries.length === 0 ? undefined : this.leaf(entries));
    const value: Value =
      hash === undefined ? { kind: kinds.directory, summary } : { kind: kinds.directory, top: hash, summary };
    const root = this.entry("", value, { id: rootId, placeDot: rootId });
    return this.meta("tree", encodeRootNode({ ...root, data: [{ dot: rootId, value }] }));
  }

  /** A commit on the last one. @param change What it says that is not so. */
  commit(
    tree: Hash,
    change: Partial<EventDraft> = {},
    sign: (message: Uint8Array) => Uint8Array = (message) => this.peer.sign(message),
  ): Hash {
    const last = this.#last;
    const made = makeEventCommit(
      {
        box: this.secrets.box,
        tree,
        parents: last === undefined ? [] : [last.id],
        clock: this.#clock,
        writer: this.writer,
        ...(last === undefined || last.commit.type !== "event"
          ? {}
          : { previous: { clock: last.commit.clock, id: last.id } }),
        peer: this.peer.publicKey,
        timeMs: 0,
        flags: 0,
        author: "mallory",
        message: "",
        seen: last === undefined ? [] : fullVector(last),
        ...change,
      },
      { hasher, sign },
    );
    this.meta("commit", made.stored, made.id);
    this.#last = made;
    this.#clock += 1n << 20n;
    this.#counter = 0;
    return made.id;
  }

  /** Writes all objects in one pack of each class. */
  writePacks(): void {
    if (this.#metas.length > 0) this.pack("meta", rawFrames(this.#metas));
    if (this.#chunks.length > 0) this.pack("content", rawFrames(this.#chunks));
    this.#metas = [];
    this.#chunks = [];
  }

  /** A pack under the name that its bytes have. @param options.size What the index says of it. */
  pack(
    packClass: PackClass,
    frames: readonly HostileFrame[],
    options: { readonly directory?: Uint8Array; readonly after?: Uint8Array; readonly size?: number } = {},
  ): Hash {
    const seal = Seal.create(this.secrets, "pack", packClassCodes[packClass], noRandom);
    const directory = new PackDirectoryWriter(packClass);
    for (const { payload, method, decoded, objects } of frames) {
      directory.addFrame(payload.length, method, decoded, objects.length);
      for (const { hash, length, kind } of objects) directory.addObject(hash, length, kind);
    }
    const body = frames.map(({ payload }) => payload);
    const list = options.directory ?? directory.finish();
    const offset = seal.header.length + body.reduce((sum, { length }) => sum + length, 0);
    const trailer = encodePackTrailer({ offset, length: list.length });
    const bytes = Buffer.concat([seal.header, ...body, list, trailer, options.after ?? new Uint8Array()]);
    const name = hasher.hash(bytes);
    writeFileSync(this.path(`remote/packs/${toHex(name)}`), bytes);
    const objects = Math.max(
      1,
      frames.reduce((sum, each) => sum + each.objects.length, 0),
    );
    this.packs.push({
      name,
      class: packClass,
      size: options.size ?? bytes.length,
      directorySize: list.length,
      objects,
    });
    return name;
  }

  writeIndex(packs: readonly PackInfo[] = this.packs): void {
    const sorted = [...packs].sort((a, b) => Buffer.compare(a.name, b.name));
    this.writeBlob("index", encodeIndexFile({ packs: sorted, replaces: [] }));
  }

  writeBlob(kind: "index", payload: Uint8Array): void {
    const bytes = sealBlob(this.secrets, kind, payload, noRandom);
    writeFileSync(this.path(`remote/index/${toHex(hasher.hash(bytes))}`), bytes);
  }

  writeHead(commit: Hash, change: Partial<Head> = {}, signer: SigningKey = this.peer): void {
    const last = this.#last;
    const head: Head = {
      writer: this.writer,
      branch: "main",
      commit,
      ...(last?.commit.type === "event" ? { last: { clock: last.commit.clock, id: last.id } } : {}),
      peer: signer.publicKey,
      peerName: "mallory",
      tags: [],
      ...change,
    };
    this.#writeHead(head, signer);
  }

  #writeHead(head: Head, signer: SigningKey): void {
    const payload = encodeHead(head, this.secrets.box, (message) => signer.sign(message));
    writeFileSync(
      this.path(`remote/heads/${writerHex(this.writer)}`),
      sealBlob(this.secrets, "head", payload, noRandom),
    );
  }

  /** A head that says that its writer has written nothing. */
  writeHeadOnly(commit: Hash): void {
    const head: Head = {
      writer: this.writer,
      branch: "main",
      commit,
      peer: this.peer.publicKey,
      peerName: "mallory",
      tags: [],
    };
    this.#writeHead(head, this.peer);
  }

  /** The next commit is dated with the last clock that there is. */
  atTheEndOfTime(): void {
    this.#clock = clockMax;
  }

  /** A remote whose head is a commit of this tree. @returns The commit. */
  publish(tree: Hash, change: Partial<EventDraft> = {}): Hash {
    const commit = this.commit(tree, change);
    this.writePacks();
    this.writeIndex();
    this.writeHead(commit);
    return commit;
  }

  context(warnings: string[] = [], change: Partial<AppContext> = {}): AppContext {
    return {
      cwd: this.top,
      env: { XDG_CONFIG_HOME: this.path("config") },
      clock: { nowMs: () => Date.now() },
      random: (length) => crypto.getRandomValues(new Uint8Array(length)),
      disk: nodeDisk,
      workers: 0,
      signal: AbortSignal.timeout(60_000),
      progress: silentProgress,
      warn: (message) => void warnings.push(message),
      notice: () => {},
      askPassphrase: async () => "",
      ...change,
    };
  }

  /** @throws Whatever is no error of ours; and AssertionError when something outside of the target was touched. */
  async clone(target = "target"): Promise<Cloned> {
    const warnings: string[] = [];
    try {
      const report = await cloneBox(this.path("remote"), this.path(target), { bare: false }, this.context(warnings));
      return { report, warnings };
    } catch (thrown) {
      if (!isKind(thrown)) throw thrown;
      return { error: thrown, warnings };
    } finally {
      this.requireContained();
    }
  }

  /** Nothing outside of the folders of ours has been touched. */
  requireContained(): void {
    assert.deepEqual(readdirSync(this.path("outside")), ["canary"]);
    assert.equal(readFileSync(this.path("outside/canary"), "utf8"), "untouched");
    const others = readdirSync(this.top).filter((name) => !["config", "outside", "remote"].includes(name));
    assert(
      others.every((name) => /^target/.test(name)),
      `${others}`,
    );
  }

  /** Is refused: no head is taken in, nothing is written out, and somebody is told why. */
  async requireRefused(pattern: RegExp, target = "target"): Promise<void> {
    const { error, report, warnings } = await this.clone(target);
    assert(error !== undefined, `it was taken: ${JSON.stringify(report)}`);
    assert.match([error.message, ...warnings].join("\n"), pattern);
    assert(error.hint !== undefined || warnings.length > 0, error.message);
    assert.deepEqual(
      readdirSync(this.top).includes(target)
        ? readdirSync(this.path(target)).filter((name) => name !== ".ourobox")
        : [],
      [],
    );
  }
}

/** As `encodeTreeNode`, but for all checks of names and order. */
export function encodeUnchecked(node: TreeNode): Uint8Array {
  const events = new EventCollector();
  if ("entries" in node) for (const entry of node.entries) collectEntryEvents(events, entry);
  else for (const { summary } of node.references) collectSummaryEvents(events, summary);
  const writer = new ByteWriter(8192).u8(1).u8(node.level);
  events.write(writer);
  if ("entries" in node) {
    writer.varint(node.entries.length);
    for (const entry of node.entries) writeEntry(writer, events, entry);
  } else {
    writer.varint(node.references.length);
    for (const { last, hash, summary } of node.references) {
      writer.u8(last.length).bytes(last).bytes(hash);
      writeSummary(writer, events, summary);
    }
  }
  return writer.finish();
}

/** Objects as they are, some in each frame. */
export function rawFrames(objects: readonly PackedObject[]): HostileFrame[] {
  const frames: HostileFrame[] = [];
  for (let at = 0; at < objects.length; ) {
    const group: PackedObject[] = [];
    for (let bytes = 0; at < objects.length && group.length < 1000 && bytes < 1_000_000; at += 1) {
      const object = objects[at] as PackedObject;
      group.push(object);
      bytes += object.bytes.length;
    }
    const payload = Buffer.concat(group.map(({ bytes }) => bytes));
    frames.push({
      method: 0,
      payload,
      decoded: payload.length,
      objects: group.map(({ hash, bytes, kind }) => ({
        hash,
        length: bytes.length,
        ...(kind === undefined ? {} : { kind }),
      })),
    });
  }
  return frames;
}
