/** `ourobox mount`: see a state of the box as a folder, without copying anything. */
import { closeSync, writeSync } from "node:fs";
import { resolve } from "node:path";
import type { AppContext, Box } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { alignColumns } from "../format.ts";
import { commitOf } from "../lookup.ts";
import { readMountOptions } from "../mount-options.ts";
import { appContext } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, folderOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

const usageText = "mount [-f] [-o OPTIONS] COMMIT DIR\nmount --list";
/** Set for a process that is to go on by itself: the descriptor on which it says that it is ready. */
const readyVariable = "OUROBOX_MOUNT_READY";

interface Wanted {
  readonly commit: Uint8Array;
  readonly directory: string;
  readonly options: string;
}

/** Says that it is ready, where somebody waits for it; from then on nobody reads what it says. */
function tellReady(descriptor: string): void {
  const fd = Number(descriptor);
  writeSync(fd, "ready\n");
  closeSync(fd);
}

async function serve(context: CommandContext, box: Box, wanted: Wanted, app: AppContext & Mutable): Promise<void> {
  const { serveCommit } = await import("../../daemon/mod.ts");
  const { world, messages } = context;
  const { commit, directory } = wanted;
  const { owners, allowOther } = readMountOptions(wanted.options);
  const descriptor = world.env[readyVariable];
  await serveCommit(box, {
    commit,
    directory,
    owners,
    allowOther,
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
    signal: world.signal,
    onFailure: (text) => app.tell(text),
    onBusy: (error) => app.tell(`${error.message}: they lose it now`),
    onMounted: () => {
      if (descriptor === undefined)
        return messages.notice(`Mounted ${shortId(commit)} on ${directory} until Ctrl-C, or \`ourobox umount\``);
      app.tell = (): void => {};
      tellReady(descriptor);
    },
  });
}

interface Mutable {
  /** Where warnings and notices go. */
  tell: (text: string) => void;
}

/** The context of a process whose stderr may come to an end before it does. */
function servingContext(context: CommandContext): AppContext & Mutable {
  const app: AppContext & Mutable = {
    ...appContext(context),
    tell: (text) => context.messages.warn(text),
    warn: (text) => app.tell(text),
    notice: (text) => app.tell(text),
  };
  return app;
}

/** Starts this program once more, which serves, and waits until it answers. */
async function startServing(context: CommandContext, { commit, directory, options }: Wanted): Promise<number> {
  const { world, messages, cwd, json } = context;
  if (world.program === undefined)
    throw usage("Cannot mount in the background from here", "Stay in the foreground with -f.");
  const { startChild } = await import("../../daemon/mod.ts");
  const flags = ["-f", "-C", cwd, "-o", options, ...(json ? ["--json"] : [])];
  const { status, told } = await startChild({
    command: [...world.program, "mount", ...flags, "--", toHex(commit), directory],
    env: { ...world.env, [readyVariable]: "3" },
    signal: world.signal,
  });
  if (status === undefined) {
    messages.notice(`Mounted ${shortId(commit)} on ${directory}`);
    return exitStatus.ok;
  }
  messages.end();
  world.stderr.write(told);
  return status === exitStatus.ok ? exitStatus.error : status;
}

async function listMounts({ out, json }: CommandContext): Promise<void> {
  const { listBoxMounts } = await import("../../daemon/mod.ts");
  const mounts = listBoxMounts().map((each) => ({
    ...each,
    directory: Buffer.from(each.directory, "latin1").toString(),
  }));
  if (json) for (const { directory, commit, box } of mounts) out.json({ directory, commit, box });
  else
    for (const line of alignColumns(mounts.map(({ directory, commit, box }) => [directory, commit, box])))
      out.line(line);
}

export const command: Command = defineCommand({
  name: "mount",
  summary: "Show a commit as a folder, without copying it",
  usage: usageText,
  description: `
Mount the tree of COMMIT (an id, a tag, a branch, a time as @{yesterday}) on the folder DIR, to be read. Nothing is copied: directories are
read when they are listed, content when it is read. It returns when the mount answers; a process of its own goes on serving it until
\`ourobox umount DIR\`. With -f it stays in the foreground, and Ctrl-C ends the mount. What is mounted is kept by \`gc\`.

OPTIONS are separated by commas: allow_other (other users may look in; an ordinary user needs user_allow_other in /etc/fuse.conf), uid=N and gid=N
(all files belong to them), umask=OCTAL (these permission bits are taken away), ro (it is, anyway).

In the mount's root, .ourobox is there and not listed: history/by-commit, by-time and by-tag are the trees of other commits
(by-time/yesterday, too), conflicts has all values of each conflict, status says what is mounted, log what went wrong.

With --list show what is mounted on this machine: the folder, the commit, the box.`,
  options: {
    foreground: { kind: "flag", short: "f", help: "Serve in this process, until it is interrupted" },
    options: { kind: "text", short: "o", value: "OPTIONS", default: "", help: "Options of the mount, as above" },
    list: { kind: "flag", help: "List the mounts of boxes on this machine" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    if (values.list) {
      checkCount(operands, 0, 0, usageText);
      await listMounts(context);
      return exitStatus.ok;
    }
    if (operands.length === 1)
      throw usage(
        "Cannot mount: no commit is named",
        `Write which one, as in \`ourobox mount HEAD ${operands[0]?.text}\`.`,
      );
    checkCount(operands, 2, 2, usageText);
    const [revision, folder] = operands;
    if (revision === undefined || folder === undefined) throw usage(`Usage: ${usageText}`);
    readMountOptions(values.options);
    const directory = resolve(context.cwd, folderOf(folder.text, "DIR", context.cwd));
    const { Box } = await import("../../app/mod.ts");
    const app = servingContext(context);
    let wanted: Wanted;
    {
      await using box = await Box.open(context.cwd, app);
      const commit = commitOf(box, revision, { context, command: "mount" });
      wanted = { commit, directory, options: values.options };
      if (values.foreground) {
        await serve(context, box, wanted, app);
        return exitStatus.ok;
      }
    }
    return await startServing(context, wanted);
  },
});
