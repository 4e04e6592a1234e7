/**
 * Mends of places: what was changed survives its deletion, a directory that is missing comes back, and no directory is within
 * itself (rules M1 to M3 of doc/merge.md).
 */
import { compareDots, type DirectoryValue, type Entry, kinds } from "../format/mod.ts";
import { type Coverage, plainDirectory, survivingData, valuesOf } from "./join-registers.ts";
import type { JoinNode, JoinResult, Side, Standing } from "./join-result.ts";
import type { JoinRules } from "./join-rules.ts";
import type { MendEvent } from "./mend-event.ts";

/** M1: a node that the other side has deleted and this side changed, all its registers dated again. */
export function keepSurvivor(node: JoinNode, side: Side, other: Coverage, mend: MendEvent, rules: JoinRules): void {
  const { entry, parent } = node[side] as Standing;
  const hasData = valuesOf(entry).length > 0;
  const data = hasData ? survivingData(entry, other) : entry.data;
  node.isKept = true;
  node.parent = parent;
  node.entry = mend.redate(entry, data, { hasData, onlyPlace: !rules.redatesAll });
  mend.note("kept", node.entry);
}

/** M2. @returns Whether anything was mended. */
export function restoreParents(result: JoinResult, mend: MendEvent, rules: JoinRules): boolean {
  let isAny = false;
  for (const node of result.nodes.values()) {
    if (!node.isKept) continue;
    for (let at = node; at.parent !== undefined && !at.parent.isKept; at = at.parent) {
      isAny = true;
      if (rules.restoresParents) restore(result, at.parent, mend);
      else {
        result.remove(at);
        mend.note("parent", at.entry);
        break;
      }
    }
  }
  return isAny;
}

function restore(result: JoinResult, node: JoinNode, mend: MendEvent): void {
  const standings = [node.a, node.b].filter((each) => each !== undefined);
  const [first, ...rest] = standings as [Standing, ...Standing[]];
  const later = (dotOf: (entry: Entry) => Entry["placeDot"]): Standing =>
    rest.reduce((best, each) => (compareDots(dotOf(each.entry), dotOf(best.entry)) > 0 ? each : best), first);
  const place = later(({ placeDot }) => placeDot);
  const { meta } = later(({ metaDot }) => metaDot).entry;
  const { mtimeNs } = later(({ mtimeDot }) => mtimeDot).entry;
  const { entry } = standings.find((each) => plainDirectory(each.entry) !== undefined) ?? first;
  const restored: Entry = { ...entry, name: place.entry.name, meta, mtimeNs };
  void node.open;
  const redated = mend.redate(restored, [{ dot: entry.id, value: emptied(entry) }], {
    hasData: false,
    onlyPlace: false,
  });
  result.place(node, place.parent as JoinNode, redated);
  mend.note("parent", redated);
}

/** What was in it and is not in the result stays away. */
function emptied(entry: Entry): DirectoryValue {
  return { kind: kinds.directory, summary: (plainDirectory(entry) as DirectoryValue).summary };
}

/** M3. @returns Whether anything was mended. */
export function breakCycles(result: JoinResult, mend: MendEvent): boolean {
  let isAny = false;
  for (let cycle = findCycle(result); cycle !== undefined; cycle = findCycle(result)) {
    isAny = true;
    const [first, ...rest] = cycle as [JoinNode, ...JoinNode[]];
    const chosen = rest.reduce((least, each) => (compareAges(each, least) < 0 ? each : least), first);
    result.place(chosen, result.root, { ...chosen.entry, placeDot: mend.dot(0) });
    mend.note("cycle", chosen.entry);
  }
  return isAny;
}

function compareAges({ entry: a }: JoinNode, { entry: b }: JoinNode): number {
  return compareDots(a.placeDot, b.placeDot) || compareDots(a.id, b.id);
}

/** The members of a cycle of directories. What is below a cycle is no member. */
function findCycle(result: JoinResult): JoinNode[] | undefined {
  const done = new Set<JoinNode>([result.root]);
  for (const node of result.nodes.values()) {
    if (!node.isKept || node.contents === undefined) continue;
    const trail: JoinNode[] = [];
    const onTrail = new Set<JoinNode>();
    let at: JoinNode | undefined = node;
    while (at !== undefined && !done.has(at) && !onTrail.has(at)) {
      trail.push(at);
      onTrail.add(at);
      at = at.parent;
    }
    if (at !== undefined && onTrail.has(at)) return trail.slice(trail.indexOf(at));
    for (const each of trail) done.add(each);
  }
  return undefined;
}
