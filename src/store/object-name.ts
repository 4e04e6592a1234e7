/**
 * Whether an object is what its name says. A tree node, list node, xattr block or chunk is named by the hash of its bytes;
 * a commit by the hash of its body, which in event commits ends 64 bytes before the stored bytes do (the signature).
 * Format: doc/format.md, sections 5 and 7.
 */
import type { Hash, Hasher, MetaKind } from "../format/mod.ts";

const eventType = 1;
const signatureBytes = 64;

/** Whether an object is what it should be, as far as its name does not say: the signature of a commit. */
export type IsRight = (hash: Hash, kind: MetaKind | undefined, bytes: Uint8Array) => boolean;

/** What of a stored object its name is the hash of. */
function namedPart(kind: MetaKind | undefined, bytes: Uint8Array): Uint8Array {
  const isSigned = kind === "commit" && bytes.length > signatureBytes && bytes[1] === eventType;
  return isSigned ? bytes.subarray(0, bytes.length - signatureBytes) : bytes;
}

/** The name that a stored metadata object must have. */
export function metaName(hasher: Hasher, kind: MetaKind, bytes: Uint8Array): Hash {
  return hasher.hash(namedPart(kind, bytes));
}

/** @param kind Undefined for a chunk. */
export function isNamed(hasher: Hasher, kind: MetaKind | undefined, bytes: Uint8Array, name: Hash): boolean {
  return hasher.names(name, namedPart(kind, bytes));
}
