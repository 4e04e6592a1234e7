/** `ourobox pull`: join what others have pushed. */
import { toHex } from "../../base/bytes.ts";
import { type Command, defineCommand } from "../command.ts";
import { shortId } from "../commits.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { exitStatus } from "../status.ts";
import {
  allOption,
  describeFetch,
  fetchJson,
  remotesNamed,
  showFailed,
  transferOptions,
  withTransfers,
} from "../transfers.ts";

const usageText = "pull [--force] [--accept-clock] [REMOTE…]\npull --all";

export const command: Command = defineCommand({
  name: "pull",
  summary: "Fetch, and join it with what is here",
  usage: usageText,
  description: `
Do \`ourobox fetch\`, then join what each REMOTE has of this branch with HEAD, and bring the folder up to date. Nothing that was done here or there is lost: what was
changed on both sides is in conflict afterwards (\`ourobox conflicts\`), with the latest shown. Files that were changed here and not committed stay as they
are; where one would have to be replaced, what is changed here is committed first.

It stops when it would remove or overwrite more than half of the files (settings sync.guard-share and sync.guard-files); --force goes on.

A commit that is dated more than a day ahead is not joined: all that is committed after it would have to be dated later still. --accept-clock joins it.`,
  options: {
    all: allOption,
    force: { kind: "flag", short: "f", help: "Go on though much would be removed or overwritten" },
    "accept-clock": { kind: "flag", help: "Join what is dated more than a day ahead, too" },
    ...transferOptions,
  },
  dryRun: "refused",

  async run(context, values, operands) {
    await using box = await openBox(withTransfers(context, values));
    const report = await box.pullAll(remotesNamed(operands, values), {
      force: values.force,
      acceptClock: values["accept-clock"],
    });
    const { moved, mends, saved, partial } = report;
    showFailed(context, report.failed);
    const conflicts = moved === undefined ? 0 : box.conflicts([]).length;
    if (context.json) {
      const [head, savedId] = [moved, saved].map((id) => (id === undefined ? null : toHex(id)));
      context.out.json({ ...fetchJson(report.fetched), head, saved: savedId, mends, conflicts, partial });
    } else {
      const { messages } = context;
      messages.notice(describeFetch(report.fetched));
      if (saved !== undefined) messages.notice(`Committed what was changed here: ${shortId(saved)}`);
      if (moved !== undefined) messages.notice(`Now at commit ${shortId(moved)}`);
      else messages.notice(partial ? "HEAD stays where it is" : "Already up to date");
      if (conflicts > 0) messages.notice(`${counted(conflicts, "file")} in conflict: \`ourobox conflicts\` lists them`);
    }
    return partial ? exitStatus.partial : exitStatus.ok;
  },
});
