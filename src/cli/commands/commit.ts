/** `ourobox commit`: keep the present state of the folder. */
import { resolve } from "node:path";
import type { CommitReport } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { changeJson } from "../changes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { formatCount, formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, folderOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { describePush, pushJson, showEach } from "../transfers.ts";

const usageText = "commit [-m TEXT] [-a] [--automatic] [--push] [--from DIR]";

export const command: Command = defineCommand({
  name: "commit",
  summary: "Keep the present state of the folder",
  usage: usageText,
  description: `
Make a commit of what \`ourobox add\` picked; with nothing picked, of everything that has changed. It says which it was. With -a of
everything in any case. When nothing has changed there is no commit, and that is no error.

With --from the commit is of another folder, DIR: all of it, as the whole of the box. So a --bare box is used for backups.

With --automatic it says of the commit that no person asked for it, as \`sync\` and live mounts do: such commits are thinned out by themselves, unless the setting history.automatic is keep.

With --push it pushes to all remotes as well, as \`ourobox push\` does, also when nothing has changed. That takes less time than one after the other: what the commit has
stored is on its way to the first remote while it stores more. A commit that cannot be pushed is made all the same.

Files that cannot be read are left as they were in the last commit, each has a warning, and the status is 3.`,
  options: {
    message: { kind: "text", short: "m", value: "TEXT", default: "", help: "What the commit is about" },
    all: { kind: "flag", short: "a", help: "Everything that has changed, whatever is picked" },
    automatic: { kind: "flag", help: "Not asked for by a person: it may be thinned out" },
    push: { kind: "flag", help: "Push to all remotes, beginning while the commit is being made" },
    from: { kind: "text", value: "DIR", help: "Take the state of this folder instead" },
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    const from = values.from === undefined ? undefined : resolve(folderOf(values.from, "--from", context.givenCwd));
    await using box = await openBox(context);
    const { message, all, automatic } = values;
    const { commitFlags } = await import("../../app/mod.ts");
    const { dryRun } = context;
    const request = {
      message,
      all,
      dryRun,
      flags: automatic ? commitFlags.automatic : 0,
      ...(from === undefined ? {} : { from }),
    };
    let status: number = exitStatus.ok;
    let isMade = false;
    const onCommit = (report: CommitReport): void => {
      tell(context, report);
      isMade = report.id !== undefined;
      if (report.partial) status = exitStatus.partial;
    };
    if (values.push && !dryRun) {
      const pushed = await box.commitAndPush(request, onCommit);
      status = Math.max(status, showEach(context, pushed, { text: describePush, json: pushJson }));
    } else onCommit(await box.commit(request));
    if (automatic && isMade) await box.thinHistory();
    return status;
  },
});

function tell({ out, messages, json, verbose, dryRun }: CommandContext, report: CommitReport): void {
  const { id, took, counts, bytesAdded, partial } = report;
  if (json) {
    out.json({ commit: id === undefined ? null : toHex(id), took, ...counts, bytesAdded, partial });
    if (verbose) for (const change of report.changes) out.json(changeJson(change));
    return;
  }
  const tookText = took === "picked" ? "what was picked" : "everything changed";
  const text = countsText(counts);
  if (id !== undefined) {
    out.line(shortId(id));
    messages.notice(`Committed ${tookText}: ${text || "an empty folder"}, ${formatSize(bytesAdded)} added to the box`);
  } else if (dryRun && text !== "") messages.notice(`Would commit ${tookText}: ${text}`);
  else if (took === "picked")
    messages.notice("Nothing that is picked has changed: no commit (`ourobox commit -a` takes everything)");
  else messages.notice("Nothing has changed: no commit");
}

/** "3 new, 1 changed, 2 removed, 1 renamed"; empty when nothing is. Times of folders are told only when there is nothing else. */
function countsText({ added, changed, removed, renamed, times }: CommitReport["counts"]): string {
  const words = Object.entries({ new: added, changed, removed, renamed }).filter(([, count]) => count > 0);
  if (words.length === 0) return times === 0 ? "" : `only the ${times === 1 ? "time of a folder" : "times of folders"}`;
  return words.map(([word, count]) => `${formatCount(count)} ${word}`).join(", ");
}
