/**
 * What a file in the folder makes of its entry: registers with what was changed since it was last seen, dated by this event.
 *
 * What was changed is found by comparing with what was *observed* last (the scan row), register by register; where the folder still shows that,
 * the entry keeps what the tree has, which may be more than this host can hold. Only bytes, targets and device numbers are compared
 * with the tree itself. An edit of the data dates the mtime too; a touch dates the mtime alone (doc/merge.md, R2).
 */

import { compareBytes } from "../base/bytes.ts";
import type { FileStat } from "../base/posix.ts";
import {
  buildXattrs,
  type DatedValue,
  type Dot,
  type Entry,
  type EventName,
  equalDots,
  type Hash,
  kinds,
  type Meta,
  type Value,
  type Xattr,
  type Xattrs,
} from "../format/mod.ts";
import { equalValues, equalXattrs } from "../history/mod.ts";
import { latin } from "./folder-walk.ts";
import { isRootsXattr, markXattrs } from "./kept-xattrs.ts";
import type { ScanRecord } from "./scan-row.ts";

/** What stands in the folder now. */
export interface Observed {
  /** One character a byte. */
  readonly name: string;
  readonly stat: FileStat;
  /** Kept ones, by name; absent when they could not be read. */
  readonly xattrs: readonly Xattr[] | undefined;
  /** Not of directories. */
  readonly value: Value | undefined;
  /** The group of names that are this file; absent when it has no other name here. */
  readonly link?: Dot;
}

export interface EntryContext {
  readonly event: EventName;
  /** Whether owners in the folder say anything: as root, or when the user wants it. */
  readonly keepsOwner: boolean;
  /** Whether this user sees and sets every attribute. */
  readonly isRoot: boolean;
  /** The attributes of an entry. */
  xattrsOf(entry: Entry): readonly Xattr[];
  /** Keeps a block of attributes. */
  putXattrs(bytes: Uint8Array): Hash;
}

/** An entry without the data of a directory, which is known when all below it is. */
export type EntryDraft = Omit<Entry, "data">;

/** Everything of a new node, dated by its id. */
export function newDraft(context: EntryContext, observed: Observed, id: Dot): EntryDraft {
  const { stat, name } = observed;
  const xattrs = buildXattrs(observed.xattrs ?? [], (bytes) => context.putXattrs(bytes));
  const meta: Meta = {
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    atomic: false,
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(observed.link === undefined ? {} : { link: observed.link }),
  };
  const kind = kindOfStat(stat);
  return { name: latin(name), kind, id, placeDot: id, metaDot: id, meta, mtimeDot: id, mtimeNs: stat.mtimeNs };
}

export function newEntry(context: EntryContext, observed: Observed & { readonly value: Value }, id: Dot): Entry {
  return { ...newDraft(context, observed, id), data: [{ dot: id, value: observed.value }] };
}

export interface ChangedEntry {
  /** The same object as before when nothing was changed. */
  readonly entry: Entry;
  readonly isEdited: boolean;
}

/**
 * The entry with what was changed since `record`. Its kind is that of `before`; a name of another directory or another name dates the place.
 * @param isMoved It stood elsewhere, or under another name.
 */
export function changedEntry(
  context: EntryContext,
  before: Entry,
  record: ScanRecord,
  observed: Observed,
  isMoved: boolean,
): ChangedEntry {
  const dot: Dot = { ...context.event, counter: 0 };
  const { stat, value } = observed;
  const isRewritten = value !== undefined && !equalValues(before.data[0].value, value);
  const data: readonly [DatedValue] | undefined = isRewritten ? [{ dot, value }] : undefined;
  const isTouched = stat.mtimeNs !== record.mtimeNs && stat.mtimeNs !== before.mtimeNs;
  const meta = changedMeta(context, before, record, observed, isRewritten);
  if (data === undefined && !isTouched && meta === undefined && !isMoved) return { entry: before, isEdited: false };
  const entry: Entry = {
    ...before,
    name: latin(observed.name),
    ...(isMoved ? { placeDot: dot } : {}),
    ...(meta === undefined ? {} : { meta, metaDot: dot }),
    ...(data !== undefined || isTouched ? { mtimeDot: dot, mtimeNs: stat.mtimeNs } : {}),
    ...(data === undefined ? {} : { data }),
  };
  return { entry, isEdited: true };
}

/** The meta register with what was changed; undefined when nothing was. */
function changedMeta(
  context: EntryContext,
  before: Entry,
  record: ScanRecord,
  { stat, xattrs: found, link: group }: Observed,
  isRewritten: boolean,
): Meta | undefined {
  const old = before.meta;
  const mode = stat.mode === (record.mode & 0o7777) ? old.mode : stat.mode;
  const hasNewOwner = context.keepsOwner && (stat.uid !== record.uid || stat.gid !== record.gid);
  const { uid, gid } = hasNewOwner ? stat : old;
  const isAsSeen = found === undefined || markXattrs(found) === record.xattrs;
  const xattrs = isAsSeen ? old.xattrs : mergedXattrs(context, before, found);
  const isEdited =
    isRewritten || mode !== old.mode || uid !== old.uid || gid !== old.gid || !equalXattrs(xattrs, old.xattrs);
  // One name is left of a group: that alone is no edit, but what is edited now is this name's alone.
  const link = group ?? (isEdited && stat.nlink === 1 ? undefined : old.link);
  const isRelinked = link === undefined || old.link === undefined ? link !== old.link : !equalDots(link, old.link);
  const isSame =
    mode === old.mode && uid === old.uid && gid === old.gid && equalXattrs(xattrs, old.xattrs) && !isRelinked;
  if (isSame) return undefined;
  return {
    mode,
    uid,
    gid,
    atomic: old.atomic,
    ...(xattrs === undefined ? {} : { xattrs }),
    ...(link === undefined ? {} : { link }),
  };
}

/** What is in the folder, and of the tree's what an ordinary user could not have changed. */
function mergedXattrs(context: EntryContext, before: Entry, found: readonly Xattr[]): Xattrs | undefined {
  const list = [...found];
  if (!context.isRoot) {
    for (const each of context.xattrsOf(before)) {
      if (isRootsXattr(each.name) && !found.some(({ name }) => compareBytes(name, each.name) === 0)) list.push(each);
    }
  }
  return buildXattrs(list, (bytes) => context.putXattrs(bytes));
}

export function kindOfStat({ kind }: FileStat): Entry["kind"] {
  return kinds[kind];
}
