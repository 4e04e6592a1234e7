/** `ourobox tag`: names for commits. */
import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { alignColumns } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "tag\ntag [-f] NAME [COMMIT]\ntag -d NAME…";

export const command: Command = defineCommand({
  name: "tag",
  summary: "List, give or take away names of commits",
  usage: usageText,
  description: `
Without arguments, list the tags. With a name, give it to COMMIT (default HEAD). Tags travel with push and fetch; of two that were
given the same name on different machines, the later one counts.`,
  options: {
    delete: { kind: "flag", short: "d", help: "Take the names away" },
    force: { kind: "flag", short: "f", help: "Move a tag that is there already" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    const { out, json } = context;
    await using box = await openBox(context);
    const names = operands.map((operand) => textOf(operand, "a tag"));
    if (values.delete) {
      checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
      for (const name of names) await box.untag(name);
      return exitStatus.ok;
    }
    checkCount(operands, 0, 2, usageText);
    const [name, revision = "HEAD"] = names;
    if (name !== undefined) {
      await box.tag(name, box.resolve(revision), { force: values.force });
      return exitStatus.ok;
    }
    const tags = [...box.tags()];
    if (json) for (const tag of tags) out.json({ tag: tag.name, commit: toHex(tag.commit) });
    else for (const line of alignColumns(tags.map((tag) => [tag.name, shortId(tag.commit)]))) out.line(line);
    return exitStatus.ok;
  },
});
