/** `ourobox clone`: make a box from a remote. */
import { resolve } from "node:path";
import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { appContext } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount, folderOf, textOf } from "../paths.ts";
import { exitStatus } from "../status.ts";
import { transferOptions, withTransfers } from "../transfers.ts";

const usageText = "clone [--bare] [--unreal] [--branch NAME] [--accept-clock] URL [DIR]";

export const command: Command = defineCommand({
  name: "clone",
  summary: "Make a box from a remote",
  usage: usageText,
  description: `
Bring the box that URL holds to a new folder DIR (default: the last part of the URL), with all its history, and write out the files of its newest
commit. URL becomes the remote "origin". A sealed box asks for a passphrase of that remote, or a recovery key.

With --bare no files are written out: the clone is a box without a folder. Interrupted, the same command goes on.
With --unreal only metadata comes: every name is there for \`ls\`, \`log\` and all others, and content is brought when it is read. The folder shows
nothing but what is real; that the rest is not in it is no deletion. \`restore PATH\` brings files into it.
With --accept-clock it begins with a commit that is dated more than a day ahead, too.`,
  options: {
    bare: { kind: "flag", help: "Only the box, no files" },
    unreal: { kind: "flag", help: "Only metadata: content is brought when it is read" },
    branch: {
      kind: "text",
      value: "NAME",
      short: "b",
      help: "The branch to begin with (default: main, or the newest)",
    },
    "accept-clock": { kind: "flag", help: "Take in what is dated more than a day ahead, too" },
    ...transferOptions,
  },
  dryRun: "refused",

  async run(context, values, operands) {
    checkCount(operands, 1, 2, usageText);
    const [urlOperand, folderOperand] = operands;
    const url = urlOperand === undefined ? "" : textOf(urlOperand, "a URL");
    const name = folderOperand === undefined ? lastPart(url) : textOf(folderOperand, "a folder");
    const folder = resolve(folderOf(name, "DIR", context.givenCwd));
    const { cloneBox } = await import("../../app/mod.ts");
    const { head, partial } = await cloneBox(
      url,
      folder,
      {
        bare: values.bare,
        unreal: values.unreal,
        acceptClock: values["accept-clock"],
        ...(values.branch === undefined ? {} : { branch: values.branch }),
      },
      appContext(withTransfers(context, values)),
    );
    if (context.json) context.out.json({ folder, head: head === undefined ? null : toHex(head), partial });
    else
      context.messages.notice(
        `Cloned to ${folder}${head === undefined ? ", which has no commit yet" : `, at commit ${shortId(head)}`}`,
      );
    return partial ? exitStatus.partial : exitStatus.ok;
  },
});

/** "/mnt/usb/photos.box/" -> "photos" */
function lastPart(url: string): string {
  const name =
    url
      .replace(/\/+$/, "")
      .split("/")
      .at(-1)
      ?.replace(/\.box$/, "") ?? "";
  if (name === "" || name === "." || name === ".." || name.endsWith(":"))
    throw usage(`Cannot clone ${url}: it does not tell a folder's name`, "Add the folder: ourobox clone URL DIR.");
  return name;
}
