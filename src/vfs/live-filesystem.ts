/**
 * A box as it is worked on: its folder, and beside what is in it what its tree has and the folder has not (unreal), in one filesystem. What is changed is
 * changed in the folder, where the next commit finds it; an unreal file comes into the folder before it is changed, and is read where it lies otherwise.
 * `.ourobox` in the root is found and not listed, as in a mounted commit.
 *
 * Numbers: a real file has the folder's, an unreal one that of its node; what becomes real or unreal keeps the number it has (inode-numbers.ts). Locks are kept
 * here, so they stay where they are when that happens. What fails for want of content is an EIO and a line in the log.
 */
import { type CommitFilesystem, hiddenName } from "./commit-filesystem.ts";
import { type FailureLog, FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits, rootInode } from "./filesystem.ts";
import type { FolderFilesystem } from "./folder-filesystem.ts";
import { LiveData } from "./live-data.ts";
import { LiveListings } from "./live-listings.ts";
import { LiveRealizer } from "./live-realizer.ts";
import { type LiveDirectory, latin, textOf } from "./live-trees.ts";
import type { UnrealLayer } from "./unreal-layer.ts";

export interface LiveFilesystemOptions {
  /** Stays the caller's. */
  readonly folder: FolderFilesystem;
  readonly layer: UnrealLayer;
  /** Opens the first tree that there is to show, with numbers from `shownNumbersFrom`. */
  readonly show: (tree: Uint8Array) => CommitFilesystem;
  /** Told why something could not be done. */
  readonly log?: FailureLog;
}

interface Place {
  readonly parent: number;
  readonly name: Uint8Array;
}

export class LiveFilesystem extends LiveData implements fs.Filesystem {
  readonly #listings: LiveListings;

  constructor({ folder, layer, show, log }: LiveFilesystemOptions) {
    const listings: { becameReal?: LiveListings["becameReal"] } = {};
    super(
      new LiveRealizer({ folder, layer, show, onReal: (directory, name) => listings.becameReal?.(directory, name) }),
      log ?? ((): void => {}),
    );
    this.#listings = new LiveListings(this.live);
    listings.becameReal = (directory, name) => this.#listings.becameReal(directory, name);
  }

  lookup(parent: number, name: Uint8Array): fs.Answer<fs.Found | undefined> {
    const { live } = this;
    const { shown } = live;
    if (shown !== undefined && this.#isShownOnly(parent, name, shown)) return shown.lookup(parent, name);
    if (isDots(name)) return this.#lookupDots(parent, name);
    const { real, tree } = live.directoryAt(parent);
    if (real !== undefined) {
      const found = live.folder.lookup(real, name);
      if (found !== undefined) {
        live.recognize(found);
        return live.found(found);
      }
    }
    checkLength(name);
    const node = live.unrealIn(tree, name);
    return node === undefined ? undefined : live.showUnreal(node);
  }

  forget(inode: number, lookups: number): void {
    this.live.forget(inode, lookups);
  }

  mknod(parent: number, name: Uint8Array, node: fs.NewNode, caller: fs.Caller): fs.Answer<fs.Found> {
    return this.#make(parent, name, (real) => this.live.found(this.live.folder.mknod(real, name, node, caller)));
  }

  mkdir(parent: number, name: Uint8Array, node: fs.NewFile, caller: fs.Caller): fs.Answer<fs.Found> {
    return this.#make(parent, name, (real) => this.live.found(this.live.folder.mkdir(real, name, node, caller)));
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, caller: fs.Caller): fs.Answer<fs.Found> {
    return this.#make(parent, name, (real) => this.live.found(this.live.folder.symlink(real, name, target, caller)));
  }

  link(inode: number, parent: number, name: Uint8Array): fs.Answer<fs.Found> {
    const link = (directory: number): fs.Answer<fs.Found> =>
      this.onReal(inode, "link", (real) => this.live.found(this.live.folder.link(real, directory, name)));
    return this.#make(parent, name, link);
  }

  create(parent: number, name: Uint8Array, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Answer<fs.Created> {
    return this.#make(parent, name, (real) => {
      const created = this.live.folder.create(real, name, file, caller);
      return { ...this.openedEmpty(created.attributes.inode, created), ...this.live.found(created) };
    });
  }

  createTemporary(parent: number, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Answer<fs.Created> {
    return this.onReal(parent, "make a file in", (real) => this.live.folder.createTemporary(real, file, caller));
  }

  unlink(parent: number, name: Uint8Array): fs.Answer<void> {
    return this.#remove(
      parent,
      name,
      (real) => this.live.folder.unlink(real, name),
      (node) => {
        if (node.kind === "directory") throw new FilesystemFailure("EISDIR", "cannot unlink: it is a directory");
      },
    );
  }

