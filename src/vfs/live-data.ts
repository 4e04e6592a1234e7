/**
 * The half of a live filesystem that is about single inodes: attributes, content, handles, extended attributes, locks. Each is asked of the folder where it is
 * real, else of the tree; what is to be changed is made real before.
 */
import { asBuffer, utf8 } from "../base/bytes.ts";
import { errnoOf, isKind } from "../base/errors.ts";
import type { StagedFile } from "../workdir/mod.ts";
import { accessAclName, decodeAcl, isMinimalAcl, modeOfAcl } from "./acl.ts";
import type { CommitFilesystem } from "./commit-filesystem.ts";
import { type ErrnoName, type FailureLog, FilesystemFailure } from "./failure.ts";
import { FileLocks } from "./file-locks.ts";
import type * as fs from "./filesystem.ts";
import { LiveChanges } from "./live-changes.ts";
import { LiveCopies } from "./live-copies.ts";
import type { LiveRealizer } from "./live-realizer.ts";
import { LiveStaged } from "./live-staged.ts";
import { textOf } from "./live-trees.ts";
import { ownPrefix, TreeNode } from "./tree-node.ts";
import { contentKey } from "./tree-view.ts";
import type { LayerMark } from "./unreal-layer.ts";

/** Handles of what is unreal; the folder's are below. */
const shownHandlesFrom = 2 ** 40;
const statusName = `${ownPrefix}status`;
const markName = `${ownPrefix}mark`;
const errnoByKind: readonly (readonly [Parameters<typeof isKind>[1] & string, ErrnoName])[] = [
  ["no-space", "ENOSPC"],
  ["permission", "EACCES"],
  ["read-only", "EROFS"],
];

export abstract class LiveData {
  protected readonly live: LiveRealizer;
  protected readonly staged: LiveStaged;
  protected readonly changes: LiveChanges;
  readonly #copies: LiveCopies;
  readonly #locks = new FileLocks();
  readonly #listeners = new Set<fs.ChangeListener>();
  readonly #log: FailureLog;
  /** Inodes by handle of the folder's, of what was known before it was real: they live as long as the handle. */
  readonly #opened = new Map<number, number>();
  /** Of those that of what is unreal by now: they count as its own. */
  readonly #openedUnreal = new Set<number>();
  /** How many handles there are of what was unreal when it was opened, by inode. */
  readonly #shownOpens = new Map<number, number>();
  /** What the kernel may have kept of unreal files, by inode. */
  readonly #keptContent = new Map<number, string>();

  constructor(live: LiveRealizer, log: FailureLog) {
    this.live = live;
    this.staged = new LiveStaged(live);
    this.changes = new LiveChanges(live);
    this.#copies = new LiveCopies(live, this.staged);
    live.onUnreal = (inode, handles) => this.#becameUnreal(inode, handles);
    this.#log = log;
  }

  listen(listener: fs.ChangeListener): () => void {
    this.#listeners.add(listener);
    const ends = [this.live.folder.listen(listener)];
    this.live.whenShown((shown) => {
      if (this.#listeners.has(listener)) ends.push(shown.listen(listener));
    });
    return () => {
      this.#listeners.delete(listener);
      for (const end of ends) end();
    };
  }

  getattr(inode: number): fs.Answer<fs.Attributes> {
    const real = this.live.realOf(inode);
    if (real !== undefined) return this.live.asLive(this.live.folder.getattr(real));
    return this.#shownAttributes(inode);
  }

  #shownAttributes(inode: number): fs.Answer<fs.Attributes> {
    const { marks } = this.live;
    if (!marks.isNameless(inode)) this.#refresh(inode);
    const answer = this.shownAt().getattr(inode);
    return answer instanceof Promise ? answer.then((each) => marks.apply(each)) : marks.apply(answer);
  }

