/** `ourobox op`: what commands did to the head. */
import type { Operation } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { alignColumns, formatJsonDate, formatMinute } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { operationNumber, reportUndo } from "./undo.ts";

const usageText = "op log [-n N]\nop restore OPERATION";

export const command: Command = defineCommand({
  name: "op",
  summary: "Show what commands did to HEAD, and go back to one",
  usage: usageText,
  description: `
op log lists the commands that moved HEAD on this machine, newest first; the last 10,000 are remembered. op restore makes HEAD and the folder what they
were after one of them, whatever came later: as a new commit, which can be undone like any other.`,
  options: {
    limit: { kind: "count", short: "n", value: "N", help: "Stop after N lines" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    const [verb, ...rest] = operands;
    if (verb?.text === "log") {
      checkCount(rest, 0, 0, usageText);
      await using box = await openBox(context);
      list(context, box.operations(values.limit), box.forgotten());
      return exitStatus.ok;
    }
    if (verb?.text !== "restore")
      throw usage("Cannot tell what to do", `Usage: ourobox ${usageText.replace("\n", "\n       ourobox ")}`);
    checkCount(rest, 1, 1, usageText);
    const id = operationNumber(textOf(rest[0] ?? verb, "an operation"));
    await using box = await openBox(context);
    return reportUndo(context, "Restored what was after", await box.restoreOperation(id));
  },
});

function list(
  { json, out, style }: CommandContext,
  operations: readonly Operation[],
  isForgotten: (id: Uint8Array) => boolean,
): void {
  const idOf = (id: Uint8Array | undefined): string =>
    id === undefined ? "nothing" : isForgotten(id) ? `${shortId(id)} (forgotten)` : shortId(id);
  if (json) {
    for (const { id, command: what, timeMs, before, after } of operations) {
      const [from, to] = [before, after].map((each) => (each === undefined ? null : toHex(each)));
      out.json({ operation: id, command: what, time: formatJsonDate(timeMs), before: from, after: to });
    }
    return;
  }
  const rows = operations.map(({ id, command: what, timeMs, before, after }) => [
    style.yellow(String(id)),
    formatMinute(timeMs),
    what,
    style.dim(`${idOf(before)} -> ${idOf(after)}`),
  ]);
  for (const line of alignColumns(rows)) out.line(line);
}
