/**
 * Copies of large unreal files that have their content from the tree (`copy_file_range`): an empty file that begins to be one becomes unreal, with the content of what is copied, and nothing is brought. A
 * copy that comes in pieces is that content with a log of edits, in which what was not copied yet is a hole.
 *
 * What cannot be had so (the source is small, the file has something in it, the places in the two files differ) the caller copies.
 */
import { equalBytes } from "../base/bytes.ts";
import { errnoOf, isKind } from "../base/errors.ts";
import { type Content, kinds } from "../format/mod.ts";
import { equalContents } from "../history/mod.ts";
import type * as fs from "./filesystem.ts";
import type { LiveRealizer } from "./live-realizer.ts";
import { type FileRange, type LiveStaged, setIdBits } from "./live-staged.ts";
import { latin, pathOf } from "./live-trees.ts";
import type { ShownNode } from "./shown-node.ts";
import { TreeNode } from "./tree-node.ts";

const nothing: Content = { size: 0 };

type Place = NonNullable<ReturnType<LiveRealizer["folder"]["placeOf"]>>;

export class LiveCopies {
  readonly #live: LiveRealizer;
  readonly #staged: LiveStaged;
  /** Files that are becoming unreal, by inode. */
  readonly #running = new Map<number, Promise<unknown>>();

  constructor(live: LiveRealizer, staged: LiveStaged) {
    this.#live = live;
    this.#staged = staged;
  }

  /** Does something with a file when it is not between real and unreal. */
  whenDone<T>(inode: number, act: () => fs.Answer<T>): fs.Answer<T> {
    const running = this.#running.get(inode);
    return running === undefined ? act() : running.then(() => this.whenDone(inode, act));
  }

  /** @returns How many bytes; undefined where the caller has to copy. @throws FilesystemFailure; Error of the disk. */
  async copy({ from, to, length }: fs.CopyOptions): Promise<number | undefined> {
    if (from.offset !== to.offset || from.inode === to.inode) return undefined;
    const content = await this.#contentOf(from.inode);
    if (content === undefined) return undefined;
    const range = { offset: from.offset, length: Math.min(length, content.size - from.offset) };
    if (range.length <= 0) return 0;
    const isShared = await this.whenDone(to.inode, () => {
      const isUnreal = this.#live.realOf(to.inode) === undefined;
      return isUnreal ? this.#extend(to.inode, content, range) : this.#begin(to.inode, content, range);
    });
    return isShared ? range.length : undefined;
  }

