/**
 * Mends of units, which are plain directories on the other side (rule M4 of doc/merge.md): what that side has below becomes
 * one more value of the unit. Nothing of either is lost.
 */
import { compareDots, type DirectoryValue, type Entry } from "../format/mod.ts";
import { copySubtree } from "./copy-subtree.ts";
import type { MixedNode } from "./join-match.ts";
import { isUnit, plainDirectory, type Values } from "./join-registers.ts";
import { type JoinNode, type JoinResult, otherSide, type Side, type Standing } from "./join-result.ts";
import type { MendEvent, MendTools } from "./mend-event.ts";

/** For units that have nodes below them, or no value. @returns Whether anything was mended. */
export function closeUnits(
  result: JoinResult,
  mixed: readonly MixedNode[],
  { mend, options, rules }: MendTools,
): boolean {
  let isAny = false;
  for (const each of mixed) {
    const { node, plainSide, values } = each;
    if (!node.isKept || !isUnit(node.entry)) continue;
    const isValueless = values.length === 0 && !each.isFilled;
    if (!isValueless && (node.contents?.children.size ?? 0) === 0) continue;
    isAny = true;
    if (node.contents !== undefined) empty(result, node, node, plainSide, mend);
    mend.note("unit", node.entry);
    if (!rules.closesUnits && !isValueless) continue;
    const { entry } = node[plainSide] as Standing;
    const value = copySubtree(plainDirectory(entry) as DirectoryValue, options);
    const rest: Values = isValueless ? [] : node.entry.data;
    const data: Entry["data"] = [{ dot: mend.nextDot(rest), value }, ...rest];
    node.entry = { ...node.entry, data, mtimeDot: mend.dot(0) };
    each.isFilled = true;
  }
  return isAny;
}

/**
 * Drops what is below a unit, but sends back what the other side has elsewhere, with all that is below it. What the other side
 * has within another such unit would be sent back and forth: the second time it goes beside the unit.
 */
function empty(result: JoinResult, unit: JoinNode, directory: JoinNode, plainSide: Side, mend: MendEvent): void {
  for (const node of [...(directory.contents?.children.values() ?? [])].flat()) {
    const place = node[otherSide(plainSide)];
    const placeDot = mend.dot(0);
    if (node.wasSentBack || (place === undefined && node[plainSide] === undefined))
      result.place(node, unit.parent as JoinNode, { ...node.entry, placeDot });
    else if (place?.parent !== undefined) {
      node.wasSentBack = true;
      result.place(node, place.parent, { ...node.entry, name: place.entry.name, placeDot });
    } else {
      result.remove(node);
      empty(result, unit, node, plainSide, mend);
    }
  }
}

/** For what one side has unmarked, and the other has values of that this one has not seen: it is marked again. */
export function markAgain(mixed: readonly MixedNode[], mend: MendEvent): void {
  for (const { node, isUnmarked } of mixed) {
    if (!isUnmarked) continue;
    node.entry = { ...node.entry, metaDot: mend.dot(0) };
    mend.note("unit", node.entry);
  }
}

/** In the order in which mixed nodes are mended. */
export function sortMixed(mixed: readonly MixedNode[]): MixedNode[] {
  return mixed.toSorted((x, y) => compareDots(x.node.id, y.node.id));
}
