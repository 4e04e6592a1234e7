/**
 * The scan: in what a folder differs from its last commit or checkout. Nothing is read but directories, rule files and stats.
 *
 * Each name is compared, field by field, with the stat that its directory's scan row holds; so a folder in which nothing changed costs
 * one lstat a name (78,600 files: 0.2 s). What is new is one item, however much is below it. A directory that stands elsewhere
 * now (same inode, same birth) is recognised and compared with its own row. What cannot be read, what is ignored, and what vanished
 * with its folder's mount is no change: it stays as the last commit has it.
 */
import { ioError } from "../base/errors.ts";
import { type FileStat, fstat } from "../base/posix.ts";
import { type DirectoryScan, Scanner, type ScanOptions } from "./folder-scanner.ts";
import { keepUnseen } from "./scan-emptied.ts";
import { MoveFinder } from "./scan-moves.ts";

export interface FolderScan {
  readonly root: DirectoryScan;
  readonly rootStat: FileStat;
  /** Directories of the tree that stand inside new ones, by their path now. */
  readonly movedInside: ReadonlyMap<string, DirectoryScan>;
  /** Ids of all directories that stand elsewhere than in the tree, as `dotKey`. */
  readonly movedIds: ReadonlySet<string>;
  /** Where names of the tree should stand that could not be made in this folder, and are not in it. */
  readonly absent: readonly string[];
  /** Something could not be looked at. */
  readonly isPartial: boolean;
  /** How many names were looked at. */
  readonly names: number;
}

/**
 * @throws OuroError "stale" when the folder is another one than last time and empty (unmounted?), "aborted", "permission" and its like about the
 * root; "corrupt" about the tree.
 */
export async function scanFolder(options: ScanOptions): Promise<FolderScan> {
  const scanner = new Scanner(options);
  try {
    const rootStat = fstat(options.root);
    const root = scanner.rootScan();
    await scanner.walk(root);
    scanner.checkRoot(root, rootStat);
    const moves = new MoveFinder(scanner);
    await moves.run();
    const { movedInside, movedIds } = moves;
    if (options.isPart === true) keepUnseen(scanner, [root, ...movedInside.values()], movedIds);
    const { absent, isPartial, names } = scanner;
    return { root, rootStat, movedInside, movedIds, absent, isPartial, names };
  } catch (thrown) {
    throw ioError("Cannot scan the folder", thrown);
  }
}
