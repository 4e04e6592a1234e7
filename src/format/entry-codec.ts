/**
 * Entries as bytes within a tree node. Format: doc/format.md, 4.3.
 *
 * Most registers carry the dot of the node's birth: then it is written once, and read as one object.
 */
import type { ByteReader, ByteWriter } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { joinNs, splitNs } from "../base/nanoseconds.ts";
import { readContent, writeContent } from "./content.ts";
import { compareDots, type Dot, equalDots } from "./dot.ts";
import {
  type DatedValue,
  type Entry,
  type EntryKind,
  isDatedById,
  kinds,
  limits,
  type Meta,
  type Value,
  type Xattrs,
} from "./entry.ts";
import type { EventCollector, EventReader } from "./event-table.ts";
import { emptySummary } from "./summary.ts";
import { collectSummaryEvents, readSummary, writeSummary } from "./summary-codec.ts";
import { encodeInlineXattrs, readInlineXattrs } from "./xattrs.ts";

const flag = { kind: 7, place: 8, meta: 16, mtime: 32, data: 64, unknown: 128 } as const;
const metaFlag = { atomic: 1, inline: 2, block: 4, link: 8, unknown: 0xf0 } as const;
/** Whole seconds within +-2^52, as zigzag goes. */
const mtimeMax = 2n ** 52n * 1_000_000_000n;
const u32Max = 2 ** 32 - 1;
const hashLength = 32;

/** Announces the events that `writeEntry` will name. */
export function collectEntryEvents(events: EventCollector, entry: Entry): void {
  const { id, placeDot, metaDot, mtimeDot, meta } = entry;
  events.add(id);
  if (placeDot !== id) events.add(placeDot);
  if (metaDot !== id) events.add(metaDot);
  if (mtimeDot !== id) events.add(mtimeDot);
  if (meta.link !== undefined) events.add(meta.link);
  for (const { dot, value } of entry.data) {
    if (dot !== id) events.add(dot);
    if (value.kind === kinds.directory) collectSummaryEvents(events, value.summary);
  }
}

/** @throws OuroError "invalid" where the entry breaks a rule of the format. */
export function writeEntry(writer: ByteWriter, events: EventCollector, entry: Entry): void {
  const { name, kind, id, placeDot, metaDot, mtimeDot, meta, data } = entry;
  const problem = entryProblem(entry);
  if (problem !== undefined) throw new OuroError("invalid", `Cannot encode an entry: ${problem}`);
  const [hasPlace, hasMeta, hasMtime] = [!equalDots(placeDot, id), !equalDots(metaDot, id), !equalDots(mtimeDot, id)];
  const hasData = data.length > 1 || !equalDots(data[0].dot, id);
  const bits =
    (hasPlace ? flag.place : 0) | (hasMeta ? flag.meta : 0) | (hasMtime ? flag.mtime : 0) | (hasData ? flag.data : 0);
  writer
    .u8(name.length)
    .bytes(name)
    .u8(kind | bits);
  writeDot(writer, events, id);
  if (hasPlace) writeDot(writer, events, placeDot);
  if (hasMeta) writeDot(writer, events, metaDot);
  if (hasMtime) writeDot(writer, events, mtimeDot);
  writeMeta(writer, events, meta);
  const { seconds, ns } = splitNs(entry.mtimeNs);
  writer.zigzag(seconds).varint(ns);
  if (!hasData) {
    writeValue(writer, events, data[0].value);
    return;
  }
  writer.varint(data.length);
  for (const { dot, value } of data) {
    writeDot(writer, events, dot);
    writeValue(writer, events, value);
  }
}

