/**
 * The names of a live filesystem: a folder's own, and beside them what its tree has and the folder has not (unreal).
 *
 * Each directory is one or two things: a directory of the folder, one of the tree, mostly both. A real one is found in the tree by the name it has there, and
 * keeps what it was found to be when it is renamed here, until the tree is another one. Before something is changed in an unreal directory it is made in the
 * folder, empty; before an unreal file is changed it is brought. Whoever knew the inode then knows the real one by its number, as long as it lives.
 */
import { asBuffer, equalBytes } from "../base/bytes.ts";
import { type Dot, dotKey, equalDots } from "../format/mod.ts";
import { joinPath, splitPath } from "../history/mod.ts";
import type { CommitFilesystem } from "./commit-filesystem.ts";
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { rootInode } from "./filesystem.ts";
import type { FolderFilesystem } from "./folder-filesystem.ts";
import { folderNumbersBelow } from "./node-number.ts";
import { readOnly } from "./read-only-filesystem.ts";
import type { ShownNode } from "./shown-node.ts";
import { TreeNode } from "./tree-node.ts";
import type { UnrealLayer } from "./unreal-layer.ts";

/** Of all inodes that are not the folder's. */
export const shownNumbersFrom: number = folderNumbersBelow;

export interface LiveDirectory {
  /** Its inode in the folder. */
  readonly real: number | undefined;
  /** What it is in the tree. */
  readonly tree: TreeNode | undefined;
}

/** What was unreal when it was found, and is real now. */
interface Realized {
  readonly real: number;
  readonly generation: number;
}

export interface LiveNamesOptions {
  readonly folder: FolderFilesystem;
  readonly layer: UnrealLayer;
  /** Opens the tree of the first commit. */
  readonly show: (tree: Uint8Array) => CommitFilesystem;
  /** Told what has become real: its directory in the tree, and its name. */
  readonly onReal: (directory: TreeNode, name: Uint8Array) => void;
}

export class LiveNames {
  readonly folder: FolderFilesystem;
  readonly layer: UnrealLayer;
  readonly #show: LiveNamesOptions["show"];
  readonly #onReal: LiveNamesOptions["onReal"];
  #shown: CommitFilesystem | undefined;
  #tree: Uint8Array | undefined;
  /** By shown inode, and back. */
  readonly #realized = new Map<number, Realized>();
  readonly #shownOf = new Map<number, number>();
  readonly #realizing = new Map<number, Promise<number>>();
  /** Of real directories by inode: what they are in the tree. */
  readonly #trees = new Map<number, TreeNode | undefined>();
  /** And back, by node id. */
  readonly #realById = new Map<string, number>();
  /** Directories that have another name than the tree has for them: what they are is kept for as long as the tree is this one, whoever forgets them. */
  readonly #renamed = new Map<number, { readonly generation: number; readonly tree: TreeNode }>();
  /** Directories in the folder that were made or looked up here: a lookup each, as long as the tree is this one. */
  readonly #kept = new Set<number>();

  constructor({ folder, layer, show, onReal }: LiveNamesOptions) {
    this.folder = folder;
    this.layer = layer;
    this.#show = show;
    this.#onReal = onReal;
  }