  rmdir(parent: number, name: Uint8Array): fs.Answer<void> {
    const { live } = this;
    const remove = (real: number): void => {
      const found = live.folder.lookup(real, name);
      const inode = found?.attributes.inode;
      try {
        if (inode !== undefined && found?.attributes.kind === "directory" && live.hasUnreal(live.treeOf(inode)))
          throw notEmpty();
        live.folder.rmdir(real, name);
        if (inode !== undefined) live.dropTree(inode);
      } finally {
        if (inode !== undefined) live.folder.forget(inode, 1);
      }
    };
    return this.#remove(parent, name, remove, (node) => {
      if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot remove: it is no directory");
      if (live.hasUnreal(node)) throw notEmpty();
    });
  }

  rename(from: Place, to: Place, mode: fs.RenameMode): fs.Answer<void> {
    this.#refuseHidden(from.parent, from.name, "ENOENT");
    this.#refuseHidden(to.parent, to.name, "EPERM");
    const { live } = this;
    if (!live.layer.isPart()) {
      const [source, target] = [live.directoryAt(from.parent).real, live.directoryAt(to.parent).real];
      if (source === undefined || target === undefined) throw new FilesystemFailure("ESTALE", "cannot rename there");
      live.folder.rename({ parent: source, name: from.name }, { parent: target, name: to.name }, mode);
      return;
    }
    return this.attempt("rename", () => this.#renameInTree(from, to, mode));
  }

  opendir(inode: number): fs.Answer<fs.Opened> {
    if (this.#isForeign(inode)) return this.shownAt().opendir(inode);
    return this.#listings.open(inode);
  }

  readdir(inode: number, handle: number, options: fs.ListOptions): fs.Answer<void> {
    if (this.#isForeign(inode)) return this.shownAt().readdir(inode, handle, options);
    return this.#listings.list(inode, handle, options);
  }

  fsyncdir(inode: number, handle: number): fs.Answer<void> {
    return this.fsync(inode, this.#listings.realHandle(handle), false);
  }

  releasedir(inode: number, handle: number): void {
    if (this.#isForeign(inode)) this.shownAt().releasedir(inode, handle);
    else this.#listings.close(handle);
  }

  syncfs(): fs.Answer<void> {
    this.live.layer.flush();
    return this.live.folder.syncfs();
  }

  statfs(): fs.FilesystemSpace {
    return this.live.folder.statfs();
  }

  /** Whether it is something that is only shown: `.ourobox`, and what is in it. */
  #isForeign(inode: number): boolean {
    return this.live.realOf(inode) === undefined && this.live.isForeign(inode);
  }

  #isShownOnly(parent: number, name: Uint8Array, shown: CommitFilesystem): boolean {
    if (parent === rootInode) return textOf(name) === hiddenName && shown.root !== undefined;
    return this.#isForeign(parent);
  }

  #lookupDots(parent: number, name: Uint8Array): fs.Answer<fs.Found | undefined> {
    const { live } = this;
    const real = live.realOf(parent);
    if (real !== undefined) {
      const found = live.folder.lookup(real, name);
      return found === undefined ? undefined : live.found(found);
    }
    const node = live.nodeAt(parent);
    if (name.length === 1) return live.shown?.show(node);
    if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot look into it: it is not a directory");
    const above = live.numberAbove(node);
    const realAbove = live.realOf(above);
    if (realAbove === undefined)
      return live.showUnreal(node.parent === undefined ? node : (node.parent as typeof node));
    const found = live.folder.lookup(realAbove, latin("."));
    return found === undefined ? undefined : live.found(found);
  }

  /** @param make Makes it in a directory of the folder. */
  #make<T>(parent: number, name: Uint8Array, make: (directory: number) => fs.Answer<T>): fs.Answer<T> {
    this.#refuseHidden(parent, name, "EPERM");
    const { real, tree } = this.live.directoryAt(parent);
    if (tree === undefined && real !== undefined) return make(real);
    checkLength(name);
    if (this.live.unrealIn(tree, name) !== undefined && (real === undefined || !this.live.folder.hasName(real, name)))
      throw new FilesystemFailure("EEXIST", "cannot make it: the name is taken");
    return this.onReal(parent, "make something in", make);
  }

  /** @param check Of what is unreal, whether it may be removed so. */
  #remove(
    parent: number,
    name: Uint8Array,
    remove: (directory: number) => void,
    check: (node: { readonly kind: string } & NonNullable<LiveDirectory["tree"]>) => void,
  ): fs.Answer<void> {
    this.#refuseHidden(parent, name, "ENOENT");
    const { live } = this;
    const { real, tree } = live.directoryAt(parent);
    if (real !== undefined && (tree === undefined || live.folder.hasName(real, name))) {
      remove(real);
      live.hide(tree, name);
      return;
    }
    checkLength(name);
    const node = live.unrealIn(tree, name);
    if (node === undefined || tree === undefined)
      throw new FilesystemFailure("ENOENT", "cannot remove: there is no such name");
    check(node);
    return this.onReal(parent, "remove something from", (directory) => {
      live.remove(tree, node);
      this.dropStaged(node);
      live.folder.setattr(directory, { mtimeNs: "now" });
    });
  }

  async #renameInTree(from: Place, to: Place, mode: fs.RenameMode): Promise<void> {
    const { live } = this;
    if (mode !== "exchange" && (await this.changes.rename(from, to))) return;
    const replaced = live.unrealIn(live.directoryAt(to.parent).tree, to.name);
    if (replaced?.kind === "file") await live.commitStaged(replaced);
    const moved = await this.#toRename(from);
    if (moved === undefined) throw new FilesystemFailure("ENOENT", "cannot rename: there is no such name");
    try {
      const targetParent = await live.makeReal(to.parent);
      const sourceParent = await live.makeReal(from.parent);
      const { tree } = live.directoryAt(to.parent);
      const isThere = live.folder.hasName(targetParent, to.name);
      const unreal = isThere ? undefined : live.unrealIn(tree, to.name);
      if (unreal !== undefined && mode === "no-replace")
        throw new FilesystemFailure("EEXIST", "cannot rename: the name is taken");
      let other: number | undefined;
      if (mode === "exchange") other = await this.#toRename(to);
      else if (unreal !== undefined) this.#checkReplaced(moved, unreal);
      else if (isThere && mode === "replace") this.#checkReal(moved, targetParent, to.name);
      try {
        // What they are in the tree they are by the names that they have now.
        for (const each of [moved, other]) if (each !== undefined) live.treeOf(each);
        live.folder.rename({ parent: sourceParent, name: from.name }, { parent: targetParent, name: to.name }, mode);
        for (const each of [moved, other])
          if (each !== undefined && live.folder.getattr(each).kind === "directory") live.renamed(each);
      } finally {
        if (other !== undefined) live.folder.forget(other, 1);
      }
      if (mode === "exchange") return;
      live.hide(live.directoryAt(from.parent).tree, from.name);
      live.hide(live.directoryAt(to.parent).tree, to.name);
      if (unreal?.kind === "file") this.dropStaged(unreal);
    } finally {
      live.folder.forget(moved, 1);
    }
  }

  /** Makes what is to get another name real, and a directory known to the scan. @returns Its inode in the folder, one lookup more. */
  async #toRename({ parent, name }: Place): Promise<number | undefined> {
    const { live } = this;
    const found = await this.lookup(parent, name);
    if (found === undefined) return undefined;
    const { inode, kind } = found.attributes;
    try {
      const real = await live.makeReal(inode);
      live.folder.lookup(real, latin("."));
      if (kind === "directory") live.noteReal(live.directoryAt(parent).tree, real, name);
      return real;
    } finally {
      live.forget(inode, 1);
    }
  }

  /** @param moved Real. */
  #checkReplaced(moved: number, unreal: NonNullable<LiveDirectory["tree"]>): void {
    const isDirectory = this.live.folder.getattr(moved).kind === "directory";
    if (unreal.kind !== "directory") {
      if (isDirectory) throw new FilesystemFailure("ENOTDIR", "cannot rename a directory over what is none");
      return;
    }
    if (!isDirectory) throw new FilesystemFailure("EISDIR", "cannot rename over a directory");
    if (this.live.hasUnreal(unreal)) throw notEmpty();
  }

  /** A directory in the folder that is empty there only is not. */
  #checkReal(moved: number, parent: number, name: Uint8Array): void {
    const { live } = this;
    const there = live.folder.lookup(parent, name);
    if (there === undefined) return;
    const { inode, kind } = there.attributes;
    try {
      if (kind === "directory" && inode !== moved && live.hasUnreal(live.treeOf(inode))) throw notEmpty();
    } finally {
      live.folder.forget(inode, 1);
    }
  }

  /** Nothing of the box's own is made or changed. */
  #refuseHidden(parent: number, name: Uint8Array, code: "ENOENT" | "EPERM"): void {
    if (this.#isForeign(parent)) throw new FilesystemFailure("EROFS", "cannot write: what is shown was committed");
    if (parent === rootInode && textOf(name) === hiddenName)
      throw new FilesystemFailure(code, "cannot use a name: it is the box's own");
  }
}

function checkLength(name: Uint8Array): void {
  if (name.length > filesystemLimits.nameBytes)
    throw new FilesystemFailure("ENAMETOOLONG", "cannot use a name: too long");
}

function isDots(name: Uint8Array): boolean {
  const text = textOf(name);
  return text === "." || text === "..";
}

function notEmpty(): FilesystemFailure {
  return new FilesystemFailure("ENOTEMPTY", "cannot remove: it is not empty");
}
