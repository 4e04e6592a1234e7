/**
 * Writing one file of a checkout: content, holes, owner, mode, attributes, time. Jobs cross to worker threads packed in one buffer.
 *
 * In a folder that others look at, a file is written under `.ourobox/moving/` and renamed to its place, so that nobody sees half of it and
 * a crash leaves the old or the new one. In a fresh folder it is made where it belongs.
 */
import { threadId } from "node:worker_threads";
import { ByteReader, ByteWriter, utf8 } from "../base/bytes.ts";
import { type ErrorKind, errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { statWord } from "../base/posix.ts";
import {
  type Content,
  type ContentItem,
  contentItems,
  type Hash,
  hashKey,
  readContent,
  writeContent,
  type Xattr,
} from "../format/mod.ts";
import type { FolderWriter } from "./folder-writer.ts";
import { isRootsXattr, markXattrs, setXattrsOf } from "./kept-xattrs.ts";
import { ScanRowBuilder } from "./scan-row.ts";

export interface Attributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtimeNs: bigint;
  readonly xattrs: readonly Xattr[];
}

export interface FileJob extends Attributes {
  readonly name: Uint8Array;
  readonly content: Content;
}

/** Files of one directory. */
export interface JobGroup {
  readonly directory: Uint8Array;
  readonly files: readonly FileJob[];
}

/** What became of the files of a group. */
export interface GroupResult {
  readonly written: number;
  readonly bytes: number;
  /** What stands there now, as a scan row whose names are in the order of the files. */
  readonly row: Uint8Array;
  /** Something belongs to another than the tree says. */
  readonly hasOtherOwners: boolean;
  /** What does not stand there, by the number of the file. */
  readonly failed: readonly { readonly index: number; readonly kind: ErrorKind; readonly message: string }[];
}

export interface CheckoutPlace {
  readonly writer: FolderWriter;
  readonly root: number;
  /** `.ourobox/moving` of the box whose folder it is; absent for a fresh folder. */
  readonly moving?: number;
  /** Random, in the names of files that are being written. */
  readonly label: string;
  /** Whether owners are set, as far as this process may: a file is made in any case. */
  readonly setsOwner: boolean;
  /** It is not root: attributes that are root's are left out. */
  readonly isOrdinary?: boolean;
  /** Whom new files belong to; absent when that is not known. */
  readonly owner?: { readonly uid: number; readonly gid: number };
}

export interface ContentReader {
  getChunk(hash: Hash, length: number): Uint8Array;
  getMeta(hash: Hash, kind: "list"): Uint8Array;
  /** Content may have to be brought first: so much of it at once. */
  readonly windowBytes?: number;
}

/** Writing that may have to wait for content: it yields what it wants, and is gone on with when that is here, with the bytes by `hashKey`. */
export type Writing<T> = Generator<readonly ContentItem[], T, ReadonlyMap<string, Uint8Array>>;

/** Writes the files of a group. @throws OuroError when the disk is full or the box is damaged as a whole; one file's failure is in the result. */
export function writeGroup(place: CheckoutPlace, content: ContentReader, group: JobGroup): GroupResult {
  const step = writingGroup(place, content, group).next();
  if (step.done !== true) throw new Error("what is written at once waits for content");
  return step.value;
}

/** As `writeGroup`; with a `windowBytes` it waits. */
export function* writingGroup(
  place: CheckoutPlace,
  content: ContentReader,
  { directory, files }: JobGroup,
): Writing<GroupResult> {
  const group = openGroup(place, directory);
  const seen = { records: new ScanRowBuilder(), hasOtherOwners: false };
  const failed: { index: number; kind: ErrorKind; message: string }[] = [];
  let bytes = 0;
  try {
    for (const [index, file] of files.entries()) {
      const error = group instanceof OuroError ? group : yield* writeOne(place, content, group, { file, seen });
      if (error === undefined) bytes += file.content.size;
      else failed.push({ index, kind: error.kind, message: error.message });
    }
  } finally {
    if (!(group instanceof OuroError)) place.writer.close(group.directory);
  }
  return {
    written: files.length - failed.length,
    bytes,
    failed,
    row: seen.records.finish(),
    hasOtherOwners: seen.hasOtherOwners,
  };
}

/** A directory that files are to stand in, and what they inherit where they are made. */
interface OpenGroup {
  readonly directory: number;
  readonly inheritsAcl: boolean;
}

