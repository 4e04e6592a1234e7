/** `ourobox switch`: go to another branch. */
import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "switch [--accept-clock] NAME\nswitch -c NAME [COMMIT]";

export const command: Command = defineCommand({
  name: "switch",
  summary: "Go to another branch",
  usage: usageText,
  description: `
Make HEAD and the folder what the branch NAME is: one of this box, or one that others have pushed. What was changed and not committed stays as it is; where it
would have to be replaced, nothing is moved and the message names it.`,
  options: {
    create: { kind: "flag", short: "c", help: "Begin the branch, at COMMIT (default HEAD)" },
    "accept-clock": { kind: "flag", help: "Go there though it is dated more than a day ahead" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    checkCount(operands, 1, 2, usageText);
    const [name = "", revision] = operands.map((operand) => textOf(operand, "a branch"));
    if (revision !== undefined && !values.create)
      throw usage(
        `Cannot go to ${name} at ${revision}: a branch is where its last commit is`,
        "Begin another with -c.",
      );
    await using box = await openBox(context);
    const create = values.create ? { create: box.resolve(revision ?? "HEAD") } : {};
    const { commit, isNew, isPartial } = await box.switch({ name, ...create, acceptClock: values["accept-clock"] });
    if (context.json) context.out.json({ branch: name, head: toHex(commit), new: isNew, partial: isPartial });
    else context.messages.notice(`Now on ${isNew ? "the new " : ""}branch ${name}, at commit ${shortId(commit)}`);
    return isPartial ? exitStatus.partial : exitStatus.ok;
  },
});
