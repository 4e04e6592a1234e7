/** `ourobox cat`: the bytes of a file of a commit. */
import { OuroError } from "../../base/errors.ts";
import { type Command, defineCommand } from "../command.ts";
import { kindNames } from "../format.ts";
import { lookUp } from "../lookup.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount } from "../paths.ts";
import { quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "cat [COMMIT:]PATH…";

export const command: Command = defineCommand({
  name: "cat",
  summary: "Print files of a commit",
  usage: usageText,
  description: `
Print files as they are in a commit (default HEAD), one after another; of a symlink its target. Every byte is verified before it is printed.`,
  options: {},
  dryRun: "reads",

  async run(context, _values, operands) {
    checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
    if (context.json) throw usage("Cannot use --json with cat: it prints the bytes of files");
    await using box = await openBox(context);
    for (const { path, entry } of lookUp(box, context, operands)) {
      const { value } = entry.data[0];
      if (value.kind === 3) context.out.write(value.target);
      else if (value.kind !== 1)
        throw new OuroError(
          value.kind === 2 ? "is-dir" : "invalid",
          `Cannot print ${quotePath(path)}: it is a ${kindNames[value.kind]}`,
        );
      else for await (const part of box.readFile(entry)) context.out.write(part);
    }
    return exitStatus.ok;
  },
});
