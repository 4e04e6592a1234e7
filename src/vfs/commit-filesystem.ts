/**
 * A commit's tree as a filesystem, read-only. Nothing is copied or prepared: directories are read node by node as they are listed, content chunk by chunk. It
 * takes as much memory for a million files as for ten: what is kept (decoded nodes, frames, chunks, live inodes) has a bound each.
 *
 * Inode numbers are the files' for ever (node-number.ts). What cannot be read is an EIO at once, and a line for whoever keeps the log.
 * Where there is something to show beside the tree, it is found as ".ourobox" in the root, and not listed.
 */
import { asBuffer } from "../base/bytes.ts";
import { isKind } from "../base/errors.ts";
import type { Hash } from "../format/mod.ts";
import { TreeReader } from "../history/mod.ts";
import type { ContentSource } from "../store/mod.ts";
import { type ChunkStore, ContentReader } from "./content-reader.ts";
import { type FailureLog, FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits } from "./filesystem.ts";
import { InodeTable, type InodeTableOptions, type LiveInode } from "./inode-table.ts";
import { ReadOnlyFilesystem, readOnly } from "./read-only-filesystem.ts";
import type { ShownNode } from "./shown-node.ts";
import { TreeNode } from "./tree-node.ts";
import { type ShownOwners, TreeView, type TreeViewOptions } from "./tree-view.ts";

const liveMaxDefault = 100_000;
/** Encoded; decoded ten times as much, which should die young. */
const nodeBytesMax = 256 * 1024;
const blockBytes = 4096;
const dot = 0x2e;
const dotName = Uint8Array.of(dot);
const dotDotName = Uint8Array.of(dot, dot);
/** Cookies of "." and "..", and how far those of the entries are from their positions. */
const cookiesBefore = 2;
export const hiddenName = ".ourobox";

export interface CommitFilesystemOptions extends ShownOwners {
  readonly store: ChunkStore;
  readonly tree: Hash;
  /** Brings content that is not here; without one it is an EIO. */
  readonly source?: ContentSource;
  readonly changeOf?: NonNullable<TreeViewOptions["changeOf"]>;
  /** What is shown as ".ourobox". */
  readonly hidden?: (root: TreeNode) => ShownNode;
  /** Told why something could not be read. */
  readonly log?: FailureLog;
  /** So many inodes may be live before doors are asked to forget some. */
  readonly liveMax?: number;
  /** As in `InodeTableOptions`. */
  readonly numbersFrom?: number;
  readonly numberOf?: InodeTableOptions["numberOf"];
}

export class CommitFilesystem extends ReadOnlyFilesystem implements fs.Filesystem {
  readonly content: ContentReader;
  #root: TreeNode;
  readonly #inodes: InodeTable;
  readonly #log: FailureLog;
  readonly #hidden: ((root: TreeNode) => ShownNode) | undefined;
  readonly #listeners = new Set<fs.ChangeListener>();
  readonly #handles = new Set<number>();
  #nextHandle = 1;

