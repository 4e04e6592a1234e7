/** `ourobox gc`: give back the space that nothing needs. */
import { type Command, defineCommand } from "../command.ts";
import { openBox } from "../open.ts";
import { checkCount } from "../paths.ts";
import { gcJson, pruneJson, tellGc, tellPrune } from "../space.ts";
import { exitStatus } from "../status.ts";

const usageText = "gc [--remote NAME] [--dry-run]";

export const command: Command = defineCommand({
  name: "gc",
  summary: "Give back the space that nothing needs",
  usage: usageText,
  description: `
Remove content that no commit needs any more, such as what an interrupted command left behind, and merge small packs into larger ones. Other
commands can run at the same time. Remotes are left alone.

With --remote the space is given back on that remote instead, while other machines go on pushing to it. What no head there keeps is condemned: named in a
list, so that pushes count on it no more. A later run deletes it: a day later at the earliest (\`prune.condemned-days\`), and when every machine has pushed
since, or has not for two weeks (\`prune.silent-days\`). Packs that are mostly waste are packed anew, small ones merged. --dry-run says what is to be won.`,
  options: {
    remote: { kind: "text", value: "NAME", help: "On this remote, not here" },
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    await using box = await openBox(context);
    const { remote } = values;
    if (remote === undefined) {
      const report = await box.gc({ dryRun: context.dryRun });
      if (context.json) context.out.json(gcJson(context, report));
      else tellGc(context, report);
    } else {
      const report = await box.pruneRemote(remote, { dryRun: context.dryRun });
      if (context.json) context.out.json(pruneJson(context, remote, report));
      else tellPrune(context, remote, report);
    }
    return exitStatus.ok;
  },
});
