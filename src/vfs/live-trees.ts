/**
 * What the things of a live filesystem are: a real one has an inode of the folder, an unreal one a node of the tree, a directory mostly both.
 *
 * A real directory is found in the tree by the name it has there, and stays what it was found to be when it is renamed here, until the tree is another one. What was
 * unreal when it was found keeps its number when it becomes real, as long as somebody knows it.
 */
import { asBuffer, equalBytes } from "../base/bytes.ts";
import { type Dot, dotKey, equalDots } from "../format/mod.ts";
import { joinPath, splitPath } from "../history/mod.ts";
import type { CommitFilesystem } from "./commit-filesystem.ts";
import { countLinks } from "./count-links.ts";
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { rootInode } from "./filesystem.ts";
import type { FolderFilesystem } from "./folder-filesystem.ts";
import { folderNumbersBelow } from "./node-number.ts";
import { readOnly } from "./read-only-filesystem.ts";
import type { ShownNode } from "./shown-node.ts";
import { TreeNode } from "./tree-node.ts";
import type { UnrealLayer } from "./unreal-layer.ts";
import { UnrealMarks } from "./unreal-marks.ts";

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

export interface LiveTreesOptions {
  readonly folder: FolderFilesystem;
  readonly layer: UnrealLayer;
  /** Opens the tree of the first commit. */
  readonly show: (tree: Uint8Array) => CommitFilesystem;
  /** Told what has become real: its directory in the tree, and its name. */
  readonly onReal: (directory: TreeNode, name: Uint8Array) => void;
}

export class LiveTrees {
  readonly folder: FolderFilesystem;
  readonly layer: UnrealLayer;
  readonly marks: UnrealMarks = new UnrealMarks();
  readonly #show: LiveTreesOptions["show"];
  protected readonly onReal: LiveTreesOptions["onReal"];
  protected lastShown: CommitFilesystem | undefined;
  readonly #whenShown: ((shown: CommitFilesystem) => void)[] = [];
  #tree: Uint8Array | undefined;
  /** By shown inode, and back. */
  protected readonly realized: Map<number, Realized> = new Map();
  protected readonly shownOf: Map<number, number> = new Map();
  /** Of real directories by inode: what they are in the tree. */
  readonly #trees = new Map<number, TreeNode | undefined>();
  /** And back, by node id. */
  #realById = new Map<string, number>();
  /** Directories that have another name than the tree has for them: what they are is kept for as long as the tree is this one, whoever forgets them. */
  readonly #renamed = new Map<number, { readonly generation: number; readonly tree: TreeNode }>();
  /** Told of what was real, and its handles in the folder, which somebody has. */
  onUnreal: (inode: number, handles: readonly number[]) => void = () => {};
  /** Directories in the folder that were made or looked up here: a lookup each, as long as the tree is this one. */
  protected readonly kept: Set<number> = new Set();

  constructor({ folder, layer, show, onReal }: LiveTreesOptions) {
    this.folder = folder;
    this.layer = layer;
    this.#show = show;
    this.onReal = onReal;
  }

