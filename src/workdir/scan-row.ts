/**
 * Scan rows: what the last scan, commit or checkout saw of the names in one directory, packed. A row says "a file with just this stat is what
 * the tree has under this name"; so an unchanged file costs one lstat and fifteen comparisons, and is not opened.
 *
 * A row is local, derived and may be lost: those files are then read again. It holds what was *observed*: what a host cannot hold
 * (owners, nanoseconds, attributes) is in the tree as it was and in the row as it is, and no edit; what it cannot hold at all has a
 * record that says so. Little-endian words:
 *
 *     row    := magic, count, device major, device minor, then records by ascending name
 *     record := 16 words (`field`), for a directory 5 more (its node id), the name padded to 4 bytes
 */
import { joinNs, splitNs, writeSeconds } from "../base/nanoseconds.ts";
import { type FileKind, type FileStat, statWord } from "../base/posix.ts";
import { type Dot, kinds } from "../format/mod.ts";

const magic = 0x3152534f;
const headerWords = 4;
const recordWords = 16;
const idWords = 5;

/** The words of a record. Counts and times of 64 bits are low word first. */
export const field = {
  nameHash: 0,
  /** Mode with its type, 16 bits; length of the name, 8; `recordFlags`, 8. */
  mode: 1,
  uid: 2,
  gid: 3,
  inode: 4,
  size: 6,
  mtime: 8,
  mtimeNs: 10,
  ctime: 11,
  ctimeNs: 13,
  /** Mixed from the time of birth; 0 when unknown. */
  birth: 14,
  /** Of the attributes; 0 when there are none. */
  xattrs: 15,
} as const;

export const recordFlags = {
  /** Look at the file again, whatever its stat: it was changed just when it was seen, or was never seen. */
  unsure: 1,
  /** A directory that lay on another device than the one around it. */
  mountPoint: 2,
  /** The tree has it and the folder has not, as it could not be made here: that it is missing is no deletion. */
  absent: 4,
} as const;

const directoryFormat = 0o040000;
const formatMask = 0o170000;

/** A record on its own, for what is not hot. */
export interface ScanRecord {
  /** One character a byte. */
  readonly name: string;
  /** With its type. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly inode: bigint;
  readonly size: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly birth: number;
  readonly xattrs: number;
  readonly flags: number;
  /** Of directories. */
  readonly id?: Dot;
}

/** Whether the record is of a name that could not be made here. */
export function isAbsent(row: ScanRow, at: number): boolean {
  return (row.flags(at) & recordFlags.absent) !== 0;
}

export function isDirectoryMode(mode: number): boolean {
  return (mode & formatMask) === directoryFormat;
}

const formats: Readonly<Record<number, number>> = {
  [kinds.file]: 0o100000,
  [kinds.directory]: directoryFormat,
  [kinds.symlink]: 0o120000,
  [kinds.fifo]: 0o010000,
  [kinds.socket]: 0o140000,
  [kinds.character]: 0o020000,
  [kinds.block]: 0o060000,
};

/** The type bits of an entry's kind. */
export function formatOfKind(kind: number): number {
  return formats[kind] ?? 0;
}

/** The entry's kind of a mode with its type. */
export function kindOfMode(mode: number): 1 | 2 | 3 | 4 | 5 | 6 | 7 {
  const format = mode & formatMask;
  for (const kind of Object.values(kinds)) if (formats[kind] === format) return kind;
  return kinds.socket;
}

/** FNV-1a over a name, one character a byte. */
export function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at += 1) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash | 0;
}

/** As `hashName`, of bytes. */
export function hashNameBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
  return hash | 0;
}

/** A file's birth time in a word; 0 where its file system keeps none. */
export function birthMarkOf({ birthNs }: { readonly birthNs?: bigint | undefined }): number {
  if (birthNs === undefined) return 0;
  const { seconds, ns } = splitNs(birthNs);
  return birthMark(seconds, ns);
}

/** Never 0. */
function birthMark(seconds: number, nanoseconds: number): number {
  return (Math.imul(seconds, 0x9e3779b1) ^ Math.imul(nanoseconds, 0x85ebca6b)) | 1;
}

/** A directory's row, for looking up names. Records are named by the word they begin at. */
export class ScanRow {
  readonly count: number;
  readonly deviceMajor: number;
  readonly deviceMinor: number;
  readonly words: Int32Array;
  readonly bytes: Buffer;
  /** Where each record begins. */
  readonly starts: Int32Array;

