/**
 * Walking all objects of a history: what is alive for the garbage collector, and whether everything that is referred to is
 * there and right for the check.
 *
 * Each object is read once, whatever refers to it; what is remembered of it is an entry of a compact set. Chunks are not read.
 */
import { equalBytes, toHex, toText } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { Turns } from "../base/turns.ts";
import {
  type Content,
  type ContentItem,
  type DirectoryValue,
  decodeListNode,
  decodeTreeNode,
  decodeXattrs,
  type Entry,
  type Hash,
  kinds,
  type Reference,
  type Summary,
  summarizeEntries,
  summarizeReferences,
  type TreeNode,
} from "../format/mod.ts";
import type { MetaKind, MetaSource } from "../store/mod.ts";
import type { CommitReader } from "./commits.ts";
import { HashSet } from "./hash-set.ts";
import type { IsForgotten } from "./kept-parents.ts";
import { joinPath } from "./paths.ts";
import { lastName, TreeReader } from "./tree-reader.ts";

/** What a history refers to. */
export interface LiveObjects {
  /** Commits, tree nodes, list nodes, attribute blocks. */
  readonly meta: HashSet;
  readonly chunks: HashSet;
}

/** Something that a history refers to and that is not there or not right. */
export interface HistoryDamage {
  readonly kind: MetaKind | "chunk";
  readonly object: Hash;
  /** A commit that needs it. */
  readonly commit: Hash;
  /** Where in that commit's tree; absent for a commit. */
  readonly path?: Uint8Array;
  readonly error: OuroError;
}

export interface ObjectWalkOptions {
  /** Whether a chunk is where it should be. Absent: not asked. */
  readonly hasChunk?: (hash: Hash, length: number) => boolean;
  /** Told now and then how many objects have been walked. */
  readonly onProgress?: (objects: number) => void;
  /** Parents that are not there are where history was trimmed, not damage. */
  readonly isTrimmed?: boolean;
  /** Commits whose trees are not wanted any more: the commits are, and what was before them. */
  readonly isForgotten?: IsForgotten;
}

/** After so many objects others have a turn, and who wants to know is told. */
const progressEvery = 1000;

/**
 * Everything that these commits and all before them refer to. Does not end its turn: where others may not be let in between.
 * @throws OuroError "corrupt" at the first damage: what is below a node that can not be read may be alive, too.
 */
export function markLive(commits: CommitReader, roots: readonly Hash[], options: ObjectWalkOptions = {}): LiveObjects {
  const walk = new ObjectWalk(commits, options);
  for (const damage of walk.run(roots)) if (damage !== undefined) throw unmarkable(damage);
  return walk.live;
}

/** As `markLive`, in many turns. @throws As `markLive`, and the signal's reason when it was aborted. */
export async function markLiveInTurns(
  commits: CommitReader,
  roots: readonly Hash[],
  options: ObjectWalkOptions & { readonly signal?: AbortSignal } = {},
): Promise<LiveObjects> {
  const walk = new ObjectWalk(commits, options);
  const turns = new Turns(options.signal);
  for (const damage of walk.run(roots)) {
    if (damage !== undefined) throw unmarkable(damage);
    await turns.end();
  }
  return walk.live;
}

function unmarkable({ error, kind, object }: HistoryDamage): OuroError {
  return new OuroError("corrupt", `Cannot tell what is needed: ${kind} ${toHex(object)}: ${error.message}`, {
    hint: "Run `ourobox check` to see what is damaged, and `ourobox fetch` to bring what a remote has.",
    cause: error,
  });
}

/**
 * Reads all that these commits and all before them are made of, but for chunks.
 * @returns The damage as it is found; undefined every thousand objects, for others to have a turn.
 */
export function* checkHistory(
  commits: CommitReader,
  roots: readonly Hash[],
  options: ObjectWalkOptions = {},
): Generator<HistoryDamage | undefined> {
  yield* new ObjectWalk(commits, options).run(roots);
}

/** What a node must be, by what refers to it. */
interface Expected {
  readonly summary: Summary;
  /** Absent for a top node. */
  readonly reference?: { readonly level: number; readonly last: Uint8Array };
}

