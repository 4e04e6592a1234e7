/** `ourobox fetch`: bring what others have pushed, without touching the folder. */
import { type Command, defineCommand } from "../command.ts";
import { appContext, openBox } from "../open.ts";
import { exitStatus } from "../status.ts";
import { describeFetch, fetchJson, remoteOf, transferOptions, withTransfers } from "../transfers.ts";

const usageText = "fetch [REMOTE]";

export const command: Command = defineCommand({
  name: "fetch",
  summary: "Bring what a remote has, without changing the folder",
  usage: usageText,
  description: `
Bring the commits, trees and content that REMOTE has and this box has not. The folder and HEAD stay as they are: \`ourobox pull\` goes on to them.
Without REMOTE it is "origin", or the only remote there is.

All that comes is verified. Interrupted, it goes on where it was.

Where the box's key was dropped (\`ourobox key forget\`), it asks for a passphrase or recovery key of REMOTE and brings the key back.`,
  options: transferOptions,
  dryRun: "refused",

  async run(context, values, operands) {
    const name = remoteOf(operands, usageText);
    const { bringKey } = await import("../../app/mod.ts");
    if (await bringKey(context.cwd, name, appContext(context))) context.messages.notice("The key of the box is back");
    await using box = await openBox(withTransfers(context, values));
    const report = await box.fetch(name);
    if (context.json) context.out.json(fetchJson(report));
    else context.messages.notice(describeFetch(report));
    return report.partial ? exitStatus.partial : exitStatus.ok;
  },
});