/** What both ways check of an entry as a whole. */
function entryProblem(entry: Entry): string | undefined {
  const { kind, id, meta, data, mtimeNs } = entry;
  if (meta.atomic && kind !== kinds.directory) return "only a directory can be atomic";
  if (meta.link !== undefined && kind === kinds.directory) return "a directory can not be linked";
  if (mtimeNs >= mtimeMax || mtimeNs < -mtimeMax) return "its mtime is out of range";
  if (isDatedById(entry) && (data.length > 1 || !equalDots(data[0].dot, id)))
    return "its data must be one value dated by its id";
  if (data.length > limits.values) return `it has ${data.length} values (at most ${limits.values})`;
  let before: DatedValue | undefined;
  for (const each of data) {
    if (each.value.kind !== kind) return "a value is not of its kind";
    if (before !== undefined && compareDots(before.dot, each.dot) <= 0) return "its values are not in order";
    before = each;
  }
  return undefined;
}

function writeDot(writer: ByteWriter, events: EventCollector, dot: Dot): void {
  writer.varint(events.indexOf(dot)).varint(dot.counter);
}

function writeMeta(writer: ByteWriter, events: EventCollector, { mode, uid, gid, atomic, xattrs, link }: Meta): void {
  requireWithin(mode, 0o7777, "mode");
  requireWithin(uid, u32Max, "uid");
  requireWithin(gid, u32Max, "gid");
  const form = xattrs === undefined ? 0 : xattrs.form === "inline" ? metaFlag.inline : metaFlag.block;
  writer.varint(mode).varint(uid).varint(gid);
  writer.u8((atomic ? metaFlag.atomic : 0) | form | (link === undefined ? 0 : metaFlag.link));
  if (xattrs?.form === "inline") writer.bytes(encodeInlineXattrs(xattrs.list));
  else if (xattrs !== undefined) writer.varint(xattrs.size).bytes(xattrs.hash);
  if (link !== undefined) writeDot(writer, events, link);
}

function requireWithin(value: number, max: number, what: string): void {
  if (Number.isInteger(value) && value >= 0 && value <= max) return;
  throw new OuroError("invalid", `Cannot encode an entry: its ${what} is ${value} (0 to ${max})`);
}

function isTarget(target: Uint8Array): boolean {
  return target.length > 0 && target.length <= limits.symlinkBytes && !target.includes(0);
}

function writeValue(writer: ByteWriter, events: EventCollector, value: Value): void {
  switch (value.kind) {
    case kinds.file:
      writeContent(writer, value.content);
      break;
    case kinds.directory:
      if (value.top === undefined) writer.u8(0);
      else writer.u8(1).bytes(value.top);
      writeSummary(writer, events, value.summary);
      break;
    case kinds.symlink:
      if (!isTarget(value.target))
        throw new OuroError("invalid", "Cannot encode a symlink: its target is empty, too long or contains NUL");
      writer.lengthBytes(value.target);
      break;
    case kinds.character:
    case kinds.block:
      requireWithin(value.major, u32Max, "device number");
      requireWithin(value.minor, u32Max, "device number");
      writer.varint(value.major).varint(value.minor);
  }
}

/**
 * Reads an entry. Names are checked by the node, all together.
 * @param before The one before it in the node: most have the same meta, and share it then.
 * @throws OuroError "corrupt".
 */
export function readEntry(reader: ByteReader, events: EventReader, isRoot: boolean, before: Entry | undefined): Entry {
  const name = reader.bytes(reader.u8());
  const bits = reader.u8();
  const kind = (bits & flag.kind) as EntryKind;
  if (kind < 1 || bits >= flag.unknown) throw reader.corrupt(`the flags of an entry are ${bits}`);
  const id = events.dot();
  if (!isRoot && id.counter === 0) throw reader.corrupt("a node id has no counter");
  const placeDot = (bits & flag.place) === 0 ? id : readOtherDot(reader, events, id);
  const metaDot = (bits & flag.meta) === 0 ? id : readOtherDot(reader, events, id);
  const mtimeDot = (bits & flag.mtime) === 0 ? id : readOtherDot(reader, events, id);
  const meta = readMeta(reader, events, before?.meta);
  const seconds = reader.zigzag("an mtime");
  const rest = reader.varint(999_999_999, "the nanoseconds of an mtime");
  const mtimeNs = joinNs(seconds, rest);
  let data: Entry["data"];
  if ((bits & flag.data) === 0) data = [{ dot: id, value: readValue(reader, events, kind) }];
  else data = readValues(reader, events, kind, id);
  const entry: Entry = { name, kind, id, placeDot, metaDot, meta, mtimeDot, mtimeNs, data };
  const problem = entryProblem(entry);
  if (problem !== undefined) throw reader.corrupt(`an entry: ${problem}`);
  return entry;
}

