/**
 * Commits: a tree, where it came from, and what it has seen. Format: doc/format.md, section 5.
 *
 * A commit's id is the hash of its body; an event's signature stands after the body in the store and is not hashed.
 */
import { ByteReader, ByteWriter, compareBytes, concatBytes, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { EventName, WriterId } from "./dot.ts";
import type { Hash } from "./entry.ts";

const version = 1;
const commitTypes = { event: 1, join: 2 } as const;
const hashLength = 32;
const boxLength = 16;
const vectorMax = 2 ** 16;
const parentsMax = 64;
const authorBytes = 255;
const messageBytes = 64 * 1024;
const signaturePrefix = utf8("ourobox commit 1\0");
const noHash = new Uint8Array(hashLength);

/** How many bytes of an event's id a vector holds. */
export const eventBytes = 8;
/** The length of an ed25519 signature and of a public key. */
const signatureBytes = 64;
const publicKeyBytes = 32;

/** What a version vector says of one writer: its greatest event seen, and the first 8 bytes of that commit's id. */
export interface VectorEntry extends EventName {
  readonly event: Uint8Array;
}

/** Sorted by writer, one entry each. */
export type VersionVector = readonly VectorEntry[];

interface CommitBase {
  readonly box: Uint8Array;
  /** The root node. */
  readonly tree: Hash;
  /** As stored: an event leaves out its own writer. `fullVector` adds it. */
  readonly vector: VersionVector;
  readonly parents: readonly Hash[];
}

export interface EventCommit extends CommitBase {
  readonly type: "event";
  readonly writer: WriterId;
  readonly clock: bigint;
  /** The writer's own last event before this; absent for its first. */
  readonly previous?: { readonly clock: bigint; readonly id: Hash };
  /** ed25519 public key, 32 bytes. */
  readonly peer: Uint8Array;
  /** Milliseconds since 1970, of the peer's wall clock. */
  readonly timeMs: number;
  /** Of `commitFlags`. */
  readonly flags: number;
  readonly author: string;
  readonly message: string;
}

export interface JoinCommit extends CommitBase {
  readonly type: "join";
}

export type Commit = EventCommit | JoinCommit;

export const commitFlags = { automatic: 1, mend: 2, restore: 4 } as const;
const flagsMax = 7;

/** A commit with its name, as read from the store. */
export interface NamedCommit {
  readonly id: Hash;
  readonly commit: Commit;
}

/**
 * The bytes whose hash is the commit's id; the caller owns them.
 * @throws OuroError "invalid" where it breaks a rule of the format, "too-large".
 */
export function encodeCommit(commit: Commit): Uint8Array {
  const problem = commitProblem(commit);
  if (problem !== undefined) throw new OuroError("invalid", `Cannot make a commit: ${problem}`);
  const writer = new ByteWriter(512).u8(version).u8(commitTypes[commit.type]).bytes(commit.box).bytes(commit.tree);
  writer.varint(commit.vector.length);
  for (const entry of commit.vector) writer.u64(entry.writer).u64(entry.clock).bytes(entry.event);
  writer.varint(commit.parents.length);
  for (const parent of commit.parents) writer.bytes(parent);
  if (commit.type === "join") return writer.finish();
  const { clock, id } = commit.previous ?? { clock: 0n, id: noHash };
  writer.u64(commit.writer).u64(commit.clock).u64(clock).bytes(id);
  writer.bytes(commit.peer).zigzag(commit.timeMs).u8(commit.flags);
  return writer.text(commit.author).text(commit.message).finish();
}

/** The id of a commit with this body. */
export function commitId(hasher: { hash(bytes: Uint8Array): Hash }, body: Uint8Array): Hash {
  return hasher.hash(body);
}

/** What is signed for an event commit. */
export function commitSignedBytes(id: Hash): Uint8Array {
  return concatBytes([signaturePrefix, id]);
}

/** A commit as the store keeps it. @param signature Of an event; a join has none. */
export function encodeStoredCommit(body: Uint8Array, signature?: Uint8Array): Uint8Array {
  return signature === undefined ? body : concatBytes([body, signature]);
}

/** A commit as read from the store; whether id and signature are right is for the caller to see. */
export interface StoredCommit {
  readonly commit: Commit;
  /** A view into what was read. */
  readonly body: Uint8Array;
  /** Of an event. */
  readonly signature?: Uint8Array;
}

/** @throws OuroError "corrupt". */
export function decodeStoredCommit(bytes: Uint8Array, what: string): StoredCommit {
  const reader = new ByteReader(bytes, what);
  const commit = readCommitBody(reader);
  const problem = commitProblem(commit);
  if (problem !== undefined) throw reader.corrupt(problem);
  const body = bytes.subarray(0, reader.position);
  if (commit.type === "join") {
    reader.end();
    return { commit, body };
  }
  const signature = reader.bytes(signatureBytes);
  reader.end();
  return { commit, body, signature };
}

function readCommitBody(reader: ByteReader): Commit {
  if (reader.u8() !== version) throw reader.corrupt("its version is unknown");
  const type = reader.u8();
  if (type !== commitTypes.event && type !== commitTypes.join) throw reader.corrupt(`its type is ${type} (1 or 2)`);
  const box = reader.bytes(boxLength);
  const tree = reader.bytes(hashLength);
  const vector: VectorEntry[] = [];
  for (let rest = readCount(reader, vectorMax, 24, "writers"); rest > 0; rest -= 1) {
    vector.push({ writer: reader.u64(), clock: reader.u64(), event: reader.bytes(eventBytes) });
  }
  const parents: Hash[] = [];
  for (let rest = readCount(reader, parentsMax, hashLength, "parents"); rest > 0; rest -= 1)
    parents.push(reader.bytes(hashLength));
  if (type === commitTypes.join) return { type: "join", box, tree, vector, parents };
  const writer = reader.u64();
  const clock = reader.u64();
  const previous = { clock: reader.u64(), id: reader.bytes(hashLength) };
  if (previous.clock === 0n && compareBytes(previous.id, noHash) !== 0)
    throw reader.corrupt("its previous event has no clock");
  const peer = reader.bytes(publicKeyBytes);
  const timeMs = reader.zigzag("a time");
  const flags = reader.u8();
  const author = reader.text(authorBytes, "the author");
  const message = reader.text(messageBytes, "the message");
  const chain = previous.clock === 0n ? {} : { previous };
  return { type: "event", box, tree, vector, parents, writer, clock, ...chain, peer, timeMs, flags, author, message };
}

function readCount(reader: ByteReader, max: number, size: number, what: string): number {
  const count = reader.varint(max, `the number of ${what}`);
  if (count * size > reader.remaining) throw reader.corrupt(`it announces ${count} ${what}, more than it has room for`);
  return count;
}

/** What both ways check, or undefined. */
function commitProblem(commit: Commit): string | undefined {
  const { box, tree, vector, parents } = commit;
  if (box.length !== boxLength || tree.length !== hashLength) return "the id of its box or tree has a wrong length";
  if (vector.length > vectorMax) return `its vector has ${vector.length} writers (at most ${vectorMax})`;
  if (parents.length > parentsMax) return `it has ${parents.length} parents (at most ${parentsMax})`;
  let before = 0n;
  for (const { writer, clock, event } of vector) {
    if (writer <= before) return "its vector is not in order";
    if (clock === 0n || event.length !== eventBytes) return "an entry of its vector has no event";
    before = writer;
  }
  for (const [index, parent] of parents.entries()) {
    if (parent.length !== hashLength) return "the id of a parent has a wrong length";
    if (parents.findIndex((each) => compareBytes(each, parent) === 0) < index) return "a parent is named twice";
  }
  return commit.type === "event" ? eventProblem(commit) : joinProblem(commit);
}

function eventProblem({
  vector,
  writer,
  clock,
  previous,
  peer,
  timeMs,
  flags,
  author,
  message,
}: EventCommit): string | undefined {
  if (writer === 0n || clock === 0n) return "it has no writer or no clock";
  for (const entry of vector) {
    if (entry.writer === writer) return "its vector names its own writer";
    if (entry.clock >= clock) return "its clock is not above all that it has seen";
  }
  if (previous !== undefined && (previous.clock === 0n || previous.clock >= clock))
    return "its previous event is not before it";
  if (peer.length !== publicKeyBytes) return "its peer's key has a wrong length";
  if (!Number.isInteger(timeMs) || !Number.isSafeInteger(timeMs * 2)) return "its time is out of range";
  if (flags < 0 || flags > flagsMax) return `its flags are ${flags} (at most ${flagsMax})`;
  if (utf8(author).length > authorBytes) return `its author has over ${authorBytes} bytes`;
  return utf8(message).length > messageBytes ? `its message has over ${messageBytes} bytes` : undefined;
}

function joinProblem({ parents }: JoinCommit): string | undefined {
  if (parents.length < 2) return "a join has fewer than two parents";
  const isSorted = parents.every(
    (parent, index) => index === 0 || compareBytes(parents[index - 1] as Hash, parent) < 0,
  );
  return isSorted ? undefined : "the parents of a join are not in order";
}
