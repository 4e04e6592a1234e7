/**
 * A commit by this program, started once more: who serves a mount must go on answering, and its child asks that mount for nothing. It is a session of its own, so
 * Ctrl-C in the terminal, which ends the mount, does not end its last commit.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { errorKinds, OuroError } from "../base/errors.ts";

const toldBytesMax = 64 * 1024;
const [done, partial] = [0, 3];

export interface CommitChild {
  /** What to run for this program, but for the arguments. */
  readonly program: readonly string[];
  /** The box's own. */
  readonly folder: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of each file that could not be read, and the like. */
  readonly onWarning: (text: string) => void;
}

/** Commits all that has changed; nothing changed is no failure. @throws OuroError what the child says. */
export async function runCommit({ program, folder, env, onWarning }: CommitChild): Promise<void> {
  const [first = "", ...rest] = program;
  const child = spawn(first, [...rest, "commit", "-C", folder, "--all", "--automatic", "--json"], {
    cwd: "/",
    env: { ...env },
    detached: true,
    stdio: ["ignore", "ignore", "pipe"],
  });
  let told = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    told = (told + text).slice(0, toldBytesMax);
  });
  const [status, signal] = (await once(child, "close")) as [number | null, string | null];
  const said = told.split("\n").map(readLine);
  for (const { warning } of said) if (warning !== undefined) onWarning(warning);
  if (status === done || status === partial) return;
  const failure = said.find(({ error }) => error !== undefined)?.error;
  throw failure ?? new OuroError("io", `Cannot commit: it ended with ${signal ?? `status ${status}`}`);
}

/** A line of what `--json` has on stderr; empty of any other. */
function readLine(line: string): { readonly warning?: string; readonly error?: OuroError } {
  try {
    const { warning, error } = JSON.parse(line) as Record<string, unknown>;
    if (typeof warning === "string") return { warning };
    if (typeof error !== "object" || error === null) return {};
    const { kind, message, hint } = error as Record<string, unknown>;
    const known = errorKinds.find((each) => each === kind) ?? "io";
    return { error: new OuroError(known, String(message), typeof hint === "string" ? { hint } : {}) };
  } catch {
    return {};
  }
}
