/** `ourobox ls`: what is in a folder of a commit. */
import type { Box, Entry } from "../../app/mod.ts";
import { Turns } from "../../base/turns.ts";
import { sizeOf } from "../changes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { alignColumns, formatJsonNs, formatMinute, formatMode, kindNames } from "../format.ts";
import { type Found, lookUp } from "../lookup.ts";
import { openBox } from "../open.ts";
import { pathFrom } from "../paths.ts";
import { jsonBytes, jsonPath, type Path, quoteBytes, quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = "ls [-l] [-R] [[COMMIT:]PATH…]";

export const command: Command = defineCommand({
  name: "ls",
  summary: "List the files of a commit",
  usage: usageText,
  description: `
List what is in a folder, or one file, as it is in a commit (default HEAD). After "COMMIT:" a path begins at the top of the box, or at the
current folder when it begins with "./". What is printed begins where the argument did.

With -l, in a box whose content may be elsewhere, the column before the name says of files what is on this machine: real, unreal, or partly.`,
  options: {
    long: { kind: "flag", short: "l", help: "Mode, owner, size and date too" },
    recursive: { kind: "flag", short: "R", help: "All that is below" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    await using box = await openBox(context);
    for (const found of lookUp(box, context, operands)) {
      if (found.entry.kind !== 2) await showRows(context, box, [found], { ...found, ...values });
      else await listFolder(context, box, { ...found, ...values });
    }
    return exitStatus.ok;
  },
});

interface Row {
  readonly path: Path;
  readonly entry: Entry;
}

/** Rows are aligned in pieces, so that a million of them are never held. */
const alignedRows = 1000;

async function listFolder(
  context: CommandContext,
  box: Box,
  { commit, path, from, long, recursive }: Found & { long: boolean; recursive: boolean },
): Promise<void> {
  const turns = new Turns(context.world.signal);
  let rows: Row[] = [];
  for (const row of box.list(commit, path, { recursive })) {
    rows.push(row);
    if (rows.length < alignedRows) continue;
    await showRows(context, box, rows, { from, long });
    rows = [];
    await turns.end();
  }
  await showRows(context, box, rows, { from, long });
}

/** What of a file is on this machine: undefined where that is no question, or nothing is in it. */
async function shareOf(box: Box, entry: Entry): Promise<string | undefined> {
  if (entry.kind !== 1 || sizeOf(entry) === 0) return undefined;
  const { bytes, here } = await box.contentShare(entry);
  return here === bytes ? "real" : here === 0 ? "unreal" : "partly";
}

async function showRows(
  { out, json, style }: CommandContext,
  box: Box,
  rows: readonly Row[],
  { from, long }: { readonly from: Path; readonly long: boolean },
): Promise<void> {
  const isAsked = long && box.mayLackContent;
  const shares = isAsked ? await Promise.all(rows.map(({ entry }) => shareOf(box, entry))) : [];
  if (json) {
    for (const [index, { path, entry }] of rows.entries()) {
      const share = shares[index];
      out.json({ ...jsonPath(path), ...entryJson(entry), ...(share === undefined ? {} : { content: share }) });
    }
    return;
  }
  const names = rows.map(({ path, entry }) => {
    const name = `${quotePath(pathFrom(path, from))}${entry.kind === 2 ? "/" : ""}`;
    return entry.kind === 2 ? style.cyan(name) : name;
  });
  if (!long) {
    for (const name of names) out.line(name);
    return;
  }
  const columns = rows.map(({ entry }, index) => {
    const { mode, uid, gid } = entry.meta;
    const { value } = entry.data[0];
    const target = value.kind === 3 ? ` -> ${quoteBytes(value.target)}` : "";
    const size = value.kind === 6 || value.kind === 7 ? `${value.major},${value.minor}` : String(sizeOf(entry));
    const time = formatMinute(Number(entry.mtimeNs / 1_000_000n));
    const share = isAsked ? [shares[index] ?? "-"] : [];
    return [formatMode(entry.kind, mode), String(uid), String(gid), size, time, ...share, `${names[index]}${target}`];
  });
  for (const line of alignColumns(columns, new Set([1, 2, 3]))) out.line(line);
}

function entryJson(entry: Entry) {
  const { mode, uid, gid } = entry.meta;
  const { value } = entry.data[0];
  return {
    kind: kindNames[entry.kind],
    size: sizeOf(entry),
    mode: mode.toString(8).padStart(4, "0"),
    uid,
    gid,
    mtime: formatJsonNs(entry.mtimeNs),
    ...(value.kind === 3 ? jsonBytes("target", value.target) : {}),
    ...(value.kind === 2 ? { entries: value.summary.entries } : {}),
    ...(value.kind === 6 || value.kind === 7 ? { major: value.major, minor: value.minor } : {}),
  };
}
