/**
 * ed25519 signatures with raw 32-byte keys, by node:crypto. Public keys read from outside are decoded once and kept, as a history
 * has thousands of commits of a few peers: a verification costs about 60 us, a decoding 40 us more.
 * Source: RFC 8032; RFC 8410 for the prefixes that make raw keys SPKI and PKCS #8.
 */
import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { concatBytes, fromHex, toHex } from "../base/bytes.ts";

export const seedBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;

const spkiPrefix = fromHex("302a300506032b6570032100", 12);
const pkcs8Prefix = fromHex("302e020100300506032b657004220420", 16);

/** Decoded public keys, by hex; undefined for bytes that are no point of the curve. */
const decodedKeys = new Map<string, KeyObject | undefined>();
const decodedKeysMax = 1000;

/** A private key that signs. */
export class SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly #key: KeyObject;

  /** @param seed The 32 secret bytes of RFC 8032. */
  constructor(seed: Uint8Array) {
    if (seed.length !== seedBytes) throw new RangeError(`a signing key has ${seedBytes} bytes`);
    this.#key = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: "der", type: "pkcs8" });
    const spki = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.publicKey = new Uint8Array(spki.subarray(spkiPrefix.length));
  }

  /** @returns 64 bytes; the caller owns the array. */
  sign(message: Uint8Array): Uint8Array {
    return sign(null, message, this.#key);
  }
}

/** Whether the signature is the key's over the message. False for anything malformed. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== publicKeyBytes || signature.length !== signatureBytes) return false;
  const key = findKey(publicKey);
  return key !== undefined && verify(null, message, key, signature);
}

function findKey(publicKey: Uint8Array): KeyObject | undefined {
  const name = toHex(publicKey);
  if (decodedKeys.has(name)) return decodedKeys.get(name);
  // Only a forger brings so many: forget them all.
  if (decodedKeys.size >= decodedKeysMax) decodedKeys.clear();
  const key = decodeKey(publicKey);
  decodedKeys.set(name, key);
  return key;
}

function decodeKey(publicKey: Uint8Array): KeyObject | undefined {
  try {
    return createPublicKey({ key: asSpki(publicKey), format: "der", type: "spki" });
  } catch {
    return undefined;
  }
}

function asSpki(publicKey: Uint8Array): Buffer {
  return Buffer.from(concatBytes([spkiPrefix, publicKey]));
}
