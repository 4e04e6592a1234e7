/**
 * Whether anything in a folder has changed since one last asked. A hint: what was missed (another machine's change on a network file system, too many at
 * once) is found by the next scan.
 *
 * Every directory is watched but `.ourobox`. At the kernel's limit of watches the rest is not, which `isComplete` tells.
 */
import { errnoOf } from "../base/errors.ts";
import { close, DirectoryLister, listedType } from "../base/posix.ts";
import { openWatches, readEvents, watchDirectory } from "../base/posix-watch.ts";
import { below, FolderWalk, openRoot } from "./folder-walk.ts";

export class FolderWatch implements Disposable {
  readonly #root: number;
  readonly #fd: number;
  readonly #lister = new DirectoryLister();
  /** The paths of watched directories, as they were called when the watch began. */
  readonly #paths = new Map<number, string>();
  #isComplete = true;

  /** @throws Error: EMFILE when there can be no watches at all; those of opening the folder. */
  constructor(path: string) {
    this.#root = openRoot(path);
    try {
      this.#fd = openWatches();
    } catch (thrown) {
      close(this.#root);
      throw thrown;
    }
    this.#add("");
  }

  /** Whether all directories are watched. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether something has changed since the last call, or may have. */
  poll(): boolean {
    let isChanged = false;
    for (const { watch, name, isNewDirectory, isOverflow, isEnd } of readEvents(this.#fd)) {
      const path = this.#paths.get(watch);
      if (isEnd) this.#paths.delete(watch);
      if (isOverflow) this.#add("");
      if (!isOverflow && (path === undefined || isEnd || (path === "" && isOwnName(name)))) continue;
      isChanged = true;
      if (isNewDirectory && path !== undefined) this.#add(below(path, name));
    }
    return isChanged;
  }

  /** Watches a directory and all below it. What is gone by now is none. */
  #add(top: string): void {
    using walk = new FolderWalk(this.#root);
    const frames: string[][] = [];
    if (!this.#enter(walk, top.split("/").filter(Boolean))) return;
    frames.push(this.#watch(walk));
    for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
      const name = frame.pop();
      if (name === undefined) {
        frames.pop();
        if (frames.length > 0) walk.leave();
      } else if (this.#enter(walk, [name])) frames.push(this.#watch(walk));
    }
  }

  #enter(walk: FolderWalk, names: readonly string[]): boolean {
    const { depth } = walk;
    try {
      for (const name of names) walk.enter(name);
      return true;
    } catch (thrown) {
      if (errnoOf(thrown) === undefined) throw thrown;
      while (walk.depth > depth) walk.leave();
      return false;
    }
  }

  /** Watches the directory at hand. @returns The directories in it. */
  #watch(walk: FolderWalk): string[] {
    const names: string[] = [];
    const lister = this.#lister;
    try {
      this.#paths.set(watchDirectory(this.#fd, `/proc/self/fd/${walk.fd}/.`), walk.path);
      lister.begin(walk.fd);
      while (lister.next()) {
        const isBox = walk.path === "" && isOwnName(lister.name);
        if (!isBox && (lister.type === listedType.directory || lister.type === listedType.unknown))
          names.push(lister.name);
      }
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined) throw thrown;
      if (errno !== "ENOENT" && errno !== "ENOTDIR") this.#isComplete = false;
    }
    return names;
  }

  [Symbol.dispose](): void {
    close(this.#fd);
    close(this.#root);
  }
}

/** The box's own folder, and folders in the making. */
function isOwnName(name: string): boolean {
  return /^\.ourobox(?:\.|$)/.test(name);
}
