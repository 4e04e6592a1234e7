/** `ourobox add`: pick paths for the next commit. */
import { type Command, defineCommand } from "../command.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, pathOf } from "../paths.ts";
import { jsonPath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "add PATH…";

export const command: Command = defineCommand({
  name: "add",
  summary: "Pick paths for the next commit",
  usage: usageText,
  description: `
Pick files and folders: the next \`ourobox commit\` takes only what is picked. Their content is read at the commit, so what is
changed in between goes along. A picked folder means all that is in it; a path that is gone means its removal.

Without any \`add\` a commit takes everything that has changed.`,
  options: {},
  dryRun: "says",

  async run(context, _values, operands) {
    checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
    await using box = await openBox(context);
    const paths = operands.map(({ bytes }) => pathOf(bytes, { root: box.root, cwd: context.cwd }));
    if (!context.dryRun) await box.add(paths);
    if (context.json) for (const path of paths) context.out.json({ picked: true, ...jsonPath(path) });
    else
      context.messages.notice(
        `${context.dryRun ? "Would pick" : "Picked"} ${counted(paths.length, "path")} for the next commit`,
      );
    return exitStatus.ok;
  },
});
