/** `ourobox mount`: see the box, or a state of it, as a folder elsewhere. */
import { resolve } from "node:path";
import { utf8 } from "../../base/bytes.ts";
import type { ListedMount } from "../../daemon/mod.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { alignColumns, parseSize } from "../format.ts";
import { commitOf } from "../lookup.ts";
import { readMountOptions, refuseOwners } from "../mount-options.ts";
import type { WantedMount } from "../mount-serving.ts";
import { refuseMountedCommit } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, folderOf } from "../paths.ts";
import { quotePath } from "../quote.ts";
import { exitStatus } from "../status.ts";

const usageText = [
  "mount [-f] [-o OPTIONS] [--commit-after TIME] [--cache-size SIZE] [--wait[=TIME]] DIR",
  "mount [-f] [-o OPTIONS] [--cache-size SIZE] [--wait[=TIME]] COMMIT DIR",
  "mount -c NAME [-f] [-o OPTIONS] [--commit-after TIME] [--cache-size SIZE] [--wait[=TIME]] [--accept-clock] [COMMIT] DIR",
  "mount -b NAME [-f] [-o OPTIONS] [--commit-after TIME] [--cache-size SIZE] [--wait[=TIME]] [--accept-clock] DIR",
  "mount --list",
].join("\n");

const readAheadBytesMax = 64 * 2 ** 20;

export const command: Command = defineCommand({
  name: "mount",
  summary: "Show the box or a commit as a folder, without copying it",
  usage: usageText,
  description: `
Mount the box itself on the folder DIR, live: what is written there is in the box's own folder at once, and what is done in that is seen in DIR within a second.
It is committed by itself when nothing was written for TIME (--commit-after: 5s, 2m, off), at the latest after twelve times as long, and when the mount ends.

With COMMIT (an id, a tag, a branch, a time as @{yesterday}) mount its tree, to be read. Nothing is copied: directories are
read when they are listed, content when it is read. What is mounted is kept by \`gc\`.

With -c begin the branch NAME at COMMIT (default HEAD) and mount it, live, beside the box's folder, which stays as it is: what is written there is committed on that
branch, and commands run there work on it. Nothing is copied; what is changed is in .ourobox/branches until somebody goes to the branch with \`ourobox switch\`, or
deletes it. With -b go on with a branch that there is, of this box or one that others have pushed.

What is not on this machine is brought when it is read or changed. What cannot be had is an I/O error at once; with --wait whoever asks waits, and can be interrupted.

It returns when the mount answers; a process of its own goes on serving it until \`ourobox umount DIR\`. With -f it stays in the foreground, and Ctrl-C ends
the mount.

OPTIONS are separated by commas: allow_other (other users may look in; an ordinary user needs user_allow_other in /etc/fuse.conf) and ro (nothing can be
written; not with -c). Of a commit, which can only be read anyway, also uid=N and gid=N (all files belong to them) and umask=OCTAL (these permission bits are taken away).

In the root of a commit's mount, .ourobox is there and not listed: history/by-commit, by-time and by-tag are the trees of other commits
(by-time/yesterday, too), conflicts has all values of each conflict, status says what is mounted, log what went wrong.

With --list show what is mounted on this machine: the folder, the commit, the branch or "live", the box.`,
  options: {
    create: {
      kind: "text",
      short: "c",
      value: "NAME",
      default: "",
      help: "Begin a branch there, and mount it to be written",
    },
    branch: {
      kind: "text",
      short: "b",
      value: "NAME",
      default: "",
      help: "Mount a branch that is not at hand, to be written",
    },
    foreground: { kind: "flag", short: "f", help: "Serve in this process, until it is interrupted" },
    options: { kind: "text", short: "o", value: "OPTIONS", default: "", help: "Options of the mount, as above" },
    "commit-after": {
      kind: "text",
      value: "TIME",
      default: "5s",
      setting: "mount.commit-after",
      help: "Commit what is written when nothing was for so long, or off",
    },
    "cache-size": {
      kind: "text",
      value: "SIZE",
      default: "",
      help: "Let the cache take so much while this mount is there, in place of cache.size",
    },
    "read-ahead": {
      kind: "text",
      value: "SIZE",
      default: "1M",
      help: "Let the kernel read so far ahead (as root; else 128K at most)",
    },
    wait: {
      kind: "text",
      value: "TIME",
      bare: "forever",
      default: "off",
      help: "Wait so long for content that cannot be had now; without TIME for ever",
    },
    "accept-clock": { kind: "flag", help: "Mount a branch though it is dated more than a day ahead" },
    list: { kind: "flag", help: "List the mounts of boxes on this machine" },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    if (values.list) {
      checkCount(operands, 0, 0, usageText);
      await listMounts(context);
      return exitStatus.ok;
    }
    const branch = branchOf(values);
    checkCount(operands, 1, branch === undefined || branch.isNew ? 2 : 1, usageText);
    const [revision, folder] = operands.length === 1 ? [undefined, operands[0]] : operands;
    if (folder === undefined) throw usage(`Usage: ${usageText}`);
    const { options, "commit-after": commitAfter, "cache-size": cacheSize } = values;
    const readAheadBytes = parseSize(values["read-ahead"]);
    if (readAheadBytes === undefined || readAheadBytes > readAheadBytesMax)
      throw usage(`Cannot use --read-ahead ${values["read-ahead"]}: it is a number of bytes, as 256K, at most 64M`);
    const directory = resolve(context.givenCwd, folderOf(folder.text, "DIR", context.givenCwd));
    const given = readMountOptions(options);
    if (given.readOnly && branch?.isNew === true)
      throw usage(
        `Cannot use -o ro with -c ${branch.name}: a branch is begun to be written`,
        "Mount the commit: `ourobox mount COMMIT DIR`.",
      );
    refuseMountedCommit(context);
    const { Box, mustBeCacheSize, mustBeCommitAfter, mustBeWait, parseCacheSize, parseCommitAfter, parseWait } =
      await import("../../app/mod.ts");
    const [{ servingContext, serveMount, startServing }, { waitForLast }] = await Promise.all([
      import("../mount-serving.ts"),
      import("../../daemon/mod.ts"),
    ]);
    const isLive = revision === undefined || branch !== undefined;
    if (revision === undefined) requireFolder(context, directory, folder.text);
    if (isLive) {
      refuseOwners(given);
      if (parseCommitAfter(commitAfter) === undefined)
        throw usage(`Cannot use --commit-after ${commitAfter}: ${mustBeCommitAfter}`);
    }
    if (cacheSize !== "" && parseCacheSize(cacheSize) === undefined)
      throw usage(`Cannot use --cache-size ${cacheSize}: ${mustBeCacheSize}`);
    const { wait } = values;
    if (parseWait(wait) === undefined) throw usage(`Cannot use --wait=${wait}: ${mustBeWait}`);
    const app = servingContext(context, cacheSize);
    const acceptClock = values["accept-clock"];
    const how = { directory, acceptClock, options, commitAfter, cacheSize, readAheadBytes, wait };
    let wanted: WantedMount = { commit: undefined, branch, ...how };
    {
      await using box = await Box.open(context.cwd, app);
      if (revision !== undefined)
        wanted = { ...wanted, commit: commitOf(box, revision, { context, command: "mount" }) };
      else if (branch?.isNew === true) wanted = { ...wanted, commit: box.resolve("HEAD") };
      if (isLive) {
        const onWait = (at: string): void =>
          context.messages.notice(`Waiting for the last mount, on ${at}, to end: it commits, or somebody is in it`);
        await waitForLast({ box: box.layout.top, branch: branch?.name }, { ...context.world, onWait });
      }
      if (values.foreground) {
        await serveMount(context, box, wanted, app);
        return exitStatus.ok;
      }
    }
    return await startServing(context, wanted);
  },
});

