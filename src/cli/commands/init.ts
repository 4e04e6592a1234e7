/** `ourobox init`: make a box of a folder. */
import { homedir } from "node:os";
import { resolve } from "node:path";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { parseSize } from "../format.ts";
import { appContext } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, folderOf } from "../paths.ts";
import { exitStatus } from "../status.ts";

/** No chunk of any box is larger (doc/format.md). */
const chunkBytesMax = 8 * 1024 ** 2;

const usageText = "init [FLAGS] [DIR]";

export const command: Command = defineCommand({
  name: "init",
  summary: "Make a box of a folder",
  usage: usageText,
  description: `
Make a box of DIR, or of the current folder. What is in the folder stays as it is; the box is in DIR/.ourobox, and holds nothing
until the first \`ourobox commit\`.

The box is encrypted, and its key is kept in .ourobox/keys: whoever can read that file can read the box. With --plain it is not
encrypted, neither here nor on remotes. What names content and how it is cut cannot be changed later.

A --bare box has no folder of its own and keeps all content: for backups made by \`commit --from DIR\`.`,
  options: {
    bare: { kind: "flag", help: "No folder: only the box, for commit --from and restore --target" },
    plain: { kind: "flag", help: "Not encrypted, for what anybody may read" },
    hash: {
      kind: "choice",
      choices: ["blake3", "sha256"],
      default: "blake3",
      setting: "init.hash",
      help: "What names content",
    },
    "chunk-size": {
      kind: "text",
      value: "SIZE",
      default: "64K",
      setting: "init.chunk-size",
      help: "Average size of the pieces that files are cut into, a power of two from 1K to 4M",
    },
  },
  dryRun: "refused",

  async run(context, values, operands) {
    checkCount(operands, 0, 1, usageText);
    const folder = resolve(
      operands[0] === undefined ? context.givenCwd : folderOf(operands[0].text, "DIR", context.givenCwd),
    );
    if (folder.split("/").includes(".ourobox"))
      throw usage(`Cannot make a box in ${folder}: that is inside of a box's own files`);
    await confirmFolder(context, folder, values.bare);
    const { Box } = await import("../../app/mod.ts");
    const average = chunkSize(values["chunk-size"]);
    const { bare, plain, hash } = values;
    await using box = await Box.init(
      folder,
      { hash, bare, plain, chunk: { min: average / 4, avg: average, max: Math.min(average * 4, chunkBytesMax) } },
      appContext(context),
    );
    const { identity } = box;
    if (context.json) context.out.json({ box: toHex(identity.box), folder, hash, suite: identity.suite, bare });
    else context.messages.notice(`Made a ${plain ? "plain" : "sealed"} box in ${folder}/.ourobox`);
    return exitStatus.ok;
  },
});

function chunkSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined || bytes < 1024 || bytes > 4 * 1024 ** 2 || !Number.isInteger(Math.log2(bytes))) {
    throw usage(`Cannot use --chunk-size ${text}: it is a power of two from 1K to 4M`, "Try --chunk-size 64K.");
  }
  return bytes;
}

/** A whole home or disk is seldom meant: a person is asked, a script needs --yes. */
async function confirmFolder({ world, yes }: CommandContext, folder: string, bare: boolean): Promise<void> {
  if (bare || yes || (folder !== "/" && folder !== (world.env["HOME"] ?? homedir()))) return;
  const answer = await world.ask(`Make all of ${folder} a box? [y/N] `, { secret: false });
  if (answer === undefined || !/^y(es)?$/i.test(answer.trim())) {
    throw usage(`Cannot make a box of all of ${folder} without being sure`, "Run it in a folder below, or add --yes.");
  }
}
