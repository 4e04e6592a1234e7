/**
 * Index files: what packs one push added to a remote. Written once, named by the hash of their bytes; a later one may hold what
 * earlier ones held and name them as replaced. Format: doc/format.md, section 8.
 */
import { ByteReader, ByteWriter, compareBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { Hash } from "./entry.ts";
import { hashBytes } from "./hash.ts";
import { type PackClass, packClassCodes, packLimits } from "./pack.ts";

export interface PackInfo {
  readonly name: Hash;
  readonly class: PackClass;
  /** Of the whole file, in bytes. */
  readonly size: number;
  /** Of its sealed directory, in bytes. */
  readonly directorySize: number;
  readonly objects: number;
}

export interface IndexFile {
  /** By ascending name. */
  readonly packs: readonly PackInfo[];
  /** Index files all of whose packs are in this one, by ascending name. */
  readonly replaces: readonly Hash[];
}

export const indexFileLimits: {
  /** Of the sealed file. */
  readonly bytes: number;
  readonly packs: number;
  readonly replaces: number;
  readonly objects: number;
} = {
  bytes: 64 * 1024 * 1024,
  packs: 2 ** 20,
  replaces: 2 ** 20,
  objects: 2 ** 26,
};

/** What sealing may add to a directory. */
const directoryOverheadMax = 16;
/** Sections of these kinds and above may be skipped by a reader that does not know them. */
const skippableSection = 128;
/** Random bytes, for a name that no other file has had. */
const saltSection = 128;

/**
 * The payload of an index file, in the one order there is.
 * @param salt Random bytes, where sealing adds none: the file then has a name of its own, whatever it says.
 * @throws OuroError "too-large" over `indexFileLimits`, "invalid" when a name is there twice.
 */
export function encodeIndexFile({ packs, replaces }: IndexFile, salt?: Uint8Array): Uint8Array {
  if (packs.length > indexFileLimits.packs || replaces.length > indexFileLimits.replaces) {
    throw new OuroError(
      "too-large",
      `Cannot write an index file of ${packs.length} packs (at most ${indexFileLimits.packs})`,
    );
  }
  const writer = new ByteWriter(16 + packs.length * 48 + replaces.length * hashBytes);
  writer.varint(packs.length);
  for (const pack of ascending(packs, ({ name }) => name)) {
    writer
      .bytes(pack.name)
      .u8(packClassCodes[pack.class])
      .varint(pack.size)
      .varint(pack.directorySize)
      .varint(pack.objects);
  }
  writer.varint(replaces.length);
  for (const name of ascending(replaces, (name) => name)) writer.bytes(name);
  if (salt !== undefined) writer.u8(saltSection).lengthBytes(salt);
  return writer.finish();
}

/** @throws OuroError "corrupt". */
export function decodeIndexFile(bytes: Uint8Array, what: string): IndexFile {
  const reader = new ByteReader(bytes, what);
  const packs = readAscending(
    reader,
    readCount(reader, indexFileLimits.packs, "packs"),
    readPackInfo,
    ({ name }) => name,
  );
  const count = readCount(reader, indexFileLimits.replaces, "replaced index files");
  const replaces = readAscending(
    reader,
    count,
    () => reader.bytes(hashBytes),
    (name) => name,
  );
  while (reader.remaining > 0) {
    const kind = reader.u8();
    reader.lengthBytes(indexFileLimits.bytes, "section");
    if (kind < skippableSection) throw reader.corrupt(`section ${kind} is not known`);
  }
  return { packs, replaces };
}

function readPackInfo(reader: ByteReader): PackInfo {
  const name = reader.bytes(hashBytes);
  const code = reader.u8();
  if (code !== packClassCodes.content && code !== packClassCodes.meta)
    throw reader.corrupt(`a pack's class is ${code} (1 or 2)`);
  const size = reader.varint(packLimits.bytes, "size of a pack");
  const directorySize = reader.varint(
    Math.min(packLimits.directoryBytes + directoryOverheadMax, size),
    "size of a pack's directory",
  );
  const objects = reader.varint(indexFileLimits.objects, "number of objects");
  return { name, class: code === packClassCodes.content ? "content" : "meta", size, directorySize, objects };
}

/** A count that what is left can hold. */
function readCount(reader: ByteReader, max: number, field: string): number {
  const count = reader.varint(max, `number of ${field}`);
  if (count * hashBytes > reader.remaining) throw reader.corrupt(`it is too short for ${count} ${field}`);
  return count;
}

function readAscending<T>(
  reader: ByteReader,
  count: number,
  read: (reader: ByteReader) => T,
  keyOf: (item: T) => Hash,
): T[] {
  const items: T[] = [];
  let last: Hash | undefined;
  for (let index = 0; index < count; index += 1) {
    const item = read(reader);
    if (last !== undefined && compareBytes(last, keyOf(item)) >= 0) throw reader.corrupt("its names do not ascend");
    last = keyOf(item);
    items.push(item);
  }
  return items;
}

function ascending<T>(items: readonly T[], keyOf: (item: T) => Hash): T[] {
  const sorted = [...items].sort((a, b) => compareBytes(keyOf(a), keyOf(b)));
  sorted.forEach((item, index) => {
    const before = sorted[index - 1];
    if (before !== undefined && compareBytes(keyOf(before), keyOf(item)) === 0) {
      throw new OuroError("invalid", "Cannot write an index file: a name is in it twice");
    }
  });
  return sorted;
}
