/** `ourobox show`: one commit and what it changed. */

import { toHex, utf8 } from "../../base/bytes.ts";
import { type Command, defineCommand, type Operand } from "../command.ts";
import { commitHeader, commitJson } from "../commits.ts";
import { commitOf } from "../lookup.ts";
import { namesByCommit } from "../names.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { showChanges } from "../show-diff.ts";
import { exitStatus } from "../status.ts";

const head: Operand = { text: "HEAD", bytes: utf8("HEAD"), afterDashes: false };
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
    const names = namesByCommit(box);
    for (const [index, operand] of (operands.length === 0 ? [head] : operands).entries()) {
      if (/^[^{]*:/.test(operand.text))
        throw usage(`Cannot show ${operand.text}: it is not a commit`, `Try \`ourobox cat ${operand.text}\`.`);
      const id = commitOf(box, operand, { context, command: "log -p" });
      const named = box.commitOf(id);
      if (json) out.json(commitJson(named));
      else out.line(`${index > 0 ? "\n" : ""}${commitHeader(named, names.get(toHex(id)) ?? [], style)}\n`);
      const [parent] = named.commit.parents;
      await showChanges(context, box.diff(parent, id), { box, world, working: false, form });
    }
    return exitStatus.ok;
  },
});
