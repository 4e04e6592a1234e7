/** `ourobox whereis`: on which remotes the content of files and commits is. */
import type { Box, WhereReport } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand, type Operand } from "../command.ts";
import { shortId } from "../commits.ts";
import { alignColumns, formatJsonDate, formatMinute, formatSize } from "../format.ts";
import { lookUp, namesCommit } from "../lookup.ts";
import { openBox } from "../open.ts";
import { pathBase, pathFrom, pathOf, splitRevision } from "../paths.ts";
import { jsonPath, type Path, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "whereis [[COMMIT:]PATH | COMMIT]…";

export const command: Command = defineCommand({
  name: "whereis",
  summary: "Show where the content of files and commits is known to be",
  usage: usageText,
  description: `
Show for each PATH (default: this folder) or COMMIT how much of its content is on this machine and on each remote, and as of when that is
known: the last time that it was read what the remote lists, by a push or fetch. Sizes are of content as it was before compression, and what is in a file
twice counts once.

What is in packs that are not on this machine is asked of the remote. A remote that cannot be reached then has a warning and "at least" before what is known of it.

What a remote has lost since, or holds damaged, is found by \`ourobox remote check\`.`,
  options: {},
  dryRun: "reads",

  async run(context, _values, operands) {
    await using box = await openBox(context);
    for (const { commit, path, title } of wantedOf(box, context, operands)) {
      const report = await box.whereIs(commit, path);
      if (context.json) showJson(context, report, { commit, path });
      else show(context, report, title);
    }
    return context.messages.hasWarned ? exitStatus.partial : exitStatus.ok;
  },
});

interface Wanted {
  readonly commit: Uint8Array;
  readonly path: Path;
  readonly title: string;
}

function* wantedOf(box: Box, context: CommandContext, operands: readonly Operand[]): Generator<Wanted> {
  for (const operand of operands.length === 0 ? [undefined] : operands) {
    if (operand !== undefined && isCommit(box, context, operand)) {
      const commit = box.resolve(operand.text);
      yield { commit, path: new Uint8Array(), title: `commit ${shortId(commit)}` };
      continue;
    }
    for (const { commit, path, from } of lookUp(box, context, operand === undefined ? [] : [operand]))
      yield { commit, path, title: quotePath(pathFrom(path, from)) };
  }
}

/** It names a commit, and nothing that is in the last one. */
function isCommit(box: Box, context: CommandContext, operand: Operand): boolean {
  if (operand.afterDashes || splitRevision(operand).revision !== undefined || !namesCommit(box, operand.text))
    return false;
  const head = box.head()?.commit;
  return head === undefined || box.find(head, pathOf(operand.bytes, pathBase(box, context))) === undefined;
}

function show({ out }: CommandContext, { bytes, here, remotes }: WhereReport, title: string): void {
  out.line(`${title}: ${formatSize(bytes)}`);
  const rows = [["  this machine", shareOf(here, bytes)]];
  for (const { remote, bytes: there, asOfMs, isLeast } of remotes) {
    const share = `${isLeast ? "at least " : ""}${shareOf(there, bytes)}`;
    rows.push([`  ${remote}`, asOfMs === undefined ? "never looked at" : share, ...asOf(asOfMs)]);
  }
  for (const line of alignColumns(rows)) out.line(line);
}

function asOf(ms: number | undefined): string[] {
  return ms === undefined ? [] : [`as of ${formatMinute(ms)}`];
}

function shareOf(part: number, whole: number): string {
  if (part === whole) return "all";
  return part === 0 ? "nothing" : formatSize(part);
}

function showJson(
  { out }: CommandContext,
  { bytes, here, remotes }: WhereReport,
  { commit, path }: Omit<Wanted, "title">,
): void {
  const rows = remotes.map(({ remote, bytes: there, asOfMs, hasCommit, isLeast }) => ({
    remote,
    bytes: there,
    asOf: asOfMs === undefined ? null : formatJsonDate(asOfMs),
    hasCommit,
    ...(isLeast ? { atLeast: true } : {}),
  }));
  out.json({ commit: toHex(commit), ...jsonPath(path), bytes, here, remotes: rows });
}
