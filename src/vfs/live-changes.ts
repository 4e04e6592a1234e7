/**
 * Large files of a live filesystem that get another name, mode or owner while they are unreal: that is changed in the tree, so that they need not be brought. Each is a commit,
 * which costs more than to bring a small file.
 */
import { isKind } from "../base/errors.ts";
import { joinPath } from "../history/mod.ts";
import type * as fs from "./filesystem.ts";
import type { LiveRealizer } from "./live-realizer.ts";
import { canStage } from "./live-staged.ts";
import { pathOf } from "./live-trees.ts";
import { TreeNode } from "./tree-node.ts";
import type { UnrealChange } from "./unreal-layer.ts";

interface Place {
  readonly parent: number;
  readonly name: Uint8Array;
}

/** What can be changed so; times of access and change are not kept of what is unreal. */
const metaChanges: ReadonlySet<string> = new Set(["mode", "uid", "gid", "atimeNs", "ctimeNs"]);

export class LiveChanges {
  readonly #live: LiveRealizer;

  constructor(live: LiveRealizer) {
    this.#live = live;
  }

  /**
   * Renames an unreal file to where nothing is.
   * @returns Whether that was done: else what is to be renamed has to be in the folder.
   * @throws OuroError "locked" and their like, of the commit.
   */
  async rename(from: Place, to: Place): Promise<boolean> {
    const live = this.#live;
    if (this.#fileAt(from) === undefined || !this.#isFree(to)) return false;
    const parents = [await live.makeReal(from.parent), await live.makeReal(to.parent)];
    const isDone = await this.#change(() => {
      const node = this.#fileAt(from);
      const { tree } = live.directoryAt(to.parent);
      if (node === undefined || tree === undefined || !this.#isFree(to)) return undefined;
      return { id: node.entry.id, path: pathOf(node), to: joinPath(pathOf(tree), to.name) };
    });
    if (!isDone) return false;
    this.#knowAgain(to);
    for (const real of parents) live.folder.setattr(real, { mtimeNs: "now" });
    return true;
  }

  /** Whether all of a change can be made so. */
  isFit(changes: fs.AttributeChanges): boolean {
    const { mode, uid, gid } = changes;
    return (mode ?? uid ?? gid) !== undefined && Object.keys(changes).every((name) => metaChanges.has(name));
  }

  /** @returns Whether it is a large unreal file, and has these attributes now. @throws OuroError as `rename`. */
  async setMeta(inode: number, { mode, uid, gid }: fs.AttributeChanges): Promise<boolean> {
    const live = this.#live;
    const node = live.nodeAt(inode);
    const place = { parent: live.numberAbove(node), name: node.name };
    if (this.#fileAt(place) === undefined) return false;
    const meta = {
      ...(mode === undefined ? {} : { mode }),
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    };
    const isDone = await this.#change(() => {
      const now = this.#fileAt(place);
      return now === undefined ? undefined : { id: now.entry.id, path: pathOf(now), meta };
    });
    if (isDone) this.#knowAgain(place);
    return isDone;
  }

  /**
   * Changes a file where the tree has it, after a commit where that is not where the mount has it.
   * @param find What there is to do, as things are now.
   */
  async #change(find: () => UnrealChange | undefined): Promise<boolean> {
    const { layer } = this.#live;
    for (const isSettled of [false, true]) {
      if (isSettled) await layer.settle();
      const change = find();
      if (change === undefined || !(isSettled || this.#isAsCommitted(change))) continue;
      try {
        await layer.change(change);
        return true;
      } catch (thrown) {
        if (!isKind(thrown, "stale")) throw thrown;
      }
    }
    return false;
  }

  #isAsCommitted({ id, path, to = path }: UnrealChange): boolean {
    const live = this.#live;
    return live.layer.staged.find(id) === undefined && !live.isMoved(path) && !live.isMoved(to);
  }

  /** The unreal file at a place, where it is one that is worth it. */
  #fileAt({ parent, name }: Place): TreeNode | undefined {
    const live = this.#live;
    const { real, tree } = live.directoryAt(parent);
    if (real !== undefined && live.folder.hasName(real, name)) return undefined;
    const node = live.unrealIn(tree, name);
    if (node === undefined || !canStage(node, live.layer.staged)) return undefined;
    return live.isBecomingReal(live.shown?.numberOf(node) ?? 0) ? undefined : node;
  }

  #isFree({ parent, name }: Place): boolean {
    const { real, tree } = this.#live.directoryAt(parent);
    return (
      (real === undefined || !this.#live.folder.hasName(real, name)) && this.#live.unrealIn(tree, name) === undefined
    );
  }

  /** Whoever knows the file goes on to know it, as it is in the tree now. */
  #knowAgain({ parent, name }: Place): void {
    const { shown, marks, layer } = this.#live;
    const found = this.#live.directoryAt(parent).tree?.find(name);
    if (shown === undefined || !(found instanceof TreeNode)) return;
    const inode = shown.numberOf(found);
    if (shown.nodeAt(inode) === undefined) return;
    shown.moved(inode, found);
    marks.changed(inode, layer.staged.nowNs());
  }
}
