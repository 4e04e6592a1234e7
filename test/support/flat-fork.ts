/** Rule F3 on flat maps: what a writer wrote after some clock is another writer's, everywhere in a state. */
import { compareDots, type Dot, dotKey } from "../../src/format/mod.ts";
import { type FlatNode, type FlatState, type FlatValue, type Nodes, rootKey, unitTop } from "./flat-tree.ts";

export interface FlatRenaming {
  readonly writer: bigint;
  readonly after: bigint;
  readonly to: bigint;
}

export function renameFlat({ nodes, vector }: FlatState, renaming: FlatRenaming): FlatState {
  const { writer, after, to } = renaming;
  const renamed = new Map(vector).set(to, vector.get(writer) as bigint);
  if (after === 0n) renamed.delete(writer);
  else renamed.set(writer, after);
  return { nodes: renameNodes(nodes, renaming), vector: renamed };
}

function renameNodes(nodes: Nodes, renaming: FlatRenaming): Nodes {
  const { writer, after, to } = renaming;
  const dot = (each: Dot): Dot => (each.writer === writer && each.clock > after ? { ...each, writer: to } : each);
  const made = new Map<string, FlatNode>();
  for (const node of nodes.values()) {
    const id = dot(node.id);
    const above = nodes.get(node.parent);
    const parent =
      above === undefined || node.parent === rootKey || node.parent === unitTop ? node.parent : dotKey(dot(above.id));
    const { link } = node.meta;
    const data = node.data.map(({ dot: at, value }): FlatValue => {
      const moved = "unit" in value ? { ...value, unit: renameNodes(value.unit, renaming) } : value;
      return { dot: dot(at), value: moved };
    });
    made.set(dotKey(id), {
      ...node,
      id,
      key: dotKey(id),
      parent,
      placeDot: dot(node.placeDot),
      metaDot: dot(node.metaDot),
      meta: link === undefined ? node.meta : { ...node.meta, link: dot(link) },
      mtimeDot: dot(node.mtimeDot),
      data: data.sort((x, y) => compareDots(y.dot, x.dot)),
    });
  }
  return made;
}
