/**
 * Where things are inside `.ourobox/` (doc/format.md, section 9), and how a box is found from a folder within it.
 *
 * A branch that was mounted to be written has a folder of its own, `.ourobox/branches/<name>/files`: whoever works in there works on that branch.
 */
import { dirname, join, resolve, sep } from "node:path";
import { toText } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { OuroError } from "../base/errors.ts";
import { findStat, listNames } from "./disk-folders.ts";

export const boxFolder = ".ourobox";

export interface Layout {
  /** The folder that holds `.ourobox`. */
  readonly top: string;
  readonly box: string;
  readonly identity: string;
  readonly key: string;
  readonly writer: string;
  readonly settings: string;
  readonly state: string;
  /** Where there is such a file, `state` and the index are elsewhere: databases.ts. */
  readonly databases: string;
  readonly heads: string;
  readonly tmp: string;
  readonly branches: string;
  /** Whose folder `files` is; absent: the box's own, where another may be at hand each time. */
  readonly branch?: string;
  /** The folder whose states are kept, where the box has one. */
  readonly files: string;
  /** What writes that folder puts things here first, and locks it: folder-lock.ts. */
  readonly moving: string;
  /** Who shows that folder live locks this: live-lock.ts. */
  readonly live: string;
  /** What was changed and is not in that folder: staged-files.ts. */
  readonly staged: string;
}

export function layoutOf(top: string): Layout {
  const box = join(top, boxFolder);
  return {
    top,
    box,
    identity: join(box, "box"),
    key: join(box, "keys"),
    writer: join(box, "writer"),
    settings: join(box, "config"),
    state: join(box, "state.sqlite"),
    databases: join(box, "databases"),
    heads: join(box, "heads"),
    tmp: join(box, "tmp"),
    branches: join(box, "branches"),
    files: top,
    moving: join(box, "moving"),
    live: join(box, "live"),
    staged: join(box, "staged"),
  };
}

/** The same box, worked on in the folder of a branch. */
export function branchLayout(layout: Layout, branch: string): Layout {
  const own = join(layout.branches, folderOfBranch(branch));
  const places = { files: join(own, "files"), moving: join(own, "moving"), live: join(own, "live") };
  return { ...layout, branch, ...places, staged: join(own, "staged") };
}

/** In no order. */
export function branchesWithFolders(disk: Disk, { branches }: Layout): string[] {
  return listNames(disk, branches).map((name) => branchOfFolder(toText(name)));
}

/** Undefined in a bare box, but for the folder of a branch there. */
export function rootOf({ branch, files }: Layout, settings: { isOn(key: "box.bare"): boolean }): string | undefined {
  return branch === undefined && settings.isOn("box.bare") ? undefined : files;
}

/** As long as the name, which may have as many bytes as a file's: with what no branch's name has in it. */
function folderOfBranch(name: string): string {
  return /^\.\.?$/.test(name) ? `~${name}` : name.replaceAll("/", ":");
}

function branchOfFolder(folder: string): string {
  return folder.replace("~", "").replaceAll(":", "/");
}

/**
 * The box that holds `start` or a folder above it; in the folder of a branch, there.
 * @throws OuroError "no-box".
 */
export function findBox(disk: Disk, start: string): Layout {
  for (let folder = resolve(start); ; folder = dirname(folder)) {
    const layout = layoutOf(folder);
    if (findStat(disk, layout.identity) !== undefined) return layoutAt(layout, resolve(start));
    if (folder === dirname(folder)) break;
  }
  throw new OuroError("no-box", `Cannot find a box: neither ${resolve(start)} nor a folder above it has ${boxFolder}`, {
    hint: "Run `ourobox init` to make one here, or `ourobox clone URL` to bring one.",
    subject: start,
  });
}

function layoutAt(layout: Layout, start: string): Layout {
  if (!start.startsWith(`${layout.branches}${sep}`)) return layout;
  const [name = "", inside] = start.slice(layout.branches.length + 1).split(sep);
  return inside === "files" ? branchLayout(layout, branchOfFolder(name)) : layout;
}
