/** `ourobox check`: look for damage. */
import type { Box, Damage } from "../../app/mod.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount } from "../paths.ts";
import { quoteText } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "check [--read-data] [--repair]";

export const command: Command = defineCommand({
  name: "check",
  summary: "Look for damage",
  usage: usageText,
  description: `
Check the box: its small files, both databases, the directory of every pack, every commit and tree. With --read-data every byte of every
pack is read and compared with its hash as well, which takes as long as reading the disk.

Each damage is a line with the file it is in and what to do about it; the status is 1 if there is any. Nothing is changed without --repair.

With --repair every byte is read, damaged files are moved to .ourobox/damaged, what is whole in them is kept, and the index is made anew from the packs.
Of state.sqlite what is whole is kept, and what is not is read again from .ourobox/heads.
The next \`ourobox fetch\` then brings from a remote what is missing here, and the next \`ourobox commit\` stores again what is in the folder.`,
  options: {
    "read-data": { kind: "flag", help: "Read all content too" },
    repair: { kind: "flag", help: "Set aside what is damaged, and make anew what can be" },
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    await using box = await openBox(context);
    const all: Damage[] = [];
    for await (const damage of box.check({ readData: values["read-data"] || values.repair })) {
      all.push(damage);
      const { file, what, hint } = damage;
      if (context.json) context.out.json({ damage: what, file, hint });
      else context.out.line(`${context.style.red("damaged:")} ${quoteText(file)}: ${quoteText(what)}\n  ${hint}`);
    }
    const found = all.length;
    if (values.repair && !context.dryRun && found > 0) await repair(context, box, all);
    if (context.json) context.out.json({ damaged: found });
    else context.messages.notice(found === 0 ? "No damage found" : counted(found, "damage found", "damages found"));
    return found === 0 ? exitStatus.ok : exitStatus.error;
  },
});

async function repair({ json, messages, out }: CommandContext, box: Box, found: readonly Damage[]): Promise<void> {
  const { setAside, isLacking } = await box.repair(found);
  if (json) return out.json({ repaired: { setAside, isLacking } });
  if (setAside > 0)
    messages.notice(`${counted(setAside, "damaged file is", "damaged files are")} now in .ourobox/damaged`);
  messages.notice(
    isLacking
      ? "Run `ourobox fetch` and `ourobox commit` to bring back what is missing, then `ourobox check` again."
      : "Run `ourobox check` again.",
  );
}
