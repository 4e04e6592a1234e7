/** Every folder of a box that holds only a part of a tree, whichever it is worked on in: the box's own, and those of branches. */
import { branchesWithFolders, branchLayout, layoutOf, rootOf } from "./layout.ts";
import type { OpenBox } from "./open-box.ts";
import { isPartFolder } from "./unreal-setting.ts";

/** One of them, with the state as it is there. */
export type PartFolder = Pick<OpenBox, "context" | "layout" | "root" | "settings" | "state">;

export function partFolders({ context, layout, settings, state }: OpenBox): PartFolder[] {
  const own = layoutOf(layout.top);
  const branches = branchesWithFolders(context.disk, own).map((branch) => branchLayout(own, branch));
  return [own, ...branches]
    .map((each) => ({
      context,
      layout: each,
      root: rootOf(each, settings),
      settings,
      state: state.ofBranch(each.branch),
    }))
    .filter(isPartFolder);
}
