/**
 * A box as it is worked on: its folder, and beside what is in it what its tree has and the folder has not (unreal), in one filesystem. What is changed is
 * changed in the folder, where the next commit finds it; an unreal file comes into the folder before it is changed, and is read where it lies otherwise.
 * `.ourobox` in the root is found and not listed, as in a mounted commit.
 *
 * Numbers: a real file has the folder's, an unreal one that of its node; what becomes real keeps the number it is known by while it is known. Locks are kept
 * here, so they stay where they are when that happens. What fails for want of content is an EIO and a line in the log.
 */
import { type CommitFilesystem, hiddenName } from "./commit-filesystem.ts";
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import { filesystemLimits, rootInode } from "./filesystem.ts";
import type { FolderFilesystem } from "./folder-filesystem.ts";
import { LiveData } from "./live-data.ts";
import { LiveListings } from "./live-listings.ts";
import { LiveNames } from "./live-names.ts";
import { type LiveDirectory, latin, textOf } from "./live-trees.ts";
import type { UnrealLayer } from "./unreal-layer.ts";

export interface LiveFilesystemOptions {
  /** Stays the caller's. */
  readonly folder: FolderFilesystem;
  readonly layer: UnrealLayer;
  /** Opens the first tree that there is to show, with numbers from `shownNumbersFrom`. */
  readonly show: (tree: Uint8Array) => CommitFilesystem;
  /** Told why something could not be done. */
  readonly log?: (text: string) => void;
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
      new LiveNames({ folder, layer, show, onReal: (directory, name) => listings.becameReal?.(directory, name) }),
      log ?? ((): void => {}),
    );
    this.#listings = new LiveListings(this.names);
    listings.becameReal = (directory, name) => this.#listings.becameReal(directory, name);
  }

  lookup(parent: number, name: Uint8Array): fs.Answer<fs.Found | undefined> {
    const { names } = this;
    const { shown } = names;
    if (shown !== undefined && this.#isShownOnly(parent, name, shown)) return shown.lookup(parent, name);
    if (isDots(name)) return this.#lookupDots(parent, name);
    const { real, tree } = names.directoryAt(parent);
    if (real !== undefined) {
      const found = names.folder.lookup(real, name);
      if (found !== undefined) {
        names.recognize(found);
        return names.found(found);
      }
    }
    checkLength(name);
    const node = names.unrealIn(tree, name);
    return node === undefined ? undefined : shown?.show(node);
  }

  forget(inode: number, lookups: number): void {
    this.names.forget(inode, lookups);
  }

  mknod(parent: number, name: Uint8Array, node: fs.NewNode, caller: fs.Caller): fs.Answer<fs.Found> {
    return this.#make(parent, name, (real) => this.names.found(this.names.folder.mknod(real, name, node, caller)));
  }

  mkdir(parent: number, name: Uint8Array, node: fs.NewFile, caller: fs.Caller): fs.Answer<fs.Found> {
    return this.#make(parent, name, (real) => this.names.found(this.names.folder.mkdir(real, name, node, caller)));
  }

  symlink(parent: number, name: Uint8Array, target: Uint8Array, caller: fs.Caller): fs.Answer<fs.Found> {
    return this.#make(parent, name, (real) => this.names.found(this.names.folder.symlink(real, name, target, caller)));
  }

  link(inode: number, parent: number, name: Uint8Array): fs.Answer<fs.Found> {
    const link = (directory: number): fs.Answer<fs.Found> =>
      this.onReal(inode, "link", (real) => this.names.found(this.names.folder.link(real, directory, name)));
    return this.#make(parent, name, link);
  }

  create(parent: number, name: Uint8Array, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Answer<fs.Created> {
    return this.#make(parent, name, (real) => {
      const created = this.names.folder.create(real, name, file, caller);
      return { ...created, ...this.names.found(created) };
    });
  }

  createTemporary(parent: number, file: fs.NewFile & fs.OpenFlags, caller: fs.Caller): fs.Answer<fs.Created> {
    return this.onReal(parent, "make a file in", (real) => this.names.folder.createTemporary(real, file, caller));
  }

  unlink(parent: number, name: Uint8Array): fs.Answer<void> {
    return this.#remove(
      parent,
      name,
      (real) => this.names.folder.unlink(real, name),
      (node) => {
        if (node.kind === "directory") throw new FilesystemFailure("EISDIR", "cannot unlink: it is a directory");
      },
    );
  }

  rmdir(parent: number, name: Uint8Array): fs.Answer<void> {
    const { names } = this;
    const remove = (real: number): void => {
      const found = names.folder.lookup(real, name);
      const inode = found?.attributes.inode;
      try {
        if (inode !== undefined && found?.attributes.kind === "directory" && names.hasUnreal(names.treeOf(inode)))
          throw notEmpty();
        names.folder.rmdir(real, name);
        if (inode !== undefined) names.dropTree(inode);
      } finally {
        if (inode !== undefined) names.folder.forget(inode, 1);
      }
    };
    return this.#remove(parent, name, remove, (node) => {
      if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot remove: it is no directory");
      if (names.hasUnreal(node)) throw notEmpty();
    });
  }

  rename(from: Place, to: Place, mode: fs.RenameMode): fs.Answer<void> {
    this.#refuseHidden(from.parent, from.name, "ENOENT");
    this.#refuseHidden(to.parent, to.name, "EPERM");
    const { names } = this;
    if (!names.layer.isPart()) {
      const [source, target] = [names.directoryAt(from.parent).real, names.directoryAt(to.parent).real];
      if (source === undefined || target === undefined) throw new FilesystemFailure("ESTALE", "cannot rename there");
      names.folder.rename({ parent: source, name: from.name }, { parent: target, name: to.name }, mode);
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
    this.names.layer.flush();
    return this.names.folder.syncfs();
  }

  statfs(): fs.FilesystemSpace {
    return this.names.folder.statfs();
  }

  /** Whether it is something that is only shown: `.ourobox`, and what is in it. */
  #isForeign(inode: number): boolean {
    return this.names.realOf(inode) === undefined && this.names.isForeign(inode);
  }

  #isShownOnly(parent: number, name: Uint8Array, shown: CommitFilesystem): boolean {
    if (parent === rootInode) return textOf(name) === hiddenName && shown.root !== undefined;
    return this.#isForeign(parent);
  }

  #lookupDots(parent: number, name: Uint8Array): fs.Answer<fs.Found | undefined> {
    const { names } = this;
    const real = names.realOf(parent);
    if (real !== undefined) {
      const found = names.folder.lookup(real, name);
      return found === undefined ? undefined : names.found(found);
    }
    const node = names.nodeAt(parent);
    if (name.length === 1) return names.shown?.show(node);
    if (node.kind !== "directory") throw new FilesystemFailure("ENOTDIR", "cannot look into it: it is not a directory");
    const above = names.numberAbove(node);
    const realAbove = names.realOf(above);
    if (realAbove === undefined) return names.shown?.show(node.parent ?? node);
    const found = names.folder.lookup(realAbove, latin("."));
    return found === undefined ? undefined : names.found(found);
  }

  /** @param make Makes it in a directory of the folder. */
  #make<T>(parent: number, name: Uint8Array, make: (directory: number) => fs.Answer<T>): fs.Answer<T> {
    this.#refuseHidden(parent, name, "EPERM");
    const { real, tree } = this.names.directoryAt(parent);
    if (tree === undefined && real !== undefined) return make(real);
    checkLength(name);
    if (this.names.unrealIn(tree, name) !== undefined && (real === undefined || !this.names.folder.hasName(real, name)))
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
    const { names } = this;
    const { real, tree } = names.directoryAt(parent);
    if (real !== undefined && (tree === undefined || names.folder.hasName(real, name))) {
      remove(real);
      names.hide(tree, name);
      return;
    }
    checkLength(name);
    const node = names.unrealIn(tree, name);
    if (node === undefined || tree === undefined)
      throw new FilesystemFailure("ENOENT", "cannot remove: there is no such name");
    check(node);
    return this.onReal(parent, "remove something from", (directory) => {
      names.remove(tree, node);
      names.folder.setattr(directory, { mtimeNs: "now" });
    });
  }

  async #renameInTree(from: Place, to: Place, mode: fs.RenameMode): Promise<void> {
    const { names } = this;
    const moved = await this.#toRename(from);
    if (moved === undefined) throw new FilesystemFailure("ENOENT", "cannot rename: there is no such name");
    try {
      const targetParent = await names.makeReal(to.parent);
      const sourceParent = await names.makeReal(from.parent);
      const { tree } = names.directoryAt(to.parent);
      const isThere = names.folder.hasName(targetParent, to.name);
      const unreal = isThere ? undefined : names.unrealIn(tree, to.name);
      if (unreal !== undefined && mode === "no-replace")
        throw new FilesystemFailure("EEXIST", "cannot rename: the name is taken");
      let other: number | undefined;
      if (mode === "exchange") other = await this.#toRename(to);
      else if (unreal !== undefined) this.#checkReplaced(moved, unreal);
      else if (isThere && mode === "replace") this.#checkReal(moved, targetParent, to.name);
      try {
        // What they are in the tree they are by the names that they have now.
        for (const each of [moved, other]) if (each !== undefined) names.treeOf(each);
        names.folder.rename({ parent: sourceParent, name: from.name }, { parent: targetParent, name: to.name }, mode);
        for (const each of [moved, other])
          if (each !== undefined && names.folder.getattr(each).kind === "directory") names.renamed(each);
      } finally {
        if (other !== undefined) names.folder.forget(other, 1);
      }
      if (mode === "exchange") return;
      names.hide(names.directoryAt(from.parent).tree, from.name);
      names.hide(names.directoryAt(to.parent).tree, to.name);
    } finally {
      names.folder.forget(moved, 1);
    }
  }

  /** Makes what is to get another name real, and a directory known to the scan. @returns Its inode in the folder, one lookup more. */
  async #toRename({ parent, name }: Place): Promise<number | undefined> {
    const { names } = this;
    const found = await this.lookup(parent, name);
    if (found === undefined) return undefined;
    const { inode, kind } = found.attributes;
    try {
      const real = await names.makeReal(inode);
      names.folder.lookup(real, latin("."));
      if (kind === "directory") names.noteReal(names.directoryAt(parent).tree, real, name);
      return real;
    } finally {
      names.forget(inode, 1);
    }
  }

  /** @param moved Real. */
  #checkReplaced(moved: number, unreal: NonNullable<LiveDirectory["tree"]>): void {
    const isDirectory = this.names.folder.getattr(moved).kind === "directory";
    if (unreal.kind !== "directory") {
      if (isDirectory) throw new FilesystemFailure("ENOTDIR", "cannot rename a directory over what is none");
      return;
    }
    if (!isDirectory) throw new FilesystemFailure("EISDIR", "cannot rename over a directory");
    if (this.names.hasUnreal(unreal)) throw notEmpty();
  }

  /** A directory in the folder that is empty there only is not. */
  #checkReal(moved: number, parent: number, name: Uint8Array): void {
    const { names } = this;
    const there = names.folder.lookup(parent, name);
    if (there === undefined) return;
    const { inode, kind } = there.attributes;
    try {
      if (kind === "directory" && inode !== moved && names.hasUnreal(names.treeOf(inode))) throw notEmpty();
    } finally {
      names.folder.forget(inode, 1);
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
