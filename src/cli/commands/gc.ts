/** `ourobox gc`: give back the space that nothing needs. */
import { type Command, defineCommand } from "../command.ts";
import { counted, formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "gc [--dry-run]";

export const command: Command = defineCommand({
  name: "gc",
  summary: "Give back the space that nothing needs",
  usage: usageText,
  description: `
Remove content that no commit needs any more, such as what an interrupted command left behind, and merge small packs into larger ones. Other
commands can run at the same time. Remotes are left alone.`,
  options: {},
  dryRun: "says",

  async run(context, _values, operands) {
    checkCount(operands, 0, 0, usageText);
    await using box = await openBox(context);
    const report = await box.gc({ dryRun: context.dryRun });
    const { packsRemoved, packsWritten, bytesFreed } = report;
    if (context.json) context.out.json({ packsRemoved, packsWritten, bytesFreed, dryRun: context.dryRun });
    else {
      const verb = context.dryRun ? "Would free" : "Freed";
      context.messages.notice(
        `${verb} ${formatSize(bytesFreed)}: ${counted(packsRemoved, "pack")} removed, ${packsWritten} written`,
      );
    }
    return exitStatus.ok;
  },
});
