/**
 * Sealing: the header that every pack and blob begins with, and the encryption of the pieces after it.
 *
 * Suite "plain" leaves pieces as they are. Suite "aes-256-gcm" seals each under a key derived from the box key and the
 * file's random salt; the nonce is the piece's offset in the file, so no nonce is used twice under one key, and a piece
 * moved within its file or to another does not open. Format: doc/format.md, section 6.
 */
import { createCipheriv, hkdfSync } from "node:crypto";
import { openSealed } from "../base/aes-gcm.ts";
import { equalBytes, toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { getHasher, type HashName } from "./hash.ts";

export type SuiteName = "aes-256-gcm" | "plain";

/** What it takes to read and write a box's files. */
export interface BoxSecrets {
  /** The box's id, 16 bytes. */
  readonly box: Uint8Array;
  readonly suite: SuiteName;
  readonly hash: HashName;
  /** The box key, 32 bytes; absent in plain boxes. */
  readonly key?: Uint8Array;
}

export type SealedFile = "pack" | "blob";

export const sealHeaderBytes = 64;
/** What sealing adds to a piece, in bytes. */
export const sealOverhead: Readonly<Record<SuiteName, number>> = { plain: 0, "aes-256-gcm": 16 };

const version = 1;
const magics: Readonly<Record<SealedFile, Uint8Array>> = {
  pack: Buffer.from("OUROPACK"),
  blob: Buffer.from("OUROBLOB"),
};
const suiteCodes: Readonly<Record<SuiteName, number>> = { plain: 0, "aes-256-gcm": 1 };
const saltBytes = 32;

/** Seals and opens the pieces of one file. */
export class Seal {
  /** The file's first 64 bytes. */
  readonly header: Uint8Array;
  /** What sealing adds to each piece, in bytes. */
  readonly overhead: number;
  /** The file's own type: byte 13 of the header. */
  readonly type: number;
  readonly #key: Uint8Array | undefined;

  private constructor(header: Uint8Array, secrets: BoxSecrets, file: SealedFile) {
    this.header = header;
    this.overhead = sealOverhead[secrets.suite];
    this.type = header[13] as number;
    this.#key = secrets.suite === "plain" ? undefined : deriveKey(secrets, header.subarray(32), file);
  }

  /**
   * The seal of a new file.
   * @param type Byte 13 of the header: the class of a pack, the kind of a blob.
   * @param random Gives that many unpredictable bytes; a salt used twice would break the secrecy of both files.
   */
  static create(secrets: BoxSecrets, file: SealedFile, type: number, random: (count: number) => Uint8Array): Seal {
    const header = Buffer.alloc(sealHeaderBytes);
    header.set(magics[file], 0);
    header.writeUInt16LE(version, 8);
    header.writeUInt16LE(version, 10);
    header[12] = suiteCodes[secrets.suite];
    header[13] = type;
    header[14] = getHasher(secrets.hash).code;
    header.set(secrets.box, 16);
    if (secrets.suite !== "plain") header.set(random(saltBytes), 32);
    return new Seal(header, secrets, file);
  }

  /**
   * The seal of a file that is there, from its first 64 bytes (which are kept, not copied).
   * @param what The file, for messages.
   * @throws OuroError "corrupt", "newer-format", or "wrong-key" when it belongs to another box.
   */
  static open(secrets: BoxSecrets, file: SealedFile, bytes: Uint8Array, what: string): Seal {
    const corrupt = (why: string): OuroError =>
      new OuroError("corrupt", `Cannot read ${what}: ${why}`, { subject: what });
    if (bytes.length < sealHeaderBytes) throw corrupt(`it has only ${bytes.length} bytes`);
    const header = Buffer.from(bytes.buffer, bytes.byteOffset, sealHeaderBytes);
    if (!equalBytes(header.subarray(0, 8), magics[file])) throw corrupt(`it is not a ${file} of Ourobox`);
    const minimum = header.readUInt16LE(10);
    if (minimum > version) {
      throw new OuroError(
        "newer-format",
        `Cannot read ${what}: it needs a reader of format ${minimum} (this is ${version})`,
        {
          subject: what,
          hint: "Install a newer Ourobox.",
        },
      );
    }
    if (header.readUInt16LE(8) < minimum || minimum === 0 || header[15] !== 0) throw corrupt("its header is damaged");
    if (!equalBytes(header.subarray(16, 32), secrets.box)) {
      throw new OuroError(
        "wrong-key",
        `Cannot read ${what}: it belongs to box ${toHex(header.subarray(16, 32))} (this is ${toHex(secrets.box)})`,
        {
          subject: what,
        },
      );
    }
    if (header[12] !== suiteCodes[secrets.suite]) throw corrupt("it is sealed in another way than its box says");
    if (header[14] !== getHasher(secrets.hash).code) throw corrupt("it uses another hash than its box says");
    if (secrets.suite === "plain" && header.subarray(32).some((byte) => byte !== 0)) {
      throw corrupt("its header is damaged");
    }
    return new Seal(header, secrets, file);
  }

  /**
   * @param offset Where the sealed piece will stand in the file; each offset only once.
   * @returns `bytes.length + overhead` bytes; in plain boxes `bytes` itself.
   */
  sealPiece(offset: number, bytes: Uint8Array): Uint8Array {
    if (this.#key === undefined) return bytes;
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonceOf(offset));
    cipher.setAAD(this.header);
    const sealed = cipher.update(bytes);
    return Buffer.concat([sealed, cipher.final(), cipher.getAuthTag()]);
  }

  /**
   * As `sealPiece`, but into `target` at `at`, which must have room.
   * @returns How many bytes were written.
   */
  sealPieceInto(offset: number, bytes: Uint8Array, target: Uint8Array, at: number): number {
    if (this.#key === undefined) {
      target.set(bytes, at);
      return bytes.length;
    }
    const cipher = createCipheriv("aes-256-gcm", this.#key, nonceOf(offset));
    cipher.setAAD(this.header);
    target.set(cipher.update(bytes), at);
    cipher.final();
    target.set(cipher.getAuthTag(), at + bytes.length);
    return bytes.length + this.overhead;
  }

  /**
   * @param offset Where the sealed piece stands in the file.
   * @param memory Where it is opened to, if there is room; else into new memory.
   * @returns The piece; in plain boxes `sealed` itself.
   * @throws OuroError "corrupt" when it does not open: damaged, moved, or under another key.
   */
  openPiece(offset: number, sealed: Uint8Array, what: string, memory?: Uint8Array): Uint8Array {
    if (this.#key === undefined) return sealed;
    const corrupt = (): OuroError =>
      new OuroError("corrupt", `Cannot read ${what}: the piece at byte ${offset} does not open`, { subject: what });
    const end = sealed.length - this.overhead;
    if (end < 0) throw corrupt();
    const hasRoom = memory !== undefined && memory.length >= end;
    const bytes = hasRoom ? memory.subarray(0, end) : Buffer.allocUnsafeSlow(end);
    if (!openSealed({ key: this.#key, nonce: nonceOf(offset), header: this.header, sealed }, bytes)) throw corrupt();
    return bytes;
  }
}

function deriveKey(secrets: BoxSecrets, salt: Uint8Array, file: SealedFile): Uint8Array {
  if (secrets.key?.length !== 32) {
    throw new OuroError("wrong-key", `Cannot open a ${file}: the box is sealed and its key is not here`, {
      hint: "Put the box's key back as .ourobox/keys, or clone it again with its passphrase.",
    });
  }
  return Buffer.from(hkdfSync("sha256", secrets.key, salt, `ourobox ${file} 1`, 32));
}

function nonceOf(offset: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64LE(BigInt(offset), 0);
  return nonce;
}
