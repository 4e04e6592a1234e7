/**
 * Changing a file that is not in the folder where the tree has it: its name, mode and owner; and of an empty one the content, which another file has. It is a commit of its own, and
 * nothing has to be brought for it, however large it is and wherever it lies.
 */
import { OuroError } from "../base/errors.ts";
import { quotePath } from "../base/quote.ts";
import { type Content, type Dot, type Entry, equalDots, kinds } from "../format/mod.ts";
import { editTree, splitLast, splitPath } from "../history/mod.ts";
import type { UnrealChange } from "../vfs/mod.ts";
import type { OpenBox } from "./open-box.ts";
import { isEmptyFile } from "./take-out-empty.ts";
import { commitTree } from "./tree-commit.ts";

/**
 * What is changed in the folder and not committed stays so.
 * @throws OuroError "stale" when the last commit has it elsewhere, or has something under its new name; as `commitTree`.
 */
export async function changeUnreal(box: OpenBox, { id, path, to, meta, content }: UnrealChange): Promise<void> {
  await commitTree(box, {
    command: "mount",
    message: "",
    edit({ commit }, event, sink) {
      const { reader } = box;
      const root = reader.root(commit.tree);
      const entry = reader.findPath(root, splitPath(path));
      const isTaken =
        (to !== undefined && reader.findPath(root, splitPath(to)) !== undefined) ||
        (content !== undefined && entry !== undefined && !isEmptyFile(entry));
      if (entry === undefined || !equalDots(entry.id, id) || isTaken)
        throw new OuroError("stale", `Cannot change ${quotePath(path)}: the last commit has something else there`);
      const dot = { ...event, counter: 0 };
      const changed = {
        ...entry,
        ...(to === undefined ? {} : { name: splitLast(to)[1], placeDot: dot }),
        ...(meta === undefined ? {} : { meta: { ...entry.meta, ...meta }, metaDot: dot }),
        ...(content === undefined ? {} : written(content, dot, box.context.clock.nowMs())),
      };
      const left = to === undefined ? [] : [{ path }];
      return editTree(reader, sink, commit.tree, [...left, { path: to ?? path, entry: changed }], event);
    },
  });
}

function written(content: Content, dot: Dot, nowMs: number): Pick<Entry, "data" | "mtimeDot" | "mtimeNs"> {
  const mtimeNs = BigInt(Math.floor(nowMs)) * 1_000_000n;
  return { data: [{ dot, value: { kind: kinds.file, content } }], mtimeDot: dot, mtimeNs };
}
