/**
 * Boxes of which only a part is on this machine: what is unreal has its metadata here and its content elsewhere, and is not in the folder.
 * Which a box is says `box.content` in its settings. See doc/decisions/0012-unreal-content.md.
 */
import { concatBytes, utf8 } from "../base/bytes.ts";
import { errnoOf, ioError } from "../base/errors.ts";
import type { OpenBox } from "./open-box.ts";

/** Whether what comes from elsewhere stays unreal here. */
export function isUnreal(box: Pick<OpenBox, "settings">): boolean {
  return box.settings.findRow("box.content")?.value === "unreal";
}

/** Whether the folder holds only a part of the tree. */
export function isPartFolder(box: Pick<OpenBox, "settings" | "root">): boolean {
  return box.root !== undefined && isUnreal(box);
}

/** Whether something stands at a path of the folder. */
export function existsIn({ context, root = "" }: Pick<OpenBox, "context" | "root">): (path: Uint8Array) => boolean {
  const top = utf8(`${root}/`);
  return (path) => {
    try {
      return context.disk.stat(concatBytes([top, path])) !== undefined;
    } catch (thrown) {
      // Longer than the kernel takes at once: a scan says what is there.
      if (errnoOf(thrown) !== "ENAMETOOLONG") throw ioError("Cannot look at the folder", thrown);
      return false;
    }
  };
}
