/** `ourobox merge`: join a branch, or any commit, with the head. */
import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "merge [--accept-clock] BRANCH|COMMIT";

export const command: Command = defineCommand({
  name: "merge",
  summary: "Join a branch with the present one",
  usage: usageText,
  description: `
Join all that BRANCH or COMMIT has with HEAD, and bring the folder up to date; the other branch stays as it is. What was changed on both is in conflict
afterwards (\`ourobox conflicts\`), with the latest shown. What is changed here, not committed and in the way is committed first.`,
  options: {
    "accept-clock": { kind: "flag", help: "Join what is dated more than a day ahead, too" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    checkCount(operands, 1, 1, usageText);
    const [name = ""] = operands.map((operand) => textOf(operand, "a commit"));
    await using box = await openBox(context);
    const { moved, mends, saved, isPartial } = await box.merge(box.resolve(name), {
      name,
      acceptClock: values["accept-clock"],
    });
    const conflicts = moved === undefined ? 0 : box.conflicts([]).length;
    if (context.json) {
      const [head, savedId] = [moved, saved].map((id) => (id === undefined ? null : toHex(id)));
      context.out.json({ head, saved: savedId, mends, conflicts, partial: isPartial });
    } else {
      const { messages } = context;
      if (saved !== undefined) messages.notice(`Committed what was changed here: ${shortId(saved)}`);
      messages.notice(moved === undefined ? "Already up to date" : `Now at commit ${shortId(moved)}`);
      if (conflicts > 0) messages.notice(`${counted(conflicts, "file")} in conflict: \`ourobox conflicts\` lists them`);
    }
    return isPartial ? exitStatus.partial : exitStatus.ok;
  },
});
