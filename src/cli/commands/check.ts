/** `ourobox check`: look for damage. */
import { type Command, defineCommand } from "../command.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "check [--read-data]";

export const command: Command = defineCommand({
  name: "check",
  summary: "Look for damage",
  usage: usageText,
  description: `
Check the box: its small files, both databases, the directory of every pack, every commit and tree. With --read-data every byte of every
pack is read and compared with its hash as well, which takes as long as reading the disk.

Each damage is a line with the file it is in and what to do about it; the status is 1 if there is any. Nothing is changed.`,
  options: {
    "read-data": { kind: "flag", help: "Read all content too" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    await using box = await openBox(context);
    let found = 0;
    for await (const { file, what, hint } of box.check({ readData: values["read-data"] })) {
      found += 1;
      if (context.json) context.out.json({ damage: what, file, hint });
      else context.out.line(`${context.style.red("damaged:")} ${file}: ${what}\n  ${hint}`);
    }
    if (context.json) context.out.json({ damaged: found });
    else context.messages.notice(found === 0 ? "No damage found" : counted(found, "damage found", "damages found"));
    return found === 0 ? exitStatus.ok : exitStatus.error;
  },
});