/** @throws OuroError "usage". */
function branchOf({ create, branch }: { readonly create: string; readonly branch: string }): WantedMount["branch"] {
  if (create !== "" && branch !== "") throw usage("Cannot use both -c and -b: a branch is begun, or is there already");
  if (create === "" && branch === "") return undefined;
  return { name: create || branch, isNew: create !== "" };
}

/** Who names no commit may have forgotten the folder. */
function requireFolder({ world }: CommandContext, directory: string, text: string): void {
  let isThere: boolean;
  try {
    isThere = world.disk.stat(directory) !== undefined;
  } catch {
    // Nobody can look: the mount will say why.
    return;
  }
  if (!isThere)
    throw usage(
      `Cannot mount on ${directory}: there is no such folder`,
      `Make it first. To mount a commit, name a folder, too: \`ourobox mount ${text} DIR\`.`,
    );
}

async function listMounts({ out, json }: CommandContext): Promise<void> {
  const { listBoxMounts } = await import("../../daemon/mod.ts");
  const mounts = listBoxMounts().map((each) => ({
    ...each,
    directory: Buffer.from(each.directory, "latin1").toString(),
  }));
  if (json)
    for (const { directory, commit, branch = null, box } of mounts)
      out.json({ directory, commit: commit ?? null, live: commit === undefined, branch, box });
  else for (const line of alignColumns(mounts.map(rowOf))) out.line(line);
}

function rowOf(mount: ListedMount): string[] {
  return [quotePath(utf8(mount.directory)), whatIn(mount), quotePath(utf8(mount.box))];
}

function whatIn({ commit, branch }: Pick<ListedMount, "commit" | "branch">): string {
  if (commit !== undefined) return commit;
  return branch === undefined ? "live" : `branch ${branch}`;
}