function openGroup({ writer, root, moving }: CheckoutPlace, path: Uint8Array): OpenGroup | OuroError {
  try {
    const directory = writer.openDirectory(root, path);
    try {
      return { directory, inheritsAcl: writer.hasDefaultAcl(moving ?? directory) };
    } catch (thrown) {
      writer.close(directory);
      throw thrown;
    }
  } catch (thrown) {
    return ioError("Cannot open the directory", thrown);
  }
}

interface WritingFile {
  readonly file: FileJob;
  /** Where what was written is noted. */
  readonly seen: { readonly records: ScanRowBuilder; hasOtherOwners: boolean };
}

function* writeOne(
  place: CheckoutPlace,
  content: ContentReader,
  group: OpenGroup,
  writing: WritingFile,
): Writing<OuroError | undefined> {
  try {
    yield* writeFile(place, content, group, writing);
    return undefined;
  } catch (thrown) {
    const error = ioError("Cannot write it", thrown);
    if (isKind(error, "no-space")) throw error;
    return error;
  }
}

let temporaryCount = 0;

/** A name in `.ourobox/moving/` that no other process or thread uses. */
export function temporaryName({ label }: CheckoutPlace): Uint8Array {
  temporaryCount += 1;
  return utf8(`t-${label}-${threadId}-${temporaryCount}`);
}

function* writeFile(
  place: CheckoutPlace,
  content: ContentReader,
  group: OpenGroup,
  { file, seen }: WritingFile,
): Writing<void> {
  const { writer, moving } = place;
  const { directory, inheritsAcl } = group;
  const [where, name] = moving === undefined ? [directory, file.name] : [moving, temporaryName(place)];
  const isWhole = isMadeWhole(place, file);
  const fd = writer.createFile(where, name, isWhole ? file.mode : 0o600);
  let isPlaced = false;
  try {
    if (inheritsAcl) writer.removeXattr(fd, accessAcl);
    if (content.windowBytes === undefined) writeContentTo(writer, fd, file.content, content);
    else yield* writeInWindows(writer, fd, file.content, content);
    if (isWhole) writer.setTime(fd, file.mtimeNs);
    else setAttributes(place, fd, file);
    let stat = writer.statWords(fd);
    if (isWhole && !isAsWanted(place, stat, file)) {
      setAttributes(place, fd, file);
      stat = writer.statWords(fd);
    }
    if (moving !== undefined) {
      writer.rename(moving, name, directory, file.name);
      stat = writer.statWords(fd);
    }
    isPlaced = true;
    seen.records.addSeen(file.name, stat, markXattrs(setXattrsOf(file.xattrs, setsRootsXattrs(place))));
    if (!isOwnedBy(stat, file)) seen.hasOtherOwners = true;
  } finally {
    writer.close(fd);
    if (!isPlaced) removeQuietly(writer, where, name);
  }
}

/** Whether a new file has the owner and mode that are wanted from the start: two calls less, of nine. */
function isMadeWhole({ setsOwner, owner }: CheckoutPlace, { uid, gid, mode, xattrs }: FileJob): boolean {
  if (xattrs.length > 0 || mode > 0o777) return false;
  return !setsOwner || (owner !== undefined && uid === owner.uid && gid === owner.gid);
}

/** A umask, or a directory that gives its group to what is in it, makes it otherwise. */
function isAsWanted({ setsOwner }: CheckoutPlace, stat: Int32Array, file: FileJob): boolean {
  return ((stat[statWord.mode] as number) & 0o7777) === file.mode && (!setsOwner || isOwnedBy(stat, file));
}

function isOwnedBy(stat: Int32Array, { uid, gid }: FileJob): boolean {
  return stat[statWord.uid] === (uid | 0) && stat[statWord.gid] === (gid | 0);
}

function removeQuietly(writer: FolderWriter, directory: number, name: Uint8Array): void {
  try {
    writer.unlink(directory, name);
  } catch {
    // What failed before is what is reported.
  }
}

function writeContentTo(writer: FolderWriter, fd: number, content: Content, source: ContentReader): void {
  const [first, second] = content.items ?? [];
  // Nine files of ten.
  if (first?.form === "chunk" && second === undefined) {
    writer.write(fd, source.getChunk(first.hash, first.length), 0);
    return;
  }
  let position = 0;
  let endsInHole = false;
  for (const item of contentItems(content, (hash) => source.getMeta(hash, "list"))) {
    endsInHole = item.form === "hole";
    if (item.form === "chunk") writer.write(fd, source.getChunk(item.hash, item.length), position);
    position += item.length;
  }
  if (endsInHole) writer.truncate(fd, content.size);
}