  /** Of an unreal file, after a commit of what was changed in it. Undefined of one that is not worth it, or cannot be committed now. */
  async #contentOf(inode: number): Promise<Content | undefined> {
    const { layer } = this.#live;
    try {
      if (this.#staged.find(inode) !== undefined) await this.#live.commitStaged(this.#live.nodeAt(inode));
      const content = contentOf(this.#live.nodeAt(inode));
      // Who has it open may read an older one, which nothing may keep any more.
      const shown = this.#live.shown?.nodeAt(inode);
      const isShown = shown instanceof TreeNode && equalContents(contentOf(shown) ?? nothing, content ?? nothing);
      return isShown && (content?.size ?? 0) >= layer.staged.sizeMin ? content : undefined;
    } catch (thrown) {
      // It is deleted, or none of the tree's own.
      if (isKind(thrown) || ["ESTALE", "EROFS"].includes(errnoOf(thrown) ?? "")) return undefined;
      throw thrown;
    }
  }

  /** Goes on with a copy that was begun: what follows is as it is in the content. A commit that is at work would make another content of the file meanwhile. */
  async #extend(inode: number, content: Content, range: FileRange): Promise<boolean> {
    if (this.#staged.find(inode) === undefined)
      return equalContents(contentOf(this.#live.nodeAt(inode)) ?? nothing, content);
    return await this.#live.layer.alone(() => {
      this.#live.layer.tree();
      const file = this.#staged.find(inode);
      if (file === undefined || !equalContents(file.base.content, content)) return false;
      this.#staged.restore(file, range);
      return true;
    });
  }

  async #begin(inode: number, content: Content, range: FileRange): Promise<boolean> {
    const begun = this.#makeUnreal(inode, content, range);
    const running = begun.catch(() => {}).finally(() => this.#running.delete(inode));
    this.#running.set(inode, running);
    return await begun;
  }

  async #makeUnreal(inode: number, content: Content, range: FileRange): Promise<boolean> {
    const { layer, folder } = this.#live;
    const real = this.#live.realOf(inode);
    if (real === undefined || !this.#isEmpty(real)) return false;
    const { size } = folder.getattr(real);
    const isPart = size !== 0 || range.offset !== 0 || range.length !== content.size;
    if (isPart && !layer.staged.hasRoom) return false;
    let place = folder.placeOf(real);
    try {
      if (place !== undefined && !this.#isSettled(place.parent)) {
        await layer.settle();
        place = folder.placeOf(real);
      }
      if (place === undefined) return false;
      const { parent, name } = place;
      // The tree may have it as what was deleted under its name, which somebody still has open by another number.
      const mayLeave = (): boolean => this.#isKnownAs(this.#live.treeOf(parent)?.find(latin(name)), inode);
      const { mtimeNs } = folder.getattr(parent);
      const id = await layer.takeOutEmpty(this.#live.pathOf(real), folder.fileAt(real), mayLeave);
      // The new file is still there: its directory is not as old as in the tree.
      if (folder.getattr(parent).mtimeNs < mtimeNs) folder.setattr(parent, { mtimeNs });
      const empty = id === undefined ? undefined : this.#showUnreal(place);
      if (id === undefined || empty === undefined) return false;
      this.#live.forget(inode, 1);
      await layer.change({ id, path: pathOf(empty), content });
    } catch (thrown) {
      // Whatever the tree cannot have now can be written all the same.
      if (!isKind(thrown)) throw thrown;
      return false;
    }
    const begin = (): boolean => {
      const node = place === undefined ? undefined : this.#nodeAt(place);
      if (node === undefined) return false;
      this.#live.shown?.moved(inode, node);
      if (isPart) this.#staged.beginPart(node, size, range);
      return true;
    };
    return isPart ? await layer.alone(begin) : begin();
  }

  /** Whether there is nothing in a file, and it can become unreal: as `canStage` says, and nobody reads or writes it without asking. */
  #isEmpty(real: number): boolean {
    const { folder, layer } = this.#live;
    const { kind, mode, nlink, size } = folder.getattr(real);
    if (kind !== "file" || nlink !== 1 || (mode & setIdBits) !== 0) return false;
    if (!layer.isPart() || folder.isBacking(real)) return false;
    return size === 0 || !hasData(() => folder.lseek(real, 0, 0, "data"));
  }

  /** Whether a directory of the folder stands where the tree has it, or what it is in, if the tree does not have it. */
  #isSettled(directory: number): boolean {
    const tree = this.#live.treeOf(directory);
    if (tree !== undefined) return equalBytes(pathOf(tree), this.#live.pathOf(directory));
    const place = this.#live.folder.placeOf(directory);
    return place !== undefined && this.#isSettled(place.parent);
  }

  /** Whoever knows the file goes on to know it, with one lookup more. @returns It; undefined where something else is there by now. */
  #showUnreal(place: Place): TreeNode | undefined {
    const live = this.#live;
    const node = this.#nodeAt(place);
    if (node === undefined) return undefined;
    live.showUnreal(node);
    return node;
  }

  /** Whether a node of the tree is known by this number, or by none. */
  #isKnownAs(node: ShownNode | undefined, inode: number): boolean {
    const { shown } = this.#live;
    return node !== undefined && shown !== undefined && (shown.knownAs(node, inode) ?? inode) === inode;
  }

  #nodeAt({ parent, name }: Place): TreeNode | undefined {
    const live = this.#live;
    if (live.folder.hasName(parent, latin(name))) return undefined;
    return live.unrealIn(live.treeOf(parent), latin(name));
  }
}

function contentOf({ entry }: TreeNode): Content | undefined {
  const { value } = entry.data[0];
  return value.kind === kinds.file ? value.content : undefined;
}

/** @param seek For data. */
function hasData(seek: () => unknown): boolean {
  try {
    seek();
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) !== "ENXIO") throw thrown;
    return false;
  }
}
