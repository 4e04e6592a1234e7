/** `ourobox pull`: go on to what others have pushed. */
import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { openBox } from "../open.ts";
import { exitStatus } from "../status.ts";
import { describeFetch, fetchJson, remoteOf } from "../transfers.ts";

const usageText = "pull [REMOTE]";

export const command: Command = defineCommand({
  name: "pull",
  summary: "Fetch, and bring the folder up to date",
  usage: usageText,
  description: `
Do \`ourobox fetch\`, then move HEAD and the folder forward to the newest commit of this branch. Files that were changed here and not
committed stay as they are; where one would have to be replaced, nothing is moved and the message names it. Nor is anything
moved when there are commits here that the other side does not have, and the other way round: joining such histories is not in this version.`,
  options: {},
  dryRun: "refused",

  async run(context, _values, operands) {
    await using box = await openBox(context);
    const report = await box.pull(remoteOf(operands, usageText));
    const { moved, partial } = report;
    if (context.json)
      context.out.json({ ...fetchJson(report.fetched), head: moved === undefined ? null : toHex(moved), partial });
    else {
      context.messages.notice(describeFetch(report.fetched));
      if (moved !== undefined) context.messages.notice(`Now at commit ${shortId(moved)}`);
      else context.messages.notice(partial ? "HEAD stays where it is" : "Already up to date");
    }
    return partial ? exitStatus.partial : exitStatus.ok;
  },
});
