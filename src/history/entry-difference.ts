/** In what two entries differ as people see them: values, not the dots that date them. */
import { equalBytes } from "../base/bytes.ts";
import {
  type Content,
  type Entry,
  equalDots,
  kinds,
  type Meta,
  type Value,
  type Xattr,
  type Xattrs,
} from "../format/mod.ts";

/**
 * "node": another node stands there under the same name. "values": the other values of a conflict. "links": the link group.
 */
export type Difference =
  | "content"
  | "target"
  | "device"
  | "kind"
  | "node"
  | "mode"
  | "owner"
  | "mtime"
  | "xattrs"
  | "links"
  | "atomic"
  | "values";

/** In what `after` differs from `before`; of directories, not in what is below them. */
export function entryDifferences(before: Entry, after: Entry): ReadonlySet<Difference> {
  const found = new Set<Difference>();
  if (before === after) return found;
  if (!equalDots(before.id, after.id)) found.add("node");
  if (before.kind !== after.kind) found.add("kind");
  else addValueDifference(found, before.data[0].value, after.data[0].value);
  if (before.mtimeNs !== after.mtimeNs) found.add("mtime");
  addMetaDifferences(found, before.meta, after.meta);
  if (hasOtherValues(before, after)) found.add("values");
  return found;
}

function addValueDifference(found: Set<Difference>, before: Value, after: Value): void {
  if (before.kind === kinds.file && after.kind === kinds.file) {
    if (!equalContents(before.content, after.content)) found.add("content");
  } else if (before.kind === kinds.symlink && after.kind === kinds.symlink) {
    if (!equalBytes(before.target, after.target)) found.add("target");
  } else if ("major" in before && "major" in after) {
    if (before.major !== after.major || before.minor !== after.minor) found.add("device");
  }
}

function addMetaDifferences(found: Set<Difference>, before: Meta, after: Meta): void {
  if (before === after) return;
  if (before.mode !== after.mode) found.add("mode");
  if (before.uid !== after.uid || before.gid !== after.gid) found.add("owner");
  if (before.atomic !== after.atomic) found.add("atomic");
  if (!equalXattrs(before.xattrs, after.xattrs)) found.add("xattrs");
  const [one, two] = [before.link, after.link];
  if (one === undefined || two === undefined ? one !== two : !equalDots(one, two)) found.add("links");
}

function hasOtherValues({ data: before }: Entry, { data: after }: Entry): boolean {
  if (before.length === 1 && after.length === 1) return false;
  return before.length !== after.length || before.some(({ dot }, index) => !equalDots(dot, after[index]?.dot ?? dot));
}

/** Whether two contents are the same bytes. */
export function equalContents(a: Content, b: Content): boolean {
  if (a.size !== b.size) return false;
  if (a.list !== undefined && b.list !== undefined)
    return a.list.level === b.list.level && equalBytes(a.list.hash, b.list.hash);
  const [one, two] = [a.items ?? [], b.items ?? []];
  if (a.list !== undefined || b.list !== undefined || one.length !== two.length) return false;
  return one.every((item, index) => {
    const other = two[index];
    if (other === undefined || item.form !== other.form || item.length !== other.length) return false;
    return item.form === "hole" || other.form === "hole" || equalBytes(item.hash, other.hash);
  });
}

export function equalXattrs(a: Xattrs | undefined, b: Xattrs | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  if (a.form === "block") return b.form === "block" && equalBytes(a.hash, b.hash);
  if (b.form === "block" || a.list.length !== b.list.length) return false;
  return a.list.every(({ name, value }, index) => {
    const other = b.list[index] as Xattr;
    return equalBytes(name, other.name) && equalBytes(value, other.value);
  });
}
