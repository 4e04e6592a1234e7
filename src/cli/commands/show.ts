/** `ourobox show`: one commit and what it changed. */

import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { commitHeader, commitJson } from "../commits.ts";
import { namesByCommit } from "../names.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { textOf } from "../paths.ts";
import { showChanges } from "../show-diff.ts";
import { exitStatus } from "../status.ts";

const usageText = "show [--stat | --names] [COMMIT…]";

export const command: Command = defineCommand({
  name: "show",
  summary: "Show a commit and what it changed",
  usage: usageText,
  description: `
Show a commit (default HEAD) and what it changed against its first parent. A file of a commit is shown by \`ourobox cat COMMIT:PATH\`.`,
  options: {
    stat: { kind: "flag", help: "How many lines changed in which files" },
    names: { kind: "flag", help: "Which files changed, a letter each" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    const { out, style, json, world } = context;
    await using box = await openBox(context);
    const form = values.stat ? "stat" : values.names ? "names" : "patch";
    const revisions = operands.length === 0 ? ["HEAD"] : operands.map((operand) => textOf(operand, "a commit"));
    const names = namesByCommit(box);
    for (const [index, revision] of revisions.entries()) {
      if (/^[^{]*:/.test(revision))
        throw usage(`Cannot show ${revision}: it is not a commit`, `Try \`ourobox cat ${revision}\`.`);
      const id = box.resolve(revision);
      const named = box.commitOf(id);
      if (json) out.json(commitJson(named));
      else out.line(`${index > 0 ? "\n" : ""}${commitHeader(named, names.get(toHex(id)) ?? [], style)}\n`);
      const [parent] = named.commit.parents;
      await showChanges(context, box.diff(parent, id, []), { box, world, working: false, form });
    }
    return exitStatus.ok;
  },
});