  /** What is shown of trees; undefined before the first commit. Of the tree as it is now. @throws OuroError when it cannot be read. */
  get shown(): CommitFilesystem | undefined {
    const tree = this.layer.tree();
    if (tree === undefined) return this.lastShown;
    if (this.#tree !== undefined && equalBytes(tree, this.#tree)) return this.lastShown;
    if (this.lastShown === undefined) this.lastShown = this.#show(tree);
    else this.lastShown.setTree(tree);
    for (const act of this.#whenShown.splice(0)) act(this.lastShown);
    this.#tree = new Uint8Array(tree);
    this.#trees.clear();
    const realById = this.#realById;
    this.#realById = new Map();
    const kept = [...this.kept];
    this.kept.clear();
    this.#renameAgain(this.lastShown.root, realById);
    for (const real of kept) this.folder.forget(real, 1);
    return this.lastShown;
  }

  /** Does something with what is shown, now or as soon as there is any. */
  whenShown(act: (shown: CommitFilesystem) => void): void {
    const { shown } = this;
    if (shown === undefined) this.#whenShown.push(act);
    else act(shown);
  }

  /** A commit may have begun before a rename, or have been of something else: what still has its old name in the tree is what it was. */
  #renameAgain(root: TreeNode, realById: ReadonlyMap<string, number>): void {
    const renamed = [...this.#renamed];
    this.#renamed.clear();
    for (const [real, { generation, tree }] of renamed) {
      if (!this.folder.isKnown(real) || findAt(root, this.pathOf(real), tree) !== undefined) continue;
      const again = this.#findAgain(root, tree, realById);
      if (again === undefined) continue;
      this.#renamed.set(real, { generation, tree: again });
      this.setTree(real, again);
      this.folder.lookup(real, latin("."));
      this.kept.add(real);
    }
  }

  /** A directory in another tree: in what it was in, which is where it was, or where the folder has it. @param realById As of the tree before. */
  #findAgain(root: TreeNode, node: TreeNode, realById: ReadonlyMap<string, number>): TreeNode | undefined {
    const parent = node.parent as TreeNode | undefined;
    if (parent === undefined) return root;
    const real = realById.get(keyOf(parent));
    const isKnown = real !== undefined && this.folder.isKnown(real);
    const there = isKnown ? findAt(root, this.pathOf(real), parent) : undefined;
    const above = there ?? this.#findAgain(root, parent, realById);
    const found = above?.kind === "directory" ? above.find(node.name) : undefined;
    return found instanceof TreeNode && equalDots(found.entry.id, node.entry.id) ? found : undefined;
  }

  /** The inode in the folder of what is real. */
  realOf(inode: number): number | undefined {
    const realized = this.realized.get(inode);
    if (realized !== undefined) return realized.real;
    return this.folder.isKnown(inode) ? inode : undefined;
  }

  /** Whether something real was known as something unreal. */
  wasUnreal(inode: number): boolean {
    return this.realized.has(inode);
  }

  /** Whether it is shown and none of the tree's own: `.ourobox` and what is in it. */
  isForeign(inode: number): boolean {
    const node = this.lastShown?.nodeAt(inode);
    return node !== undefined && !(node instanceof TreeNode && node.view.name === "");
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
    // Only where the tree has it: one that was renamed before is known, and nothing may be recorded at two places.
    if (directory === undefined || tree === undefined || !equalBytes(tree.name, name)) return;
    if (!equalDots((tree.parent as TreeNode).entry.id, directory.entry.id)) return;
    if (!this.layer.isRecorded(directory.entry.id, textOf(name)))
      this.layer.note(directory.entry.id, tree.entry, this.pathOf(real));
  }

  /** Attributes of the folder's, by the number that is known, with the links of all directories in it. */
  asLive(attributes: fs.Attributes): fs.Attributes {
    const { inode: real, kind, nlink } = attributes;
    const tree = kind === "directory" && nlink > 1 ? this.treeOf(real) : undefined;
    const isUnreal = (node: TreeNode): boolean =>
      tree !== undefined && !this.folder.hasName(real, node.name) && this.isUnreal(tree.entry.id, node);
    const linked = tree === undefined ? attributes : { ...attributes, nlink: countLinks(tree, nlink, isUnreal) };
    const inode = this.shownOf.get(real);
    if (inode === undefined) return linked;
    return { ...linked, inode, generation: this.realized.get(inode)?.generation ?? attributes.generation };
  }

  /** Of what was found in the folder and may be known as something unreal: it keeps that number, for somebody may be in it. */
  recognize({ attributes }: fs.Found): void {
    const { inode, kind } = attributes;
    if (kind === "directory") this.treeOf(inode);
    if (inode === rootInode || this.shownOf.has(inode) || this.lastShown?.nodeAt(inode) === undefined) return;
    this.folder.lookup(inode, latin("."));
    this.adopt(inode, inode);
  }

  /** Gives what is unreal its number, which something in the folder had if it was real until now. */
  showUnreal(node: TreeNode): fs.Answer<fs.Found> | undefined {
    const shown = this.lastShown;
    if (shown === undefined) return undefined;
    this.layer.settleNumber(node.entry);
    const inode = shown.numberOf(node);
    if (inode === rootInode) return shown.show(node);
    const real = this.realOf(inode);
    const handles = real === undefined ? [] : this.folder.handlesOf(real);
    const lookups = this.#notReal(inode);
    this.marks.found(inode);
    const found = shown.show(node);
    if (lookups > 0) shown.again(inode, lookups);
    if (handles.length > 0) this.onUnreal(inode, handles);
    const marked = ({ attributes }: fs.Found): fs.Found => ({ attributes: this.marks.apply(attributes) });
    return found instanceof Promise ? found.then(marked) : marked(found);
  }

  /** @returns The lookups of a number that was something real's. */
  #notReal(inode: number): number {
    const realized = this.realized.get(inode);
    if (realized !== undefined) {
      this.dropTree(realized.real);
      this.realized.delete(inode);
      this.shownOf.delete(realized.real);
      this.folder.forget(realized.real, 1);
    }
    if (!this.folder.isKnown(inode)) return 0;
    if (this.kept.delete(inode)) this.folder.forget(inode, 1);
    this.dropTree(inode);
    return this.folder.giveAway(inode);
  }

