/**
 * What every implementation of Remote checks before it touches anything, so that all refuse the same: names that could leave
 * the place (`..`, a leading "/", an empty segment) or collide on a storage that folds case, ranges, sizes, conditions.
 */
import { OuroError } from "../base/errors.ts";
import type { ByteRange, PutCondition } from "./remote.ts";

const blobNameBytesMax = 200;
const namePattern = /^[a-z0-9][a-z0-9.-]*(?:\/[a-z0-9][a-z0-9.-]*)*$/;

export function isBlobName(name: string): boolean {
  return name.length <= blobNameBytesMax && namePattern.test(name);
}

/** @throws OuroError "invalid". */
export function checkBlobName(name: string): void {
  if (isBlobName(name)) return;
  throw new OuroError(
    "invalid",
    `Cannot use ${JSON.stringify(name.slice(0, 240))} on a remote: it is no name of a blob`,
  );
}

/** @throws OuroError "invalid" unless `prefix` is the beginning of names up to a "/". */
export function checkPrefix(prefix: string): void {
  if (prefix.endsWith("/") && isBlobName(prefix.slice(0, -1))) return;
  throw new OuroError(
    "invalid",
    `Cannot list ${JSON.stringify(prefix.slice(0, 240))} on a remote: must be names and "/"`,
  );
}

/**
 * The range to read of a blob of `size` bytes.
 * @throws OuroError "invalid" when it does not lie inside, "too-large" when it is over `bytesMax`.
 */
export function checkRange(name: string, size: number, range: ByteRange | undefined, bytesMax: number): ByteRange {
  const { start, end } = range ?? { start: 0, end: size };
  if (!Number.isSafeInteger(start) || !Number.isSafeInteger(end) || start < 0 || start > end || end > size) {
    throw new OuroError("invalid", `Cannot read ${name}: bytes ${start} to ${end} are asked for (it has ${size})`, {
      subject: name,
    });
  }
  if (end - start > bytesMax) throw tooLarge(name, end - start, bytesMax);
  return { start, end };
}

export function tooLarge(name: string, size: number, bytesMax: number): OuroError {
  return new OuroError("too-large", `Cannot read ${name}: it has ${size} bytes (at most ${bytesMax})`, {
    subject: name,
    hint: "It is not what it should be: bring it back from a copy, or remove it and push again.",
  });
}

/** Whether a conditional put may go on, given the tag of what is there now. */
export function conditionHolds(condition: PutCondition, tag: string | undefined): boolean {
  return "ifAbsent" in condition ? tag === undefined : tag === condition.ifMatch;
}

/** @throws OuroError "aborted". */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new OuroError("aborted", "Cannot go on with the transfer: it was stopped");
}