type Work =
  | { readonly kind: "tree"; readonly hash: Hash; readonly path: Uint8Array; readonly expected: Expected }
  | {
      readonly kind: "list";
      readonly hash: Hash;
      readonly path: Uint8Array;
      readonly level: number;
      readonly length: number;
    }
  | { readonly kind: "xattrs"; readonly hash: Hash; readonly path: Uint8Array; readonly size: number };

class ObjectWalk {
  readonly live: LiveObjects = { meta: new HashSet(), chunks: new HashSet() };
  readonly #commits: CommitReader;
  readonly #source: MetaSource;
  readonly #options: ObjectWalkOptions;
  readonly #work: Work[] = [];
  #found: HistoryDamage[] = [];
  #commit: Hash = new Uint8Array(32);
  #count = 0;
  #turnEnds = progressEvery;

  constructor(commits: CommitReader, options: ObjectWalkOptions) {
    this.#commits = commits;
    this.#source = commits.source;
    this.#options = options;
  }

  /** Undefined now and then: a good moment for others to have a turn. */
  *run(roots: readonly Hash[]): Generator<HistoryDamage | undefined> {
    const rootSet = new HashSet();
    for (const root of roots) rootSet.add(root);
    const waiting = [...roots];
    for (let id = waiting.pop(); id !== undefined; id = waiting.pop()) {
      if (!this.#visit(id)) continue;
      this.#commit = id;
      this.#readCommit(id, waiting, rootSet.has(id));
      for (let work = this.#work.pop(); work !== undefined; work = this.#work.pop()) {
        this.#guard(work, () => this.#read(work));
        if (this.#found.length > 0) yield* this.#take();
        if (this.#isTurnOver()) yield undefined;
      }
      if (this.#found.length > 0) yield* this.#take();
      if (this.#isTurnOver()) yield undefined;
    }
  }

  #isTurnOver(): boolean {
    if (this.#count < this.#turnEnds) return false;
    this.#turnEnds = this.#count + progressEvery;
    return true;
  }

  #take(): HistoryDamage[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }

  /** Whether an object is seen for the first time. */
  #visit(hash: Hash): boolean {
    if (!this.live.meta.add(hash)) return false;
    this.#count += 1;
    if (this.#count % progressEvery === 0) this.#options.onProgress?.(this.#count);
    return true;
  }

  #guard(at: { readonly kind: MetaKind; readonly hash: Hash; readonly path?: Uint8Array }, body: () => void): void {
    try {
      body();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#add(at.kind, at.hash, at.path, error);
    }
  }

  #add(kind: HistoryDamage["kind"], object: Hash, path: Uint8Array | undefined, error: OuroError): void {
    this.#found.push({ kind, object, commit: this.#commit, error, ...(path === undefined ? {} : { path }) });
  }

  #readCommit(id: Hash, waiting: Hash[], isRoot: boolean): void {
    try {
      const named = this.#commits.read(id);
      const { commit } = named;
      waiting.push(...commit.parents);
      if (this.#options.isForgotten?.(named) === true) return;
      if (this.#visit(commit.tree))
        this.#guard({ kind: "tree", hash: commit.tree, path: new Uint8Array() }, () => this.#readRoot(commit.tree));
    } catch (error) {
      if (!isDamage(error)) throw error;
      const isTrimmed = this.#options.isTrimmed === true && !isRoot && isKind(error, "not-found");
      if (!isTrimmed) this.#add("commit", id, undefined, error);
    }
  }

  #readRoot(tree: Hash): void {
    this.#addEntry(new TreeReader(this.#source).root(tree), new Uint8Array());
  }

  #read(work: Work): void {
    const { kind, hash, path } = work;
    const bytes = this.#source.getMeta(hash, kind);
    if (work.kind === "tree") this.#readNode(decodeTreeNode(bytes, `tree node ${toHex(hash)}`), work.expected, path);
    else if (work.kind === "list") this.#readList(bytes, work);
    else if (bytes.length !== work.size) throw corrupt("the block has not the size that the entry says");
    else decodeXattrs(bytes, `attributes ${toHex(hash)}`);
  }

  #readNode(node: TreeNode, { summary, reference }: Expected, path: Uint8Array): void {
    const isTop = reference === undefined;
    if (!isTop && (node.level !== reference.level || !equalBytes(lastName(node), reference.last))) {
      throw corrupt("the node is not what its reference says");
    }
    if ("references" in node) {
      if (isTop && node.references.length < 2) throw corrupt("a top node has one reference only");
      requireSummary(summary, summarizeReferences(node.references));
      for (const each of node.references) this.#addReference(each, node.level, path);
      return;
    }
    requireSummary(summary, summarizeEntries(node.entries));
    for (const entry of node.entries) this.#addEntry(entry, path);
  }

  #addReference({ hash, last, summary }: Reference, level: number, path: Uint8Array): void {
    if (this.#visit(hash))
      this.#work.push({ kind: "tree", hash, path, expected: { summary, reference: { level: level - 1, last } } });
  }

  #addEntry(entry: Entry, parent: Uint8Array): void {
    const { xattrs } = entry.meta;
    // Most entries are plain files, which need no path unless they are damaged.
    if (xattrs?.form === "block" && this.#visit(xattrs.hash)) {
      this.#work.push({ kind: "xattrs", hash: xattrs.hash, size: xattrs.size, path: joinPath(parent, entry.name) });
    }
    for (const { value } of entry.data) {
      if (value.kind === kinds.directory) this.#addDirectory(value, joinPath(parent, entry.name));
      else if (value.kind === kinds.file) this.#addContent(value.content, parent, entry.name);
    }
  }

