/**
 * Blobs: the small sealed files of a remote, which are read whole: index files, heads, lists of condemned packs. One header, one
 * sealed piece. Format: doc/format.md, section 8.
 */
import { concatBytes } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { type BoxSecrets, Seal, sealHeaderBytes } from "./seal.ts";

export type BlobKind = "index" | "head" | "condemned" | "key-note" | "retention";
/** As in the header's type byte. */
export const blobKindCodes: Readonly<Record<BlobKind, number>> = {
  index: 1,
  head: 2,
  condemned: 3,
  "key-note": 4,
  retention: 5,
};

/**
 * @param random As for `Seal.create`.
 * @returns The whole file; the caller owns the array.
 */
export function sealBlob(
  secrets: BoxSecrets,
  kind: BlobKind,
  payload: Uint8Array,
  random: (length: number) => Uint8Array,
): Uint8Array {
  const seal = Seal.create(secrets, "blob", blobKindCodes[kind], random);
  return concatBytes([seal.header, seal.sealPiece(sealHeaderBytes, payload)]);
}

/**
 * The payload of a blob. In a plain box nothing but the header has been checked: an index file is checked by its name, a head
 * by its signature.
 * @param bytes The whole file; the result may be a view into it.
 * @throws OuroError "corrupt", "newer-format", or "wrong-key" when it belongs to another box.
 */
export function openBlob(secrets: BoxSecrets, kind: BlobKind, bytes: Uint8Array, what: string): Uint8Array {
  const seal = Seal.open(secrets, "blob", bytes, what);
  if (seal.type !== blobKindCodes[kind]) {
    throw new OuroError(
      "corrupt",
      `Cannot read ${what}: it is a blob of type ${seal.type} (must be ${blobKindCodes[kind]})`,
      {
        subject: what,
      },
    );
  }
  return seal.openPiece(sealHeaderBytes, bytes.subarray(sealHeaderBytes), what);
}
