/**
 * Errors: one class, a closed set of kinds, and messages that say what to do.
 *
 * Every failure the program expects is an `OuroError` with a `kind`. Fronts translate the kind, never
 * the message: the command line to an exit status, FUSE to an errno, S3 to an HTTP status. Each keeps its
 * table typed `Record<ErrorKind, …>`, so a new kind does not compile until every front has decided.
 *
 * A broken invariant is not an `OuroError`: use `assert`, which ends the process.
 */

/** What went wrong, as far as a caller can act on it. */
export const errorKinds = [
  "usage",
  "no-box",
  "locked",
  "wrong-key",
  "corrupt",
  "newer-format",
  "diverged",
  "not-found",
  "exists",
  "not-dir",
  "is-dir",
  "not-empty",
  "permission",
  "read-only",
  "no-space",
  "too-large",
  "stale",
  "offline",
  "unsupported",
  "invalid",
  "aborted",
  "io",
] as const;
export type ErrorKind = (typeof errorKinds)[number];

export interface OuroErrorOptions {
  /** The path, name or id being worked on, as the user would write it. */
  readonly subject?: string;
  /** One sentence, imperative: what the user can try next. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class OuroError extends Error {
  override readonly name = "OuroError";
  readonly kind: ErrorKind;
  readonly subject: string | undefined;
  readonly hint: string | undefined;

  /** @param message "Cannot do X: what is (what must be)". */
  constructor(kind: ErrorKind, message: string, options: OuroErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.subject = options.subject;
    this.hint = options.hint;
  }
}

/** Whether `error` is an expected failure, of the given kind if one is given. */
export function isKind(error: unknown, kind?: ErrorKind): error is OuroError {
  return error instanceof OuroError && (kind === undefined || error.kind === kind);
}

const kindByErrno: Readonly<Record<string, ErrorKind>> = {
  ENOENT: "not-found",
  EEXIST: "exists",
  ENOTDIR: "not-dir",
  EISDIR: "is-dir",
  ENOTEMPTY: "not-empty",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "read-only",
  ENOSPC: "no-space",
  EDQUOT: "no-space",
  EFBIG: "too-large",
  EOPNOTSUPP: "unsupported",
  ENOTSUP: "unsupported",
  ENOSYS: "unsupported",
  EINVAL: "invalid",
  EILSEQ: "invalid",
  ELOOP: "invalid",
  ENAMETOOLONG: "too-large",
  ESTALE: "stale",
};

/** The errno name of a failed system call ("ENOENT"), or undefined for anything else. */
export function errnoOf(thrown: unknown): string | undefined {
  if (!(thrown instanceof Error) || !("code" in thrown) || typeof thrown.code !== "string") return undefined;
  return /^E[A-Z0-9]+$/.test(thrown.code) ? thrown.code : undefined;
}

/**
 * A failed system call as one of ours; an `OuroError` is passed on as it is.
 * @param what The beginning of the message, "Cannot write packs/3f9a".
 * @throws Whatever is not a failed system call: it is a bug.
 */
export function ioError(what: string, thrown: unknown, subject?: string): OuroError {
  if (thrown instanceof OuroError) return thrown;
  const errno = errnoOf(thrown);
  if (errno === undefined) throw thrown;
  const kind = kindByErrno[errno] ?? "io";
  return new OuroError(kind, `${what}: ${(thrown as Error).message}`, {
    cause: thrown,
    ...(subject === undefined ? {} : { subject }),
    ...(kind === "no-space" ? { hint: "Free some space on that disk and run the command again." } : {}),
  });
}