  setattr(inode: number, changes: fs.AttributeChanges): fs.Answer<fs.Attributes> {
    return this.#orStaged(
      inode,
      this.staged.isFit(changes),
      (file) => {
        this.staged.change(file, changes);
        this.#markChanged(inode);
        return this.#shownAttributes(inode);
      },
      () => this.#setUnstaged(inode, changes),
    );
  }

  #setUnstaged(inode: number, changes: fs.AttributeChanges): fs.Answer<fs.Attributes> {
    if (this.live.realOf(inode) !== undefined || !this.changes.isFit(changes)) return this.#setReal(inode, changes);
    return this.attempt("change", async () =>
      (await this.changes.setMeta(inode, changes)) ? this.#shownAttributes(inode) : this.#setReal(inode, changes),
    );
  }

  #setReal(inode: number, changes: fs.AttributeChanges): fs.Answer<fs.Attributes> {
    const set = (real: number): fs.Attributes => this.live.asLive(this.live.folder.setattr(real, changes));
    return this.onReal(inode, "change", set, changes.size !== 0);
  }

  readlink(inode: number): fs.Answer<Uint8Array> {
    const real = this.live.realOf(inode);
    return real === undefined ? this.shownAt().readlink(inode) : this.live.folder.readlink(real);
  }

  open(inode: number, flags: fs.OpenFlags, caller: fs.Caller): fs.Answer<fs.Opened> {
    return this.#copies.whenDone(inode, () => this.#open(inode, flags, caller));
  }

  #open(inode: number, flags: fs.OpenFlags, caller: fs.Caller): fs.Answer<fs.Opened> {
    const known = this.live.realOf(inode);
    const isShown = known === undefined && !flags.truncate && !this.live.isBecomingReal(inode);
    if (isShown && (!flags.write || this.staged.isFor(inode))) return this.#openShown(inode, flags);
    const open = (real: number): fs.Opened =>
      this.openedAs(inode, this.openedEmpty(real, this.live.folder.open(real, flags, caller)));
    return this.onReal(inode, "open", open, !flags.truncate);
  }

  read(
    inode: number,
    handle: number,
    offset: number,
    length: number,
    caller: fs.Caller,
  ): fs.Answer<readonly Uint8Array[]> {
    const real = this.live.realOf(inode);
    if (real !== undefined) return this.live.folder.read(real, realHandle(handle), offset, length);
    const file = this.staged.find(inode);
    if (file === undefined) return this.shownAt().read(inode, 0, offset, length, caller);
    const request = { inode, offset, length, signal: () => caller.signal };
    return this.attempt("read", () => this.staged.read(file, request));
  }

  write(inode: number, handle: number, offset: number, bytes: Uint8Array, options: fs.WriteOptions): fs.Answer<void> {
    const write = (real: number): fs.Answer<void> =>
      this.live.folder.write(real, realHandle(handle), offset, bytes, options);
    return this.#orStaged(
      inode,
      true,
      (file) => {
        this.staged.write(file, offset, bytes, options);
        this.#markChanged(inode);
      },
      () => this.onReal(inode, "write", write),
    );
  }

  flush(inode: number, _handle: number, owner: bigint): void {
    this.#locks.release(inode, "posix", owner);
  }

  fsync(inode: number, handle: number, dataOnly: boolean): fs.Answer<void> {
    this.live.layer.flush();
    const real = this.live.realOf(inode);
    if (real !== undefined) return this.live.folder.fsync(real, realHandle(handle), dataOnly);
    const file = this.staged.find(inode);
    return file === undefined ? undefined : this.staged.sync(file);
  }

  release(inode: number, handle: number, flockOwner?: bigint): void {
    if (flockOwner !== undefined) this.#locks.release(inode, "flock", flockOwner);
    const real = this.live.realOf(inode) ?? 0;
    if (handle >= shownHandlesFrom || this.#openedUnreal.delete(handle)) this.#countOpen(inode, -1);
    if (handle < shownHandlesFrom) this.live.folder.release(real, handle);
    else this.shownAt().release(inode, handle - shownHandlesFrom);
    this.live.forget(inode, this.#opened.delete(handle) ? 1 : 0);
    if (this.live.shown?.nodeAt(inode) === undefined) this.#keptContent.delete(inode);
  }

  getxattr(inode: number, name: Uint8Array): Uint8Array | undefined {
    const real = this.live.realOf(inode);
    if (textOf(name).startsWith(ownPrefix)) return this.#ownAttribute(inode, real, name);
    return real === undefined ? this.#shownAttribute(inode, name) : this.live.folder.getxattr(real, name);
  }

  /** A tree in which nothing has any attributes says so with an EOPNOTSUPP. Here there may be some, and the kernel, which asks for ACLs, must not pass that on. */
  #shownAttribute(inode: number, name: Uint8Array): Uint8Array | undefined {
    try {
      return this.shownAt().getxattr(inode, name);
    } catch (thrown) {
      if (errnoOf(thrown) === "EOPNOTSUPP") return undefined;
      throw thrown;
    }
  }

  setxattr(inode: number, name: Uint8Array, value: Uint8Array, options: fs.SetXattrOptions): fs.Answer<void> {
    if (textOf(name).startsWith(ownPrefix)) {
      this.#setMark(inode, textOf(name), asBuffer(value).toString("latin1"));
      return;
    }
    const mode = textOf(name) === accessAclName ? this.#modeOf(inode, value, options) : undefined;
    if (mode !== undefined) return discard(this.setattr(inode, { mode }));
    return this.onReal(inode, "change", (real) => this.live.folder.setxattr(real, name, value, options));
  }

  /** What an ACL makes of the mode of something unreal, where the mode is all that it says: as `cp -p` has them of every file. */
  #modeOf(inode: number, acl: Uint8Array, { mode, clearSetGid }: fs.SetXattrOptions): number | undefined {
    if (this.live.realOf(inode) !== undefined || mode !== "any") return undefined;
    const entries = decodeAcl(acl);
    const { shown } = this.live;
    const had = shown?.nodeAt(inode)?.listXattrs() ?? [];
    if (entries.length === 0 || !isMinimalAcl(entries) || had.some((each) => textOf(each) === accessAclName))
      return undefined;
    const kept = this.shownAt().getattr(inode);
    if (kept instanceof Promise) return undefined;
    return (kept.mode & (clearSetGid ? 0o5000 : 0o7000)) | modeOfAcl(entries);
  }

  listxattr(inode: number): fs.Answer<readonly Uint8Array[]> {
    const real = this.live.realOf(inode);
    return real === undefined ? this.shownAt().listxattr(inode) : this.live.folder.listxattr(real);
  }

  removexattr(inode: number, name: Uint8Array): fs.Answer<void> {
    if (textOf(name) === markName) {
      this.#setMark(inode, markName, "default");
      return;
    }
    return this.onReal(inode, "change", (real) => this.live.folder.removexattr(real, name));
  }

  fallocate(inode: number, handle: number, options: fs.AllocateOptions): fs.Answer<void> {
    const allocate = (real: number): fs.Answer<void> => this.live.folder.fallocate(real, realHandle(handle), options);
    return this.#orStaged(
      inode,
      true,
      (file) => {
        this.staged.allocate(file, options);
        this.#markChanged(inode);
      },
      () => this.onReal(inode, "write", allocate),
    );
  }

  lseek(inode: number, handle: number, offset: number, what: "data" | "hole"): fs.Answer<number> {
    const real = this.live.realOf(inode);
    if (real !== undefined) return this.live.folder.lseek(real, realHandle(handle), offset, what);
    const file = this.staged.find(inode);
    if (file === undefined) return this.shownAt().lseek(inode, 0, offset, what);
    return this.attempt("read", () => this.staged.seek(file, offset, what));
  }

  /** What is unreal lends its content; where that cannot be, the caller copies by itself. */
  copyFileRange(options: fs.CopyOptions): fs.Answer<number> {
    const { from, to } = options;
    return this.#copies.whenDone(from.inode, () =>
      this.#copies.whenDone(to.inode, () => {
        if (this.live.realOf(from.inode) !== undefined) return this.#copyReal(options);
        return this.attempt("copy", async () => (await this.#copies.copy(options)) ?? copyByHand());
      }),
    );
  }

  #copyReal({ from, to, ...rest }: fs.CopyOptions): fs.Answer<number> {
    const source = this.live.realOf(from.inode);
    if (source === undefined || this.staged.isFor(to.inode)) copyByHand();
    return this.onReal(to.inode, "write", (target) =>
      this.live.folder.copyFileRange({
        ...rest,
        from: { ...from, inode: source, handle: realHandle(from.handle) },
        to: { ...to, inode: target, handle: realHandle(to.handle) },
      }),
    );
  }

  getlk(inode: number, lock: fs.FileLock): fs.FileLock | undefined {
    return this.#locks.findConflict(inode, lock);
  }

  setlk(inode: number, lock: fs.FileLock, wait: boolean, caller: fs.Caller): fs.Answer<void> {
    return this.#locks.set(inode, lock, wait, () => caller.signal);
  }

  /** An unreal file was deleted: what was changed of it is for those who have it open. */
  protected dropStaged(node: TreeNode): void {
    const inode = this.shownAt().numberOf(node);
    const isOpen = (this.#shownOpens.get(inode) ?? 0) > 0;
    // The tree will have nothing to write to.
    const file = this.staged.find(inode) ?? (isOpen ? this.staged.beginOf(node) : undefined);
    if (file === undefined) return;
    // A crash must not leave it as it was before it was changed.
    this.live.layer.flush();
    if (isOpen) file.drop();
    else this.live.layer.staged.end(node.entry.id);
  }

  /** What was opened in the folder is open as something unreal. */
  #becameUnreal(inode: number, handles: readonly number[]): void {
    for (const handle of handles) {
      this.#openedUnreal.add(handle);
      this.#countOpen(inode, 1);
      if (this.#opened.has(handle)) continue;
      this.#opened.set(handle, inode);
      this.shownAt().again(inode);
    }
  }

  #countOpen(inode: number, change: number): void {
    const count = (this.#shownOpens.get(inode) ?? 0) + change;
    if (count > 0) this.#shownOpens.set(inode, count);
    else this.#shownOpens.delete(inode);
    if (count > 0) return;
    const file = this.staged.find(inode);
    if (file?.isDropped === true) this.live.layer.staged.end(file.base.id);
    this.staged.closed(inode);
  }

  /** Does something with an unreal file where it lies, if that can be kept, else with the real one. */
  #orStaged<T>(
    inode: number,
    isFit: boolean,
    act: (file: StagedFile) => fs.Answer<T>,
    onReal: () => fs.Answer<T>,
  ): fs.Answer<T> {
    return this.#copies.whenDone(inode, () => {
      if (!isFit || this.live.realOf(inode) !== undefined) return onReal();
      return this.attempt("change", () => {
        const file = this.staged.toChange(inode);
        if (!(file instanceof Promise)) return file === undefined ? onReal() : act(file);
        return file.then((each) => (each === undefined ? onReal() : act(each)));
      });
    });
  }

  /** @throws FilesystemFailure ESTALE: nothing was ever shown. */
  protected shownAt(): CommitFilesystem {
    const { shown } = this.live;
    if (shown === undefined) throw new FilesystemFailure("ESTALE", "cannot use an inode: nothing is committed");
    return shown;
  }

  /** Does something with the real thing, which comes into the folder for it. */
  protected onReal<T>(inode: number, what: string, act: (real: number) => fs.Answer<T>, isKept = true): fs.Answer<T> {
    const make = (): fs.Answer<T> => {
      const real = this.live.makeReal(inode, isKept);
      if (!(real instanceof Promise)) return act(real);
      return real.then((each) => {
        for (const listener of this.#listeners) listener.attributesChanged(inode);
        return act(each);
      });
    };
    return this.attempt(what, () => this.#copies.whenDone(inode, make));
  }

  /** What this machine or a remote cannot do is an error to the caller, and a line in the log. */
  protected attempt<T>(what: string, act: () => fs.Answer<T>): fs.Answer<T> {
    const fail = (thrown: unknown): never => {
      if (!isKind(thrown)) throw thrown;
      const code = errnoByKind.find(([kind]) => isKind(thrown, kind))?.[1] ?? "EIO";
      const failure = new FilesystemFailure(code, `cannot ${what}: ${thrown.message}`, thrown);
      this.#log(`Cannot ${what} what is not in the folder: ${thrown.message}`, failure);
      throw failure;
    };
    try {
      const answer = act();
      return answer instanceof Promise ? answer.catch(fail) : answer;
    } catch (thrown) {
      return fail(thrown);
    }
  }

  /** What was opened in the folder, as it is known here. A kernel that has kept pages of it as something unreal does not take another file for it. */
  protected openedAs(inode: number, opened: fs.Opened): fs.Opened {
    if (!this.live.wasUnreal(inode)) return opened;
    this.shownAt().again(inode);
    this.#opened.set(opened.handle, inode);
    return this.#unbacked(opened);
  }

  /** What was opened in the folder: an empty file may become a copy of something unreal that is open, and what is done with it has to come here then. */
  protected openedEmpty(real: number, opened: fs.Opened): fs.Opened {
    const { shown, layer, folder } = this.live;
    const isLarge = (inode: number): boolean => {
      const content = shown?.nodeAt(inode)?.content;
      return content !== undefined && !(content instanceof Uint8Array) && content.size >= layer.staged.sizeMin;
    };
    const mayBeCopy = this.#shownOpens.keys().some(isLarge) && folder.getattr(real).size === 0;
    return mayBeCopy ? this.#unbacked(opened) : opened;
  }

  #unbacked({ handle }: fs.Opened): fs.Opened {
    this.live.folder.keepBacking(handle);
    return { handle };
  }

  #openShown(inode: number, flags: fs.OpenFlags): fs.Answer<fs.Opened> {
    this.#refresh(inode);
    const shown = this.shownAt();
    const { handle } = shown.open(inode, { ...flags, write: false });
    this.#countOpen(inode, 1);
    if (this.staged.find(inode) !== undefined) {
      this.#keptContent.delete(inode);
      return { handle: handle + shownHandlesFrom };
    }
    const node = shown.nodeAt(inode);
    const content = node?.content;
    const key = content === undefined || content instanceof Uint8Array ? "" : contentKey(content);
    const keepCache = this.#keptContent.get(inode) === key && key !== "";
    this.#keptContent.set(inode, key);
    return { handle: handle + shownHandlesFrom, keepCache };
  }

  #markChanged(inode: number): void {
    this.live.marks.changed(inode, this.live.layer.staged.nowNs());
  }

  /** What is unreal is what the tree has now. */
  #refresh(inode: number): void {
    const { shown } = this.live;
    const node = shown?.nodeAt(inode);
    if (shown === undefined || !(node instanceof TreeNode) || node.view.name !== "" || node.view === shown.root.view)
      return;
    shown.moved(inode, this.live.nodeAt(inode));
  }

  /** One of `user.ourobox.*`: of what is in the tree as the tree has it, but for what this machine alone knows. */
  #ownAttribute(inode: number, real: number | undefined, name: Uint8Array): Uint8Array | undefined {
    const text = textOf(name);
    const isStatus = text === statusName;
    if (real === undefined && isStatus && this.staged.find(inode) !== undefined) return utf8("changed");
    if (real === undefined && text !== markName) return this.#shownAttribute(inode, name);
    const node = real === undefined ? this.live.shown?.nodeAt(inode) : this.live.nodeOfReal(real);
    if (!(node instanceof TreeNode)) return isStatus ? utf8("new") : undefined;
    if (text === markName) {
      const mark = this.live.layer.markOf(node.entry);
      return mark === undefined ? undefined : utf8(mark);
    }
    if (isStatus && real !== undefined && !this.live.isAsCommitted(real, node)) return utf8("changed");
    return node.findXattr(text);
  }

  /** @throws FilesystemFailure EINVAL, EPERM, ENODATA: nothing of it is committed. */
  #setMark(inode: number, name: string, value: string): void {
    if (name !== markName) throw new FilesystemFailure("EPERM", `cannot set ${name}: only ${markName} can be set`);
    if (!["real", "unreal", "default"].includes(value))
      throw new FilesystemFailure("EINVAL", `cannot set ${name}: it is one of real, unreal, default`);
    const real = this.live.realOf(inode);
    const node = real === undefined ? this.live.nodeAt(inode) : this.live.nodeOfReal(real);
    if (node === undefined) throw noAttribute();
    this.attempt("mark", () =>
      this.live.layer.setMark(node.entry, value === "default" ? undefined : (value as LayerMark)),
    );
  }
}

/** Of the folder; one that was opened while it was unreal stands for none. */
function realHandle(handle: number): number {
  return handle < shownHandlesFrom ? handle : 0;
}

function discard(answer: fs.Answer<unknown>): fs.Answer<void> {
  return answer instanceof Promise ? answer.then(() => {}) : undefined;
}

function copyByHand(): never {
  throw new FilesystemFailure("EXDEV", "cannot copy at once: it is not in the folder");
}

function noAttribute(): FilesystemFailure {
  return new FilesystemFailure("ENODATA", "cannot read an attribute: there is none");
}
