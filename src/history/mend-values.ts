/** Values as mends compare them: whether two look the same (rule M5 of doc/merge.md). */
import { equalBytes } from "../base/bytes.ts";
import { type DatedValue, type DirectoryValue, type Entry, kinds, type Meta, type Value } from "../format/mod.ts";
import { equalContents, equalXattrs } from "./entry-difference.ts";
import { plainDirectory, valuesOf } from "./join-registers.ts";
import type { TreeReader } from "./tree-reader.ts";

/** Whether two values look the same: no ids, no dots, and of what is in a unit no times. Units are read as far as they differ. */
export function equalValues(reader: TreeReader, a: Value, b: Value): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === kinds.file) return equalContents(a.content, (b as typeof a).content);
  if (a.kind === kinds.symlink) return equalBytes(a.target, (b as typeof a).target);
  if (a.kind === kinds.directory) return equalDirectories(reader, a, b as typeof a);
  if (!("major" in a)) return true;
  return a.major === (b as typeof a).major && a.minor === (b as typeof a).minor;
}

function equalDirectories(reader: TreeReader, a: DirectoryValue, b: DirectoryValue): boolean {
  const pairs = [[a, b] as const];
  for (let pair = pairs.pop(); pair !== undefined; pair = pairs.pop()) {
    const [one, two] = pair;
    if (one.summary.names !== two.summary.names) return false;
    if (one.top === undefined || two.top === undefined || equalBytes(one.top, two.top)) continue;
    const others = reader.entries(two);
    for (const entry of reader.entries(one)) {
      const other = others.next().value as Entry;
      if (!equalLooks(reader, entry, other)) return false;
      const [below, otherBelow] = [plainDirectory(entry), plainDirectory(other)];
      if (below !== undefined && otherBelow !== undefined) pairs.push([below, otherBelow]);
    }
  }
  return true;
}

function equalLooks(reader: TreeReader, a: Entry, b: Entry): boolean {
  if (a.kind !== b.kind || !equalBytes(a.name, b.name) || !equalMetas(a.meta, b.meta)) return false;
  const [one, two] = [valuesOf(a), valuesOf(b)];
  return (
    one.length === two.length && one.every(({ value }, at) => equalValues(reader, value, (two[at] as DatedValue).value))
  );
}

function equalMetas(a: Meta, b: Meta): boolean {
  const isSame = a.mode === b.mode && a.uid === b.uid && a.gid === b.gid && a.atomic === b.atomic;
  return isSame && equalXattrs(a.xattrs, b.xattrs) && (a.link === undefined) === (b.link === undefined);
}