  /** What was found in the folder, one lookup more of the number that is known. */
  found(found: fs.Found): fs.Found {
    const real = found.attributes.inode;
    const inode = this.shownOf.get(real);
    if (inode === undefined) return { attributes: this.asLive(found.attributes) };
    this.folder.forget(real, 1);
    this.lastShown?.again(inode);
    return { attributes: this.asLive(found.attributes) };
  }

  /** As `found`, of what was given as `asLive` says. */
  keepFound({ attributes }: fs.Found): void {
    const inode = this.shownOf.get(attributes.inode);
    if (inode === undefined) return;
    this.folder.forget(attributes.inode, 1);
    this.lastShown?.again(inode);
  }

  /** The number of the directory that one of the tree is in. */
  numberAbove({ parent }: TreeNode): number {
    if (parent === undefined || parent.parent === undefined) return rootInode;
    const real = this.realWith(parent as TreeNode);
    return real === undefined ? (this.lastShown?.numberOf(parent) ?? rootInode) : this.numberOf(real);
  }

  /** Gives an entry of what is unreal. @returns Whether there was room; a promise where something must be found out before: to be asked again after it. */
  giveUnreal(node: TreeNode, cookie: number, { plus, give }: fs.ListOptions): boolean | Promise<void> {
    const { shown } = this;
    if (shown === undefined) return true;
    const { name, kind } = node;
    if (!plus) return give({ name, inode: shown.numberOf(node), kind, cookie });
    const preparing = node.preparing();
    if (preparing !== undefined) return preparing;
    const found = this.showUnreal(node) as fs.Found;
    const { inode } = found.attributes;
    if (give({ name, inode, kind, cookie, found })) return true;
    shown.forget(inode, 1);
    return false;
  }

  numberOf(real: number): number {
    return this.shownOf.get(real) ?? real;
  }

  forget(inode: number, lookups: number): void {
    const realized = this.realized.get(inode);
    if (realized === undefined && this.folder.isKnown(inode)) {
      this.folder.forget(inode, lookups);
      if (!this.folder.isKnown(inode)) this.#forgetTree(inode);
      return;
    }
    const shown = this.lastShown;
    shown?.forget(inode, lookups);
    if (shown?.nodeAt(inode) !== undefined) return;
    this.marks.forget(inode);
    if (realized === undefined) return;
    this.realized.delete(inode);
    this.shownOf.delete(realized.real);
    this.folder.forget(realized.real, 1);
  }

  /** @throws FilesystemFailure ENOTDIR, ESTALE. */
  directoryAt(inode: number): LiveDirectory {
    const { shown } = this;
    const real = this.realOf(inode);
    if (real !== undefined) return { real, tree: this.treeOf(real) };
    const node = this.nodeAt(inode);
    if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot use a directory: it is none");
    const made = this.#madeBeside(node);
    if (made !== undefined) return { real: made, tree: this.treeOf(made) };
    return { real: undefined, tree: node.view.name === "" && shown !== undefined ? node : undefined };
  }

  /** The directory in the folder that one of the tree has become by somebody else's doing, who does not know that it is known here. */
  #madeBeside(node: TreeNode): number | undefined {
    const parent = node.parent as TreeNode | undefined;
    if (parent === undefined) return rootInode;
    const known = this.realWith(node);
    if (known !== undefined) return known;
    if (!this.layer.isRecorded(parent.entry.id, textOf(node.name))) return undefined;
    const above = this.#madeBeside(parent);
    const found = above === undefined ? undefined : this.folder.lookup(above, node.name);
    if (found === undefined) return undefined;
    const { inode, kind } = found.attributes;
    try {
      const isIt = kind === "directory" && this.treeOf(inode)?.isSame(node) === true && this.shownOf.has(inode);
      return isIt ? inode : undefined;
    } finally {
      this.folder.forget(inode, 1);
    }
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
    const isFree = found instanceof TreeNode && found.kind === "directory" && this.realWith(found) === undefined;
    this.setTree(real, isFree ? found : undefined);
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
    const isUnreal = node.kind === "directory" && this.realWith(node) === undefined && this.hasUnreal(node);
    if (isUnreal) this.layer.noteStanding(entry.id, false);
    return isUnreal;
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
  remove(directory: TreeNode, node: TreeNode): void {
    const { entry } = node;
    const placeNow = (): Uint8Array | undefined => {
      const real = this.realWith(directory);
      return real === undefined ? undefined : this.pathOf(real);
    };
    this.layer.remove({ id: directory.entry.id, path: pathOf(directory), placeNow }, entry);
    const inode = this.lastShown?.numberOf(node) ?? rootInode;
    const isKnown = this.realOf(inode) === undefined && this.lastShown?.nodeAt(inode) !== undefined;
    if (isKnown && entry.meta.link === undefined) this.marks.removed(inode, this.layer.staged.nowNs());
  }

