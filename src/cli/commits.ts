/** Commits and their names as lines for people and objects for scripts. */
import type { NamedCommit } from "../app/mod.ts";
import { toHex } from "../base/bytes.ts";
import type { Style } from "./color.ts";
import { formatDate, formatJsonDate } from "./format.ts";
import type { JsonValue } from "./output.ts";

const shortDigits = 12;

/** The first digits of a commit's id: enough to name it on a command line. */
export function shortId(id: Uint8Array): string {
  return toHex(id).substring(0, shortDigits);
}

export interface CommitText {
  readonly id: string;
  readonly time: number | undefined;
  readonly author: string;
  /** Printable: without escape sequences and other control characters. */
  readonly message: string;
}

/** What people see of a commit. A join has no time, author or message; what was committed by itself may have none. */
export function commitText({ id, commit }: NamedCommit): CommitText {
  if (commit.type === "join") return { id: shortId(id), time: undefined, author: "", message: "(join)" };
  const message = commit.message === "" && isAutomatic(commit) ? "(automatic)" : printable(commit.message);
  return { id: shortId(id), time: commit.timeMs, author: printable(commit.author), message };
}

/** The lowest bit of `commitFlags`, which is not imported: what prints starts before a box is opened. */
function isAutomatic({ flags }: { readonly flags: number }): boolean {
  return (flags & 1) !== 0;
}

/** "3f9a1c2b7d10 First words of the message" */
export function commitLine(named: NamedCommit, style: Style): string {
  const { id, message } = commitText(named);
  const subject = message.split("\n", 1)[0] ?? "";
  return `${style.yellow(id)} ${subject === "" ? style.dim("(no message)") : subject}`;
}

/** The lines above a commit's changes, with its message indented. */
export function commitHeader(named: NamedCommit, names: readonly string[], style: Style): string {
  const { id, time, author, message } = commitText(named);
  const lines = [`${style.yellow(`commit ${id}`)}${names.length === 0 ? "" : style.cyan(` (${names.join(", ")})`)}`];
  const { parents } = named.commit;
  if (parents.length > 1) lines.push(`Parents: ${parents.map(shortId).join(" ")}`);
  if (author !== "") lines.push(`Author:  ${author}`);
  if (time !== undefined) lines.push(`Date:    ${formatDate(time)}`);
  if (message !== "")
    lines.push(
      "",
      ...message
        .replace(/\n+$/, "")
        .split("\n")
        .map((line) => `    ${line}`.trimEnd()),
    );
  return lines.join("\n");
}

/** The members of a commit in --json. */
export function commitJson({ id, commit }: NamedCommit): { readonly [key: string]: JsonValue | undefined } {
  const base = { commit: toHex(id), type: commit.type, parents: commit.parents.map(toHex), tree: toHex(commit.tree) };
  if (commit.type === "join") return base;
  return {
    ...base,
    time: formatJsonDate(commit.timeMs),
    author: commit.author,
    message: commit.message,
    writer: commit.writer.toString(16).padStart(16, "0"),
    clock: commit.clock.toString(16).padStart(16, "0"),
    peer: toHex(commit.peer),
    automatic: isAutomatic(commit),
  };
}

/** Text from a commit may be anybody's: nothing in it may steer the terminal. */
function printable(text: string): string {
  return text.replaceAll(/[^\P{C}\n\t]/gu, "\ufffd");
}
