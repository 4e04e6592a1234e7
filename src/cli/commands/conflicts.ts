/** `ourobox conflicts`: files that several have written without knowing of each other. */
import type { Conflict, ConflictValue } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { OuroError } from "../../base/errors.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { alignColumns, counted, formatJsonDate, formatMinute, formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { pathBase, pathOf } from "../paths.ts";
import { jsonPath, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "conflicts [list] [PATH…]\nconflicts show PATH…";

export const command: Command = defineCommand({
  name: "conflicts",
  summary: "List what several have written at once",
  usage: usageText,
  description: `
A file that was changed on several machines, none knowing of the others' changes, has several values; the latest is the one in the folder, on every
machine. Nothing is lost and nothing waits for it: \`ourobox resolve\` settles it when you like, for all machines. \`conflicts show\` tells of each
value who wrote it, when, and in which commit: \`ourobox cat COMMIT:PATH\` prints it.`,
  options: {},
  dryRun: "reads",

  async run(context, _values, operands) {
    await using box = await openBox(context);
    const [verb] = operands;
    const isVerb = verb !== undefined && !verb.afterDashes && (verb.text === "list" || verb.text === "show");
    const paths = operands.slice(isVerb ? 1 : 0).map(({ bytes }) => pathOf(bytes, pathBase(box, context)));
    const found = box.conflicts(paths);
    const isShow = isVerb && verb.text === "show";
    if (isShow && paths.length > 0 && found.length === 0) {
      throw new OuroError("not-found", `Cannot show conflicts of ${paths.map(quotePath).join(", ")}: there is none`, {
        hint: "Run `ourobox conflicts` for those there are.",
      });
    }
    if (context.json) for (const conflict of found) context.out.json(conflictJson(conflict));
    else if (isShow) for (const conflict of found) show(context, conflict);
    else list(context, found);
    return exitStatus.ok;
  },
});

function list({ out }: CommandContext, found: readonly Conflict[]): void {
  for (const line of alignColumns(found.map(({ path, values }) => [quotePath(path), counted(values.length, "value")])))
    out.line(line);
}

function show({ out, style }: CommandContext, { path, values }: Conflict): void {
  out.line(style.yellow(quotePath(path)));
  const rows = values.map((value, index) => [
    index === 0 ? "* " : "  ",
    value.author ?? "unknown",
    value.timeMs === undefined ? "" : formatMinute(value.timeMs),
    sizeText(value),
    value.commit === undefined ? "" : shortId(value.commit),
    value.isMine ? "(this device)" : "",
  ]);
  for (const line of alignColumns(rows)) out.line(`  ${line}`.trimEnd());
}

function sizeText({ value }: ConflictValue): string {
  if (value.kind === 1) return formatSize(value.content.size);
  return value.kind === 2 ? counted(value.summary.entries, "entry", "entries") : "";
}

function conflictJson({ path, values }: Conflict): Parameters<CommandContext["out"]["json"]>[0] {
  return {
    ...jsonPath(path),
    values: values.map(({ dot, value, author, timeMs, commit, isMine }) => ({
      writer: dot.writer.toString(16).padStart(16, "0"),
      author: author ?? null,
      time: timeMs === undefined ? null : formatJsonDate(timeMs),
      commit: commit === undefined ? null : toHex(commit),
      mine: isMine,
      ...(value.kind === 1 ? { size: value.content.size } : {}),
    })),
  };
}
