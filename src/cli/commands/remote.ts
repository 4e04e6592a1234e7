/** `ourobox remote`: the places a box is pushed to and fetched from. */
import type { Box } from "../../app/mod.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { alignColumns, counted } from "../format.ts";
import { openBox } from "../open.ts";
import { checkCount, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { unknownWord } from "../suggest.ts";

const usageText =
  "remote [list]\nremote add NAME URL\nremote remove NAME\nremote rename OLD NEW\nremote set-url NAME URL\nremote publish NAME";

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

\`remote add\` tries what an S3 server's conditional puts are worth. \`remote publish\` writes down in a remote what it has, for those
who read it through a web server; run it after a push. doc/remotes.md has more of each kind.

The first push makes it. That of a sealed box wraps the box's key with a passphrase (\`ourobox help environment\` tells where it
comes from): whoever knows it can clone the box. \`ourobox key\` adds others, changes and removes them.`,
  options: {},
  dryRun: "refused",

  async run(context, _values, operands) {
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
    await using box = await openBox(context);
    await run.do(box, words as [string, string], context);
    return exitStatus.ok;
  },
});

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
  publish: { words: 1, do: (box, [name], context) => publish(box, name, context) },
  "set-url": { words: 2, do: (box, [name, url]) => box.setRemoteUrl(name, url) },
};

function list(box: Box, { out, json }: CommandContext): void {
  const remotes = [...box.remotes()];
  if (json) for (const { name, url } of remotes) out.json({ remote: name, url });
  else for (const line of alignColumns(remotes.map(({ name, url }) => [name, url]))) out.line(line);
}

async function publish(box: Box, name: string, { out, json }: CommandContext): Promise<void> {
  const files = await box.publishRemote(name);
  if (json) out.json({ remote: name, files });
  else out.line(`Published ${counted(files, "file")} of ${name}`);
}
