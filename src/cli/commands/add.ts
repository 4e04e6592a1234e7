/** `ourobox add`: pick paths for the next commit. */
import { type Command, defineCommand } from "../command.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, pathBase, pathOf } from "../paths.ts";
import { jsonPath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "add PATH…\nadd --undo PATH…";

export const command: Command = defineCommand({
  name: "add",
  summary: "Pick paths for the next commit",
  usage: usageText,
  description: `
Pick files and folders: the next \`ourobox commit\` takes only what is picked. Their content is read at the commit, so what is
changed in between goes along. A picked folder means all that is in it; a path that is gone means its removal.

Without any \`add\` a commit takes everything that has changed. With --undo paths that were picked are no longer; \`add --undo .\` takes
back all below the current folder.

A path that is neither in the folder nor in the last commit is refused, and so is one that .ouroboxignore leaves alone.`,
  options: {
    undo: { kind: "flag", help: "Take back what was picked" },
  },
  dryRun: "says",

  async run(context, { undo }, operands) {
    checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
    await using box = await openBox(context);
    const paths = operands.map(({ bytes }) => pathOf(bytes, pathBase(box, context)));
    const { dryRun, json, out, messages } = context;
    if (undo) await box.unpick(paths, { dryRun });
    else await box.add(paths, { dryRun });
    if (json) for (const path of paths) out.json({ picked: !undo, ...jsonPath(path) });
    else {
      const verb = undo ? (dryRun ? "Would take back" : "Took back") : dryRun ? "Would pick" : "Picked";
      messages.notice(`${verb} ${counted(paths.length, "path")}${undo ? "" : " for the next commit"}`);
    }
    return exitStatus.ok;
  },
});
