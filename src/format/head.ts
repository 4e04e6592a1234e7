/**
 * Heads: what a writer says it has got to, signed by its peer. The one file of a remote that is replaced.
 * Tags travel in heads; of two values of one name the one of the greater event counts. Format: doc/format.md, section 8.
 */
import { ByteReader, ByteWriter, compareBytes, concatBytes, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { EventName, WriterId } from "./dot.ts";
import { writerHex } from "./dot.ts";
import type { Hash } from "./entry.ts";
import { hashBytes } from "./hash.ts";

/** A register: the value of a tag's name as of an event. */
export interface Tag extends EventName {
  readonly name: string;
  /** Absent when the tag was deleted. */
  readonly commit?: Hash;
}

/** The last event commit of a writer. */
export interface LastEvent {
  readonly clock: bigint;
  readonly id: Hash;
}

export interface Head {
  readonly writer: WriterId;
  readonly branch: string;
  /** May be another writer's. */
  readonly commit: Hash;
  /** Absent while the writer has written nothing itself. */
  readonly last?: LastEvent;
  /** ed25519 public key, 32 bytes. */
  readonly peer: Uint8Array;
  readonly peerName: string;
  /** By ascending name (its UTF-8 bytes). */
  readonly tags: readonly Tag[];
}

export const headLimits: {
  /** Of the sealed blob. */
  readonly bytes: number;
  readonly nameBytes: number;
  readonly tags: number;
} = { bytes: 1024 * 1024, nameBytes: 255, tags: 10_000 };

export type Sign = (message: Uint8Array) => Uint8Array;
export type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

export const publicKeyBytes = 32;
export const signatureBytes = 64;
const boxIdBytes = 16;
const signedPrefix = utf8("ourobox head 1\0");
const noHash = new Uint8Array(hashBytes);

/** Why text cannot be the name of a branch, tag or peer, or undefined. Control characters could act on a reader's terminal. */
export function headNameProblem(name: string): string | undefined {
  const { length } = utf8(name);
  if (length > headLimits.nameBytes) return `it has ${length} bytes (at most ${headLimits.nameBytes})`;
  if (/\p{Cc}/u.test(name)) return "it has a control character";
  if (!name.isWellFormed()) return "it is not Unicode text";
  return undefined;
}

/**
 * A head with its signature: the payload of a head blob.
 * @param box The box id, 16 bytes, which is signed too.
 * @throws OuroError "invalid" for a name that cannot be one, "too-large" when the tags do not fit.
 */
export function encodeHead(head: Head, box: Uint8Array, sign: Sign): Uint8Array {
  const writer = new ByteWriter(512);
  writer.u64(head.writer).text(checkedName(head.branch, "branch")).bytes(head.commit);
  writer.u64(head.last?.clock ?? 0n).bytes(head.last?.id ?? noHash);
  writer.bytes(head.peer).text(head.peerName === "" ? "" : checkedName(head.peerName, "peer"));
  const tags = head.tags.map((tag) => ({ tag, name: utf8(checkedName(tag.name, "tag")) }));
  tags.sort((a, b) => compareBytes(a.name, b.name));
  writer.varint(tags.length);
  for (const { tag, name } of tags) {
    writer
      .lengthBytes(name)
      .u64(tag.clock)
      .u64(tag.writer)
      .bytes(tag.commit ?? noHash);
  }
  if (tags.length > headLimits.tags || writer.length + 256 > headLimits.bytes) {
    throw new OuroError("too-large", `Cannot write a head with ${tags.length} tags: it has ${writer.length} bytes`, {
      hint: "Delete tags that are no longer needed.",
    });
  }
  return writer.bytes(sign(signedMessage(box, writer.view()))).finish();
}

/**
 * Reads a head and checks its signature.
 * @throws OuroError "corrupt", also when the signature is wrong or of another box.
 */
export function decodeHead(bytes: Uint8Array, box: Uint8Array, verify: Verify, what: string): Head {
  const reader = new ByteReader(bytes, what);
  const writer = reader.u64();
  if (writer === 0n) throw reader.corrupt("its writer is 0");
  const branch = readName(reader, "branch");
  const commit = reader.bytes(hashBytes);
  const last = { clock: reader.u64(), id: reader.bytes(hashBytes) };
  if ((last.clock === 0n) !== isZero(last.id)) throw reader.corrupt("its last event is half there");
  const peer = reader.bytes(publicKeyBytes);
  const peerName = readName(reader, "peer", { mayBeEmpty: true });
  const tags = readTags(reader);
  const signed = bytes.subarray(0, reader.position);
  const signature = reader.bytes(signatureBytes);
  reader.end();
  if (!verify(peer, signedMessage(box, signed), signature)) throw reader.corrupt("its signature is wrong");
  return { writer, branch, commit, ...(last.clock === 0n ? {} : { last }), peer, peerName, tags };
}

function readTags(reader: ByteReader): Tag[] {
  const count = reader.varint(headLimits.tags, "number of tags");
  const tags: Tag[] = [];
  for (let index = 0; index < count; index += 1) {
    const name = readName(reader, "tag");
    const before = tags.at(-1);
    if (before !== undefined && compareBytes(utf8(before.name), utf8(name)) >= 0)
      throw reader.corrupt("its tags do not ascend");
    const [clock, writer, commit] = [reader.u64(), reader.u64(), reader.bytes(hashBytes)];
    if (writer === 0n) throw reader.corrupt(`the writer of tag ${JSON.stringify(name)} is 0`);
    tags.push({ name, clock, writer, ...(isZero(commit) ? {} : { commit }) });
  }
  return tags;
}

function readName(reader: ByteReader, what: string, options: { readonly mayBeEmpty?: boolean } = {}): string {
  const name = reader.text(headLimits.nameBytes, `name of a ${what}`);
  const problem = headNameProblem(name);
  if (problem !== undefined) throw reader.corrupt(`the name of a ${what} is wrong: ${problem}`);
  if (name === "" && options.mayBeEmpty !== true) throw reader.corrupt(`the name of a ${what} is empty`);
  return name;
}

function checkedName(name: string, what: string): string {
  const problem = name === "" ? "it is empty" : headNameProblem(name);
  if (problem !== undefined)
    throw new OuroError("invalid", `Cannot use ${JSON.stringify(name)} as the name of a ${what}: ${problem}`);
  return name;
}

function signedMessage(box: Uint8Array, head: Uint8Array): Uint8Array {
  if (box.length !== boxIdBytes) throw new RangeError(`a box id has ${boxIdBytes} bytes`);
  return concatBytes([signedPrefix, box, head]);
}

function isZero(hash: Hash): boolean {
  return compareBytes(hash, noHash) === 0;
}

/** A head's name on a remote. */
export function headName(writer: WriterId): string {
  return `heads/${writerHex(writer)}`;
}
