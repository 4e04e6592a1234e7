/** `ourobox resolve`: settle conflicts. */
import { resolve as resolvePath } from "node:path";
import ignore from "ignore";
import type { Box, Path, Resolution } from "../../app/mod.ts";
import { findText, toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand, type Operand } from "../command.ts";
import { shortId } from "../commits.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { currentPath, pathBase, pathOf } from "../paths.ts";
import { jsonPath, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText =
  "resolve (--latest | --mine | --pick PEER | --both | --merge) PATH…\nresolve (--latest | …) --all\nresolve --file F PATH";

export const command: Command = defineCommand({
  name: "resolve",
  summary: "Settle what several have written at once",
  usage: usageText,
  description: `
Choose what files in conflict are to be, all that are at or below PATH, match a pattern like '*.md', or --all. The choice is a commit, and settles the
conflict on every machine. Uncommitted changes elsewhere in the folder stay.

--merge brings the changes of all into one text, line by line; where two have changed the same lines it leaves the conflict as it is and says so.
Editing the file and committing it settles a conflict, too.`,
  options: {
    latest: { kind: "flag", help: "Keep the latest value, the one in the folder" },
    mine: { kind: "flag", help: "Keep what was written on this device" },
    pick: { kind: "text", value: "PEER", help: "Keep what PEER wrote: the beginning of a name, or of a commit's id" },
    both: { kind: "flag", help: "Keep all: the others beside it, under names of their own" },
    merge: { kind: "flag", help: "Merge texts line by line" },
    file: { kind: "text", value: "F", help: "Take the bytes of the file F" },
    all: { kind: "flag", help: "All conflicts there are" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    const { latest, mine, pick, both, merge, file } = values;
    const choices: Resolution[] = [
      ...(latest ? [{ keep: "latest" } as const] : []),
      ...(mine ? [{ keep: "mine" } as const] : []),
      ...(pick === undefined ? [] : [{ keep: "pick", peer: pick } as const]),
      ...(both ? [{ keep: "both" } as const] : []),
      ...(merge ? [{ keep: "merge" } as const] : []),
      ...(file === undefined ? [] : [{ keep: "file", path: resolvePath(context.givenCwd, file) } as const]),
    ];
    const [choice] = choices;
    if (choice === undefined || choices.length > 1)
      throw usage(
        "Cannot resolve without just one choice",
        "Give one of --latest, --mine, --pick, --both, --merge, --file.",
      );
    if (values.all === operands.length > 0)
      throw usage("Cannot resolve without knowing what", "Give paths or patterns, or --all.");
    await using box = await openBox(context);
    const paths = values.all ? [] : operands.flatMap((operand) => chosenBy(box, context, operand));
    if (choice.keep === "file" && (values.all || paths.length !== 1))
      throw usage("Cannot resolve several paths with one file", "Give one PATH with --file.");
    return report(context, await box.resolveConflicts(paths, choice));
  },
});

/** A path, or those in conflict that a pattern matches. */
function chosenBy(box: Box, context: CommandContext, operand: Operand): Path[] {
  const base = pathBase(box, context);
  if (operand.afterDashes || !/[*?[]/.test(operand.text)) return [pathOf(operand.bytes, base)];
  const rules = ignore().add(operand.text);
  const here = Buffer.from(currentPath(base)).toString();
  const matched = box.conflicts([currentPath(base)]).filter(({ path }) => {
    const text = findText(path);
    return text !== undefined && rules.ignores(here === "" ? text : text.slice(here.length + 1));
  });
  if (matched.length === 0) throw usage(`Cannot resolve ${operand.text}: nothing in conflict matches it`);
  return matched.map(({ path }) => path);
}

function report(
  { json, out, messages }: CommandContext,
  { resolved, left, commit, isPartial }: Awaited<ReturnType<Box["resolveConflicts"]>>,
): number {
  if (json) {
    for (const path of resolved) out.json({ ...jsonPath(path), resolved: true });
    for (const { path, error } of left) out.json({ ...jsonPath(path), resolved: false, why: error.message });
    out.json({ commit: commit === undefined ? null : toHex(commit), partial: isPartial || left.length > 0 });
  } else {
    for (const { path, error } of left) messages.warn(`${quotePath(path)}: ${error.message}`);
    if (commit !== undefined)
      messages.notice(`Resolved ${counted(resolved.length, "conflict")} in commit ${shortId(commit)}`);
  }
  if (commit === undefined) return exitStatus.error;
  return isPartial || left.length > 0 ? exitStatus.partial : exitStatus.ok;
}
