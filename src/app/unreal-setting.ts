/**
 * Boxes of which only a part is on this machine: what is unreal has its metadata here and its content elsewhere, and is not in the folder.
 * Which a box is says `box.content` in its settings, and marks say otherwise of parts of it (marks.ts). See doc/decisions/0012-unreal-content.md.
 */
import { concatBytes, utf8 } from "../base/bytes.ts";
import type { DiskStat } from "../base/disk.ts";
import { errnoOf, ioError } from "../base/errors.ts";
import type { OpenBox } from "./open-box.ts";

/** In the state: marks.ts. Where there ever was a mark, the folder may hold a part. */
export const marksKey = "marks";

/** Whether what comes from elsewhere stays unreal here. */
export function isUnreal(box: Pick<OpenBox, "settings">): boolean {
  return box.settings.findRow("box.content")?.value === "unreal";
}

/** Whether the folder holds only a part of the tree. That of a branch has what was changed there. */
export function isPartFolder(box: Pick<OpenBox, "settings" | "root" | "state" | "layout">): boolean {
  const { root, state, layout } = box;
  return root !== undefined && (layout.branch !== undefined || isUnreal(box) || state.value(marksKey) !== undefined);
}

/** Whether something stands at a path of the folder. */
export function existsIn(box: Pick<OpenBox, "context" | "root">): (path: Uint8Array) => boolean {
  const stat = statIn(box);
  return (path) => stat(path) !== undefined;
}

/** What stands at a path of the folder. */
export function statIn({
  context,
  root = "",
}: Pick<OpenBox, "context" | "root">): (path: Uint8Array) => DiskStat | undefined {
  const top = utf8(`${root}/`);
  return (path) => {
    try {
      return context.disk.stat(concatBytes([top, path]));
    } catch (thrown) {
      // Longer than the kernel takes at once: a scan says what is there.
      if (errnoOf(thrown) !== "ENAMETOOLONG") throw ioError("Cannot look at the folder", thrown);
      return undefined;
    }
  };
}
