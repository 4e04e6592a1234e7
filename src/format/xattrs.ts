/**
 * Extended attributes: a sorted list, in the entry when small, else a block of its own. Format: doc/format.md, 4.3.
 *
 * Which of the two is decided by size alone, so that equal lists are equal bytes. POSIX ACLs are attributes like others.
 */
import { ByteReader, ByteWriter, compareBytes, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type Hash, limits, type Xattr, type Xattrs } from "./entry.ts";

const inlineCount = 64;
const blockCount = 4096;
const valueBytes = 64 * 1024;

/** Whether a list of this many attributes and encoded bytes stands in the entry. */
function isInline(count: number, bytes: number): boolean {
  return count <= inlineCount && bytes <= limits.inlineXattrBytes;
}

/**
 * The encoding of a block, which is that of the inline form too.
 * @param list In any order, at least one.
 * @throws OuroError "invalid" (a name twice, empty, too long), "too-large".
 */
export function encodeXattrs(list: readonly Xattr[]): Uint8Array {
  const sorted = list.toSorted((a, b) => compareBytes(a.name, b.name));
  if (sorted.length === 0 || sorted.length > blockCount) {
    throw new OuroError("too-large", `Cannot keep ${sorted.length} attributes of one file (1 to ${blockCount})`);
  }
  const writer = new ByteWriter().varint(sorted.length);
  for (const [index, { name, value }] of sorted.entries()) {
    const before = sorted[index - 1];
    if (before !== undefined && compareBytes(before.name, name) === 0) {
      throw new OuroError("invalid", `Cannot keep the attribute ${toText(name)}: it is there twice`);
    }
    const problem = attributeProblem(name, value.length);
    if (problem !== undefined) throw new OuroError("invalid", `Cannot keep the attribute ${toText(name)}: ${problem}`);
    writer.u8(name.length).bytes(name).lengthBytes(value);
  }
  if (writer.length > limits.xattrBlockBytes) {
    throw new OuroError(
      "too-large",
      `Cannot keep ${writer.length} bytes of attributes (at most ${limits.xattrBlockBytes})`,
    );
  }
  return writer.finish();
}

/** The inline form. @throws OuroError "invalid" for a list that needs a block, and as `encodeXattrs`. */
export function encodeInlineXattrs(list: readonly Xattr[]): Uint8Array {
  const bytes = encodeXattrs(list);
  if (isInline(list.length, bytes.length)) return bytes;
  throw new OuroError("invalid", `Cannot keep ${bytes.length} bytes of attributes in an entry: they need a block`);
}

/**
 * Reads a block.
 * @throws OuroError "corrupt", also for a list so small that it belongs into the entry.
 */
export function decodeXattrs(bytes: Uint8Array, what: string): Xattr[] {
  const reader = new ByteReader(bytes, what);
  if (bytes.length > limits.xattrBlockBytes)
    throw reader.corrupt(`it has ${bytes.length} bytes (at most ${limits.xattrBlockBytes})`);
  const list = readXattrList(reader, blockCount);
  reader.end();
  if (isInline(list.length, bytes.length)) throw reader.corrupt("the attributes are few enough for the entry");
  return list;
}

/** Reads the inline form, which must not be larger than inline may be. */
export function readInlineXattrs(reader: ByteReader): Xattr[] {
  const start = reader.position;
  const list = readXattrList(reader, inlineCount);
  const size = reader.position - start;
  if (!isInline(list.length, size))
    throw reader.corrupt(`inline attributes have ${size} bytes (at most ${limits.inlineXattrBytes})`);
  return list;
}

function readXattrList(reader: ByteReader, countMax: number): Xattr[] {
  const count = reader.varint(countMax, "the number of attributes");
  if (count === 0) throw reader.corrupt("there are no attributes");
  const list: Xattr[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = reader.bytes(reader.u8());
    const value = reader.lengthBytes(valueBytes, "an attribute");
    const problem = attributeProblem(name, value.length);
    if (problem !== undefined) throw reader.corrupt(`an attribute: ${problem}`);
    const before = list[index - 1];
    if (before !== undefined && compareBytes(before.name, name) >= 0)
      throw reader.corrupt("attributes are not in order");
    list.push({ name, value });
  }
  return list;
}

function attributeProblem(name: Uint8Array, size: number): string | undefined {
  if (name.length === 0 || name.length > 255) return `its name has ${name.length} bytes (1 to 255)`;
  if (name.includes(0)) return "its name contains NUL";
  return size > valueBytes ? `it has ${size} bytes (at most ${valueBytes})` : undefined;
}

/**
 * A list as an entry holds it; undefined when there are none.
 * @param put Keeps a block, where one is needed, and names it.
 * @throws As `encodeXattrs`.
 */
export function buildXattrs(list: readonly Xattr[], put: (bytes: Uint8Array) => Hash): Xattrs | undefined {
  if (list.length === 0) return undefined;
  const bytes = encodeXattrs(list);
  if (!isInline(list.length, bytes.length)) return { form: "block", hash: put(bytes), size: bytes.length };
  return { form: "inline", list: list.toSorted((a, b) => compareBytes(a.name, b.name)) };
}

/**
 * The list that an entry holds, sorted by name.
 * @param get Reads a block by its name.
 * @throws OuroError "corrupt" when a block is not of the size that the entry says, and whatever `get` throws.
 */
export function listXattrs(xattrs: Xattrs | undefined, get: (hash: Hash) => Uint8Array): readonly Xattr[] {
  if (xattrs === undefined) return [];
  if (xattrs.form === "inline") return xattrs.list;
  const bytes = get(xattrs.hash);
  if (bytes.length !== xattrs.size) {
    throw new OuroError(
      "corrupt",
      `Cannot read attributes: the block has ${bytes.length} bytes (${xattrs.size} in the entry)`,
    );
  }
  return decodeXattrs(bytes, "a block of attributes");
}
