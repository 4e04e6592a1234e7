/** `ourobox fetch`: bring what others have pushed, without touching the folder. */
import { type Command, defineCommand } from "../command.ts";
import { appContext, openBox, refuseMountedCommit } from "../open.ts";
import { exitStatus } from "../status.ts";
import {
  allOption,
  describeFetch,
  fetchJson,
  remotesNamed,
  showEach,
  transferOptions,
  withTransfers,
} from "../transfers.ts";

const usageText = "fetch [REMOTE…]\nfetch --all";

export const command: Command = defineCommand({
  name: "fetch",
  summary: "Bring what remotes have, without changing the folder",
  usage: usageText,
  description: `
Bring the commits, trees and content that each REMOTE has and this box has not. The folder and HEAD stay as they are: \`ourobox pull\` goes on to them.
Without REMOTE these are all remotes there are, the cheapest first (setting remote.NAME.cost).

A remote that cannot be reached does not stop the others: it has a line on stderr, and the exit status is 3, or 1 where none was done.

All that comes is verified. Interrupted, it goes on where it was.

Where the box's key was dropped (\`ourobox key forget\`), it asks for a passphrase or recovery key of the first REMOTE that can be
reached and brings the key back.`,
  options: { all: allOption, ...transferOptions },
  dryRun: "refused",

  async run(context, values, operands) {
    const names = remotesNamed(operands, values);
    const { bringKey } = await import("../../app/mod.ts");
    refuseMountedCommit(context);
    if (await bringKey(context.cwd, names, appContext(context))) context.messages.notice("The key of the box is back");
    await using box = await openBox(withTransfers(context, values));
    const report = await box.fetchAll(names);
    const status = showEach(context, report, { text: describeFetch, json: fetchJson });
    return report.done.some(({ partial }) => partial) ? exitStatus.partial : status;
  },
});
