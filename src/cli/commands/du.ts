/** `ourobox du`: how much is in the folders of a commit. */
import type { Entry } from "../../app/mod.ts";
import { sizeOf } from "../changes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { alignColumns, counted, formatSize } from "../format.ts";
import { lookUp } from "../lookup.ts";
import { openBox } from "../open.ts";
import { pathFrom } from "../paths.ts";
import { jsonPath, type Path, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "du [-b] [-s] [--real] [[COMMIT:]PATH…]";

export const command: Command = defineCommand({
  name: "du",
  summary: "Show how much is in folders of a commit",
  usage: usageText,
  description: `
Show the bytes and the number of files and folders of each folder directly below PATH and of PATH itself, in a commit (default HEAD). They are
the sizes of the files, each name counted; not what the box needs for them, which deduplication and compression make less. Trees know their
sums, so this takes no longer for a large folder. With --real only bytes count that are on this machine, which every file is looked at for.`,
  options: {
    bytes: { kind: "flag", short: "b", help: "Exact numbers of bytes" },
    summarize: { kind: "flag", short: "s", help: "Only PATH itself" },
    real: { kind: "flag", help: "Only what is on this machine" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    await using box = await openBox(context);
    const rows: Row[] = [];
    for (const { commit, path, entry, from } of lookUp(box, context, operands)) {
      if (!values.summarize && entry.kind === 2) {
        for (const row of box.list(commit, path, { recursive: false }))
          if (row.entry.kind === 2) rows.push({ ...row, from });
      }
      rows.push({ path, entry, from });
    }
    if (values.real) for (const row of rows) row.real = (await box.contentShare(row.entry)).here;
    show(context, rows, values.bytes);
    return exitStatus.ok;
  },
});

interface Row {
  readonly path: Path;
  readonly entry: Entry;
  readonly from: Path;
  /** Of its bytes, those that are here; absent when it was not asked for. */
  real?: number;
}

function show({ out, json }: CommandContext, rows: readonly Row[], exact: boolean): void {
  const entriesOf = ({ data: [{ value }] }: Entry): number => (value.kind === 2 ? value.summary.entries : 1);
  if (json) {
    for (const { path, entry, real } of rows)
      out.json({
        ...jsonPath(path),
        bytes: sizeOf(entry),
        entries: entriesOf(entry),
        ...(real === undefined ? {} : { real }),
      });
    return;
  }
  const columns = rows.map(({ path, entry, from, real }) => {
    const size = real ?? sizeOf(entry);
    return [
      exact ? String(size) : formatSize(size),
      counted(entriesOf(entry), "entry", "entries"),
      quotePath(pathFrom(path, from)),
    ];
  });
  for (const line of alignColumns(columns, new Set([0, 1]))) out.line(line);
}