  /** What is shown of trees; undefined before the first commit. Of the tree as it is now. @throws OuroError when it cannot be read. */
  get shown(): CommitFilesystem | undefined {
    const tree = this.layer.tree();
    if (tree === undefined) return this.#shown;
    if (this.#tree !== undefined && equalBytes(tree, this.#tree)) return this.#shown;
    if (this.#shown === undefined) this.#shown = this.#show(tree);
    else this.#shown.setTree(tree);
    this.#tree = new Uint8Array(tree);
    this.#trees.clear();
    this.#renamed.clear();
    this.#realById.clear();
    for (const real of this.#kept) this.folder.forget(real, 1);
    this.#kept.clear();
    return this.#shown;
  }

  /** The inode in the folder of what is real. */
  realOf(inode: number): number | undefined {
    return inode < shownNumbersFrom ? inode : this.#realized.get(inode)?.real;
  }

  /** Whether its number is the folder's, and not that of what it was while it was unreal. */
  isOfFolder(inode: number): boolean {
    return inode < shownNumbersFrom;
  }

  /** Whether it is shown and none of the tree's own: `.ourobox` and what is in it. */
  isForeign(inode: number): boolean {
    const node = this.#shown?.nodeAt(inode);
    return inode >= shownNumbersFrom && !(node instanceof TreeNode && node.view.name === "");
  }

  /** What a real thing is in the tree, by the name it has. */
  nodeOfReal(real: number): TreeNode | undefined {
    const { shown } = this;
    if (real === rootInode) return shown?.root;
    const place = this.folder.placeOf(real);
    const above = place === undefined ? undefined : (this.treeOf(place.parent) ?? this.nodeOfReal(place.parent));
    const node = above?.kind === "directory" ? above.find(latin(place?.name ?? "")) : undefined;
    return node instanceof TreeNode ? node : undefined;
  }

  /** Whether a real thing has the size, time and mode that the tree has of it: as far as can be told at once. */
  isAsCommitted(real: number, node: TreeNode): boolean {
    const [here, there] = [this.folder.getattr(real), node.attributes()];
    if (here.kind !== there.kind || here.mode !== there.mode) return false;
    return here.kind === "directory" || (here.mtimeNs === there.mtimeNs && here.size === there.size);
  }

  /** Makes a real directory that is about to get another name known to the scan, which then finds it again with all that is unreal in it. */
  noteReal(directory: TreeNode | undefined, real: number, name: Uint8Array): void {
    const tree = this.treeOf(real);
    if (directory === undefined || tree === undefined) return;
    if (!this.layer.isRecorded(directory.entry.id, textOf(name)))
      this.layer.note(directory.entry.id, tree.entry, this.pathOf(real));
  }

  /** Attributes of the folder's, by the number that is known. */
  asLive(attributes: fs.Attributes): fs.Attributes {
    const inode = this.#shownOf.get(attributes.inode);
    if (inode === undefined) return attributes;
    return { ...attributes, inode, generation: this.#realized.get(inode)?.generation ?? attributes.generation };
  }

  /** What was found in the folder, one lookup more of the number that is known. */
  found(found: fs.Found): fs.Found {
    const real = found.attributes.inode;
    const inode = this.#shownOf.get(real);
    if (inode === undefined) return { attributes: this.#linked(found.attributes) };
    this.folder.forget(real, 1);
    this.#shown?.again(inode);
    return { attributes: this.#linked(this.asLive(found.attributes)) };
  }

  /** A directory's links are its subdirectories, of which the folder has only a part. */
  #linked(attributes: fs.Attributes): fs.Attributes {
    return attributes.kind === "directory" && this.layer.isPart() ? { ...attributes, nlink: 1 } : attributes;
  }

  /** As `found`, of what was given as `asLive` says. */
  keepFound({ attributes }: fs.Found): void {
    const inode = this.#shownOf.get(attributes.inode);
    if (inode === undefined) return;
    this.folder.forget(attributes.inode, 1);
    this.#shown?.again(inode);
  }

  /** The number of the directory that one of the tree is in. */
  numberAbove({ parent }: TreeNode): number {
    if (parent === undefined || parent.parent === undefined) return rootInode;
    const real = this.#realById.get(keyOf(parent as TreeNode));
    return real === undefined ? (this.#shown?.numberOf(parent) ?? rootInode) : this.numberOf(real);
  }

  /** Gives an entry of what is unreal. @returns Whether there was room; a promise where something must be found out before: to be asked again after it. */
  giveUnreal(node: TreeNode, cookie: number, { plus, give }: fs.ListOptions): boolean | Promise<void> {
    const { shown } = this;
    if (shown === undefined) return true;
    const { name, kind } = node;
    if (!plus) return give({ name, inode: shown.numberOf(node), kind, cookie });
    const preparing = node.preparing();
    if (preparing !== undefined) return preparing;
    const found = shown.show(node) as fs.Found;
    const { inode } = found.attributes;
    if (give({ name, inode, kind, cookie, found })) return true;
    shown.forget(inode, 1);
    return false;
  }

  numberOf(real: number): number {
    return this.#shownOf.get(real) ?? real;
  }

  forget(inode: number, lookups: number): void {
    if (inode < shownNumbersFrom) {
      this.folder.forget(inode, lookups);
      if (!this.folder.isKnown(inode)) this.#forgetTree(inode);
      return;
    }
    const shown = this.#shown;
    shown?.forget(inode, lookups);
    const realized = this.#realized.get(inode);
    if (realized === undefined || shown?.nodeAt(inode) !== undefined) return;
    this.#realized.delete(inode);
    this.#shownOf.delete(realized.real);
    this.folder.forget(realized.real, 1);
  }

  /** @throws FilesystemFailure ENOTDIR, ESTALE. */
  directoryAt(inode: number): LiveDirectory {
    const { shown } = this;
    const real = this.realOf(inode);
    if (real !== undefined) return { real, tree: this.treeOf(real) };
    const node = this.nodeAt(inode);
    if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot use a directory: it is none");
    return { real: undefined, tree: node.view.name === "" && shown !== undefined ? node : undefined };
  }

  /** An unreal thing as the tree has it now. @throws FilesystemFailure ESTALE: not any more, or it is none of the tree's. */
  nodeAt(inode: number): TreeNode {
    const node = this.shown?.nodeAt(inode);
    if (node === undefined) throw stale("nobody knows it");
    if (!(node instanceof TreeNode) || node.view.name !== "") throw readOnly();
    return this.#current(node);
  }

  /** What a real directory is in the tree. */
  treeOf(real: number): TreeNode | undefined {
    const { shown } = this;
    if (shown === undefined || !this.layer.isPart()) return undefined;
    if (real === rootInode) return shown.root;
    if (this.#trees.has(real)) return this.#trees.get(real);
    const renamed = this.#renamed.get(real);
    if (renamed !== undefined && renamed.generation === this.folder.getattr(real).generation) return renamed.tree;
    const place = this.folder.placeOf(real);
    const above = place === undefined ? undefined : this.treeOf(place.parent);
    const found = place === undefined ? undefined : above?.find(latin(place.name));
    const isFree = found instanceof TreeNode && found.kind === "directory" && !this.#realById.has(keyOf(found));
    this.#setTree(real, isFree ? found : undefined);
    return this.#trees.get(real);
  }

  /** What the tree has and the folder has not. @param directory In the tree. */
  unrealIn(directory: TreeNode | undefined, name: Uint8Array): TreeNode | undefined {
    const node = directory?.find(name);
    return directory !== undefined && node instanceof TreeNode && this.isUnreal(directory.entry.id, node)
      ? node
      : undefined;
  }

  /** Of a name that does not stand in the folder. A directory that is gone from there stays with what never was in it. */
  isUnreal(directory: Dot, node: TreeNode): boolean {
    const { entry } = node;
    if (!this.layer.isRecorded(directory, textOf(entry.name))) return true;
    return node.kind === "directory" && !this.#realById.has(keyOf(node)) && this.hasUnreal(node);
  }

  /** Whether a directory has something that is unreal. */
  hasUnreal(directory: TreeNode | undefined): boolean {
    if (directory === undefined) return false;
    const { id } = directory.entry;
    for (const { node } of directory.children(0)) if (this.isUnreal(id, node as TreeNode)) return true;
    return false;
  }

  /** A name is gone from the folder for good: what the tree has under it is not unreal. */
  hide(directory: TreeNode | undefined, name: Uint8Array): void {
    const node = directory?.find(name);
    if (directory === undefined || node === undefined) return;
    if (!this.layer.isRecorded(directory.entry.id, textOf(name))) this.remove(directory, node as TreeNode);
  }

  /** Deletes what is not in the folder. */
  remove(directory: TreeNode, { entry }: TreeNode): void {
    this.layer.remove({ id: directory.entry.id, path: pathOf(directory) }, entry);
  }

  /** A directory has got another name, and is what it was. */
  renamed(real: number): void {
    const tree = this.treeOf(real);
    if (tree !== undefined) this.#renamed.set(real, { generation: this.folder.getattr(real).generation, tree });
  }

  /** A directory is gone: its name may lead to another one. */
  dropTree(real: number): void {
    this.#renamed.delete(real);
    this.#forgetTree(real);
  }

  #forgetTree(real: number): void {
    const tree = this.#trees.get(real);
    this.#trees.delete(real);
    if (tree !== undefined && !this.#renamed.has(real)) this.#realById.delete(keyOf(tree));
  }

  /**
   * Makes something real, whoever knows it going on to know it by its number.
   * @param isKept Whether its content is: else it comes empty.
   * @returns Its inode in the folder.
   */
  makeReal(inode: number, isKept = true): fs.Answer<number> {
    const real = this.realOf(inode);
    if (real !== undefined) return real;
    const running = this.#realizing.get(inode);
    if (running !== undefined) return running;
    const started = this.#makeReal(inode, isKept).finally(() => this.#realizing.delete(inode));
    this.#realizing.set(inode, started);
    return started;
  }

  /** The directory in the folder that is one of the tree, made there when it is not. */
  async realDirectory(node: ShownNode | undefined): Promise<number> {
    if (node === undefined || node.parent === undefined) return rootInode;
    const known = this.#realById.get(keyOf(node as TreeNode));
    if (known !== undefined) return known;
    const parent = await this.realDirectory(node.parent);
    const there = this.folder.lookup(parent, node.name);
    const real = there?.attributes.inode ?? this.#makeDirectory(parent, node as TreeNode);
    this.#setTree(real, node as TreeNode);
    this.#onReal(node.parent as TreeNode, node.name);
    if (this.#kept.has(real)) this.folder.forget(real, 1);
    this.#kept.add(real);
    return real;
  }

  async #makeReal(inode: number, isKept: boolean): Promise<number> {
    let node = this.nodeAt(inode);
    if (node.kind === "directory") {
      const directory = await this.realDirectory(node);
      this.folder.lookup(directory, latin("."));
      return this.#adopt(inode, directory);
    }
    const parent = await this.realDirectory(node.parent);
    // What other names lead to as well is brought with them.
    if (isKept || node.kind !== "file" || node.entry.meta.link !== undefined) {
      let paths = await this.#pathsOf(node);
      if (paths.some((path) => this.#isMoved(path))) {
        await this.layer.settle();
        node = this.#settled(parent, node);
        paths = await this.#pathsOf(node);
      }
      await this.#bring(paths);
    } else this.#makeEmpty(parent, node);
    const found = this.folder.lookup(await this.realDirectory(node.parent), node.name);
    if (found === undefined) throw stale("it is gone");
    this.#onReal(node.parent as TreeNode, node.name);
    return this.#adopt(inode, found.attributes.inode);
  }

  /** What it is in the tree after a commit, which has it in the directory that it is in now. */
  #settled(parent: number, node: TreeNode): TreeNode {
    const { shown } = this;
    const found = this.treeOf(parent)?.find(node.name);
    if (shown === undefined || !(found instanceof TreeNode) || !equalDots(found.entry.id, node.entry.id))
      throw stale("a commit has moved it");
    // Who knows it knows it there.
    shown.show(found);
    shown.forget(shown.numberOf(found), 1);
    return found;
  }

  /** Brings files into the folder, whose directories stay as old as they are there. */
  async #bring(paths: readonly Uint8Array[]): Promise<void> {
    const directories = paths.flatMap((path) => this.#findReal(splitPath(path).slice(0, -1)) ?? []);
    try {
      const times = directories.map((real) => this.folder.getattr(real).mtimeNs);
      await this.layer.realize(paths);
      for (const [at, real] of directories.entries()) {
        const mtimeNs = times[at] as bigint;
        if (this.folder.getattr(real).mtimeNs !== mtimeNs) this.folder.setattr(real, { mtimeNs });
      }
    } finally {
      for (const real of directories) this.folder.forget(real, 1);
    }
  }

  /** What stands in the folder under these names, one lookup more. */
  #findReal(names: readonly Uint8Array[]): number | undefined {
    let real = this.folder.lookup(rootInode, latin("."))?.attributes.inode;
    for (const name of names) {
      if (real === undefined) return undefined;
      const next = this.folder.lookup(real, name);
      this.folder.forget(real, 1);
      real = next?.attributes.inode;
    }
    return real;
  }

  /** Of all that is one file with it, and not in the folder. */
  async #pathsOf(node: TreeNode): Promise<Uint8Array[]> {
    const { link } = node.entry.meta;
    const paths = link === undefined || node.kind !== "file" ? [] : await node.view.linkedPaths(node.entry);
    return paths.length > 0 ? paths : [pathOf(node)];
  }

  /** @param real With a lookup that becomes this one's. */
  #adopt(inode: number, real: number): number {
    const node = this.#shown?.nodeAt(inode);
    // Forgotten meanwhile, or known by another number (a second name of one file).
    if (node === undefined || this.#shownOf.has(real)) return real;
    this.#realized.set(inode, { real, generation: node.attributes().generation });
    this.#shownOf.set(real, inode);
    return real;
  }

  #makeDirectory(parent: number, node: TreeNode): number {
    const { mode } = node.attributes();
    const made = this.#makeQuietly(parent, () =>
      this.folder.mkdir(parent, node.name, { mode: mode & permissionBits, umask: 0 }, noCaller),
    );
    this.#dress(made, node);
    const above = node.parent as TreeNode;
    this.layer.note(above.entry.id, node.entry, this.pathOf(made));
    return made;
  }

  /** For who is about to write all of it anew. */
  #makeEmpty(parent: number, node: TreeNode): void {
    const { mode } = node.attributes();
    const file = { kind: "file", mode: mode & permissionBits, umask: 0, rdevMajor: 0, rdevMinor: 0 } as const;
    const made = this.#makeQuietly(parent, () => this.folder.mknod(parent, node.name, file, noCaller));
    this.#dress(made, node);
    this.folder.forget(made, 1);
  }

  /** What was there before as well has come into the folder: its directory is as old as it was. */
  #makeQuietly(parent: number, make: () => fs.Found): number {
    const { atimeNs, mtimeNs } = this.folder.getattr(parent);
    const { attributes } = make();
    this.folder.setattr(parent, { atimeNs, mtimeNs });
    return attributes.inode;
  }

  /** Gives it the attributes that it has in the tree, as far as may be. */
  #dress(real: number, node: TreeNode): void {
    const { mode, uid, gid, atimeNs, mtimeNs } = node.attributes();
    const attempts = [
      (): unknown => this.folder.setattr(real, { uid, gid }),
      ...node.listXattrs().map((name) => (): unknown => {
        const value = node.getXattr(textOf(name));
        return this.folder.setxattr(real, name, value, { mode: "any", clearSetGid: false });
      }),
      (): unknown => this.folder.setattr(real, { mode, atimeNs, mtimeNs }),
    ];
    for (const attempt of attempts) {
      try {
        attempt();
      } catch (thrown) {
        // As a checkout does: what this machine cannot hold stays in the tree.
        if (!isRefusal(thrown)) throw thrown;
      }
    }
  }

