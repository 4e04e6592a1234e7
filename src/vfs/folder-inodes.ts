/**
 * The live inodes of a folder's filesystem: those whose number somebody was given and has not given back, and the directories they are in.
 *
 * Each knows what it is (device, inode, time of birth) and the place where it was last seen: its directory, itself a live inode, and a name. Whoever uses it
 * gets a descriptor on exactly that thing, opened from its place and compared with what it is; where something else is by now, that is an ESTALE, and a new
 * lookup finds it again. So a million inodes hold no descriptors but for the last used ones (`descriptorsMax`), and a moved directory takes its files
 * along, as their places are below it. What has no place any more (removed while known) keeps its descriptor until it is forgotten.
 *
 * Two things that want one number, as when an inode is used again beneath: the second gets the next one for as long as the first is known.
 */
import { errnoOf } from "../base/errors.ts";
import { close, openBeneath, openFlags } from "../base/posix.ts";
import { findInode, type InodeStat, openDirectory, statInode } from "../base/posix-inode.ts";
import { birthMarkOf } from "../workdir/mod.ts";
import { FilesystemFailure } from "./failure.ts";
import { rootInode } from "./filesystem.ts";
import { folderNumbersBelow, type NodeNumber, numberMin, numberOfText } from "./node-number.ts";
import { Wishes } from "./wishes.ts";

/** Of one path given to the kernel, which takes 4,095. */
const pathBytesMax = 3500;

/** @param own Its own number. */
export type NumberOf = (stat: InodeStat, own: NodeNumber) => NodeNumber;

export interface FolderInode {
  number: number;
  generation: number;
  readonly kind: InodeStat["kind"];
  readonly device: bigint;
  readonly inode: bigint;
  readonly birthNs: bigint | undefined;
  /** Where it was last seen; no parent: nowhere any more, or the root. The name is a character a byte. */
  parent: FolderInode | undefined;
  name: string;
  /** That it is in, of a directory, also when it was removed. */
  above: FolderInode | undefined;
  lookups: number;
  /** Live inodes that have it as their parent. */
  children: number;
  /** Opened as a path only; -1 for none. */
  fd: number;
  /** Not to be closed before it is forgotten. */
  isPinned: boolean;
  /** Of its open handles. Theirs to close. */
  readonly opened: number[];
}

/** By inode number and birth: equal after a remount, for as long as the file is not another one. */
function ownNumbers(root: InodeStat): (stat: InodeStat) => NodeNumber {
  return (stat) => {
    const { device, inode } = stat;
    const generation = birthMarkOf(stat) >>> 1;
    const isPlain = device === root.device && inode > 1n && inode < BigInt(folderNumbersBelow);
    if (isPlain) return { number: Number(inode), generation };
    return { number: Math.max(numberMin, numberOfText(`${device}:${inode}`).number % folderNumbersBelow), generation };
  };
}

export interface FolderInodesOptions {
  readonly numberOf: NumberOf | undefined;
  readonly descriptorsMax: number;
  /** So many may be known before doors are asked to forget some (wishes.ts). */
  readonly softMax: number;
  readonly onUnwanted: (inodes: readonly FolderInode[]) => void;
}

export class FolderInodes {
  readonly root: FolderInode;
  readonly #live = new Map<number, FolderInode>();
  /** The last one of each inode beneath: what is known is asked for no number again. */
  readonly #byInode = new Map<bigint, FolderInode>();
  /** Those that have not the number they wanted. */
  readonly #moved = new Set<FolderInode>();
  /** With a descriptor of their own, those used last at the end. */
  readonly #held = new Set<FolderInode>();
  /** The last one of these. */
  #newest: FolderInode | undefined;
  readonly #numberOf: (stat: InodeStat) => NodeNumber;
  #nobodys = -1;
  readonly #descriptorsMax: number;
  readonly #wishes: Wishes<FolderInode>;

