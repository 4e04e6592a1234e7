/** Whether two names of one link group are to be one file in the folder. */
import { type Entry, kinds } from "../format/mod.ts";
import { equalContents, equalXattrs } from "../history/mod.ts";

/** Linked entries are one file while their data, times and attributes are equal (doc/format.md, section 4.3). */
export function isSameFile(a: Entry, b: Entry): boolean {
  const [one, two] = [a.data[0].value, b.data[0].value];
  if (one.kind !== kinds.file || two.kind !== kinds.file || !equalContents(one.content, two.content)) return false;
  const [before, after] = [a.meta, b.meta];
  if (before.mode !== after.mode || before.uid !== after.uid || before.gid !== after.gid) return false;
  return a.mtimeNs === b.mtimeNs && equalXattrs(before.xattrs, after.xattrs);
}
