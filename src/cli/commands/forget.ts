/** `ourobox forget`: which commits are kept. */
import type { ForgetReport, RetentionPolicy } from "../../app/mod.ts";
import { toHex } from "../../base/bytes.ts";
import { type Command, type CommandContext, defineCommand } from "../command.ts";
import { commitLine } from "../commits.ts";
import { counted } from "../format.ts";
import { openBox } from "../open.ts";
import { usage } from "../options.ts";
import { checkCount } from "../paths.ts";
import { gcJson, pruneJson, tellGc, tellPrune } from "../space.ts";
import { exitStatus } from "../status.ts";

const usageText = "forget --keep-… N [--prune] [--remote NAME] [--dry-run]";

const count = (help: string) => ({ kind: "count", value: "N", help }) as const;

export const command: Command = defineCommand({
  name: "forget",
  summary: "Keep only some of the commits",
  usage: usageText,
  description: `
Keep of each of this working copy's branches the commits that one of the rules keeps, and forget the others: \`log\` passes them over, their files cannot be
brought back, and their space is free after \`gc\`. Of every hour, day, week, month or year in which there are commits the last is kept. The newest commit of
a branch, what a remote's heads are at, and what is tagged are always kept.

With --policy auto only commits that were made automatically are thinned out: all are kept for an hour, one of each hour for a day, then one of each day.
That is done by itself, too, now and then, after such commits, unless the setting history.automatic is keep.

With --prune the space is given back at once, and with --remote on that remote, too: there everything stays that the head of any other machine keeps, so
run it on all machines that push. What is found needless there is deleted by the next --prune but one (\`ourobox gc --remote\`).`,
  options: {
    "keep-last": count("The N newest commits"),
    "keep-hourly": count("The last commit of each of N hours"),
    "keep-daily": count("The last commit of each of N days"),
    "keep-weekly": count("The last commit of each of N weeks"),
    "keep-monthly": count("The last commit of each of N months"),
    "keep-yearly": count("The last commit of each of N years"),
    "keep-within": {
      kind: "text",
      value: "TIME",
      help: "All that are so much older than the newest at most: 2y6m, 3w, 14d, 36h",
    },
    "keep-tag": { kind: "text", value: "TAG,…", default: "all", help: "Of tagged commits only these (default: all)" },
    policy: { kind: "choice", choices: ["auto"], help: "Thin out automatic commits only" },
    prune: { kind: "flag", help: "Give back the space, as gc does" },
    remote: { kind: "text", value: "NAME", help: "With --prune: on this remote, too" },
  },
  dryRun: "says",

  async run(context, values, operands) {
    checkCount(operands, 0, 0, usageText);
    const { dryRun } = context;
    const { remote, prune } = values;
    if (remote !== undefined && !prune)
      throw usage("Cannot use --remote alone: only --prune does something on a remote", "Add --prune.");
    const policy = policyOf({
      last: values["keep-last"],
      hourly: values["keep-hourly"],
      daily: values["keep-daily"],
      weekly: values["keep-weekly"],
      monthly: values["keep-monthly"],
      yearly: values["keep-yearly"],
      within: values["keep-within"],
      thinsAutomatic: values.policy === "auto" ? true : undefined,
    });
    const named = values["keep-tag"];
    const tags = named === "all" ? "all" : named.split(",").filter((each) => each !== "");
    await using box = await openBox(context);
    const report = await box.forget({ policy, tags, dryRun });
    tell(context, report);
    if (!prune) return exitStatus.ok;
    const gc = await box.gc({ dryRun });
    if (context.json) context.out.json(gcJson(context, gc));
    else tellGc(context, gc);
    if (remote === undefined) return exitStatus.ok;
    const pruned = await box.pruneRemote(remote, { dryRun });
    if (context.json) context.out.json(pruneJson(context, remote, pruned));
    else tellPrune(context, remote, pruned);
    return exitStatus.ok;
  },
});

function policyOf(rules: { readonly [K in keyof RetentionPolicy]: RetentionPolicy[K] | undefined }): RetentionPolicy {
  return Object.fromEntries(Object.entries(rules).filter(([, value]) => value !== undefined));
}

function tell(
  { out, messages, json, verbose, style, dryRun }: CommandContext,
  { kept, forgotten }: ForgetReport,
): void {
  if (json) {
    out.json({ forgotten: forgotten.map(({ id }) => toHex(id)), kept: kept.length, dryRun });
    return;
  }
  if (verbose || dryRun) for (const named of forgotten) out.line(commitLine(named, style));
  const verb = dryRun ? "Would forget" : "Forgot";
  if (forgotten.length === 0) messages.notice(`Nothing to forget: ${counted(kept.length, "commit")} kept`);
  else messages.notice(`${verb} ${counted(forgotten.length, "commit")}: ${kept.length} kept`);
}