function readOtherDot(reader: ByteReader, events: EventReader, id: Dot): Dot {
  const dot = events.dot();
  if (equalDots(dot, id)) throw reader.corrupt("a register repeats the id of its entry");
  return dot;
}

function readMeta(reader: ByteReader, events: EventReader, before: Meta | undefined): Meta {
  const mode = reader.varint(0o7777, "a mode");
  const uid = reader.varint(u32Max, "a uid");
  const gid = reader.varint(u32Max, "a gid");
  const bits = reader.u8();
  if (bits === 0)
    return before !== undefined && isPlain(before, mode, uid, gid) ? before : { mode, uid, gid, atomic: false };
  const hasBoth = (bits & metaFlag.inline) !== 0 && (bits & metaFlag.block) !== 0;
  if ((bits & metaFlag.unknown) !== 0 || hasBoth) throw reader.corrupt(`the flags of a meta register are ${bits}`);
  let xattrs: Xattrs | undefined;
  if ((bits & metaFlag.inline) !== 0) xattrs = { form: "inline", list: readInlineXattrs(reader) };
  if ((bits & metaFlag.block) !== 0) {
    const size = reader.varint(limits.xattrBlockBytes, "the size of attributes");
    xattrs = { form: "block", hash: reader.bytes(hashLength), size };
  }
  const link = (bits & metaFlag.link) === 0 ? undefined : events.dot();
  const meta: Meta = { mode, uid, gid, atomic: (bits & metaFlag.atomic) !== 0 };
  return { ...meta, ...(xattrs === undefined ? {} : { xattrs }), ...(link === undefined ? {} : { link }) };
}

function isPlain(meta: Meta, mode: number, uid: number, gid: number): boolean {
  const isSame = meta.mode === mode && meta.uid === uid && meta.gid === gid;
  return isSame && !meta.atomic && meta.xattrs === undefined && meta.link === undefined;
}

function readValues(reader: ByteReader, events: EventReader, kind: EntryKind, id: Dot): Entry["data"] {
  const count = reader.varint(limits.values, "the number of values");
  const data: DatedValue[] = [];
  for (let index = 0; index < count; index += 1)
    data.push({ dot: events.dot(), value: readValue(reader, events, kind) });
  const [first, ...rest] = data;
  if (first === undefined) throw reader.corrupt("an entry has no value");
  if (rest.length === 0 && equalDots(first.dot, id)) throw reader.corrupt("a value repeats the id of its entry");
  return [first, ...rest];
}

function readValue(reader: ByteReader, events: EventReader, kind: EntryKind): Value {
  switch (kind) {
    case kinds.file:
      return { kind, content: readContent(reader) };
    case kinds.directory: {
      const hasTop = reader.u8();
      if (hasTop > 1) throw reader.corrupt(`a directory begins with ${hasTop} (0 or 1)`);
      const top = hasTop === 1 ? reader.bytes(hashLength) : undefined;
      const summary = readSummary(reader, events);
      if ((top === undefined) !== (summary.names === 0)) throw reader.corrupt("a directory contradicts its summary");
      return top === undefined ? { kind, summary: emptySummary } : { kind, top, summary };
    }
    case kinds.symlink: {
      const target = reader.lengthBytes(limits.symlinkBytes, "the target of a symlink");
      if (!isTarget(target)) throw reader.corrupt("the target of a symlink is empty or contains NUL");
      return { kind, target };
    }
    case kinds.fifo:
    case kinds.socket:
      return { kind };
    default: {
      const major = reader.varint(u32Max, "a device number");
      return { kind, major, minor: reader.varint(u32Max, "a device number") };
    }
  }
}