/** As `writeContentTo`, of content that may have to be brought first. */
function* writeInWindows(writer: FolderWriter, fd: number, content: Content, source: ContentReader): Writing<void> {
  let position = 0;
  let endsInHole = false;
  for (const window of windowsOf(content, source)) {
    const bytes = yield window;
    for (const item of window) {
      endsInHole = item.form === "hole";
      if (item.form === "chunk") writer.write(fd, bytes.get(hashKey(item.hash)) as Uint8Array, position);
      position += item.length;
    }
  }
  if (endsInHole) writer.truncate(fd, content.size);
}

/** A content's items in order, in parts of so many bytes of chunks. */
export function* windowsOf(content: Content, { getMeta, windowBytes = 0 }: ContentReader): Generator<ContentItem[]> {
  let window: ContentItem[] = [];
  let bytes = 0;
  for (const item of contentItems(content, (hash) => getMeta(hash, "list"))) {
    window.push(item);
    bytes += item.form === "chunk" ? item.length : 0;
    if (bytes < windowBytes) continue;
    yield window;
    window = [];
    bytes = 0;
  }
  if (window.length > 0) yield window;
}

/** What a new file inherits from its directory, and is to have only when the tree says so. */
const accessAcl = utf8("system.posix_acl_access");

/** Owner first: changing it clears the set-user-id bits. Time last. */
export function setAttributes(place: CheckoutPlace, fd: number, attributes: Attributes): void {
  const { writer, setsOwner } = place;
  if (setsOwner) tryOwner(() => writer.setOwner(fd, attributes.uid, attributes.gid));
  for (const { name, value } of attributes.xattrs) {
    if (setsRootsXattrs(place) || !isRootsXattr(name)) writer.setXattr(fd, name, value);
  }
  writer.setMode(fd, attributes.mode);
  writer.setTime(fd, attributes.mtimeNs);
}

/** Sets an owner. When this process may not, or its user namespace does not have it, the stat shows that it is another. */
export function tryOwner(set: () => void): void {
  try {
    set();
  } catch (thrown) {
    const errno = errnoOf(thrown);
    if (errno !== "EPERM" && errno !== "EINVAL") throw thrown;
  }
}

export function setsRootsXattrs({ setsOwner, isOrdinary }: CheckoutPlace): boolean {
  return setsOwner && isOrdinary !== true;
}

const jobFieldMax = 2 ** 31;

export function encodeGroups(groups: readonly JobGroup[]): Uint8Array {
  const writer = new ByteWriter(16 * 1024);
  writer.varint(groups.length);
  for (const { directory, files } of groups) {
    writer.lengthBytes(directory).varint(files.length);
    for (const file of files) encodeJob(writer, file);
  }
  return writer.finish();
}

function encodeJob(writer: ByteWriter, { name, mode, uid, gid, mtimeNs, xattrs, content }: FileJob): void {
  writer.lengthBytes(name).varint(mode).varint(uid).varint(gid);
  writeTime(writer, mtimeNs);
  writer.varint(xattrs.length);
  for (const xattr of xattrs) writer.lengthBytes(xattr.name).lengthBytes(xattr.value);
  writeContent(writer, content);
}

export function decodeGroups(bytes: Uint8Array): JobGroup[] {
  const reader = new ByteReader(bytes, "a checkout batch");
  return Array.from({ length: reader.varint(jobFieldMax, "groups") }, () => ({
    directory: reader.lengthBytes(jobFieldMax, "directory"),
    files: Array.from({ length: reader.varint(jobFieldMax, "files") }, () => decodeJob(reader)),
  }));
}

/** Nanoseconds of a time; those of the years before 1677 and after 2262 take more than 64 bits. */
function writeTime(writer: ByteWriter, ns: bigint): void {
  if (BigInt.asIntN(64, ns) === ns) writer.u8(0).u64(BigInt.asUintN(64, ns));
  else writer.u8(1).text(ns.toString());
}

function readTime(reader: ByteReader): bigint {
  return reader.u8() === 0 ? BigInt.asIntN(64, reader.u64()) : BigInt(reader.text(64, "a time"));
}

function decodeJob(reader: ByteReader): FileJob {
  const field = (name: string): number => reader.varint(2 ** 32, name);
  const name = reader.lengthBytes(jobFieldMax, "name");
  const [mode, uid, gid] = [field("mode"), field("uid"), field("gid")];
  const mtimeNs = readTime(reader);
  const count = field("xattrs");
  const xattrs = Array.from({ length: count }, () => ({
    name: reader.lengthBytes(jobFieldMax, "xattr"),
    value: reader.lengthBytes(jobFieldMax, "value"),
  }));
  return { name, mode, uid, gid, mtimeNs, xattrs, content: readContent(reader) };
}
