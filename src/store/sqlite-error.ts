/** Failures of SQLite as errors of ours. Codes: sqlite.org/rescode.html. */
import { type ErrorKind, OuroError } from "../base/errors.ts";

const kindByCode: Readonly<Record<number, ErrorKind>> = {
  3: "permission",
  5: "locked",
  6: "locked",
  8: "read-only",
  10: "io",
  11: "corrupt",
  13: "no-space",
  14: "io",
  26: "corrupt",
  // SQLITE_IOERR_SHMSIZE: there is no room for the file that processes share.
  4874: "no-space",
};

const hints: Partial<Record<ErrorKind, string>> = {
  locked: "Another process has been writing to this box for long; try again when it is done.",
  "no-space": "Free some space on that disk and run the command again.",
  corrupt: "Remove .ourobox/index.sqlite: it is made anew from the packs.",
};

/**
 * A failed call of node:sqlite as one of ours; an `OuroError` is passed on as it is.
 * @param what The beginning of the message, "Cannot read index.sqlite".
 * @throws Whatever is neither: it is a bug.
 */
export function sqliteError(what: string, thrown: unknown, subject: string): OuroError {
  if (thrown instanceof OuroError) return thrown;
  // A number that is none of ours.
  if (thrown instanceof RangeError && "code" in thrown && thrown.code === "ERR_OUT_OF_RANGE")
    return new OuroError("corrupt", `${what}: ${thrown.message}`, {
      subject,
      cause: thrown,
      ...(hints.corrupt === undefined ? {} : { hint: hints.corrupt }),
    });
  if (!(thrown instanceof Error) || !("errcode" in thrown) || typeof thrown.errcode !== "number") throw thrown;
  // SQLite's "generic error" here means that a table is missing or strange: damage, or another program's file.
  const kind =
    thrown.errcode === 1 ? "corrupt" : (kindByCode[thrown.errcode] ?? kindByCode[thrown.errcode & 0xff] ?? "io");
  const hint = hints[kind];
  return new OuroError(kind, `${what}: ${thrown.message}`, {
    subject,
    cause: thrown,
    ...(hint === undefined ? {} : { hint }),
  });
}
