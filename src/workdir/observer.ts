/**
 * Looking at one name of a folder: stat, attributes, target, what is in a new directory. What cannot be read is told with a warning, once,
 * and counts as not there; whoever asks keeps what the last commit has.
 */
import { errnoOf } from "../base/errors.ts";
import { DirectoryLister, type FileStat, findStat, listedType, readLinkAt, statWord } from "../base/posix.ts";
import { quotePath } from "../base/quote.ts";
import { type Dot, kinds, limits, type Value, type Xattr } from "../format/mod.ts";
import { below, type FolderWalk, latin } from "./folder-walk.ts";
import { type IgnoreRules, ignoreFileName, rulesAbove, rulesIn } from "./ignore-rules.ts";
import { markXattrs, readKeptXattrs } from "./kept-xattrs.ts";
import { isDirectoryMode, recordFlags, recordOf, type ScanRecord } from "./scan-row.ts";
import { isTaken } from "./taken-names.ts";

export interface ListedName {
  readonly name: string;
  readonly isDirectory: boolean;
}

export interface NewDirectory {
  /** What is taken in of it, by name. */
  readonly names: readonly ListedName[];
  readonly rules: IgnoreRules;
}

interface IsNew {
  /** The last commit has nothing there. */
  readonly isNew?: boolean;
}

const xattrCountMax = 4096;
const nsPerSecond = 1_000_000_000n;

export class Observer {
  readonly #root: number;
  readonly #sureBeforeNs: bigint;
  readonly #onWarning: (message: string) => void;
  readonly #lister = new DirectoryLister();
  isPartial = false;

  /** @param sureBeforeNs What was changed before this time cannot have been changed again unnoticed. Nanoseconds since 1970. */
  constructor(root: number, sureBeforeNs: bigint, onWarning: (message: string) => void) {
    this.#root = root;
    this.#sureBeforeNs = sureBeforeNs;
    this.#onWarning = onWarning;
  }

  warn(path: string, why: string): void {
    this.isPartial = true;
    this.#onWarning(`${quotePath(latin(path))}: ${why}`);
  }

  /** @throws What is no failed system call. */
  unreadable(path: string, thrown: unknown, { isNew = false }: IsNew = {}): void {
    const errno = errnoOf(thrown);
    if (errno === undefined || errno === "EMFILE" || errno === "ENFILE") throw thrown;
    if (errno !== "ENOENT") this.notRead(path, reasonOf(errno), { isNew });
  }

  notRead(path: string, why: string, { isNew = false }: IsNew = {}): void {
    this.warn(path, `${isNew ? "not committed" : "left as in the last commit"}: it cannot be read (${why})`);
  }

  /** What stands there; undefined when it has gone meanwhile. */
  stat(walk: FolderWalk, path: string, name: string): FileStat | undefined {
    try {
      return findStat(latin(name), walk.fd);
    } catch (thrown) {
      this.unreadable(path, thrown);
      return undefined;
    }
  }

  enter(
    walk: FolderWalk,
    { path, name }: { readonly path: string; readonly name: string },
    { isNew = false }: IsNew = {},
  ): boolean {
    try {
      walk.enter(name);
      return true;
    } catch (thrown) {
      this.unreadable(path, thrown, { isNew });
      return false;
    }
  }

  /** The kept attributes; undefined when they cannot be read, or are more than a tree holds. @param target The path, in bytes. */
  xattrs(path: string, target: Uint8Array): readonly Xattr[] | undefined {
    try {
      const list = readKeptXattrs(target);
      if (list.length === 0 || fits(list)) return list;
      this.warn(path, "its attributes are left as in the last commit: they are too large");
    } catch (thrown) {
      this.unreadable(path, thrown);
    }
    return undefined;
  }

  /** What is not in the stat of a name that is neither file nor directory. */
  value(walk: FolderWalk, path: string, name: string, stat: FileStat): Value | undefined {
    switch (stat.kind) {
      case "symlink":
        try {
          return { kind: kinds.symlink, target: readLinkAt(walk.fd, latin(name)) };
        } catch (thrown) {
          this.unreadable(path, thrown);
          return undefined;
        }
      case "fifo":
      case "socket":
        return { kind: kinds[stat.kind] };
      case "character":
      case "block":
        return { kind: kinds[stat.kind], major: stat.rdevMajor, minor: stat.rdevMinor };
      default:
        return undefined;
    }
  }

  /** @param directory Of a directory: its id, and the device of the one around it. */
  record(
    stat: FileStat,
    name: string,
    xattrs: readonly Xattr[] | undefined,
    directory?: { readonly id: Dot; readonly device: bigint },
  ): ScanRecord {
    const isCoarse = stat.ctimeNs % nsPerSecond === 0n && stat.mtimeNs % nsPerSecond === 0n;
    const isSure = stat.ctimeNs < this.#sureBeforeNs - (isCoarse ? 2n * nsPerSecond : 0n);
    const unsure = isSure && xattrs !== undefined ? 0 : recordFlags.unsure;
    const mark = markXattrs(xattrs ?? []);
    if (directory === undefined) return recordOf(name, stat, { xattrs: mark, flags: unsure });
    const mount = stat.device === directory.device ? 0 : recordFlags.mountPoint;
    return recordOf(name, stat, { xattrs: mark, flags: unsure | mount, id: directory.id });
  }

  /**
   * What is taken in of a new directory, the one at hand; undefined when it cannot be listed.
   * @param above The rules of the directory around it, where they are known.
   */
  listNew(walk: FolderWalk, above: IgnoreRules | undefined): NewDirectory | undefined {
    const lister = this.#lister;
    const { path } = walk;
    const all: ListedName[] = [];
    let hasRules = false;
    try {
      lister.begin(walk.fd);
      while (lister.next()) {
        const { name } = lister;
        if (name === ignoreFileName) hasRules = true;
        all.push({ name, isDirectory: this.#isDirectory(lister) });
      }
    } catch (thrown) {
      this.unreadable(path, thrown);
      return undefined;
    }
    const onProblem = (at: string, why: string): void => this.warn(at, why);
    const rules = rulesIn(above ?? rulesAbove(this.#root, path, onProblem), walk, hasRules, onProblem);
    const names = all.filter(({ name, isDirectory }) =>
      isTaken(rules, name, isDirectory, (why) => this.warn(below(path, name), why)),
    );
    return { names: names.sort((a, b) => (a.name < b.name ? -1 : 1)), rules };
  }

  #isDirectory(lister: DirectoryLister): boolean {
    if (lister.type !== listedType.unknown) return lister.type === listedType.directory;
    return lister.statName() && isDirectoryMode((lister.stat[statWord.mode] as number) & 0xffff);
  }
}

/** Why a directory or file cannot be read, in words where people meet it. @param errno As "EACCES". */
export function reasonOf(errno: string): string {
  return errno === "EACCES" || errno === "EPERM" ? "permission denied" : errno;
}

function fits(list: readonly Xattr[]): boolean {
  const bytes = list.reduce((sum, { name, value }) => sum + name.length + value.length + 4, 2);
  return list.length <= xattrCountMax && bytes <= limits.xattrBlockBytes;
}
