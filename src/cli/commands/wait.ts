/** `ourobox wait`: until what is committed is in enough remotes. */
import { type Command, defineCommand } from "../command.ts";
import { copiesJson, describeCopies } from "../copies.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "wait [--copies N] [--timeout SECONDS]";

export const command: Command = defineCommand({
  name: "wait",
  summary: "Wait until what is committed is in enough remotes",
  usage: usageText,
  description: `
Wait until all that is committed here, on all branches, is in N remotes (default: setting copies). It pushes nothing: that is for \`ourobox push\` or
\`ourobox sync --watch\` in another process, or for another machine that has it. The remotes are looked at again every ten seconds, as by
\`ourobox fetch\`.

It ends with status 0 when all is there, and with status 3 when it is not after SECONDS.`,
  options: {
    copies: { kind: "count", value: "N", help: "In how many remotes (default: setting copies)" },
    timeout: { kind: "count", value: "SECONDS", help: "Wait no longer (default: for ever)" },
  },
  dryRun: "refused",

  async run(context, { copies, timeout }, operands) {
    checkCount(operands, 0, 0, usageText);
    if (copies === 0) throw usage("Cannot wait for 0 copies: it is a number from 1 on");
    await using box = await openBox(context);
    const report = await box.waitForCopies({
      ...(copies === undefined ? {} : { copies }),
      ...(timeout === undefined ? {} : { timeoutMs: timeout * 1000 }),
    });
    if (context.json) context.out.json(copiesJson(report));
    else if (report.commits > 0) context.messages.warn(describeCopies(report));
    else context.messages.notice(`All that is committed is in ${counted(report.wanted, "remote")}`);
    return report.commits > 0 ? exitStatus.partial : exitStatus.ok;
  },
});