  /** @param rootFd Becomes this object's. */
  constructor(rootFd: number, { numberOf, descriptorsMax, softMax, onUnwanted }: FolderInodesOptions) {
    const stat = statInode(rootFd);
    const own = ownNumbers(stat);
    this.#numberOf = numberOf === undefined ? own : (each) => numberOf(each, own(each));
    this.#descriptorsMax = descriptorsMax;
    this.#wishes = new Wishes(softMax, onUnwanted);
    this.root = makeInode(stat, { number: rootInode, generation: this.#numberOf(stat).generation });
    this.root.fd = rootFd;
    this.root.isPinned = true;
    this.root.lookups = 1;
  }

  /** Without the root. */
  get size(): number {
    return this.#live.size;
  }

  /** Descriptors that are held, without those of open handles. */
  get descriptors(): number {
    return this.#held.size;
  }

  has(number: number): boolean {
    return number === rootInode || this.#live.has(number);
  }

  /** @throws FilesystemFailure ESTALE: nobody was given this number, or it was given back. */
  get(number: number): FolderInode {
    const live = number === rootInode ? this.root : this.#live.get(number);
    if (live !== undefined) return live;
    throw stale(`there is no inode ${number}`);
  }

  /** The live inode of a thing, if it has one. */
  find(stat: InodeStat): FolderInode | undefined {
    return this.#place(stat).live;
  }

  /** The number it has, or would get now. */
  numberOf(stat: InodeStat): number {
    return this.#place(stat).number;
  }

  /** The inode of what was just found at a place, with one lookup more. @param parent None for what has no name yet. */
  take(stat: InodeStat, parent: FolderInode | undefined, name: string): FolderInode {
    const { number, live, wanted } = this.#place(stat);
    const node = live ?? makeInode(stat, { number, generation: wanted?.generation ?? 0 });
    if (live === undefined) {
      this.#live.set(number, node);
      this.#byInode.set(node.inode, node);
      if (number !== wanted?.number) this.#moved.add(node);
    }
    node.lookups += 1;
    if (parent !== undefined) this.setPlace(node, parent, name);
    if (live === undefined) this.#wishes.added(this.#live);
    return node;
  }

  setPlace(node: FolderInode, parent: FolderInode | undefined, name: string): void {
    if (node === this.root || (node.parent === parent && node.name === name)) return;
    const before = node.parent;
    if (parent !== undefined) {
      parent.children += 1;
      node.isPinned = false;
      if (node.fd >= 0) this.#held.add(node);
      if (node.kind === "directory") this.#setAbove(node, parent);
    }
    node.parent = parent;
    node.name = name;
    if (before !== undefined) {
      before.children -= 1;
      this.#dropIfUnused(before);
    }
  }

  forget(number: number, lookups: number): void {
    const node = this.#live.get(number);
    if (node === undefined) return;
    node.lookups = Math.max(0, node.lookups - lookups);
    this.#dropIfUnused(node);
  }

  /** Gives something the number that it is to have, before anybody was told another. */
  renumber(node: FolderInode): void {
    const { number, generation } = this.#numberOf(this.statOf(node));
    if (this.#live.has(number)) return;
    this.#setNumber(node, number);
    node.generation = generation;
  }

  /** A number is another thing's from now on: what had it lives as long as it is used, unknown to all. @returns Its lookups. */
  giveAway(number: number): number {
    const node = this.#live.get(number);
    if (node === undefined) return 0;
    const { lookups } = node;
    this.#setNumber(node, this.#nobodys);
    this.#nobodys -= 1;
    this.#byInode.delete(node.inode);
    node.lookups = 0;
    this.#dropIfUnused(node);
    return lookups;
  }

  #setNumber(node: FolderInode, number: number): void {
    this.#live.delete(node.number);
    node.number = number;
    this.#live.set(number, node);
  }

  handleOpened(node: FolderInode, fd: number): void {
    node.opened.push(fd);
  }

  handleClosed(node: FolderInode, fd: number): void {
    node.opened.splice(node.opened.indexOf(fd), 1);
    this.#dropIfUnused(node);
  }

  /** Before its name goes: keeps hold of it, if this is the place it is known by. */
  pin(node: FolderInode, parent: FolderInode, name: string): boolean {
    if (node.parent !== parent || node.name !== name) return false;
    this.fdOf(node);
    node.isPinned = true;
    if (node.fd < 0) this.#hold(node, this.#open(node));
    return true;
  }

  /** Of what has no name, and may still get one. @param fd Becomes this object's. */
  keep(node: FolderInode, fd: number): void {
    node.isPinned = true;
    this.#hold(node, fd);
  }

  /**
   * A descriptor on it, to be used at once and by path-like calls only. Borrowed.
   * @throws FilesystemFailure ESTALE: it is not where it was.
   */
  fdOf(node: FolderInode): number {
    if (node.fd >= 0) {
      this.#used(node);
      return node.fd;
    }
    return node.opened[0] ?? this.#hold(node, this.#open(node));
  }

  statOf(node: FolderInode): InodeStat {
    const fd = node.fd >= 0 ? node.fd : node.opened[0];
    if (fd !== undefined) return statInode(fd);
    if (node.parent === undefined) throw stale("its last known name is gone");
    const stat = findInode(this.fdOf(node.parent), bytesOf(node.name));
    if (stat === undefined || !isThat(node, stat)) throw stale("something else is where it was");
    return stat;
  }

  /** Whether it has lost its last name, as far as a descriptor on it tells: without one it may be anywhere. */
  isDeleted(node: FolderInode): boolean {
    const fd = node.fd >= 0 ? node.fd : node.opened[0];
    return fd !== undefined && statInode(fd).nlink === 0;
  }

  /** Closes what is held above the limit. Not between taking a descriptor and using it. */
  trim(): void {
    if (this.#held.size <= this.#descriptorsMax) return;
    for (const node of this.#held) {
      if (this.#held.size <= this.#descriptorsMax) return;
      // Those that are pinned stay, however many: they go when they are forgotten.
      this.#held.delete(node);
      if (node.isPinned) continue;
      this.#letGo(node);
    }
  }

  /** Closes everything, the root too. */
  close(): void {
    for (const node of this.#live.values()) this.#letGo(node);
    this.#live.clear();
    this.#letGo(this.root);
  }

  #hold(node: FolderInode, fd: number): number {
    node.fd = fd;
    this.#held.add(node);
    this.#newest = node;
    return fd;
  }

  /** Puts it at the end, where it is not there already: mostly one directory is worked in. */
  #used(node: FolderInode): void {
    if (node === this.#newest || this.#held.size <= this.#descriptorsMax / 2) return;
    this.#newest = node;
    if (this.#held.delete(node)) this.#held.add(node);
  }

  #letGo(node: FolderInode): void {
    this.#held.delete(node);
    if (node.fd >= 0) close(node.fd);
    node.fd = -1;
  }

  /** From the nearest directory above that has a descriptor, down by names, through no symlink. */
  #open(node: FolderInode): number {
    const names: string[] = [];
    let from: FolderInode = node;
    do {
      if (from.parent === undefined) throw stale("its last known name is gone");
      names.push(from.name);
      from = from.parent;
    } while (from.fd < 0 && from.opened.length === 0);
    let fd = from.fd >= 0 ? from.fd : (from.opened[0] as number);
    let isOurs = false;
    while (names.length > 0) {
      let path = names.pop() as string;
      while (names.length > 0 && path.length + (names.at(-1) as string).length < pathBytesMax)
        path += `/${names.pop()}`;
      try {
        const open = (flags: number): number => openBeneath(fd, bytesOf(path), flags | openFlags.noFollow);
        const isDirectory = names.length === 0 && node.kind === "directory";
        const next = isDirectory ? openDirectory(open) : open(openFlags.pathOnly);
        if (isOurs) close(fd);
        fd = next;
        isOurs = true;
      } catch (thrown) {
        if (isOurs) close(fd);
        if (["ENOENT", "ENOTDIR", "ELOOP", "EXDEV"].includes(errnoOf(thrown) ?? ""))
          throw stale("it is not where it was");
        throw thrown;
      }
    }
    if (isThat(node, statInode(fd))) return fd;
    close(fd);
    throw stale("something else is where it was");
  }

  #setAbove(node: FolderInode, above: FolderInode | undefined): void {
    const before = node.above;
    if (before === above) return;
    if (above !== undefined) above.children += 1;
    node.above = above;
    if (before === undefined) return;
    before.children -= 1;
    this.#dropIfUnused(before);
  }

  #dropIfUnused(node: FolderInode): void {
    if (node.lookups > 0 || node.children > 0 || node.opened.length > 0 || node === this.root) return;
    if (!this.#live.delete(node.number)) return;
    if (this.#byInode.get(node.inode) === node) this.#byInode.delete(node.inode);
    this.#moved.delete(node);
    this.#letGo(node);
    this.setPlace(node, undefined, "");
    this.#setAbove(node, undefined);
  }

  /** @returns What it wants is undefined of what is known. */
  #place(stat: InodeStat): {
    readonly number: number;
    readonly live: FolderInode | undefined;
    readonly wanted?: NodeNumber;
  } {
    if (isThat(this.root, stat)) return { number: rootInode, live: this.root };
    const known = this.#byInode.get(stat.inode);
    if (known !== undefined && isThat(known, stat)) return { number: known.number, live: known };
    for (const live of this.#moved) if (isThat(live, stat)) return { number: live.number, live };
    const wanted = this.#numberOf(stat);
    for (let number = wanted.number; ; number = number === Number.MAX_SAFE_INTEGER ? numberMin : number + 1) {
      const live = this.#live.get(number);
      if (live === undefined || isThat(live, stat)) return { number, live, wanted };
    }
  }
}

function makeInode(stat: InodeStat, { number, generation }: NodeNumber): FolderInode {
  const { kind, device, inode, birthNs } = stat;
  const place = { parent: undefined, name: "", above: undefined };
  const use = { lookups: 0, children: 0, fd: -1, isPinned: false, opened: [] };
  return { number, generation, kind, device, inode, birthNs, ...place, ...use };
}

function isThat(node: FolderInode, stat: InodeStat): boolean {
  return node.inode === stat.inode && node.device === stat.device && node.birthNs === stat.birthNs;
}

export function bytesOf(name: string): Uint8Array {
  return Buffer.from(name, "latin1");
}

function stale(what: string): FilesystemFailure {
  return new FilesystemFailure("ESTALE", `cannot use an inode: ${what}`);
}
