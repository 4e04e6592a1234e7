/** Exit statuses: what scripts rely on. A new kind of error does not compile until it has one here. */
import type { ErrorKind } from "../base/errors.ts";

export const exitStatus = {
  ok: 0,
  error: 1,
  usage: 2,
  partial: 3,
  noBox: 10,
  locked: 11,
  wrongKey: 12,
  hungUp: 129,
  interrupted: 130,
  brokenPipe: 141,
  terminated: 143,
} as const;

const { error, usage, noBox, locked, wrongKey, interrupted } = exitStatus;

export const statusByKind: Readonly<Record<ErrorKind, number>> = {
  usage,
  "no-box": noBox,
  locked,
  "wrong-key": wrongKey,
  aborted: interrupted,
  corrupt: error,
  "newer-format": error,
  diverged: error,
  "not-found": error,
  exists: error,
  "not-dir": error,
  "is-dir": error,
  "not-empty": error,
  permission: error,
  "read-only": error,
  "no-space": error,
  "too-large": error,
  stale: error,
  offline: error,
  unsupported: error,
  invalid: error,
  io: error,
};

/** What `ourobox help exit-status` prints. */
export const exitStatusHelp = `\
Exit statuses

    0  Done.
    1  It failed; the message says why and what to try.
    2  The command line is wrong: an unknown command or flag, a value that does not fit.
    3  Partly done: some files could not be read or written, some remotes not be reached, or it is
       not yet what was waited for. Each has a line on stderr.
   10  There is no box in this folder nor in one above it.
   11  The box is in use by another process that did not let go in time.
   12  The passphrase or key is wrong, or there was nobody to ask for it.
  129  The terminal was closed (SIGHUP).
  130  Interrupted by Ctrl-C (SIGINT). What was not finished has left no trace.
  141  Whoever read the output stopped reading (SIGPIPE), as in \`ourobox log | head\`.
  143  Ended by SIGTERM.

With --json an error is one line on stderr:
{"error": {"kind": "no-box", "message": "…", "hint": "…", "status": 10}}
`;