  /** @throws OuroError "not-found", "corrupt": the tree cannot be read. */
  constructor(options: CommitFilesystemOptions) {
    super();
    const { store, tree, source, hidden, log, liveMax, numbersFrom = 0, numberOf, ...owners } = options;
    this.content = new ContentReader(store, source);
    const reader = new TreeReader(store, { cacheBytes: nodeBytesMax });
    this.#root = TreeNode.root(TreeView.open({ reader, lists: this.content.lists, name: "", ...owners }, tree));
    this.#log = log ?? ((): void => {});
    this.#hidden = hidden;
    this.#inodes = new InodeTable({
      root: this.#root,
      softMax: liveMax ?? liveMaxDefault,
      numbersFrom,
      ...(numberOf === undefined ? {} : { numberOf }),
      onUnwanted: (inodes) => this.#wishAway(inodes),
    });
  }

  get root(): TreeNode {
    return this.#root;
  }

  /** Shows another tree from now on. What was found in the one before stays what it was, until it is found in this one. @throws as the constructor. */
  setTree(tree: Hash): void {
    this.#root = TreeNode.root(this.#root.view.beside("", this.#root.view.reader.root(tree)));
    this.#inodes.setRoot(this.#root);
  }

  /** How many inodes are live. */
  get liveCount(): number {
    return this.#inodes.size;
  }

  /** What an inode shows; undefined when nobody knows it. */
  nodeAt(inode: number): ShownNode | undefined {
    return this.#inodes.find(inode)?.node;
  }

  /** The number that a node has, or would get now. */
  numberOf(node: ShownNode): number {
    return this.#inodes.numberOf(node);
  }

  /** The number by which a node is known, where nobody knows it: undefined. @param likely Looked at first. */
  knownAs(node: ShownNode, likely: number): number | undefined {
    const isIt = (inode: number): boolean => this.#inodes.find(inode)?.node.isSame(node) === true;
    if (isIt(likely)) return likely;
    const number = this.numberOf(node);
    return isIt(number) ? number : undefined;
  }

  /** A node that somebody has found, one lookup more. */
  show(node: ShownNode): fs.Answer<fs.Found> {
    return this.#attempt(node, "look at", () => this.#found(node));
  }

  /** What an inode shows was found elsewhere. */
  moved(inode: number, node: ShownNode): void {
    const live = this.#inodes.find(inode);
    if (live !== undefined) live.node = node;
  }

  /** More lookups of what is known. */
  again(inode: number, lookups = 1): void {
    this.#inodes.get(inode).lookups += lookups;
  }

  /** Of what is known. */
  generationOf(inode: number): number {
    const { node, generation } = this.#inodes.get(inode);
    return generation ?? node.attributes().generation;
  }

  listen(listener: fs.ChangeListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  lookup(parent: number, name: Uint8Array): fs.Answer<fs.Found | undefined> {
    const { node } = this.#inodes.get(parent);
    if (isDot(name)) return this.#found(node);
    return this.#attempt(node, "look into", () => {
      if (node.kind !== "directory")
        throw new FilesystemFailure("ENOTDIR", "cannot look into it: it is not a directory");
      if (isDotDot(name)) return this.#found(node.parent ?? node);
      if (name.length > filesystemLimits.nameBytes)
        throw new FilesystemFailure("ENAMETOOLONG", "cannot use a name: too long");
      const child = this.#child(node, name);
      return child === undefined ? undefined : this.#found(child);
    });
  }

  forget(inode: number, lookups: number): void {
    this.#inodes.forget(inode, lookups);
  }

  getattr(inode: number): fs.Answer<fs.Attributes> {
    const live = this.#inodes.get(inode);
    return this.#prepared(live.node, () => this.#attempt(live.node, "look at", () => attributesOf(live)));
  }

  readlink(inode: number): Uint8Array {
    const { node } = this.#inodes.get(inode);
    return this.#attempt(node, "read", () => {
      const { target } = node;
      if (target === undefined) throw new FilesystemFailure("EINVAL", "cannot readlink: it is no symlink");
      return target;
    });
  }

  open(inode: number, flags: fs.OpenFlags): fs.Opened {
    const { node } = this.#inodes.get(inode);
    if (node.kind === "directory") throw new FilesystemFailure("EISDIR", "cannot open: it is a directory");
    if (flags.write || flags.truncate) throw readOnly();
    return this.#opened(node);
  }

  read(
    inode: number,
    _handle: number,
    offset: number,
    length: number,
    caller: fs.Caller,
  ): fs.Answer<readonly Uint8Array[]> {
    const live = this.#inodes.get(inode);
    const { node } = live;
    this.#inodes.touch(live);
    return this.#attempt(node, "read", () => {
      const content = contentOf(node);
      if (content instanceof Uint8Array) return [content.subarray(offset, offset + length)];
      return this.content.read(content, { file: inode, offset, length, signal: () => caller.signal });
    });
  }

  lseek(inode: number, _handle: number, offset: number, what: "data" | "hole"): number {
    const { node } = this.#inodes.get(inode);
    return this.#attempt(node, "read", () => {
      const content = contentOf(node);
      const found = content instanceof Uint8Array ? seekBytes(content, offset, what) : this.#seek(node, offset, what);
      if (found === undefined) throw new FilesystemFailure("ENXIO", "cannot seek: nothing follows");
      return found;
    });
  }

  opendir(inode: number): fs.Opened {
    const { node } = this.#inodes.get(inode);
    if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot open a directory: it is none");
    return this.#opened(node);
  }

  override release(inode: number, handle: number, flockOwner?: bigint): void {
    super.release(inode, handle, flockOwner);
    if (this.#handles.delete(handle)) this.#inodes.forget(inode, 1);
  }

  releasedir(inode: number, handle: number): void {
    this.release(inode, handle);
  }

  readdir(inode: number, _handle: number, options: fs.ListOptions): fs.Answer<void> {
    const { node } = this.#inodes.get(inode);
    return this.#attempt(node, "list", () => {
      const { after, give } = options;
      if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot list: it is not a directory");
      const self = { name: dotName, inode, kind: "directory", cookie: 1 } as const;
      if (after < 1 && !give(self)) return;
      const above = this.#inodes.numberOf(node.parent ?? node);
      if (after < cookiesBefore && !give({ ...self, name: dotDotName, inode: above, cookie: cookiesBefore })) return;
      return this.#list(node, Math.max(after, cookiesBefore), options);
    });
  }

  getxattr(inode: number, name: Uint8Array): Uint8Array | undefined {
    const { node } = this.#inodes.get(inode);
    const text = asBuffer(name).toString("latin1");
    const value = this.#attempt(node, "read the attributes of", () => node.findXattr(text));
    return value === undefined ? undefined : new Uint8Array(value);
  }

  listxattr(inode: number): readonly Uint8Array[] {
    const { node } = this.#inodes.get(inode);
    return this.#attempt(node, "read the attributes of", () => node.listXattrs());
  }

  /** The size of the tree; nothing is free. */
  statfs(): fs.FilesystemSpace {
    const { bytes, entries } = this.#root.view.directory.summary;
    const blocks = Math.ceil(bytes / blockBytes);
    return { blockBytes, blocks, freeBlocks: 0, availableBlocks: 0, files: entries + 1, freeFiles: 0 };
  }

  /** A handle keeps its inode, as a lookup does. */
  #opened(node: ShownNode): fs.Opened {
    this.#inodes.take(node);
    const handle = this.#nextHandle;
    this.#nextHandle += 1;
    this.#handles.add(handle);
    return { handle, keepCache: true };
  }

  #child(node: ShownNode, name: Uint8Array): ShownNode | undefined {
    if (node === this.#root && this.#hidden !== undefined && asBuffer(name).toString("latin1") === hiddenName)
      return this.#hidden(this.#root);
    return node.find(name);
  }

  #found(node: ShownNode): fs.Answer<fs.Found> {
    return this.#prepared(node, () => ({ attributes: attributesOf(this.#inodes.take(node)) }));
  }

  /** Entries from a cookie on. Where one must be prepared it is waited for, and the listing goes on with it. */
  #list(directory: ShownNode, after: number, options: fs.ListOptions): fs.Answer<void> {
    const { plus, give } = options;
    let cookie = after;
    for (const { name, node } of directory.children(after - cookiesBefore)) {
      cookie += 1;
      const { kind } = node;
      if (!plus) {
        if (!give({ name, inode: this.#inodes.numberOf(node), kind, cookie })) return;
        continue;
      }
      const preparing = node.preparing();
      if (preparing !== undefined) {
        const before = cookie - 1;
        return preparing.then(() => this.#attempt(directory, "list", () => this.#list(directory, before, options)));
      }
      const live = this.#inodes.take(node);
      const { inode } = live;
      if (give({ name, inode, kind, cookie, found: { attributes: attributesOf(live) } })) continue;
      this.#inodes.forget(inode, 1);
      return;
    }
  }

  #seek(node: ShownNode, offset: number, what: "data" | "hole"): number | undefined {
    const content = contentOf(node);
    if (content instanceof Uint8Array || offset >= content.size) return undefined;
    return this.content.seek(content, offset, what);
  }

  #prepared<T>(node: ShownNode, answer: () => fs.Answer<T>): fs.Answer<T> {
    const preparing = node.preparing();
    return preparing === undefined ? answer() : preparing.then(answer);
  }

  /** Does something for a caller: damage and absence are an EIO to it, and a line in the log. */
  #attempt<T>(node: ShownNode, what: string, act: () => T): T {
    try {
      const answer = act();
      if (!(answer instanceof Promise)) return answer;
      return answer.catch((thrown: unknown) => this.#fail(node, what, thrown)) as T;
    } catch (thrown) {
      return this.#fail(node, what, thrown);
    }
  }

  #fail(node: ShownNode, what: string, thrown: unknown): never {
    if (!isKind(thrown)) throw thrown;
    const path = pathOf(node);
    const failure = new FilesystemFailure("EIO", `cannot ${what} ${path}: ${thrown.message}`, thrown);
    this.#log(`Cannot ${what} ${path === "" ? "the root" : path}: ${thrown.message}`, failure);
    throw failure;
  }

  #wishAway(inodes: readonly LiveInode[]): void {
    const unwanted = inodes.map(({ inode, node }) => ({ inode, kind: node.kind, name: () => this.#nameOf(node) }));
    for (const listener of this.#listeners) listener.unwanted(unwanted);
  }

  #nameOf({ name, parent }: ShownNode): ReturnType<fs.UnwantedInode["name"]> {
    return parent === undefined ? undefined : { parent: this.#inodes.numberOf(parent), name };
  }
}

function attributesOf({ inode, generation, node }: LiveInode): fs.Attributes {
  const attributes = { inode, ...node.attributes() };
  return generation === undefined ? attributes : { ...attributes, generation };
}

/** @throws FilesystemFailure EISDIR, EINVAL: not a regular file. */
function contentOf(node: ShownNode): NonNullable<ShownNode["content"]> {
  const { content } = node;
  if (content !== undefined) return content;
  throw new FilesystemFailure(node.kind === "directory" ? "EISDIR" : "EINVAL", "cannot read: it is no file");
}

function seekBytes(bytes: Uint8Array, offset: number, what: "data" | "hole"): number | undefined {
  if (offset >= bytes.length) return undefined;
  return what === "data" ? offset : bytes.length;
}

/** For a message: what cannot be read may have a name that cannot, too. */
function pathOf(node: ShownNode): string {
  try {
    return node.path;
  } catch {
    return `inode ${node.number}`;
  }
}

function isDot(name: Uint8Array): boolean {
  return name.length === 1 && name[0] === dot;
}

function isDotDot(name: Uint8Array): boolean {
  return name.length === 2 && name[0] === dot && name[1] === dot;
}
