/** `ourobox unrealize`: let go of content that other places have. */
import { type Command, defineCommand } from "../command.ts";
import { counted, formatSize } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, pathBase, pathOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "unrealize PATH…";

export const command: Command = defineCommand({
  name: "unrealize",
  summary: "Let go of content that other places have",
  usage: usageText,
  description: `
Take PATH, and all below it, out of the folder, mark it unreal, and give up its content on this machine. It stays in the box: every command shows it, and what is read of it is
brought. Nothing is done unless it is committed and enough remotes have all of it (config copies), which are asked what they have now.

Content that something else needs which is real, and older versions in a box that is real, stay here.`,
  options: {},
  dryRun: "refused",

  async run(context, _values, operands) {
    checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
    await using box = await openBox(context);
    const paths = operands.map(({ bytes }) => pathOf(bytes, pathBase(box, context)));
    const { files, bytes, partial } = await box.unrealize(paths);
    if (context.json) context.out.json({ files, bytes, partial });
    else context.messages.notice(`Took out ${counted(files, "file")}, and gave up ${formatSize(bytes)} of content`);
    return partial ? exitStatus.partial : exitStatus.ok;
  },
});