  #addDirectory({ top, summary }: DirectoryValue, path: Uint8Array): void {
    if (top !== undefined && this.#visit(top))
      this.#work.push({ kind: "tree", hash: top, path, expected: { summary } });
  }

  #addContent({ size, items, list }: Content, parent: Uint8Array, name: Uint8Array): void {
    if (list !== undefined) this.#addList(list.hash, list.level, size, joinPath(parent, name));
    for (const item of items ?? []) this.#addItem(item, parent, name);
  }

  #addList(hash: Hash, level: number, length: number, path: Uint8Array): void {
    if (this.#visit(hash)) this.#work.push({ kind: "list", hash, level, length, path });
  }

  #addItem(item: ContentItem, parent: Uint8Array, name: Uint8Array | undefined): void {
    if (item.form === "hole" || !this.live.chunks.add(item.hash)) return;
    if (this.#options.hasChunk?.(item.hash, item.length) !== false) return;
    const path = name === undefined ? parent : joinPath(parent, name);
    const error = new OuroError(
      "not-found",
      `Cannot read ${toText(path)}: ${item.length} bytes of it are not in the store`,
    );
    this.#add("chunk", item.hash, path, error);
  }

  #readList(bytes: Uint8Array, { hash, level, length, path }: Extract<Work, { kind: "list" }>): void {
    const node = decodeListNode(bytes, `list node ${toHex(hash)}`);
    const children = "items" in node ? node.items : node.references;
    const sum = children.reduce((total, each) => total + each.length, 0);
    if (node.level !== level || sum !== length) throw corrupt("the list is not what refers to it says");
    if ("items" in node) for (const item of node.items) this.#addItem(item, path, undefined);
    else for (const each of node.references) this.#addList(each.hash, level - 1, each.length, path);
  }
}

/** What is not there, or not as it was written: a pack's header may seem to be that of another format or key. */
function isDamage(error: unknown): error is OuroError {
  return isKind(error) && ["not-found", "corrupt", "wrong-key", "newer-format"].includes(error.kind);
}

function corrupt(why: string): OuroError {
  return new OuroError("corrupt", `Cannot use it: ${why}`);
}

function requireSummary(expected: Summary, found: Summary): void {
  const isSame =
    expected.names === found.names &&
    expected.entries === found.entries &&
    expected.bytes === found.bytes &&
    expected.flags === found.flags &&
    equalEvents(expected.max, found.max) &&
    equalEvents(expected.minBirth, found.minBirth);
  if (!isSame) throw corrupt("the summary of what is below is wrong");
}

function equalEvents(a: Summary["max"], b: Summary["max"]): boolean {
  return (
    a.length === b.length &&
    a.every(({ clock, writer }, index) => clock === b[index]?.clock && writer === b[index]?.writer)
  );
}
