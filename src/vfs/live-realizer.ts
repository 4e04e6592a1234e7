/**
 * Making things of a live filesystem real. Before something is changed in an unreal directory it is made in the folder, empty; before an unreal file is changed it is
 * brought, with all names that it has. Whoever knew the inode then knows the real one by its number. Only what a commit has where the folder has it can be brought:
 * where a directory above was renamed since, there is a commit first.
 */
import { equalBytes } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { equalDots } from "../format/mod.ts";
import { joinPath, splitPath } from "../history/mod.ts";
import type * as fs from "./filesystem.ts";
import { rootInode } from "./filesystem.ts";
import { LiveTrees, latin, pathOf, stale, textOf } from "./live-trees.ts";
import type { ShownNode } from "./shown-node.ts";
import { TreeNode } from "./tree-node.ts";

const permissionBits = 0o777;
/** This process itself. */
const noCaller: fs.Caller = { uid: 0, gid: 0, pid: 0, signal: new AbortController().signal };

export class LiveRealizer extends LiveTrees {
  readonly #realizing = new Map<number, Promise<number>>();

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

  /** Whether something is on its way into the folder. */
  isBecomingReal(inode: number): boolean {
    return this.#realizing.has(inode);
  }

  /** The directory in the folder that is one of the tree, made there when it is not. */
  async realDirectory(node: ShownNode | undefined): Promise<number> {
    if (node === undefined || node.parent === undefined) return rootInode;
    const known = this.realWith(node as TreeNode);
    if (known !== undefined) return known;
    const parent = await this.realDirectory(node.parent);
    const there = this.folder.lookup(parent, node.name);
    const real = there?.attributes.inode ?? this.#makeDirectory(parent, node as TreeNode);
    this.setTree(real, node as TreeNode);
    this.onReal(node.parent as TreeNode, node.name);
    if (this.kept.has(real)) this.folder.forget(real, 1);
    this.kept.add(real);
    return real;
  }

  async #makeReal(inode: number, isKept: boolean): Promise<number> {
    let node = this.nodeAt(inode);
    if (node.kind === "directory") {
      const directory = await this.realDirectory(node);
      if (this.realized.has(inode)) return directory;
      this.folder.lookup(directory, latin("."));
      return this.adopt(inode, directory);
    }
    await this.commitStaged(node);
    node = this.nodeAt(inode);
    const parent = await this.realDirectory(node.parent);
    // What other names lead to as well is brought with them.
    if (isKept || node.kind !== "file" || node.entry.meta.link !== undefined) {
      let paths = await this.#pathsOf(node);
      if (paths.some((path) => this.isMoved(path))) {
        await this.layer.settle();
        node = this.#settled(parent, node);
        paths = await this.#pathsOf(node);
      }
      await this.#bring(paths);
    } else this.#makeEmpty(parent, node);
    const found = this.folder.lookup(await this.realDirectory(node.parent), node.name);
    if (found === undefined) throw stale("it is gone");
    this.onReal(node.parent as TreeNode, node.name);
    return this.adopt(inode, found.attributes.inode);
  }

  /** Commits what was changed of an unreal file, if anything was, so that it is in the tree. @throws OuroError when that cannot be. */
  async commitStaged({ entry }: TreeNode): Promise<void> {
    const { staged } = this.layer;
    if (staged.find(entry.id) === undefined) return;
    await this.layer.settle();
    this.layer.tree();
    if (staged.find(entry.id) !== undefined)
      throw new OuroError("io", "Cannot bring a file into the folder: what was written to it is not committed yet");
  }

  /** What it is in the tree after a commit, which has it in the directory that it is in now. */
  #settled(parent: number, node: TreeNode): TreeNode {
    const { shown } = this;
    const found = this.treeOf(parent)?.find(node.name);
    if (shown === undefined || !(found instanceof TreeNode) || !equalDots(found.entry.id, node.entry.id))
      throw stale("a commit has moved it");
    // Who knows it knows it there.
    shown.moved(shown.numberOf(found), found);
    return found;
  }

  /** Brings files into the folder, whose directories stay as old as they are there. */
  async #bring(paths: readonly Uint8Array[]): Promise<void> {
    const directories = paths.flatMap((path) => this.#findReal(splitPath(path).slice(0, -1)) ?? []);
    try {
      const times = directories.map((real) => this.folder.getattr(real).mtimeNs);
      await this.layer.realize(paths).catch((thrown: unknown) => {
        throw about(paths, thrown);
      });
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

  #makeDirectory(parent: number, node: TreeNode): number {
    const { mode } = node.attributes();
    const made = this.#makeQuietly(parent, () =>
      this.folder.mkdir(parent, node.name, { mode: mode & permissionBits, umask: 0 }, noCaller),
    );
    this.#dress(made, node);
    const above = node.parent as TreeNode;
    this.layer.becameReal(node.entry, this.folder.fileAt(made));
    this.layer.note(above.entry.id, node.entry, this.pathOf(made));
    return this.folder.renumber(made);
  }

  /** For who is about to write all of it anew. */
  #makeEmpty(parent: number, node: TreeNode): void {
    const { mode } = node.attributes();
    const file = { kind: "file", mode: mode & permissionBits, umask: 0, rdevMajor: 0, rdevMinor: 0 } as const;
    const made = this.#makeQuietly(parent, () => this.folder.mknod(parent, node.name, file, noCaller));
    this.#dress(made, node);
    this.layer.becameReal(node.entry, this.folder.fileAt(made));
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
        const value = node.findXattr(textOf(name)) as Uint8Array;
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

  /** Whether a directory above a path of the tree stands elsewhere in the folder. */
  isMoved(path: Uint8Array): boolean {
    let directory: ShownNode | undefined = this.lastShown?.root;
    let above: Uint8Array = new Uint8Array();
    for (const name of splitPath(path).slice(0, -1)) {
      above = joinPath(above, name);
      directory = directory?.find(name);
      const real = directory === undefined ? undefined : this.realWith(directory as TreeNode);
      if (real !== undefined && !equalBytes(this.pathOf(real), above)) return true;
    }
    return false;
  }
}

/** A failure that says which file it is about. */
function about([path]: readonly Uint8Array[], thrown: unknown): unknown {
  if (path === undefined || !isKind(thrown)) return thrown;
  return new OuroError(thrown.kind, `${quotePath(path)}: ${thrown.message}`, { cause: thrown });
}

function isRefusal(thrown: unknown): boolean {
  const { code = "" } = thrown as { code?: string };
  return ["EPERM", "EACCES", "EOPNOTSUPP", "ENOTSUP", "EINVAL"].includes(code);
}
