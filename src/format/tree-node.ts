/**
 * Tree nodes: up to 1,024 entries of a directory, or references to nodes below, as bytes. Format: doc/format.md, section 4.
 *
 * One encoding for one value, and the decoder refuses every other; so equal directories have equal hashes. Decoded names,
 * hashes and targets are views of the input, which must not change afterwards.
 */
import { ByteReader, ByteWriter, compareBytes, toText } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { equalDots, rootId } from "./dot.ts";
import { type Entry, kinds, limits, type Reference, type Summary, type TreeNode } from "./entry.ts";
import { collectEntryEvents, readEntry, writeEntry } from "./entry-codec.ts";
import { EventCollector, EventReader } from "./event-table.ts";
import { nameLevel, nameProblem } from "./name.ts";
import { collectSummaryEvents, readSummary, writeSummary } from "./summary-codec.ts";

const version = 1;
/** No frame of a pack holds more (doc/format.md, section 7). */
const nodeBytesMax = 16 * 1024 * 1024;

/**
 * A node as bytes, which the caller owns.
 * @throws OuroError "invalid" where it breaks a rule of the format, "too-large" above 16 MiB.
 */
export function encodeTreeNode(node: TreeNode): Uint8Array {
  const names = "entries" in node ? node.entries.map(({ name }) => name) : node.references.map(({ last }) => last);
  const problem = levelProblem(node) ?? orderProblem(names, node.level);
  if (problem !== undefined) throw new OuroError("invalid", `Cannot encode a tree node: ${problem}`);
  return encode(node);
}

/** The node that is a commit's tree: `entry` is the root directory, named "". */
export function encodeRootNode(entry: Entry): Uint8Array {
  const problem = rootProblem(entry);
  if (problem !== undefined) throw new OuroError("invalid", `Cannot encode a root: ${problem}`);
  return encode({ level: 0, entries: [entry] });
}

/**
 * Reads a node.
 * @param what What it is, for messages: "tree node 3f9a…".
 * @throws OuroError "corrupt".
 */
export function decodeTreeNode(bytes: Uint8Array, what: string): TreeNode {
  const { node, reader } = decode(bytes, what, false);
  const names = "entries" in node ? node.entries.map(({ name }) => name) : node.references.map(({ last }) => last);
  const problem = orderProblem(names, node.level);
  if (problem !== undefined) throw reader.corrupt(problem);
  return node;
}

/** Reads the node that is a commit's tree. @throws OuroError "corrupt". */
export function decodeRootNode(bytes: Uint8Array, what: string): Entry {
  const { node, reader } = decode(bytes, what, true);
  const entry = "entries" in node && node.entries.length === 1 ? node.entries[0] : undefined;
  if (entry === undefined) throw reader.corrupt("it is not a root node");
  const problem = rootProblem(entry);
  if (problem !== undefined) throw reader.corrupt(problem);
  return entry;
}

function rootProblem({ name, id, kind, placeDot }: Entry): string | undefined {
  if (name.length !== 0) return "the root has a name";
  if (kind !== kinds.directory) return "the root is not a directory";
  return equalDots(id, rootId) && equalDots(placeDot, rootId)
    ? undefined
    : "the root's id or place is not that of a root";
}

function levelProblem({ level }: TreeNode): string | undefined {
  return level >= 0 && level <= limits.nodeLevel ? undefined : `its level is ${level} (at most ${limits.nodeLevel})`;
}

/** What is wrong with names of one node, or undefined. */
function orderProblem(names: readonly Uint8Array[], level: number): string | undefined {
  if (names.length === 0 || names.length > limits.nodeItems)
    return `it has ${names.length} items (1 to ${limits.nodeItems})`;
  let before: Uint8Array | undefined;
  for (const name of names) {
    const problem = nameProblem(name);
    if (problem !== undefined) return `the name ${JSON.stringify(toText(name))} ${problem}`;
    if (before !== undefined) {
      if (compareBytes(before, name) >= 0) return `the name ${JSON.stringify(toText(name))} is not in order`;
      if (nameLevel(before) > level) return `it goes on after ${JSON.stringify(toText(before))}, which ends a node`;
    }
    before = name;
  }
  return undefined;
}

function encode(node: TreeNode): Uint8Array {
  const events = new EventCollector();
  if ("entries" in node) for (const entry of node.entries) collectEntryEvents(events, entry);
  else for (const { summary } of node.references) collectSummaryEvents(events, summary);
  const writer = new ByteWriter(8192).u8(version).u8(node.level);
  events.write(writer);
  if ("entries" in node) {
    writer.varint(node.entries.length);
    for (const entry of node.entries) writeEntry(writer, events, entry);
  } else {
    writer.varint(node.references.length);
    for (const { last, hash, summary } of node.references) {
      writer.u8(last.length).bytes(last).bytes(hash);
      writeSummary(writer, events, summary);
    }
  }
  if (writer.length > nodeBytesMax) {
    throw new OuroError("too-large", `Cannot keep a tree node of ${writer.length} bytes (at most ${nodeBytesMax})`);
  }
  return writer.finish();
}

function decode(bytes: Uint8Array, what: string, isRoot: boolean): { node: TreeNode; reader: ByteReader } {
  // A plain array: the views of a Buffer would be Buffers, which cost more to make.
  const reader = new ByteReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), what);
  if (reader.u8() !== version) throw reader.corrupt("its version is unknown");
  const level = reader.u8();
  if (level > limits.nodeLevel) throw reader.corrupt(`its level is ${level} (at most ${limits.nodeLevel})`);
  const events = new EventReader(reader, { isRoot });
  const count = reader.varint(limits.nodeItems, "the number of items");
  let node: TreeNode;
  if (level === 0) {
    const entries: Entry[] = [];
    for (let index = 0; index < count; index += 1) entries.push(readEntry(reader, events, isRoot, entries[index - 1]));
    node = { level, entries };
  } else {
    const references: Reference[] = [];
    for (let index = 0; index < count; index += 1) references.push(readReference(reader, events));
    node = { level, references };
  }
  events.end();
  reader.end();
  return { node, reader };
}

function readReference(reader: ByteReader, events: EventReader): Reference {
  const last = reader.bytes(reader.u8());
  const hash = reader.bytes(32);
  const summary: Summary = readSummary(reader, events);
  if (summary.names === 0) throw reader.corrupt("a reference has nothing below it");
  return { last, hash, summary };
}
