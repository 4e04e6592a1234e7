/** `ourobox status`: what has changed since the last commit. */
import type { Change, CopiesReport, StatusReport } from "../../app/mod.ts";
import { toHex, utf8 } from "../../base/bytes.ts";
import { changeJson, changeLetter, changePath, changeWord, colorOf, isShown } from "../changes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { commitText } from "../commits.ts";
import { copiesJson, describeCopies } from "../copies.ts";
import { alignColumns, counted, formatMinute } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, currentPath, pathBase, pathFrom } from "../paths.ts";
import { jsonPath, type Path, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "status [-s | --porcelain [-z]]";

export const command: Command = defineCommand({
  name: "status",
  summary: "Show what has changed since the last commit",
  usage: usageText,
  description: `
Compare the folder with the last commit. Only files whose size, times or inode differ are looked at. A folder whose time alone has changed
is not shown.

Files of the last commit that could not be made in this folder (a device as an ordinary user, a name that its file system does not take)
are listed apart: that they are missing is no change, and commits keep them.

Where a box has remotes it says, too, what is not yet in as many of them as it is to be (setting copies), as was last seen by a push or fetch.

--porcelain has a shape that stays: two letters, a space, a path. The letter stands first when the change is picked for the next
commit, second when not: A added, D removed, R renamed, T of another kind, M content, m only mode, owner or attributes. A rename is
"OLD -> NEW"; a name that is not printable stands in $'…'. With -z paths are as they are, each line ends with NUL, and of a rename NEW
comes first and OLD follows after another NUL. Its paths begin at the top of the box, and those for people at the current folder. -s is the
same for people, in colour.`,
  options: {
    short: { kind: "flag", short: "s", help: "A line for each change" },
    porcelain: { kind: "flag", help: "As -s, for scripts: never coloured" },
    null: { kind: "flag", short: "z", help: "With --porcelain: end each line with NUL, names as they are" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    await using box = await openBox(context);
    const found = await box.status();
    const copies = box.copies();
    const from = currentPath(pathBase(box, context));
    const report = { ...found, changes: found.changes.filter(isShown) };
    if (context.json) showJson(context, report, copies);
    else if (values.null) for (const change of report.changes) context.out.write(nullLine(change));
    else if (values.short || values.porcelain) showShort(context, report, { isPlain: values.porcelain, from });
    else showLong(context, report, { from, copies });
    return report.partial ? exitStatus.partial : exitStatus.ok;
  },
});

function letters(change: Change): string {
  const letter = changeLetter(change);
  return change.picked ? `${letter} ` : ` ${letter}`;
}

function nullLine(change: Change): string | Uint8Array {
  const old = change.type === "rename" && change.oldPath !== undefined ? [change.oldPath, utf8("\0")] : [];
  return Buffer.concat([utf8(`${letters(change)} `), change.path, utf8("\0"), ...old]);
}

function showShort(
  { out, style }: CommandContext,
  { changes }: StatusReport,
  { isPlain, from }: { readonly isPlain: boolean; readonly from: Path },
): void {
  for (const change of changes) {
    out.line(
      `${isPlain ? letters(change) : colorOf(change, style)(letters(change))} ${changePath(change, isPlain ? undefined : from)}`,
    );
  }
}

function showLong(
  { out, style }: CommandContext,
  report: StatusReport,
  { from, copies }: { readonly from: Path; readonly copies: CopiesReport | undefined },
): void {
  const { head, branch } = report;
  const time = head === undefined ? undefined : commitText(head).time;
  const at =
    head === undefined
      ? "no commit yet"
      : `commit ${commitText(head).id}${time === undefined ? "" : ` of ${formatMinute(time)}`}`;
  out.line(`On branch ${branch}, ${at}`);
  if (copies !== undefined && copies.commits > 0) out.line(describeCopies(copies));
  const { changes, absent } = report;
  const groups: [string, Change[]][] = [
    ["Picked for the next commit:", changes.filter(({ picked }) => picked)],
    [
      changes.some(({ picked }) => picked) ? "Changed, not picked:" : "Changed:",
      changes.filter(({ picked }) => !picked),
    ],
  ];
  for (const [title, rows] of groups) {
    if (rows.length === 0) continue;
    out.line(`\n${title}`);
    const lines = alignColumns(rows.map((change) => [`  ${changeWord(change)}:`, changePath(change, from)]));
    for (const [index, change] of rows.entries()) out.line(colorOf(change, style)(lines[index] ?? ""));
  }
  if (report.picked.length > 0 && !changes.some(({ picked }) => picked))
    out.line(
      `\nPicked, but not changed: ${counted(report.picked.length, "path")} (\`ourobox add --undo PATH\` takes one back)`,
    );
  if (absent.length > 0) {
    out.line("\nNot here, as they could not be made in this folder (`ourobox restore PATH` tries again):");
    for (const path of absent) out.line(`  ${quotePath(pathFrom(path, from))}`);
  }
  if (report.part !== undefined)
    out.line(
      `\nReal here: ${counted(report.part.files, "file")} of ${counted(report.part.names, "name")}; what is unreal is not in this folder`,
    );
  out.line(changes.length === 0 ? "Nothing has changed" : `\n${counted(changes.length, "change")}`);
}

function showJson(
  { out }: CommandContext,
  { head, branch, changes, absent, part }: StatusReport,
  copies: CopiesReport | undefined,
): void {
  const lacking = {
    ...(copies === undefined ? {} : { unsafe: copiesJson(copies) }),
    ...(part === undefined ? {} : { real: part.files, names: part.names }),
  };
  out.json({ branch, head: head === undefined ? null : toHex(head.id), changes: changes.length, ...lacking });
  for (const change of changes) out.json({ ...changeJson(change), picked: change.picked });
  for (const path of absent) out.json({ absent: true, ...jsonPath(path) });
}