  /** Of the folder, from its root. */
  pathOf(real: number): Uint8Array {
    const place = real === rootInode ? undefined : this.folder.placeOf(real);
    if (place === undefined) return new Uint8Array();
    return joinPath(this.pathOf(place.parent), latin(place.name));
  }

  /** Whether a directory above a path of the tree stands elsewhere in the folder. */
  #isMoved(path: Uint8Array): boolean {
    let directory: ShownNode | undefined = this.#shown?.root;
    let above: Uint8Array = new Uint8Array();
    for (const name of splitPath(path).slice(0, -1)) {
      above = joinPath(above, name);
      directory = directory?.find(name);
      const real = directory === undefined ? undefined : this.#realById.get(keyOf(directory as TreeNode));
      if (real !== undefined && !equalBytes(this.pathOf(real), above)) return true;
    }
    return false;
  }

  #setTree(real: number, tree: TreeNode | undefined): void {
    this.#trees.set(real, tree);
    if (tree !== undefined) this.#realById.set(keyOf(tree), real);
  }

  /** The same thing in the tree as it is now. */
  #current(node: TreeNode): TreeNode {
    const root = this.#shown?.root;
    if (node.view === root?.view) return node;
    if (node.parent === undefined) return root as TreeNode;
    const above = node.parent as TreeNode;
    const real = this.#realById.get(keyOf(above));
    const parent = (real === undefined ? undefined : this.treeOf(real)) ?? this.#current(above);
    const found = parent.find(node.name);
    if (found instanceof TreeNode && equalDots(found.entry.id, node.entry.id)) return found;
    throw stale("the tree has something else there");
  }
}

const permissionBits = 0o777;
/** This process itself. */
const noCaller: fs.Caller = { uid: 0, gid: 0, pid: 0, signal: new AbortController().signal };

function keyOf(node: TreeNode): string {
  return dotKey(node.entry.id);
}

function pathOf(node: ShownNode): Uint8Array {
  return node.parent === undefined ? new Uint8Array() : joinPath(pathOf(node.parent), node.name);
}

export function latin(name: string): Uint8Array {
  return Buffer.from(name, "latin1");
}

export function textOf(name: Uint8Array): string {
  return asBuffer(name).toString("latin1");
}

function isRefusal(thrown: unknown): boolean {
  const { code = "" } = thrown as { code?: string };
  return ["EPERM", "EACCES", "EOPNOTSUPP", "ENOTSUP", "EINVAL"].includes(code);
}

function stale(what: string): FilesystemFailure {
  return new FilesystemFailure("ESTALE", `cannot use an inode: ${what}`);
}
