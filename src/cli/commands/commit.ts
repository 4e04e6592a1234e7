/** `ourobox commit`: keep the present state of the folder. */
import { resolve } from "node:path";
import type { CommitReport } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { changeJson, countChanges } from "../changes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, folderOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "commit [-m TEXT] [-a] [--from DIR]";

export const command: Command = defineCommand({
  name: "commit",
  summary: "Keep the present state of the folder",
  usage: usageText,
  description: `
Make a commit of what \`ourobox add\` picked; with nothing picked, of everything that has changed. It says which it was. With -a of
everything in any case. When nothing has changed there is no commit, and that is no error.

With --from the commit is of another folder, DIR: all of it, as the whole of the box. So a --bare box is used for backups.

Files that cannot be read are left as they were in the last commit, each has a warning, and the status is 3.`,
  options: {
    message: { kind: "text", short: "m", value: "TEXT", default: "", help: "What the commit is about" },
    all: { kind: "flag", short: "a", help: "Everything that has changed, whatever is picked" },
    from: { kind: "text", value: "DIR", help: "Take the state of this folder instead" },
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    const from = values.from === undefined ? undefined : resolve(folderOf(values.from, "--from", context.cwd));
    await using box = await openBox(context);
    const { message, all } = values;
    const report = await box.commit({ message, all, dryRun: context.dryRun, ...(from === undefined ? {} : { from }) });
    tell(context, report);
    return report.partial ? exitStatus.partial : exitStatus.ok;
  },
});

function tell(context: CommandContext, report: CommitReport): void {
  const { out, messages, json, verbose, dryRun } = context;
  const changes = [...report.changes];
  if (json) {
    const id = report.id === undefined ? null : toHex(report.id);
    out.json({
      commit: id,
      took: report.took,
      changes: changes.length,
      bytesAdded: report.bytesAdded,
      partial: report.partial,
    });
    if (verbose) for (const change of changes) out.json(changeJson(change));
    return;
  }
  const took = report.took === "picked" ? "what was picked" : "everything changed";
  const counts = countChanges(changes);
  if (report.id !== undefined) {
    out.line(shortId(report.id));
    messages.notice(`Committed ${took}: ${counts}, ${formatSize(report.bytesAdded)} added to the box`);
  } else {
    messages.notice(
      dryRun && changes.length > 0 ? `Would commit ${took}: ${counts}` : "Nothing has changed: no commit",
    );
  }
}
