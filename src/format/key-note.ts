/**
 * What people are told of a wrapped key: its label, what it is, who made it when. Sealed with the box key, so that a remote neither reads
 * nor changes it; bound to the key it is about, so that a remote cannot exchange the labels of two. Format: doc/format.md, section 9.
 */
import { ByteReader, ByteWriter, equalBytes, utf8 } from "../base/bytes.ts";
import { isKind, OuroError } from "../base/errors.ts";
import { openBlob, sealBlob } from "./blob.ts";
import { headNameProblem } from "./head.ts";
import type { WrappedKey } from "./key-wrap.ts";
import type { BoxSecrets } from "./seal.ts";

export type KeyKind = "passphrase" | "recovery";

export interface KeyNote {
  /** 1 to `keyLabelBytesMax` bytes without control characters. */
  readonly label: string;
  readonly kind: KeyKind;
  /** Milliseconds since 1970. */
  readonly madeMs: number;
  /** What the device that made it is called; at most `keyLabelBytesMax` bytes, or empty. */
  readonly peer: string;
}

export const keyLabelBytesMax = 64;
const kindCodes: Readonly<Record<KeyKind, number>> = { passphrase: 1, recovery: 2 };
const idBytes = 8;
const tagBytes = 16;

/** Why a text cannot be a label, or undefined. */
export function keyLabelProblem(label: string): string | undefined {
  if (label.trim() === "") return "it is empty";
  const { length } = utf8(label);
  return length > keyLabelBytesMax ? `it has ${length} bytes (at most ${keyLabelBytesMax})` : headNameProblem(label);
}

/** The wrapped key with its note. @throws OuroError "invalid" for a label or peer name that cannot be one. */
export function withNote(
  key: WrappedKey,
  { label, kind, madeMs, peer }: KeyNote,
  { secrets, random }: { readonly secrets: BoxSecrets; readonly random: (length: number) => Uint8Array },
): WrappedKey {
  const problem = keyLabelProblem(label) ?? (peer === "" ? undefined : keyLabelProblem(peer));
  if (problem !== undefined) throw new OuroError("invalid", `Cannot label a key ${JSON.stringify(label)}: ${problem}`);
  const writer = new ByteWriter().bytes(key.id).bytes(tagOf(key)).u8(kindCodes[kind]).varint(madeMs);
  const payload = writer.text(label).text(peer).finish();
  return { ...key, note: sealBlob(secrets, "key-note", payload, random) };
}

/** Undefined where there is none, or none that belongs to this key. */
export function findNote(secrets: BoxSecrets, key: WrappedKey): KeyNote | undefined {
  if (key.note === undefined) return undefined;
  try {
    const what = "the note of a key";
    const reader = new ByteReader(openBlob(secrets, "key-note", key.note, what), what);
    const isOfKey = equalBytes(reader.bytes(idBytes), key.id) && equalBytes(reader.bytes(tagBytes), tagOf(key));
    const code = reader.u8();
    const madeMs = reader.varint(Number.MAX_SAFE_INTEGER, "date");
    const label = reader.text(keyLabelBytesMax, "label");
    const peer = reader.text(keyLabelBytesMax, "peer's name");
    reader.end();
    const kind = code === kindCodes.passphrase ? "passphrase" : code === kindCodes.recovery ? "recovery" : undefined;
    if (!isOfKey || kind === undefined || keyLabelProblem(label) !== undefined) return undefined;
    return { label, kind, madeMs, peer };
  } catch (thrown) {
    if (isKind(thrown)) return undefined;
    throw thrown;
  }
}

/** What no other wrapping has. */
function tagOf({ wrapped }: WrappedKey): Uint8Array {
  return wrapped.subarray(wrapped.length - tagBytes);
}
