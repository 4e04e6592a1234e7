/** `ourobox branch`: lines of work beside each other. */
import type { BranchRow } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { alignColumns } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "branch\nbranch NAME [COMMIT]\nbranch -d [-f] NAME…";

export const command: Command = defineCommand({
  name: "branch",
  summary: "List, begin or delete branches",
  usage: usageText,
  description: `
Without arguments, list the branches: those of this box, where they are mounted to be written, and those that are only on remotes; with -v others' heads of each, too. With a name, begin a branch at COMMIT (default HEAD) and
stay on the present one; \`ourobox switch -c\` begins one and goes there.

A branch that has commits which no other branch has is deleted only with --force; its commits stay until a gc.`,
  options: {
    delete: { kind: "flag", short: "d", help: "Delete branches" },
    force: { kind: "flag", short: "f", help: "Delete them though their commits are in no other branch" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    await using box = await openBox(context);
    const names = operands.map((operand) => textOf(operand, "a branch"));
    if (values.delete) {
      checkCount(operands, 1, Number.POSITIVE_INFINITY, usageText);
      for (const name of names) await box.deleteBranch(name, { force: values.force });
      return exitStatus.ok;
    }
    checkCount(operands, 0, 2, usageText);
    const [name, revision = "HEAD"] = names;
    if (name !== undefined) await box.makeBranch(name, box.resolve(revision));
    else if (context.json) for (const row of box.branches()) context.out.json(branchJson(row));
    else for (const line of alignColumns(linesOf(box.branches(), context, context.verbose))) context.out.line(line);
    return exitStatus.ok;
  },
});

function branchJson({
  name,
  isCurrent,
  commit,
  remotes,
  mountedOn,
}: BranchRow): Parameters<CommandContext["out"]["json"]>[0] {
  return {
    branch: name,
    current: isCurrent,
    commit: commit === undefined ? null : toHex(commit),
    mountedOn: mountedOn ?? null,
    remotes: remotes.map(({ remote, writer, commit: at, peerName }) => ({
      remote,
      writer: writer.toString(16).padStart(16, "0"),
      commit: toHex(at),
      peerName,
    })),
  };
}

function linesOf(rows: readonly BranchRow[], { style }: CommandContext, isVerbose: boolean): string[][] {
  return rows.flatMap(({ name, isCurrent, commit, remotes, mountedOn }) => {
    const where = [...new Set(remotes.map(({ remote }) => remote))].join(", ");
    const at = commit === undefined ? (where === "" ? "(no commit yet)" : `(on ${where})`) : shortId(commit);
    const mount = mountedOn === undefined ? [] : [`mounted on ${mountedOn}`];
    const line = [isCurrent ? `* ${style.green(name)}` : `  ${name}`, at, ...mount];
    const others = remotes.map(({ remote, commit: id, peerName }) => [
      `    ${remote}`,
      `${shortId(id)} of ${peerName}`,
    ]);
    return isVerbose ? [line, ...others] : [line];
  });
}
