/** `ourobox restore`: bring back files as they were. */
import { resolve } from "node:path";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { counted } from "../format.ts";
import { namesCommit } from "../lookup.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, folderOf, pathOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "restore [--source COMMIT] PATH…\nrestore [--source COMMIT] --target DIR [PATH…]";

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

Owners are set by root only (config files.ownership). What the disk cannot hold has a warning, and the status is 3.`,
  options: {
    source: { kind: "text", short: "s", value: "COMMIT", default: "HEAD", help: "The state to take" },
    target: { kind: "text", short: "t", value: "DIR", help: "Write to this folder instead" },
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, Number.POSITIVE_INFINITY, usageText);
    if (operands.length === 0 && values.target === undefined) {
      throw usage("Cannot restore: no path is given", "Run `ourobox restore .` for everything in this folder.");
    }
    const target = values.target === undefined ? undefined : resolve(folderOf(values.target, "--target", context.cwd));
    await using box = await openBox(context);
    if (box.root === undefined && target === undefined) {
      throw usage("Cannot restore: this box has no folder", "Say where to with --target DIR.");
    }
    const paths = operands.map(({ bytes }) => pathOf(bytes, { root: box.root, cwd: context.cwd }));
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
    const { written, removed, saved, partial } = report;
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
  },
});
