/** `ourobox log`: the commits that led to now. */

import { toHex } from "../../base/bytes.ts";
import { Turns } from "../../base/turns.ts";
import { type Command, defineCommand } from "../command.ts";
import { commitHeader, commitJson, commitLine } from "../commits.ts";
import { commitOf } from "../lookup.ts";
import { namesByCommit } from "../names.ts";
import { openBox } from "../open.ts";
import { checkCount, pathBase, pathOf } from "../paths.ts";
import { type DiffForm, showChanges } from "../show-diff.ts";
import { exitStatus } from "../status.ts";

const usageText = "log [FLAGS] [COMMIT] [-- PATH…]";

/** Each may have changes to print. */
const turnCommits = 10;

export const command: Command = defineCommand({
  name: "log",
  summary: "List commits, newest first",
  usage: usageText,
  description: `
List the commits that led to COMMIT (default HEAD), newest first. With paths, only those that changed one of them; a path is followed
back through renames of its own and of the folders above it.

A commit can be named HEAD, HEAD~2, HEAD^, @{yesterday}, @{3 days ago}, @{2026-11-01 10:00}, the first digits of its id, a tag.`,
  options: {
    oneline: { kind: "flag", help: "A line for each commit" },
    stat: { kind: "flag", help: "How many lines changed in which files" },
    names: { kind: "flag", help: "Which files changed, a letter each" },
    patch: { kind: "flag", short: "p", help: "What changed in them" },
    limit: { kind: "count", short: "n", value: "N", help: "Stop after N commits" },
  },
  dryRun: "reads",

  async run(context, values, operands) {
    const { out, style, json, world } = context;
    const revisions = operands.filter(({ afterDashes }) => !afterDashes);
    checkCount(revisions, 0, 1, usageText);
    await using box = await openBox(context);
    const base = pathBase(box, context);
    const paths = operands.filter(({ afterDashes }) => afterDashes).map(({ bytes }) => pathOf(bytes, base));
    const from = revisions[0] === undefined ? undefined : commitOf(box, revisions[0], { context, command: "log" });
    const form: DiffForm | undefined = values.patch
      ? "patch"
      : values.stat
        ? "stat"
        : values.names
          ? "names"
          : undefined;
    const names = namesByCommit(box);
    const turns = new Turns(world.signal, turnCommits);
    let shown = 0;
    for await (const row of box.log({
      paths,
      withChanges: form !== undefined,
      ...(from === undefined ? {} : { from }),
    })) {
      await turns.step();
      if (shown === values.limit) break;
      shown += 1;
      if (json) out.json(commitJson(row));
      else if (values.oneline) out.line(`${commitLine(row, style)}`);
      else out.line(`${shown > 1 ? "\n" : ""}${commitHeader(row, names.get(toHex(row.id)) ?? [], style)}`);
      if (form === undefined || row.changes === undefined) continue;
      if (!json && !values.oneline) out.line("");
      await showChanges(context, row.changes, { box, world, working: false, form });
    }
    return exitStatus.ok;
  },
});
