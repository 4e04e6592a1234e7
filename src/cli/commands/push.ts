/** `ourobox push`: bring to a remote what it does not have. */
import { type Command, defineCommand } from "../command.ts";
import { openBox } from "../open.ts";
import { exitStatus } from "../status.ts";
import { describePush, pushJson, remoteOf, transferOptions, withTransfers } from "../transfers.ts";

const usageText = "push [REMOTE]";

export const command: Command = defineCommand({
  name: "push",
  summary: "Bring to a remote what it does not have",
  usage: usageText,
  description: `
Copy to REMOTE the packs it does not have, then say there which commit this working copy is at. Without REMOTE it is "origin", or the only
remote there is. Nothing there is replaced but this working copy's own head, so any number of machines can push at once.

The first push to an empty place makes the remote; of a sealed box it asks for a new passphrase.`,
  options: transferOptions,
  dryRun: "refused",

  async run(context, values, operands) {
    await using box = await openBox(withTransfers(context, values));
    const report = await box.push(remoteOf(operands, usageText));
    if (context.json) context.out.json(pushJson(report));
    else context.messages.notice(describePush(report));
    return exitStatus.ok;
  },
});
