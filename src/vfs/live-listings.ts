/**
 * Listing the directories of a live filesystem: first what the folder has, then what only the tree has, as it was when the directory was opened. What became real
 * meanwhile is given where it would have been given before, so everything that stays is given once.
 */
import { FilesystemFailure } from "./failure.ts";
import type * as fs from "./filesystem.ts";
import type { LiveRealizer } from "./live-realizer.ts";
import { type LiveDirectory, latin, textOf } from "./live-trees.ts";
import type { TreeNode } from "./tree-node.ts";

/** Cookies of what only the tree has, above all of a folder's: this and the position after it. */
const unrealFrom = 2 ** 52 + 2 ** 43;

interface Listing {
  /** Handle of the folder's. */
  readonly real: number | undefined;
  readonly directory: LiveDirectory;
  /** Names that became real since it was opened. */
  readonly late: Set<string>;
}

export class LiveListings {
  readonly #live: LiveRealizer;
  readonly #open = new Map<number, Listing>();
  #next = 1;

  constructor(live: LiveRealizer) {
    this.#live = live;
  }

  open(inode: number): fs.Opened {
    const directory = this.#live.directoryAt(inode);
    const real = directory.real === undefined ? undefined : this.#live.folder.opendir(directory.real).handle;
    const handle = this.#next;
    this.#next += 1;
    this.#open.set(handle, { real, directory, late: new Set() });
    return { handle };
  }

  close(handle: number): void {
    const listing = this.#open.get(handle);
    this.#open.delete(handle);
    const { real, directory } = listing ?? {};
    if (real !== undefined && directory?.real !== undefined) this.#live.folder.releasedir(directory.real, real);
  }

  /** The folder's handle of an open directory. */
  realHandle(handle: number): number {
    return this.#open.get(handle)?.real ?? 0;
  }

  /** Something in a directory of the tree has become real. */
  becameReal(directory: TreeNode, name: Uint8Array): void {
    for (const { directory: open, late } of this.#open.values())
      if (open.tree?.isSame(directory) === true) late.add(textOf(name));
  }

  /** As `Filesystem.readdir`. @param handle 0: of none. */
  list(inode: number, handle: number, options: fs.ListOptions): fs.Answer<void> {
    if (handle === 0) {
      const opened = this.open(inode).handle;
      const done = (): void => this.close(opened);
      try {
        const listed = this.list(inode, opened, options);
        if (listed instanceof Promise) return listed.finally(done);
        done();
        return;
      } catch (thrown) {
        done();
        throw thrown;
      }
    }
    const listing = this.#open.get(handle);
    if (listing === undefined) throw new FilesystemFailure("EBADF", "cannot list: it is not open");
    if (options.after < unrealFrom && !this.#listReal(inode, listing, options)) return;
    return this.#listUnreal(listing, Math.max(options.after, unrealFrom), options);
  }

  /** @returns Whether there was room for all. */
  #listReal(inode: number, { real: handle, directory, late }: Listing, options: fs.ListOptions): boolean {
    const { folder } = this.#live;
    const { after, plus, give } = options;
    const { real, tree } = directory;
    if (real === undefined || handle === undefined) {
      const self = { name: latin("."), inode, kind: "directory", cookie: 1 } as const;
      if (after < 1 && !give(self)) return false;
      const above = tree === undefined ? inode : this.#live.numberAbove(tree);
      return after >= 2 || give({ ...self, name: latin(".."), inode: above, cookie: 2 });
    }
    let isRoom = true;
    folder.readdir(real, handle, {
      after,
      plus,
      give: (entry) => {
        if (late.size > 0 && late.has(textOf(entry.name))) return this.#skip(entry);
        isRoom = this.#giveReal(entry, give);
        return isRoom;
      },
    });
    return isRoom;
  }

  /** As if it had been given and not been looked up. */
  #skip({ found }: fs.DirectoryEntry): true {
    if (found !== undefined) this.#live.folder.forget(found.attributes.inode, 1);
    return true;
  }

  /** A refused entry's lookup is taken back by who gave it. */
  #giveReal(entry: fs.DirectoryEntry, give: fs.ListOptions["give"]): boolean {
    const live = this.#live;
    const { name, kind, cookie, found } = entry;
    if (found === undefined) return give({ name, inode: live.numberOf(entry.inode), kind, cookie });
    live.recognize(found);
    const inode = live.numberOf(entry.inode);
    if (!give({ name, inode, kind, cookie, found: { attributes: live.asLive(found.attributes) } })) return false;
    live.keepFound(found);
    return true;
  }

  #listUnreal(listing: Listing, after: number, options: fs.ListOptions): fs.Answer<void> {
    const { directory, late } = listing;
    const { tree, real } = directory;
    if (tree === undefined) return;
    const { id } = tree.entry;
    const live = this.#live;
    let cookie = after;
    for (const { name, node } of tree.children(after - unrealFrom)) {
      cookie += 1;
      const isLate = late.has(textOf(name));
      const isReal = real !== undefined && live.folder.hasName(real, name);
      if (isReal ? !isLate : !live.isUnreal(id, node as TreeNode)) continue;
      const before = cookie - 1;
      if (isReal && real !== undefined) {
        const found = live.folder.lookup(real, name);
        if (found === undefined) continue;
        const { inode, kind } = found.attributes;
        const entry = { name, inode, kind, cookie, ...(options.plus ? { found } : {}) };
        const isGiven = this.#giveReal(entry, options.give);
        if (!isGiven || !options.plus) live.folder.forget(inode, 1);
        if (!isGiven) return;
        continue;
      }
      const given = live.giveUnreal(node as TreeNode, cookie, options);
      if (given instanceof Promise) return given.then(() => this.#listUnreal(listing, before, options));
      if (!given) return;
    }
  }
}
