/**
 * Opening what AES-256-GCM has sealed (NIST SP 800-38D; tags of 16 bytes) into memory of the caller's, by the OpenSSL that is in this Node.
 *
 * Node's own `Decipher` makes new memory for each piece, twice, and copies from one to the other: collecting that garbage takes half of all that it takes to read a
 * gigabyte. So large pieces are opened by the same library's functions, called as libc's are; small ones, and all where they cannot be found, by Node.
 */
import { createDecipheriv } from "node:crypto";
import { addressOf, type Library, library } from "./posix-library.ts";

export interface SealedPiece {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** What is sealed with it and not in it, 64 bytes at most. */
  readonly header: Uint8Array;
  /** With the tag, its last 16 bytes. */
  readonly sealed: Uint8Array;
}

export const tagBytes = 16;
/** Below, loading what calls the library costs more than it saves. */
const largeBytes = 16 * 1024;
const setTag = 0x11;
/** Of what is passed along: key, nonce, tag, header, and a length that is answered. */
const [nonceAt, tagAt, headerAt, lengthAt, passedBytes] = [32, 44, 64, 128, 136];

/**
 * Opens a piece.
 * @param into As long as the piece without its tag; no part of it. What is in it when this fails is zeros.
 * @returns Whether it is what was sealed.
 */
export function openSealed(piece: SealedPiece, into: Uint8Array): boolean {
  opener ??= makeOpener() ?? null;
  const isOpen = (piece.sealed.length < largeBytes ? undefined : opener?.(piece, into)) ?? openByNode(piece, into);
  if (!isOpen) into.fill(0);
  return isOpen;
}

type Opener = (piece: SealedPiece, into: Uint8Array) => boolean | undefined;

/** Of this thread: absent when not yet made, null where there can be none. */
let opener: Opener | null | undefined;

/** @returns Undefined where this Node does not show its OpenSSL. */
function makeOpener(): Opener | undefined {
  const { call, addressOf: address } = library();
  const passed = Buffer.alloc(passedBytes);
  const at = address(passed);
  let context: number;
  let cipher: number;
  try {
    cipher = call.EVP_aes_256_gcm();
    context = call.EVP_CIPHER_CTX_new();
  } catch {
    return undefined;
  }
  return context === 0 ? undefined : (piece, into) => openWith(call, { context, cipher, passed, at }, piece, into);
}

interface Context {
  readonly context: number;
  readonly cipher: number;
  readonly passed: Buffer;
  /** The address of `passed`. */
  readonly at: number;
}

/** @returns Undefined when the library refuses, of which Node then has to say why. */
function openWith(
  call: Library["call"],
  { context, cipher, passed, at }: Context,
  { key, nonce, header, sealed }: SealedPiece,
  into: Uint8Array,
): boolean | undefined {
  passed.set(key, 0);
  passed.set(nonce, nonceAt);
  passed.set(sealed.subarray(into.length), tagAt);
  passed.set(header, headerAt);
  const [length, from] = [at + lengthAt, addressOf(sealed)];
  const isBegun =
    call.EVP_DecryptInit_ex(context, cipher, 0, at, at + nonceAt) === 1 &&
    call.EVP_DecryptUpdate(context, 0, length, at + headerAt, header.length) === 1 &&
    call.EVP_DecryptUpdate(context, addressOf(into), length, from, into.length) === 1 &&
    call.EVP_CIPHER_CTX_ctrl(context, setTag, tagBytes, at + tagAt) === 1;
  passed.fill(0, 0, nonceAt);
  return isBegun ? call.EVP_DecryptFinal_ex(context, at + headerAt, length) === 1 : undefined;
}

function openByNode({ key, nonce, header, sealed }: SealedPiece, into: Uint8Array): boolean {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
  decipher.setAAD(header);
  decipher.setAuthTag(sealed.subarray(into.length));
  into.set(decipher.update(sealed.subarray(0, into.length)));
  try {
    decipher.final();
    return true;
  } catch {
    return false;
  }
}
