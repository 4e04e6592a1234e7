/** `ourobox realize`: bring content to stay. */
import { type Command, defineCommand } from "../command.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, pathBase, pathOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "realize PATH…";

export const command: Command = defineCommand({
  name: "realize",
  summary: "Bring content here to stay",
  usage: usageText,
  description: `
Bring PATH, and all below it, into the folder as it is in the last commit, and mark it real: what others put there later comes, too. What stands in the folder already stays
as it is. In a box without a folder its content is brought.`,
  options: {},
  dryRun: "refused",

  async run(context, _values, operands) {
    checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
    await using box = await openBox(context);
    const { files, partial } = await box.realize(operands.map(({ bytes }) => pathOf(bytes, pathBase(box, context))));
    if (context.json) context.out.json({ files, partial });
    else context.messages.notice(`Brought ${counted(files, "file")}`);
    return partial ? exitStatus.partial : exitStatus.ok;
  },
});