  /** A directory has got another name, and is what it was: it stays known until the tree has it there. */
  renamed(real: number): void {
    const tree = this.treeOf(real);
    if (tree === undefined) return;
    this.#renamed.set(real, { generation: this.folder.getattr(real).generation, tree });
    if (!this.kept.has(real)) this.folder.lookup(real, latin("."));
    this.kept.add(real);
  }

  /** The directory in the folder that one of the tree is known to be. One that somebody has deleted there is none. */
  protected realWith(node: TreeNode): number | undefined {
    const real = this.#realById.get(keyOf(node));
    return real !== undefined && this.folder.stands(real) ? real : undefined;
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

  /** Of the folder, from its root. */
  pathOf(real: number): Uint8Array {
    const place = real === rootInode ? undefined : this.folder.placeOf(real);
    if (place === undefined) return new Uint8Array();
    return joinPath(this.pathOf(place.parent), latin(place.name));
  }

  /** Whoever knows the directory of the tree goes on to know it by its number. */
  protected setTree(real: number, tree: TreeNode | undefined): void {
    this.#trees.set(real, tree);
    if (tree === undefined) return;
    this.#realById.set(keyOf(tree), real);
    this.layer.noteStanding(tree.entry.id, true);
    const inode = this.lastShown?.knownAs(tree, real);
    if (inode === undefined || inode === rootInode || this.realized.has(inode)) return;
    this.folder.lookup(real, latin("."));
    this.adopt(inode, real);
  }

  /** @param real With a lookup that becomes this one's. */
  protected adopt(inode: number, real: number): number {
    const node = this.lastShown?.nodeAt(inode);
    if (this.shownOf.has(real)) {
      // A second name of one file: who knows it by the first keeps it.
      this.folder.forget(real, 1);
      return real;
    }
    // Forgotten meanwhile.
    if (node === undefined) return real;
    this.realized.set(inode, { real, generation: this.lastShown?.generationOf(inode) ?? 0 });
    this.shownOf.set(real, inode);
    if (inode !== real && node instanceof TreeNode) this.layer.becameReal(node.entry, this.folder.fileAt(real));
    return real;
  }

  /** The same thing in the tree as it is now. */
  #current(node: TreeNode): TreeNode {
    const root = this.lastShown?.root;
    if (node.view === root?.view) return node;
    if (node.parent === undefined) return root as TreeNode;
    const above = node.parent as TreeNode;
    const real = this.realWith(above);
    const parent = (real === undefined ? undefined : this.treeOf(real)) ?? this.#current(above);
    const found = parent.find(node.name);
    if (found instanceof TreeNode && equalDots(found.entry.id, node.entry.id)) return found;
    throw stale("the tree has something else there");
  }
}

function keyOf(node: TreeNode): string {
  return dotKey(node.entry.id);
}

/** The same directory in a tree, where it stands at a path. */
function findAt(root: TreeNode, path: Uint8Array, node: TreeNode): TreeNode | undefined {
  let at: ShownNode | undefined = root;
  for (const name of splitPath(path)) at = at?.kind === "directory" ? at.find(name) : undefined;
  return at instanceof TreeNode && equalDots(at.entry.id, node.entry.id) ? at : undefined;
}

/** In the tree. */
export function pathOf(node: ShownNode): Uint8Array {
  return node.parent === undefined ? new Uint8Array() : joinPath(pathOf(node.parent), node.name);
}

export function latin(name: string): Uint8Array {
  return Buffer.from(name, "latin1");
}

export function textOf(name: Uint8Array): string {
  return asBuffer(name).toString("latin1");
}

export function stale(what: string): FilesystemFailure {
  return new FilesystemFailure("ESTALE", `cannot use an inode: ${what}`);
}
