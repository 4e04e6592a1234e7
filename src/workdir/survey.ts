/**
 * A look ahead before changed and new files are examined: which missing files stand under other names, and which files have
 * several changed names here. Nothing is opened but directories, and new ones only when there is something to look for.
 */

import { errnoOf } from "../base/errors.ts";
import { DirectoryLister, type FileStat, findStat, listedType } from "../base/posix.ts";
import { compareDots, type Dot, type Entry } from "../format/mod.ts";
import type { DirectoryScan } from "./folder-scanner.ts";
import { below, FolderWalk, latin } from "./folder-walk.ts";
import type { FolderScan } from "./scan.ts";
import type { VanishedFiles } from "./vanished.ts";

/** One file that has several names. */
export interface LinkedFile {
  /** How many of its names are changed or new here; of those in new directories as far as they were looked at. */
  count: number;
  /** The group its names have, once it is known. */
  group: Dot | undefined;
}

/** By `linkKey`. */
export type LinkedFiles = Map<string, LinkedFile>;

export function linkKey({ device, inode }: FileStat): string {
  return `${device} ${inode}`;
}

export interface SurveyOptions {
  readonly root: number;
  readonly scan: FolderScan;
  readonly vanished: VanishedFiles;
  /** The tree's entry of a changed name. */
  readonly entryOf: (scan: DirectoryScan, name: string) => Entry | undefined;
}

export function surveyFolder({ root, scan, vanished, entryOf }: SurveyOptions): LinkedFiles {
  const links: LinkedFiles = new Map();
  const inodes = new Map<bigint, LinkedFile>();
  const newDirectories: string[] = [];
  const strays: FileStat[] = [];
  for (const each of changedDirectories(scan)) {
    const { path } = each;
    using walk = new FolderWalk(root);
    if (!enter(walk, path)) continue;
    for (const { name, type, at, isDirectory } of each.changes.values()) {
      if (type === "new" && isDirectory) newDirectories.push(below(path, name));
      if (isDirectory || (type !== "new" && type !== "changed")) continue;
      const stat = findStat(latin(name), walk.fd);
      if (stat === undefined) continue;
      const isDisplaced = type === "changed" && each.row.inode(at) !== stat.inode;
      if (isDisplaced) vanished.addDisplaced(each.row, at, each.oldPath);
      if (isDisplaced || type === "new") strays.push(stat);
      if (stat.kind !== "file" || stat.nlink < 2) continue;
      const key = linkKey(stat);
      const linked = links.get(key) ?? { count: 0, group: undefined };
      links.set(key, linked);
      inodes.set(stat.inode, linked);
      linked.count += 1;
      const before = type === "changed" && !isDisplaced ? entryOf(each, name) : undefined;
      if (before === undefined) continue;
      const group = before.meta.link ?? before.id;
      if (linked.group === undefined || compareDots(group, linked.group) < 0) linked.group = group;
    }
  }
  if (vanished.isEmpty && links.size === 0) return links;
  for (const stat of strays) vanished.reserve(stat);
  const lister = new DirectoryLister();
  for (const path of newDirectories) lookInside(root, path, { scan, lister, vanished, inodes });
  return links;
}

function* changedDirectories(scan: FolderScan): Generator<DirectoryScan> {
  const stack = [scan.root, ...scan.movedInside.values()];
  for (let each = stack.pop(); each !== undefined; each = stack.pop()) {
    yield each;
    for (const { scan: inner } of each.changes.values()) if (inner !== undefined) stack.push(inner);
  }
}

interface LookOptions {
  readonly scan: FolderScan;
  readonly lister: DirectoryLister;
  readonly vanished: VanishedFiles;
  readonly inodes: ReadonlyMap<bigint, LinkedFile>;
}

function lookInside(root: number, top: string, { scan, lister, vanished, inodes }: LookOptions): void {
  using walk = new FolderWalk(root);
  if (!enter(walk, top)) return;
  const list = (): string[] => {
    const directories: string[] = [];
    lister.begin(walk.fd);
    while (lister.next()) {
      if (lister.type === listedType.directory) directories.push(lister.name);
      else {
        if (vanished.hasInode(lister.inode)) {
          const stat = findStat(lister.names.subarray(lister.nameAt, lister.nameEnd), walk.fd);
          if (stat !== undefined) vanished.reserve(stat);
        }
        const linked = inodes.get(lister.inode);
        if (linked !== undefined) linked.count += 1;
      }
    }
    return directories;
  };
  const frames = [list()];
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const name = frame.pop();
    if (name === undefined) {
      frames.pop();
      if (frames.length > 0) walk.leave();
    } else if (!scan.movedInside.has(below(walk.path, name)) && enter(walk, name)) frames.push(list());
  }
}

/** Goes down; false where one may not: whoever examines it says so. */
function enter(walk: FolderWalk, path: string): boolean {
  const depth = walk.depth;
  try {
    for (const name of path.split("/").filter(Boolean)) walk.enter(name);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    while (walk.depth > depth) walk.leave();
    return false;
  }
}
