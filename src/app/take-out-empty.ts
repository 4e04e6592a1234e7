/**
 * Making an empty file of the folder unreal, before it gets a content that is elsewhere (change-unreal.ts). Each step is one that other commands have: a commit of it, as it is, then what
 * `unrealize` does. So a crash in between leaves an empty file, in the folder or not.
 */
import { concatBytes, utf8 } from "../base/bytes.ts";
import { findStat, lstat } from "../base/posix.ts";
import { type Content, commitFlags, type Dot, type Entry, type Hash, kinds } from "../format/mod.ts";
import { splitPath } from "../history/mod.ts";
import type { FolderFile } from "../vfs/mod.ts";
import { commitBox } from "./box-commit.ts";
import type { Path } from "./changes.ts";
import { Marks, wantedIn } from "./marks.ts";
import { lockWhole } from "./move-folder.ts";
import { numberedIn, pathBytesMax } from "./number-moves.ts";
import type { OpenBox } from "./open-box.ts";
import { takeOut } from "./realize.ts";

export interface EmptyFile {
  /** Of the folder, where its directories stand where the last commit has them, if that has them. */
  readonly path: Path;
  readonly file: FolderFile;
  /** Asked at once before it is taken out, when the last commit has it. */
  readonly mayLeave: () => boolean;
}

/**
 * @returns What it is in the tree; undefined where it stays in the folder: something else is there by now, it is ignored, has content, or is to be real.
 * @throws OuroError as `commitBox` and `checkout`.
 */
export async function takeOutEmpty(box: OpenBox, { path, file, mayLeave }: EmptyFile): Promise<Dot | undefined> {
  const folder = box.requireRoot("share content");
  using _ = await lockWhole(box, "alone");
  const full = concatBytes([utf8(`${folder}/`), path]);
  const isThere = (): boolean => {
    const stat = findStat(full);
    return stat?.device === file.device && stat.inode === file.inode;
  };
  // What is on another device, or has too long a path, cannot take its number along.
  if (numberedIn(lstat(folder).device, file) === undefined || full.length >= pathBytesMax || !isThere())
    return undefined;
  await commitBox(box, { message: "", all: true, paths: [path], flags: commitFlags.automatic });
  const tree = box.headCommit()?.commit.tree;
  const entry = tree === undefined ? undefined : box.reader.findPath(box.reader.root(tree), splitPath(path));
  if (tree === undefined || entry === undefined || !isThere() || !isEmptyFile(entry)) return undefined;
  if (!mayBeUnreal(box, { tree, path, entry }) || !mayLeave()) return undefined;
  const { partial } = await takeOut(box, folder, [path]);
  return partial ? undefined : entry.id;
}

/** Whether nothing is in it but a hole. */
export function isEmptyFile({ data, meta }: Entry): boolean {
  const [{ value }] = data;
  return value.kind === kinds.file && meta.link === undefined && isHollow(value.content);
}

function isHollow({ items = [], list }: Content): boolean {
  return list === undefined && items.every(({ form }) => form === "hole");
}

/** In a box that is real where nothing else is said, what is made unreal gets a mark of its own. */
function mayBeUnreal(
  box: OpenBox,
  { tree, path, entry }: { readonly tree: Hash; readonly path: Path; readonly entry: Entry },
): boolean {
  if (!wantedIn(box, box.reader, tree)(path)) return true;
  const marks = Marks.load(box);
  if (marks.hasReal) return false;
  box.state.transaction(() => {
    marks.set(entry.id, "unreal");
    marks.save(box);
  });
  return true;
}
