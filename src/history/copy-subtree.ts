/** Copies of what is below a directory, as nodes of their own: the ids of the others may be elsewhere in the tree. */
import type { DirectoryValue, Dot } from "../format/mod.ts";
import type { MetaSink } from "../store/mod.ts";
import { DirectoryBuilder } from "./directory-builder.ts";
import { directoryOf, type TreeReader } from "./tree-reader.ts";

/**
 * @param nextId Gives a new dot for each entry, with which all its registers are dated.
 * @throws OuroError "not-found", "corrupt".
 */
export function copySubtree(
  reader: TreeReader,
  sink: MetaSink,
  directory: DirectoryValue,
  nextId: () => Dot,
): DirectoryValue {
  const builder = new DirectoryBuilder(sink);
  for (const entry of reader.entries(directory)) {
    const id = nextId();
    const below = directoryOf(entry);
    const value = below === undefined ? entry.data[0].value : copySubtree(reader, sink, below, nextId);
    const { link: _, ...meta } = entry.meta;
    builder.add({ ...entry, id, placeDot: id, metaDot: id, meta, mtimeDot: id, data: [{ dot: id, value }] });
  }
  return builder.finish();
}
