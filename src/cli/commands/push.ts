/** `ourobox push`: bring to remotes what they do not have. */
import { type Command, defineCommand } from "../command.ts";
import { openBox } from "../open.ts";
import {
  allOption,
  describePush,
  pushJson,
  remotesNamed,
  showEach,
  transferOptions,
  withTransfers,
} from "../transfers.ts";

const usageText = "push [REMOTE…]\npush --all";

export const command: Command = defineCommand({
  name: "push",
  summary: "Bring to remotes what they do not have",
  usage: usageText,
  description: `
Copy to each REMOTE the packs it does not have, then say there which commit this working copy is at. Without REMOTE these are all
remotes there are, but for web servers, which can only be read. Nothing there is replaced but this working copy's own head, so any number of
machines can push at once.

A remote that cannot be reached, or refuses, does not stop the others: it has a line on stderr, and the exit status is 3, or 1 where none was done.

The first push to an empty place makes the remote; of a sealed box it asks for a new passphrase.`,
  options: { all: allOption, ...transferOptions },
  dryRun: "refused",

  async run(context, values, operands) {
    await using box = await openBox(withTransfers(context, values));
    const report = await box.pushAll(remotesNamed(operands, values));
    return showEach(context, report, { text: describePush, json: pushJson });
  },
});
