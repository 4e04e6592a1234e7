/** `ourobox undo`: take back what a command did to the head. */
import { takesOthersWork, type UndoReport } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, textOf } from "../paths.ts";
import { jsonPath, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "undo [OPERATION]";

export const command: Command = defineCommand({
  name: "undo",
  summary: "Take back what a command did",
  usage: usageText,
  description: `
Make HEAD and the folder what they were before the last command that moved HEAD, or before OPERATION, a number of \`ourobox op log\`. Run again, it takes back the
command before that. What later commands have changed again stays as it is, and is named. History is not cut: the earlier state is a new commit, which
others get as they get any other, and which can be undone like any other.

Undoing a pull or sync takes others' work back, everywhere: a person is asked, a script needs --yes.`,
  options: {},
  dryRun: "refused",

  async run(context, _values, operands) {
    checkCount(operands, 0, 1, usageText);
    await using box = await openBox(context);
    const [operand] = operands;
    const operation = box.findUndone(
      operand === undefined ? undefined : operationNumber(textOf(operand, "an operation")),
    );
    if (takesOthersWork(operation)) await confirm(context, operation.command);
    return reportUndo(context, "Undid", await box.undo(operation));
  },
});

/** @throws OuroError "usage". */
export function operationNumber(text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usage(`Cannot use ${text}: it is no operation's number`, "Run `ourobox op log` for the list.");
}

async function confirm({ world, yes }: CommandContext, what: string): Promise<void> {
  if (yes) return;
  const answer = await world.ask(`Undo ${what}? It takes others' work back, on every machine. [y/N] `, {
    secret: false,
  });
  if (answer === undefined || !/^y(es)?$/i.test(answer.trim()))
    throw usage(`Cannot undo ${what} without being sure`, "It takes others' work back: add --yes.");
}

export function reportUndo(
  { json, out, messages }: CommandContext,
  word: string,
  { operation, commit, left, isPartial }: UndoReport,
): number {
  const isAll = !isPartial && left.length === 0;
  if (json) {
    for (const path of left) out.json({ left: true, ...jsonPath(path) });
    const { id, command: what } = operation;
    out.json({ operation: id, command: what, commit: commit === undefined ? null : toHex(commit), partial: !isAll });
  } else {
    for (const path of left) messages.warn(`${quotePath(path)}: stays as it is, for it was changed again later`);
    messages.notice(
      commit === undefined
        ? "Nothing is different: HEAD stays where it is"
        : `${word} ${operation.id} (${operation.command}); now at commit ${shortId(commit)}`,
    );
  }
  return isAll ? exitStatus.ok : exitStatus.partial;
}
