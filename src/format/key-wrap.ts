/**
 * The box key, wrapped for a remote: AES-256-GCM under argon2id of a passphrase. Whoever has the remote and guesses the passphrase
 * has the box, so a guess costs 64 MiB and about a tenth of a second. Cost parameters read from a remote are bounded before use.
 * Format: doc/format.md, section 9. Source: RFC 9106 (argon2id, the second recommended choice).
 */
import { argon2, createCipheriv, createDecipheriv } from "node:crypto";
import { promisify } from "node:util";
import { concatBytes, utf8 } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import { canonicalPassphrase, readRecoveryKey } from "./recovery-key.ts";

export interface WrapCost {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}

export interface WrappedKey extends WrapCost {
  /** 8 random bytes by which people tell keys apart. */
  readonly id: Uint8Array;
  /** 16 bytes. */
  readonly salt: Uint8Array;
  /** 12 bytes. */
  readonly nonce: Uint8Array;
  /** 48 bytes: the sealed key and its tag. */
  readonly wrapped: Uint8Array;
  /** What people are told of it, sealed with the box key: `findNote`. */
  readonly note?: Uint8Array;
}

export const defaultWrapCost: WrapCost = { memoryKiB: 64 * 1024, passes: 3, lanes: 4 };

export const wrapLimits: {
  readonly memoryKiBMin: number;
  readonly memoryKiBMax: number;
  readonly passes: number;
  readonly lanes: number;
  readonly keys: number;
} = { memoryKiBMin: 8, memoryKiBMax: 2 ** 20, passes: 16, lanes: 16, keys: 64 };

/** KiB times passes that are paid for trying keys, all together: 85 keys of the default cost, or one of the greatest. About ten seconds. */
const triedCostMax = 2 ** 24;
const keyBytes = 32;
const tagBytes = 16;
const derive = promisify(argon2);

/** Whether a cost lies within what this program will pay. Memory is at least 8 KiB a lane. */
export function isWrapCost({ memoryKiB, passes, lanes }: WrapCost): boolean {
  const within = (value: number, min: number, max: number): boolean =>
    Number.isInteger(value) && value >= min && value <= max;
  return (
    within(lanes, 1, wrapLimits.lanes) &&
    within(passes, 1, wrapLimits.passes) &&
    within(memoryKiB, Math.max(wrapLimits.memoryKiBMin, 8 * lanes), wrapLimits.memoryKiBMax)
  );
}

/**
 * Wraps a box key.
 * @param box The box id: the wrapped key opens for that box only.
 * @throws OuroError "invalid" for an empty passphrase.
 */
export async function wrapKey(
  key: Uint8Array,
  box: Uint8Array,
  passphrase: string,
  options: { readonly random: (length: number) => Uint8Array; readonly cost?: WrapCost },
): Promise<WrappedKey> {
  if (passphrase === "") throw new OuroError("invalid", "Cannot protect the box key: the passphrase is empty");
  if (key.length !== keyBytes) throw new RangeError(`a box key has ${keyBytes} bytes`);
  const { memoryKiB, passes, lanes } = options.cost ?? defaultWrapCost;
  const cost = { memoryKiB, passes, lanes };
  if (!isWrapCost(cost))
    throw new OuroError(
      "invalid",
      `Cannot protect the box key: ${memoryKiB} KiB, ${passes} passes, ${lanes} lanes are out of bounds`,
    );
  const [id, salt, nonce] = [options.random(8), options.random(16), options.random(12)];
  const cipher = createCipheriv("aes-256-gcm", await deriveKey(passphrase, salt, cost), nonce);
  cipher.setAAD(box);
  const wrapped = concatBytes([cipher.update(key), cipher.final(), cipher.getAuthTag()]);
  return { id, ...cost, salt, nonce, wrapped };
}

/**
 * The box key out of the first wrapped key that the passphrase opens. Each costs what it says; those that
 * would cost too much together are not tried.
 * @param passphrase Or a recovery key. @param what Whose keys they are, for the message.
 * @throws OuroError "wrong-key" when it opens none of them.
 */
export async function unwrapKey(
  keys: readonly WrappedKey[],
  box: Uint8Array,
  passphrase: string,
  what = "the box",
): Promise<Uint8Array> {
  const opened = await findOpened(keys, box, passphrase);
  if (opened !== undefined) return opened.key;
  throw wrongPassphrase(passphrase, what);
}

/** The first wrapped key that the passphrase opens, with the box key; undefined when it opens none. As `unwrapKey`. */
export async function findOpened(
  keys: readonly WrappedKey[],
  box: Uint8Array,
  passphrase: string,
): Promise<{ readonly wrapped: WrappedKey; readonly key: Uint8Array } | undefined> {
  let cost = 0;
  for (const wrapped of keys.slice(0, wrapLimits.keys)) {
    if (!isWrapCost(wrapped) || cost + wrapped.memoryKiB * wrapped.passes > triedCostMax) continue;
    cost += wrapped.memoryKiB * wrapped.passes;
    const key = openWrapped(wrapped, box, await deriveKey(passphrase, wrapped.salt, wrapped));
    if (key !== undefined) return { wrapped, key };
  }
  return undefined;
}

/** @param what Whose keys the passphrase does not open. */
export function wrongPassphrase(passphrase: string, what: string): OuroError {
  const read = readRecoveryKey(passphrase);
  const mistyped = read.kind === "mistyped" ? `, and as a recovery key it is mistyped: ${read.where}` : "";
  return new OuroError("wrong-key", `Cannot open ${what}: the passphrase is not one of its own${mistyped}`, {
    hint: "Give a passphrase or recovery key of this remote: where the box is open, `ourobox key list` shows which there are, and `ourobox key add` makes another.",
  });
}

function openWrapped({ nonce, wrapped }: WrappedKey, box: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  const decipher = createDecipheriv("aes-256-gcm", key, nonce);
  decipher.setAAD(box);
  decipher.setAuthTag(wrapped.subarray(keyBytes, keyBytes + tagBytes));
  const opened = decipher.update(wrapped.subarray(0, keyBytes));
  try {
    decipher.final();
    return opened;
  } catch {
    return undefined;
  }
}

function deriveKey(passphrase: string, salt: Uint8Array, { memoryKiB, passes, lanes }: WrapCost): Promise<Uint8Array> {
  const message = utf8(canonicalPassphrase(passphrase));
  return derive("argon2id", {
    message,
    nonce: salt,
    parallelism: lanes,
    tagLength: keyBytes,
    memory: memoryKiB,
    passes,
  });
}
