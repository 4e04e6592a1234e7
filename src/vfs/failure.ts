/**
 * How a filesystem fails: an Error with an errno's name, as Node's system calls throw them, so that doors need one way for both. It carries no stack:
 * most of them are ordinary answers ("no such attribute", for every file that `ls -l` shows), and a stack costs more than all the rest.
 */

export type ErrnoName =
  | "E2BIG"
  | "EACCES"
  | "EAGAIN"
  | "EBADF"
  | "EDEADLK"
  | "EEXIST"
  | "EFBIG"
  | "EINTR"
  | "EINVAL"
  | "EIO"
  | "EISDIR"
  | "EMLINK"
  | "ENAMETOOLONG"
  | "ENODATA"
  | "ENOENT"
  | "ENOSPC"
  | "ENOTDIR"
  | "ENOTEMPTY"
  | "ENXIO"
  | "EOPNOTSUPP"
  | "EPERM"
  | "EROFS"
  | "ERANGE"
  | "ESTALE"
  | "EXDEV";

export class FilesystemFailure extends Error {
  override readonly name = "FilesystemFailure";
  readonly code: ErrnoName;

  /** @param text "Cannot X: what is", for the log; callers see the code only. @param cause What it was here. */
  constructor(code: ErrnoName, text: string, cause?: Error) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    super(`${code}: ${text}`, cause === undefined ? undefined : { cause });
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
  }
}

/** Told of failures, for people. */
export type FailureLog = (text: string, failure: FilesystemFailure) => void;
