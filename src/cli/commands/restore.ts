/** `ourobox restore`: bring back files as they were. */
import { resolve } from "node:path";
import type { RestoreReport } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { counted } from "../format.ts";
import { namesCommit } from "../lookup.ts";
import { appContext, openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, folderOf, pathBase, pathOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { transferOptions, withTransfers } from "../transfers.ts";

const usageText =
  "restore [--source COMMIT] PATH…\nrestore [--source COMMIT] --target DIR [PATH…]\nrestore --from URL [--source COMMIT] --target DIR [PATH…]";

/** Whether something of this name is in the folder: then it is meant. */
function isThere({ world, cwd }: CommandContext, text: string): boolean {
  try {
    return world.disk.stat(resolve(cwd, text)) !== undefined;
  } catch {
    return false;
  }
}

export const command: Command = defineCommand({
  name: "restore",
  summary: "Bring back files as they were",
  usage: usageText,
  description: `
Make PATH in the folder what it is in a commit (default HEAD): files come back, changed ones are replaced, and what the commit does not
have is removed. What is replaced or removed is saved first, as a commit of its own when it was not committed yet; the message says which.
\`restore .\` is everything below the current folder.

With --target the files are written to DIR instead, which may be outside the box: the folder and its state stay untouched. A file that is
already in DIR is replaced, also by a folder of its name; other files there stay. Nothing is put in place of a folder that has files in it: that has
a warning.

With --from it is from the remote at URL, and no box is needed here: only what is restored is brought. PATH begins at the top of the box then, and HEAD is what a
clone would begin with. An encrypted box asks for a passphrase or recovery key. Interrupted, the same command goes on with what has come.

Owners are set by root only (config files.ownership). What the disk cannot hold has a warning, and the status is 3.`,
  options: {
    source: { kind: "text", short: "s", value: "COMMIT", default: "HEAD", help: "The state to take" },
    target: { kind: "text", short: "t", value: "DIR", help: "Write to this folder instead" },
    from: { kind: "text", value: "URL", help: "Straight from this remote, with --target" },
    ...transferOptions,
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, Number.POSITIVE_INFINITY, usageText);
    if (operands.length === 0 && values.target === undefined) {
      throw usage("Cannot restore: no path is given", "Run `ourobox restore .` for everything in this folder.");
    }
    const target =
      values.target === undefined ? undefined : resolve(folderOf(values.target, "--target", context.givenCwd));
    if (values.from !== undefined) {
      if (target === undefined)
        throw usage("Cannot restore from a remote: it is not said where to", "Add --target DIR.");
      if (context.dryRun)
        throw usage("Cannot use --dry-run with --from", "Look with `ourobox clone --bare` and `ourobox ls`.");
      const paths = operands.map(({ bytes }) => pathOf(bytes, { root: undefined, cwd: context.cwd }));
      const { restoreFrom } = await import("../../app/mod.ts");
      const request = { url: values.from, source: values.source, paths, target };
      return tell(context, await restoreFrom(request, appContext(withTransfers(context, values))));
    }
    await using box = await openBox(withTransfers(context, values));
    if (box.root === undefined && target === undefined) {
      throw usage("Cannot restore: this box has no folder", "Say where to with --target DIR.");
    }
    const paths = operands.map(({ bytes }) => pathOf(bytes, pathBase(box, context)));
    const source = box.resolve(values.source);
    const commit = operands.find(({ text }, index) => {
      const path = paths[index];
      return (
        path !== undefined && box.find(source, path) === undefined && !isThere(context, text) && namesCommit(box, text)
      );
    });
    if (commit !== undefined)
      throw usage(
        `Cannot restore ${commit.text}: it is a commit`,
        `Write \`ourobox restore --source ${commit.text} PATH\`.`,
      );
    const report = await box.restore({
      source,
      paths,
      dryRun: context.dryRun,
      ...(target === undefined ? {} : { target }),
    });
    return tell(context, { ...report, source });
  },
});

/** @returns The exit status. */
function tell(context: CommandContext, report: RestoreReport & { readonly source: Uint8Array }): number {
  const { written, removed, saved, partial, source } = report;
  if (context.json) {
    context.out.json({
      source: toHex(source),
      written,
      removed,
      saved: saved === undefined ? null : toHex(saved),
      partial,
    });
  } else {
    if (saved !== undefined) context.messages.notice(`Saved what was there as commit ${shortId(saved)}`);
    const removedText = removed === 0 ? "" : `, ${removed} removed`;
    context.messages.notice(
      `${context.dryRun ? "Would restore" : "Restored"} ${counted(written, "file")}${removedText} from ${shortId(source)}`,
    );
  }
  return partial ? exitStatus.partial : exitStatus.ok;
}
