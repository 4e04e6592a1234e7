/** `ourobox mark`: say what is to be real, and what unreal. */
import { type Command, defineCommand } from "../command.ts";
import { alignColumns } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { currentPath, pathBase, pathFrom, pathOf } from "../paths.ts";
import { jsonPath, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "mark real|unreal|default PATH…\nmark";

export const command: Command = defineCommand({
  name: "mark",
  summary: "Say what is to be real",
  usage: usageText,
  description: `
Mark PATH as real or unreal, or with "default" take its mark away; without arguments list the marks. A mark counts for all below PATH and goes along when it is moved; the nearest one counts.
Without any it is as config box.content says. What comes from others is brought into the folder where it is real. Marks are this box's own.

What is here and what is not stays as it is: \`realize\` and \`unrealize\` change that, and set the mark.`,
  options: {},
  dryRun: "refused",

  async run(context, _values, operands) {
    await using box = await openBox(context);
    const base = pathBase(box, context);
    const [mark, ...rest] = operands;
    if (mark === undefined) {
      const rows = [...box.marks()];
      if (context.json) for (const each of rows) context.out.json({ ...jsonPath(each.path), mark: each.mark });
      else {
        const from = currentPath(base);
        const columns = rows.map(({ path, mark }) => [mark, path.length === 0 ? "." : quotePath(pathFrom(path, from))]);
        for (const line of alignColumns(columns)) context.out.line(line);
      }
      return exitStatus.ok;
    }
    const { text } = mark;
    if (text !== "real" && text !== "unreal" && text !== "default")
      throw usage(`Cannot mark as "${text}": a mark is real, unreal or default`, "Write `ourobox mark real PATH`.");
    if (rest.length === 0)
      throw usage("Cannot mark anything: no path is given", `Write \`ourobox mark ${text} PATH\`.`);
    const paths = rest.map(({ bytes }) => pathOf(bytes, base));
    await box.mark(paths, text === "default" ? undefined : text);
    return exitStatus.ok;
  },
});
