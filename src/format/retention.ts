/**
 * Retentions: what a writer keeps of the history that its head has taken in, signed by its peer. Up to the clocks in `seen` it keeps the commits
 * that are named, and has forgotten the others; what is later than those clocks is kept. Format: doc/format.md, section 8.
 */
import { ByteReader, ByteWriter, compareBytes, concatBytes, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import type { EventName, WriterId } from "./dot.ts";
import type { Hash } from "./entry.ts";
import { hashBytes } from "./hash.ts";
import { publicKeyBytes, type Sign, signatureBytes, type Verify } from "./head.ts";

export interface Retention {
  /** By ascending writer, each once: up to these clocks history has been looked through. */
  readonly seen: readonly EventName[];
  /** The commits of it that are kept. */
  readonly kept: readonly Hash[];
}

export interface SignedRetention extends Retention {
  readonly writer: WriterId;
  readonly peer: Uint8Array;
}

export const retentionLimits: {
  /** Of the sealed blob. */
  readonly bytes: number;
  readonly writers: number;
  readonly kept: number;
} = { bytes: 64 * 1024 * 1024, writers: 2 ** 16, kept: 2 ** 20 };

const signedPrefix = utf8("ourobox retention 1\0");

/** A retention alone, as a box keeps its own. @throws OuroError "too-large". */
export function encodeRetention({ seen, kept }: Retention): Uint8Array {
  if (seen.length > retentionLimits.writers || kept.length > retentionLimits.kept)
    throw new OuroError("too-large", `Cannot keep ${kept.length} commits by name (at most ${retentionLimits.kept})`, {
      hint: "Forget more at once: with fewer commits kept, fewer have to be named.",
    });
  const writer = new ByteWriter(64 + seen.length * 16 + kept.length * hashBytes).varint(seen.length);
  for (const event of [...seen].sort((a, b) => (a.writer < b.writer ? -1 : 1)))
    writer.u64(event.writer).u64(event.clock);
  writer.varint(kept.length);
  for (const id of [...kept].sort(compareBytes)) writer.bytes(id);
  return writer.finish();
}

/** @throws OuroError "corrupt". */
export function decodeRetention(bytes: Uint8Array, what: string): Retention {
  const reader = new ByteReader(bytes, what);
  const retention = readRetention(reader);
  reader.end();
  return retention;
}

/** The payload of a writer's retention on a remote. @param box The box's id, which is signed too. */
export function encodeSignedRetention(retention: SignedRetention, box: Uint8Array, sign: Sign): Uint8Array {
  const body = new ByteWriter(64)
    .u64(retention.writer)
    .bytes(retention.peer)
    .bytes(encodeRetention(retention))
    .finish();
  return concatBytes([body, sign(signedMessage(box, body))]);
}

/** @throws OuroError "corrupt", also when the signature is wrong or of another box. */
export function decodeSignedRetention(
  bytes: Uint8Array,
  box: Uint8Array,
  verify: Verify,
  what: string,
): SignedRetention {
  const reader = new ByteReader(bytes, what);
  const writer = reader.u64();
  const peer = reader.bytes(publicKeyBytes);
  const retention = readRetention(reader);
  const body = bytes.subarray(0, reader.position);
  const signature = reader.bytes(signatureBytes);
  reader.end();
  if (!verify(peer, signedMessage(box, body), signature)) throw reader.corrupt("its signature is wrong");
  return { writer, peer, ...retention };
}

function readRetention(reader: ByteReader): Retention {
  const seen = Array.from({ length: readCount(reader, retentionLimits.writers, 16, "writers") }, () => ({
    writer: reader.u64(),
    clock: reader.u64(),
  }));
  if (seen.some(({ writer }, at) => writer <= (seen[at - 1]?.writer ?? 0n)))
    throw reader.corrupt("its writers do not ascend");
  const kept = Array.from({ length: readCount(reader, retentionLimits.kept, hashBytes, "commits") }, () =>
    reader.bytes(hashBytes),
  );
  if (kept.some((id, at) => at > 0 && compareBytes(kept[at - 1] as Hash, id) >= 0))
    throw reader.corrupt("its commits do not ascend");
  return { seen, kept };
}

function readCount(reader: ByteReader, max: number, size: number, what: string): number {
  const count = reader.varint(max, `number of ${what}`);
  if (count * size > reader.remaining) throw reader.corrupt(`it is too short for ${count} ${what}`);
  return count;
}

function signedMessage(box: Uint8Array, body: Uint8Array): Uint8Array {
  return concatBytes([signedPrefix, box, body]);
}
