/** `ourobox sync`: commit, fetch, join, push. */
import type { SyncReport } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import type { OuroError } from "../../base/errors.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { counted, formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { fetchJson, pushJson, showFailed, transferOptions, withTransfers } from "../transfers.ts";

const usageText = "sync [-m MESSAGE] [--force] [--accept-clock] [REMOTE…]\nsync --watch [REMOTE…]";

export const command: Command = defineCommand({
  name: "sync",
  summary: "Commit, fetch, join and push, all in one",
  usage: usageText,
  description: `
Commit what was changed here, fetch what others have pushed to the REMOTEs (default: all there are), join it, bring the folder up to date and push. It says nothing when
there is nothing to do, and can be run as often as you like. A remote that does not answer is left for the next time, with a warning and status 3.

--watch goes on doing so: when the folder has changed and come to rest, and every sync.interval seconds. What the guard would stop is held
back, and the rest goes on.

It stops when what others did would remove or overwrite more than half of the files (settings sync.guard-share and sync.guard-files); --force goes on. What was
removed in this folder is taken for meant, unless the folder itself has gone.
What is dated more than a day ahead is not joined, with a warning and status 3; --accept-clock joins it.`,
  options: {
    message: { kind: "text", short: "m", value: "MESSAGE", help: "What to say of the commit" },
    watch: { kind: "flag", short: "w", help: "Go on until interrupted" },
    force: { kind: "flag", short: "f", help: "Go on though much would be removed or overwritten" },
    "accept-clock": { kind: "flag", help: "Join what is dated more than a day ahead, too" },
    ...transferOptions,
  },
  dryRun: "refused",

  async run(context, values, operands) {
    await using box = await openBox(withTransfers(context, values));
    const remotes = operands.map((operand) => textOf(operand, "a remote"));
    const request = {
      force: values.force,
      acceptClock: values["accept-clock"],
      message: values.message ?? "",
    };
    if (values.watch) {
      const onReport = (report: SyncReport): void => (context.json ? showJson : show)(context, report);
      const onError = (error: OuroError): void =>
        context.messages.warn(`${error.message}${error.hint === undefined ? "" : ` ${error.hint}`}`);
      return await box.watch(remotes, { ...request, onReport, onError });
    }
    const report = await box.sync(remotes, request);
    if (context.json) showJson(context, report);
    else show(context, report);
    return report.partial ? exitStatus.partial : exitStatus.ok;
  },
});

function show(context: CommandContext, report: SyncReport): void {
  const { messages } = context;
  const { committed, moved, conflicts, fetched, pushed, failed } = report;
  if (committed !== undefined) messages.notice(`Committed ${shortId(committed)}`);
  for (const { remote, packs, bytes } of fetched)
    if (packs > 0) messages.notice(`Fetched ${counted(packs, "pack")}, ${formatSize(bytes)}, from ${remote}`);
  if (moved !== undefined) messages.notice(`Now at commit ${shortId(moved)}`);
  for (const { remote, packs, bytes } of pushed)
    if (packs > 0) messages.notice(`Pushed ${counted(packs, "pack")}, ${formatSize(bytes)}, to ${remote}`);
  showFailed(context, failed);
  if (report.settled > 0) messages.notice(`Settled ${counted(report.settled, "conflict")}`);
  if (report.held !== undefined) messages.warn(`Held back: ${report.held.message} ${report.held.hint ?? ""}`);
  if (conflicts > 0) messages.notice(`${counted(conflicts, "file")} in conflict: \`ourobox conflicts\` lists them`);
}

function showJson(context: CommandContext, report: SyncReport): void {
  const { out } = context;
  const { committed, moved, mends, conflicts, fetched, pushed, failed, partial } = report;
  for (const { remote, ...rest } of fetched) out.json({ fetched: remote, ...fetchJson(rest) });
  for (const { remote, ...rest } of pushed) out.json({ pushed: remote, ...pushJson(rest) });
  showFailed(context, failed);
  if (report.held !== undefined) out.json({ held: report.held.message });
  const [commit, head] = [committed, moved].map((id) => (id === undefined ? null : toHex(id)));
  out.json({ commit, head, mends, conflicts, settled: report.settled, partial });
}
