/** From what a filesystem throws to the number that the kernel is told, always one of those it knows. */
import { constants } from "node:os";
import { type ErrorKind, errnoOf, isKind } from "../../base/errors.ts";

const errno: typeof constants.errno = constants.errno;

/** The kernel passes on numbers below this only. */
const errnoMax = 512;

const errnoOfKind: Readonly<Record<ErrorKind, number>> = {
  usage: errno.EINVAL,
  "no-box": errno.EIO,
  locked: errno.EBUSY,
  "wrong-key": errno.EACCES,
  corrupt: errno.EIO,
  "newer-format": errno.EIO,
  diverged: errno.EIO,
  "not-found": errno.ENOENT,
  exists: errno.EEXIST,
  "not-dir": errno.ENOTDIR,
  "is-dir": errno.EISDIR,
  "not-empty": errno.ENOTEMPTY,
  permission: errno.EACCES,
  "read-only": errno.EROFS,
  "no-space": errno.ENOSPC,
  "too-large": errno.EFBIG,
  stale: errno.ESTALE,
  offline: errno.EIO,
  unsupported: errno.EOPNOTSUPP,
  invalid: errno.EINVAL,
  aborted: errno.EINTR,
  io: errno.EIO,
};

/** Positive; EIO for what has no number. */
export function errnoNumber(thrown: unknown): number {
  if (isKind(thrown)) return errnoOfKind[thrown.kind];
  const name = errnoOf(thrown);
  const number = name === undefined ? undefined : (errno as Readonly<Record<string, number>>)[name];
  return number !== undefined && number > 0 && number < errnoMax ? number : errno.EIO;
}

/** Whether the filesystem failed in an unorderly way, so that the log should tell. */
export function isUnexpected(thrown: unknown): boolean {
  return !isKind(thrown) && errnoOf(thrown) === undefined;
}

/** @param what "a name has no end". */
export function failure(code: keyof typeof errno, what: string): Error {
  return Object.assign(new Error(`${code}: cannot answer the kernel: ${what}`), { code });
}