  private constructor(words: Int32Array, starts: Int32Array) {
    this.words = words;
    this.bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength);
    this.starts = starts;
    this.count = starts.length;
    this.deviceMajor = words[2] as number;
    this.deviceMinor = words[3] as number;
  }

  /** Reads a row; undefined when it is not one: it is derived, so there is nothing to report. */
  static decode(bytes: Uint8Array): ScanRow | undefined {
    if (bytes.length < headerWords * 4 || bytes.length % 4 !== 0) return undefined;
    const aligned = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
    const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
    const count = words[1] as number;
    if (words[0] !== magic || count < 0 || count > words.length / recordWords) return undefined;
    const starts = new Int32Array(count);
    let at = headerWords;
    for (let index = 0; index < count; index += 1) {
      if (at + recordWords > words.length) return undefined;
      starts[index] = at;
      const mode = words[at + field.mode] as number;
      at += recordWords + (isDirectoryMode(mode & 0xffff) ? idWords : 0) + ((((mode >>> 16) & 0xff) + 3) >>> 2);
    }
    return at === words.length ? new ScanRow(words, starts) : undefined;
  }

  /** A row of nothing. */
  static readonly empty: ScanRow = new ScanRow(new Int32Array(headerWords), new Int32Array(0));

  mode(at: number): number {
    return (this.words[at + field.mode] as number) & 0xffff;
  }

  flags(at: number): number {
    return (this.words[at + field.mode] as number) >>> 24;
  }

  nameLength(at: number): number {
    return ((this.words[at + field.mode] as number) >>> 16) & 0xff;
  }

  /** The byte at which the name begins. */
  nameAt(at: number): number {
    return (at + recordWords + (isDirectoryMode(this.mode(at)) ? idWords : 0)) * 4;
  }

  name(at: number): string {
    const start = this.nameAt(at);
    return this.bytes.toString("latin1", start, start + this.nameLength(at));
  }

  inode(at: number): bigint {
    return this.bytes.readBigUInt64LE((at + field.inode) * 4);
  }

  birth(at: number): number {
    return this.words[at + field.birth] as number;
  }

  ctimeNs(at: number): bigint {
    return this.#time(at + field.ctime);
  }

  #time(at: number): bigint {
    const seconds = (this.words[at + 1] as number) * 2 ** 32 + ((this.words[at] as number) >>> 0);
    return joinNs(seconds, (this.words[at + 2] as number) >>> 0);
  }

  /** A directory's node id. */
  id(at: number): Dot {
    const byte = (at + recordWords) * 4;
    return {
      clock: this.bytes.readBigUInt64LE(byte),
      writer: this.bytes.readBigUInt64LE(byte + 8),
      counter: this.bytes.readUInt32LE(byte + 16),
    };
  }

  record(at: number): ScanRecord {
    const { words, bytes } = this;
    const mode = this.mode(at);
    return {
      name: this.name(at),
      mode,
      uid: (words[at + field.uid] as number) >>> 0,
      gid: (words[at + field.gid] as number) >>> 0,
      inode: this.inode(at),
      size: Number(bytes.readBigUInt64LE((at + field.size) * 4)),
      mtimeNs: this.#time(at + field.mtime),
      ctimeNs: this.ctimeNs(at),
      birth: this.birth(at),
      xattrs: words[at + field.xattrs] as number,
      flags: this.flags(at),
      ...(isDirectoryMode(mode) ? { id: this.id(at) } : {}),
    };
  }

  /** The record of a name, or -1. By halving: for single look-ups. */
  find(name: string): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.starts[middle] as number;
      const other = this.name(at);
      if (other === name) return at;
      if (other < name) low = middle + 1;
      else high = middle;
    }
    return -1;
  }
}

/** Packs a row; names come in ascending order. */
export class ScanRowBuilder {
  #bytes: Buffer = Buffer.alloc(512);
  #at = headerWords * 4;
  #count = 0;

  /** For a row whose device is that of what is first seen: without one. */
  constructor(deviceMajor = 0, deviceMinor = 0) {
    this.#bytes.writeInt32LE(magic, 0);
    this.#setDevice(deviceMajor, deviceMinor);
  }

