/**
 * A box's identity: what one needs to know before reading anything else of it. The file `box` of a box and, with the wrapped
 * keys, `config` and the key lists (`keys/`) of a remote. Format: doc/format.md, section 9.
 */
import { fromHex, toHex } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { decodeSummed, encodeSummed, type Json, type JsonObject } from "../base/summed-json.ts";
import { type ChunkSizes, checkChunkSizes } from "./chunker.ts";
import { type HashName, parseHashName } from "./hash.ts";
import { isWrapCost, type WrappedKey, wrapLimits } from "./key-wrap.ts";
import type { SuiteName } from "./seal.ts";

export interface BoxIdentity {
  /** 16 random bytes. */
  readonly box: Uint8Array;
  readonly hash: HashName;
  readonly suite: SuiteName;
  readonly chunk: ChunkSizes;
  /** On remotes of sealed boxes only. */
  readonly keys?: readonly WrappedKey[];
  /** In key lists only: the ids of keys that count no more, wherever else they stand. At most `removedKeysMax`. */
  readonly removed?: readonly Uint8Array[];
}

export const removedKeysMax = 256;
const noteBytesMax = 512;

/** The version this program writes, and the newest minimum it can read. */
const formatVersion = 1;
/** Of the text, in bytes. */
export const identityBytesMax: number = 64 * 1024;
/** More than any identity of this or a later version needs; so nested values cannot reach the stack's end. */
const bracketsMax = 1000;
const keyIdBytes = 8;

export function encodeIdentity(identity: BoxIdentity): string {
  const { box, hash, suite, chunk, keys, removed } = identity;
  return encodeSummed({
    format: formatVersion,
    minReader: formatVersion,
    box: toHex(box),
    hash,
    suite,
    chunk: { min: chunk.min, avg: chunk.avg, max: chunk.max },
    ...(keys === undefined ? {} : { keys: keys.map(keyToJson) }),
    ...(removed === undefined ? {} : { removed: removed.map(toHex) }),
  });
}

/**
 * Reads an identity. Fields that a later version added are skipped.
 * @throws OuroError "newer-format" when it asks for a newer reader, "corrupt" for anything else that is wrong.
 */
export function decodeIdentity(text: string, what: string): BoxIdentity {
  const hint =
    "Copy that file from another machine or remote of the same box; it is the same everywhere but for its keys.";
  const corrupt = (why: string): OuroError =>
    new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: what, hint });
  if (Buffer.byteLength(text) > identityBytesMax) throw corrupt(`it is longer than ${identityBytesMax} bytes`);
  if ((text.match(/[[{]/g) ?? []).length > bracketsMax) throw corrupt("it has too many brackets");
  const object = decodeSummed(text, what, { hint });
  const { format, minReader } = object;
  if (!isWhole(format) || !isWhole(minReader) || minReader > format) throw corrupt("its version is missing");
  if (minReader > formatVersion) {
    throw new OuroError(
      "newer-format",
      `Cannot read ${what}: it needs a reader of format ${minReader} (this one reads ${formatVersion})`,
      {
        subject: what,
        hint: "Install a newer version of ourobox.",
      },
    );
  }
  try {
    return readFields(object);
  } catch (thrown) {
    if (isKind(thrown, "invalid")) throw corrupt(thrown.message);
    throw thrown;
  }
}

/** @throws OuroError "invalid". */
function readFields({ box, hash, suite, chunk, keys, removed }: JsonObject): BoxIdentity {
  if (suite !== "aes-256-gcm" && suite !== "plain") throw invalid("its suite is not known");
  if (typeof hash !== "string") throw invalid("its hash is missing");
  const { min, avg, max } = asObject(chunk);
  if (!isWhole(min) || !isWhole(avg) || !isWhole(max)) throw invalid("its chunk sizes are missing");
  checkChunkSizes({ min, avg, max });
  const identity = { box: hexField(box, 16), hash: parseHashName(hash), suite, chunk: { min, avg, max } } as const;
  if (keys === undefined) return identity;
  if (!Array.isArray(keys) || keys.length > wrapLimits.keys)
    throw invalid(`its keys are no list of at most ${wrapLimits.keys}`);
  const withKeys = { ...identity, keys: keys.map(keyFromJson) };
  if (removed === undefined) return withKeys;
  if (!Array.isArray(removed) || removed.length > removedKeysMax)
    throw invalid(`its removed keys are no list of at most ${removedKeysMax}`);
  return { ...withKeys, removed: removed.map((id) => hexField(id, keyIdBytes)) };
}

function keyToJson(key: WrappedKey): JsonObject {
  return {
    id: toHex(key.id),
    kdf: "argon2id",
    memory: key.memoryKiB,
    passes: key.passes,
    lanes: key.lanes,
    salt: toHex(key.salt),
    nonce: toHex(key.nonce),
    wrapped: toHex(key.wrapped),
    ...(key.note === undefined ? {} : { note: toHex(key.note) }),
  };
}

function keyFromJson(json: Json): WrappedKey {
  const { id, kdf, memory, passes, lanes, salt, nonce, wrapped, note } = asObject(json);
  if (kdf !== "argon2id") throw invalid("the kdf of a key is not known");
  if (!isWhole(memory) || !isWhole(passes) || !isWhole(lanes)) throw invalid("the cost of a key is missing");
  const cost = { memoryKiB: memory, passes, lanes };
  if (!isWrapCost(cost)) throw invalid("the cost of a key is out of bounds");
  return {
    id: hexField(id, keyIdBytes),
    ...cost,
    salt: hexField(salt, 16),
    nonce: hexField(nonce, 12),
    wrapped: hexField(wrapped, 48),
    ...(note === undefined ? {} : { note: noteField(note) }),
  };
}

function hexField(value: Json | undefined, length: number): Uint8Array {
  if (typeof value !== "string") throw invalid(`a field of ${length} bytes is missing`);
  return fromHex(value, length);
}

function noteField(value: Json): Uint8Array {
  if (typeof value !== "string" || value.length > noteBytesMax * 2) throw invalid("the note of a key is none");
  return fromHex(value, Math.ceil(value.length / 2));
}

function asObject(value: Json | undefined): JsonObject {
  if (value === undefined || value === null || typeof value !== "object" || Array.isArray(value))
    throw invalid("a field is missing");
  return value as JsonObject;
}

function isWhole(value: Json | undefined): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function invalid(why: string): OuroError {
  return new OuroError("invalid", why);
}
