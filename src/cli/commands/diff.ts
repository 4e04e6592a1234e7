/** `ourobox diff`: what differs between two states. */
import type { Box } from "../../app/mod.ts";
import { utf8 } from "../../base/bytes.ts";
import { OuroError } from "../../base/errors.ts";
import { type Command, type CommandContext, defineCommand, type Operand } from "../command.ts";
import { commitOf } from "../lookup.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, pathBase, pathOf } from "../paths.ts";
import { showChanges } from "../show-diff.ts";
import { exitStatus } from "../status.ts";

const usageText = "diff [--names | --stat] [A [B]] [-- PATH…]\ndiff [--names | --stat] A...B [-- PATH…]";

export const command: Command = defineCommand({
  name: "diff",
  summary: "Show what differs between two states",
  usage: usageText,
  description: `
Without commits, what has changed in the folder since HEAD; with A, since A; with A and B, from A to B; with A...B what B has that A
has not: from the newest commit that both have to B. With paths, only there.

Text is compared line by line; of other files and of those over 4 MiB only the sizes are shown. A
folder whose time alone has changed is not shown. What was moved is shown as such; into or out of PATH only between two commits.

Files of the folder that cannot be read have a warning each, and the status is 3.`,
  options: {
    names: { kind: "flag", help: "Only which files, a letter each" },
    stat: { kind: "flag", help: "How many lines in which files" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    const { world } = context;
    const revisions = operands.filter(({ afterDashes }) => !afterDashes);
    checkCount(revisions, 0, 2, usageText);
    await using box = await openBox(context);
    const base = pathBase(box, context);
    const paths = operands.filter(({ afterDashes }) => afterDashes).map(({ bytes }) => pathOf(bytes, base));
    const [a, b] = endsOf(box, revisions, context);
    const form = values.names ? "names" : values.stat ? "stat" : "patch";
    // What is shown of new files is read when it is shown; --json has sizes of directories, too.
    const changes = box.diff(a ?? box.head()?.commit, b ?? "working", { paths, readsNew: context.json });
    const onUnread = (message: string): void => context.messages.warn(message);
    await showChanges(context, changes, { box, world, working: b === undefined, form, onUnread });
    return context.messages.hasWarned ? exitStatus.partial : exitStatus.ok;
  },
});

/** From where to where. @throws OuroError "not-found" where two commits have nothing in common. */
function endsOf(box: Box, revisions: readonly Operand[], context: CommandContext): (Uint8Array | undefined)[] {
  const find = (operand: Operand): Uint8Array => commitOf(box, operand, { context, command: "diff" });
  const [range, second] = revisions;
  const [, from, to] = /^(.+)\.\.\.(.+)$/.exec(range?.text ?? "") ?? [];
  if (range === undefined || from === undefined || to === undefined) return revisions.map(find);
  if (second !== undefined) throw usage(`Cannot compare ${range.text} with ${second.text}`, "Give A...B alone.");
  const [a, b] = [from, to].map((text) => find({ ...range, text, bytes: utf8(text) })) as [Uint8Array, Uint8Array];
  const common = box.findCommon(a, b);
  if (common !== undefined) return [common, b];
  throw new OuroError("not-found", `Cannot compare ${range.text}: the two have no commit in common`, {
    hint: `Compare the two themselves: ourobox diff ${from} ${to}`,
  });
}