  #setDevice(major: number, minor: number): void {
    this.#bytes.writeInt32LE(major | 0, 8);
    this.#bytes.writeInt32LE(minor | 0, 12);
  }

  get count(): number {
    return this.#count;
  }

  #room(bytes: number, records = 1): number {
    const at = this.#at;
    if (at + bytes > this.#bytes.length) {
      const larger = Buffer.alloc(Math.max(at + bytes, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    this.#at = at + bytes;
    this.#count += records;
    return at;
  }

  /** A record as it stands in another row, with these `recordFlags` besides. */
  copy(row: ScanRow, at: number, flags = 0): void {
    const end = row.nameAt(at) + ((row.nameLength(at) + 3) & ~3);
    const to = this.#room(end - at * 4);
    row.bytes.copy(this.#bytes, to, at * 4, end);
    if (flags !== 0)
      this.#bytes.writeInt32LE((row.words[at + field.mode] as number) | (flags << 24), to + field.mode * 4);
  }

  /** A record of what was just seen and is no directory. @param stat A struct statx. @param xattrs Their mark. */
  addSeen(name: Uint8Array, stat: Int32Array, xattrs: number): void {
    const word = (at: number): number => stat[at] as number;
    if (this.#count === 0) this.#setDevice(word(statWord.deviceMajor), word(statWord.deviceMinor));
    const at = this.#room(recordWords * 4 + ((name.length + 3) & ~3));
    const put = (field: number, value: number): void => {
      this.#bytes.writeInt32LE(value, at + field * 4);
    };
    const hasBirth = (word(statWord.mask) & 0x800) !== 0;
    put(field.nameHash, hashNameBytes(name, 0, name.length));
    put(field.mode, (word(statWord.mode) & 0xffff) | (name.length << 16));
    put(field.uid, word(statWord.uid));
    put(field.gid, word(statWord.gid));
    put(field.inode, word(statWord.inode));
    put(field.inode + 1, word(statWord.inode + 1));
    put(field.size, word(statWord.size));
    put(field.size + 1, word(statWord.size + 1));
    put(field.mtime, word(statWord.mtime));
    put(field.mtime + 1, word(statWord.mtime + 1));
    put(field.mtimeNs, word(statWord.mtime + 2));
    put(field.ctime, word(statWord.ctime));
    put(field.ctime + 1, word(statWord.ctime + 1));
    put(field.ctimeNs, word(statWord.ctime + 2));
    put(field.birth, hasBirth ? birthMark(word(statWord.birth), word(statWord.birth + 2)) : 0);
    put(field.xattrs, xattrs);
    this.#bytes.set(name, at + recordWords * 4);
  }

  add(record: ScanRecord): void {
    const isDirectory = isDirectoryMode(record.mode);
    const size = (recordWords + (isDirectory ? idWords : 0)) * 4;
    const at = this.#room(size + ((record.name.length + 3) & ~3));
    const bytes = this.#bytes;
    const put = (word: number, value: number): void => {
      bytes.writeInt32LE(value | 0, at + word * 4);
    };
    put(field.nameHash, hashName(record.name));
    put(field.mode, (record.mode & 0xffff) | (record.name.length << 16) | (record.flags << 24));
    put(field.uid, record.uid);
    put(field.gid, record.gid);
    bytes.writeBigUInt64LE(record.inode, at + field.inode * 4);
    bytes.writeBigUInt64LE(BigInt(record.size), at + field.size * 4);
    putTime(bytes, at + field.mtime * 4, record.mtimeNs);
    putTime(bytes, at + field.ctime * 4, record.ctimeNs);
    put(field.birth, record.birth);
    put(field.xattrs, record.xattrs);
    if (isDirectory) {
      const { clock, writer, counter } = record.id ?? { clock: 0n, writer: 0n, counter: 0 };
      bytes.writeBigUInt64LE(clock, at + recordWords * 4);
      bytes.writeBigUInt64LE(writer, at + recordWords * 4 + 8);
      bytes.writeUInt32LE(counter, at + recordWords * 4 + 16);
    }
    bytes.write(record.name, at + size, "latin1");
  }

  /** The row; the caller owns the bytes. The builder is done. */
  finish(): Uint8Array {
    this.#bytes.writeInt32LE(this.#count, 4);
    return new Uint8Array(this.#bytes.subarray(0, this.#at));
  }
}

function putTime(bytes: Buffer, at: number, ns: bigint): void {
  const time = splitNs(ns);
  writeSeconds(bytes, time.seconds, at);
  bytes.writeUInt32LE(time.ns, at + 8);
}

/** A record of what was observed. @param name One character a byte. */
export function recordOf(
  name: string,
  stat: FileStat,
  more: { readonly xattrs?: number; readonly flags?: number; readonly id?: Dot } = {},
): ScanRecord {
  const { uid, gid, inode, size, mtimeNs, ctimeNs } = stat;
  const mode = stat.mode | formatOfFile[stat.kind];
  const isDirectory = stat.kind === "directory";
  // A directory's size says nothing, and is another after names came and went.
  return {
    name,
    mode,
    uid,
    gid,
    inode,
    size: isDirectory ? 0 : size,
    mtimeNs,
    ctimeNs,
    birth: birthMarkOf(stat),
    xattrs: more.xattrs ?? 0,
    flags: more.flags ?? 0,
    ...(isDirectory && more.id !== undefined ? { id: more.id } : {}),
  };
}

const formatOfFile: Readonly<Record<FileKind, number>> = {
  file: 0o100000,
  directory: directoryFormat,
  symlink: 0o120000,
  fifo: 0o010000,
  socket: 0o140000,
  character: 0o020000,
  block: 0o060000,
};

/**
 * A row with some records put in or replaced and others taken out.
 * @param old The row until now, or undefined when there is none.
 * @param device Of the directory, as in `FileStat`.
 */
export function mergeRow(
  old: ScanRow | undefined,
  changes: { readonly device: bigint; readonly put: readonly ScanRecord[]; readonly removed: ReadonlySet<string> },
): Uint8Array {
  const row = old ?? ScanRow.empty;
  const builder = new ScanRowBuilder(Number(changes.device >> 32n), Number(changes.device & 0xffff_ffffn));
  const put = changes.put.toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  let next = 0;
  for (const start of row.starts) {
    const name = row.name(start);
    for (let each = put[next]; each !== undefined && each.name < name; each = put[next]) {
      builder.add(each);
      next += 1;
    }
    const replacing = put[next];
    if (replacing?.name === name) {
      builder.add(replacing);
      next += 1;
    } else if (!changes.removed.has(name)) builder.copy(row, start);
  }
  for (let each = put[next]; each !== undefined; each = put[next]) {
    builder.add(each);
    next += 1;
  }
  return builder.finish();
}
