/** `ourobox remote`: the places a box is pushed to and fetched from. */
import type { Box } from "../../app/mod.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { alignColumns, counted, formatJsonDate, formatMinute } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, textOf } from "../paths.ts";
import { checkRemote } from "../remote-check.ts";
import { copyRemote } from "../remote-copy.ts";
import { exitStatus } from "../status.ts";
import { unknownWord } from "../suggest.ts";
import { transferOptions, withTransfers } from "../transfers.ts";

const usageText =
  "remote [list]\nremote add NAME URL\nremote remove NAME\nremote rename OLD NEW\nremote set-url NAME URL\nremote publish NAME\nremote check NAME [--read-data | --read-data-subset PERCENT] [--repair]\nremote copy [--plain] FROM TO";

export const command: Command = defineCommand({
  name: "remote",
  summary: "List and name the places to push to",
  usage: usageText,
  description: `
A remote is storage that holds a box, and runs nothing of ours. Several machines can push to one at the same time. Its URL is

  a path, or file:///path      a folder: on a disk, a stick, a network mount
  sftp://user@host/path        a folder of an account, with your ssh (/~/path: in its home)
  s3://bucket/prefix           a bucket (?endpoint=https://host for servers other than AWS)
  https://host/path            a folder that a web server serves, to fetch and clone from
  rclone:NAME:path             what your rclone knows as NAME: some 70 kinds of storage

With -v the list says what is known of each, too: what reading from it costs (setting remote.NAME.cost; 10 for a folder and 100 over a
network unless it is set), when it was last reached, and what its conditional puts were found to be.

\`remote check\` looks whether a remote is whole: its heads, index files and packs, and whether all is there that its commits need. With --read-data every
byte there is read and compared with its hash, with --read-data-subset 5% a twentieth of them, each time another. Each damage is a line with what to do about
it, and the status is 1. With --repair packs that are damaged or missing there and whole here are sent again.

\`remote copy\` brings to TO what FROM has and TO has not, through this machine and without a box here. Both are names of remotes, or URLs; a new TO opens
with the passphrases of FROM. It asks for one of these where it is not in a box that has the key. A head that has gone on in both stays as it is in TO, with a
warning and status 3. With --plain an encrypted box is written as one that everybody can read, with all of its history: commits keep their ids and signatures.

\`remote add\` tries what an S3 server's conditional puts are worth. \`remote publish\` writes down in a remote what it has, for those
who read it through a web server; run it after a push. doc/remotes.md has more of each kind.

The first push makes it. That of a sealed box wraps the box's key with a passphrase (\`ourobox help environment\` tells where it
comes from): whoever knows it can clone the box. \`ourobox key\` adds others, changes and removes them.`,
  options: {
    "read-data": { kind: "flag", help: "check: read every byte there, too" },
    "read-data-subset": {
      kind: "text",
      value: "PERCENT",
      help: "check: read a part of the bytes, drawn by lot: 5%",
    },
    repair: { kind: "flag", help: "check: send again what is damaged there and whole here" },
    plain: { kind: "flag", help: "copy: write an encrypted box as a plain one" },
    ...transferOptions,
  },
  dryRun: "refused",

  async run(context, values, operands) {
    const [action = "list", ...words] = operands.map((operand) => textOf(operand, "a name or URL"));
    const run = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (run === undefined) {
      throw unknownWord(`Cannot do "${action}" with remotes: there is no such action`, action, {
        words: Object.keys(actions),
        hint: (near) =>
          near === undefined ? "Run `ourobox remote --help`." : `Did you mean \`ourobox remote ${near}\`?`,
      });
    }
    checkCount(operands.slice(1), run.words, run.words, usageText);
    for (const [flag, owner] of flagOwners)
      if (action !== owner && values[flag] !== undefined && values[flag] !== false)
        throw usage(`Cannot use --${flag} with remote ${action}: it is for remote ${owner}`);
    const [from = "", to = ""] = words;
    if (action === "copy") return await copyRemote(withTransfers(context, values), { from, to, plain: values.plain });
    await using box = await openBox(withTransfers(context, values));
    if (action === "check") return await checkRemote(box, words[0] ?? "", { context, values });
    await run.do(box, words as [string, string], context);
    return exitStatus.ok;
  },
});

const flagOwners = [
  ["read-data", "check"],
  ["read-data-subset", "check"],
  ["repair", "check"],
  ["plain", "copy"],
] as const;

interface Action {
  /** How many arguments it takes. */
  readonly words: number;
  do(box: Box, words: [string, string], context: CommandContext): Promise<void> | void;
}

const actions: Readonly<Record<string, Action>> = {
  list: { words: 0, do: (box, _words, context) => list(box, context) },
  add: { words: 2, do: (box, [name, url]) => box.addRemote(name, url) },
  remove: { words: 1, do: (box, [name]) => box.removeRemote(name) },
  rename: { words: 2, do: (box, [name, newName]) => box.renameRemote(name, newName) },
  // Done above: they have flags and an exit status of their own.
  check: { words: 1, do() {} },
  copy: { words: 2, do() {} },
  publish: { words: 1, do: (box, [name], context) => publish(box, name, context) },
  "set-url": { words: 2, do: (box, [name, url]) => box.setRemoteUrl(name, url) },
};

async function list(box: Box, { out, json, verbose }: CommandContext): Promise<void> {
  const { costOf } = await import("../../app/mod.ts");
  const rows = box.remotes().map((row) => {
    const { name, url, verdict } = row;
    return { name, url, verdict, cost: costOf(row), reachedMs: box.lastSeen(row)?.reachedMs };
  });
  if (json) {
    for (const { name, url, cost, verdict, reachedMs } of rows) {
      const reached = reachedMs === undefined ? null : formatJsonDate(reachedMs);
      out.json({ remote: name, url, cost, reached, ...(verdict === undefined ? {} : { conditions: verdict }) });
    }
    return;
  }
  const columns = rows.map(({ name, url, cost, verdict, reachedMs }) => {
    if (!verbose) return [name, url];
    const reached = reachedMs === undefined ? "never reached" : `reached ${formatMinute(reachedMs)}`;
    return [name, url, `cost ${cost}`, reached, ...(verdict === undefined ? [] : [`conditions ${verdict}`])];
  });
  for (const line of alignColumns(columns)) out.line(line);
}

async function publish(box: Box, name: string, { out, json }: CommandContext): Promise<void> {
  const files = await box.publishRemote(name);
  if (json) out.json({ remote: name, files });
  else out.line(`Published ${counted(files, "file")} of ${name}`);
}
