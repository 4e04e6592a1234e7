/** Prints changes: as names, as a --stat of lines, or as hunks. Shared by diff, show and log. */
import type { Change } from "../app/mod.ts";
import { Turns } from "../base/turns.ts";
import { changeJson, changeLetter, changePath, changeWord, colorOf, isShown, sizeOf } from "./changes.ts";
import type { CommandContext } from "./command.ts";
import { type ContentsOptions, diffChange, hasText } from "./contents.ts";
import { counted, formatMode, formatSize } from "./format.ts";
import { quotePath } from "./quote.ts";
import { hunkHeader, type TextDiff } from "./text-diff.ts";

export type DiffForm = "names" | "stat" | "patch";
const graphColumns = 50;
/** Each may be two texts to compare. */
const turnChanges = 10;

/** Prints each change as it comes; a --stat when all are there, since its columns depend on all. */
export async function showChanges(
  context: CommandContext,
  changes: Iterable<Change> | AsyncIterable<Change>,
  options: ContentsOptions & { readonly form: DiffForm },
): Promise<void> {
  if (options.form === "stat" && !context.json) return showStat(context, changes, options);
  const turns = new Turns(context.world.signal, turnChanges);
  for await (const change of changes) {
    await turns.step();
    if (!isShown(change)) continue;
    if (context.json) context.out.json(await jsonOf(change, options));
    else if (options.form === "names") context.out.line(nameLine(context, change));
    else await showPatch(context, change, options);
  }
}

async function jsonOf(change: Change, options: ContentsOptions & { readonly form: DiffForm }) {
  if (options.form === "names" || !hasText(change)) return changeJson(change);
  const diff = await diffChange(change, options);
  const lines =
    diff.form === "hunks"
      ? { added: diff.added, removed: diff.removed }
      : { [diff.form === "too-large" ? "tooLarge" : diff.form]: true };
  const hunks =
    diff.form === "hunks" && options.form === "patch" ? { hunks: diff.hunks.map((hunk) => ({ ...hunk })) } : {};
  return { ...changeJson(change), ...lines, ...hunks };
}

function nameLine({ style }: CommandContext, change: Change): string {
  return `${colorOf(change, style)(changeLetter(change))}  ${changePath(change)}`;
}

async function showPatch({ out, style }: CommandContext, change: Change, options: ContentsOptions): Promise<void> {
  out.line(style.bold(`${changeWord(change)}: ${changePath(change)}${attributeText(change)}`));
  if (!hasText(change)) return;
  const diff = await diffChange(change, options);
  if (diff.form !== "hunks") {
    out.line(sizesText(change, notShown[diff.form]));
    return;
  }
  if (diff.hunks.length === 0) return;
  out.line(`--- ${change.before === undefined ? "/dev/null" : `a/${quotePath(change.oldPath ?? change.path)}`}`);
  out.line(`+++ ${change.after === undefined ? "/dev/null" : `b/${quotePath(change.path)}`}`);
  for (const hunk of diff.hunks) {
    out.line(style.cyan(hunkHeader(hunk)));
    for (const line of hunk.lines) {
      const color = line.startsWith("+") ? style.green : line.startsWith("-") ? style.red : undefined;
      out.line(color === undefined ? line : color(line));
    }
  }
}

/** " (-rw-r--r-- to -rwxr-xr-x)" where the mode has changed. */
function attributeText({ before, after, what }: Change): string {
  if (before === undefined || after === undefined) return "";
  const parts: string[] = [];
  if (what.has("mode"))
    parts.push(`${formatMode(before.kind, before.meta.mode)} to ${formatMode(after.kind, after.meta.mode)}`);
  if (what.has("owner")) parts.push(`${before.meta.uid}:${before.meta.gid} to ${after.meta.uid}:${after.meta.gid}`);
  return parts.length === 0 ? "" : ` (${parts.join(", ")})`;
}

function sizesText({ before, after }: Change, why: string): string {
  const sizes = [before, after].map((entry) => (entry === undefined ? "nothing" : formatSize(sizeOf(entry))));
  return `${sizes.join(" to ")}, ${why}`;
}

const notShown = { binary: "not text", "too-large": "too large to compare", unread: "not readable" };

interface StatRow {
  readonly path: string;
  readonly diff: TextDiff | undefined;
  readonly change: Change;
}

async function showStat(
  context: CommandContext,
  changes: Iterable<Change> | AsyncIterable<Change>,
  options: ContentsOptions,
): Promise<void> {
  const rows: StatRow[] = [];
  const turns = new Turns(context.world.signal, turnChanges);
  for await (const change of changes) {
    await turns.step();
    if (!isShown(change)) continue;
    const diff = hasText(change) ? await diffChange(change, options) : undefined;
    rows.push({ path: changePath(change), diff, change });
  }
  const lineCount = ({ diff }: StatRow): number => (diff?.form === "hunks" ? diff.added + diff.removed : 0);
  const scale = Math.min(1, graphColumns / Math.max(1, ...rows.map(lineCount)));
  const width = Math.max(0, ...rows.map(({ path }) => path.length));
  for (const row of rows) context.out.line(` ${row.path.padEnd(width)} | ${statCell(context, row, scale)}`);
  const sum = (of: (diff: Extract<TextDiff, { form: "hunks" }>) => number): number =>
    rows.reduce((total, { diff }) => total + (diff?.form === "hunks" ? of(diff) : 0), 0);
  const [added, removed] = [sum((diff) => diff.added), sum((diff) => diff.removed)];
  context.out.line(` ${rows.length} changed, ${counted(added, "line")} added, ${removed} removed`);
}

function statCell({ style }: CommandContext, { diff, change }: StatRow, scale: number): string {
  if (diff === undefined) return changeWord(change);
  if (diff.form !== "hunks") return sizesText(change, notShown[diff.form]);
  const bar = (sign: string, count: number): string =>
    sign.repeat(count === 0 ? 0 : Math.max(1, Math.round(count * scale)));
  return `${diff.added + diff.removed} ${style.green(bar("+", diff.added))}${style.red(bar("-", diff.removed))}`;
}
