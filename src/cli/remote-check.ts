/** `ourobox remote check`: its flags, and what it has found in words and for --json. */
import type { Box, RemoteCheckReport, RemoteDamage } from "../app/mod.ts";
import type { CommandContext } from "./command.ts";
import { counted, formatCount, formatSize } from "./format.ts";
import { usage } from "./options.ts";
import { quoteText } from "./quote.ts";
import { exitStatus } from "./status.ts";

interface CheckFlags {
  readonly "read-data": boolean;
  readonly "read-data-subset": string | undefined;
  readonly repair: boolean;
}

/** @returns The exit status: 1 where something is wrong, and still is after a repair. */
export async function checkRemote(
  box: Box,
  name: string,
  { context, values }: { readonly context: CommandContext; readonly values: CheckFlags },
): Promise<number> {
  const report = await box.checkRemote(name, { share: shareOf(values), repairs: values.repair });
  if (context.json) showJson(context, report);
  else show(context, report);
  return (report.mended?.left ?? report.damages).length === 0 ? exitStatus.ok : exitStatus.error;
}

/** @throws OuroError "usage". */
function shareOf({ "read-data": all, "read-data-subset": part }: CheckFlags): number {
  if (part === undefined) return all ? 1 : 0;
  const percent = /^(\d{1,3}(?:\.\d{1,3})?)%?$/.exec(part)?.[1];
  const share = Number(percent) / 100;
  if (all || percent === undefined || share <= 0 || share > 1)
    throw usage(`Cannot use --read-data-subset ${part}: it is a part of all, as 5%, and without --read-data`);
  return share;
}

function show(context: CommandContext, report: RemoteCheckReport): void {
  const { messages } = context;
  const { damages, count, heads, packs, unlisted, packsRead, bytesRead, unknownHeads, mended } = report;
  for (const damage of damages) showDamage(context, damage);
  if (count > damages.length) messages.notice(`and ${formatCount(count - damages.length)} more like these`);
  const read = packsRead === 0 ? "" : `, and read ${counted(packsRead, "pack")}, ${formatSize(bytesRead)}`;
  messages.notice(`Looked at ${counted(heads, "head")} and ${counted(packs, "pack")}${read}`);
  if (unlisted > 0)
    messages.notice(
      `${counted(unlisted, "file")} in packs/ that nothing lists: of a push that was cut off, or is going on`,
    );
  if (unknownHeads > 0)
    messages.notice(
      `${counted(unknownHeads, "head")} not looked into, being new: run \`ourobox fetch\` and check again`,
    );
  messages.notice(count === 0 ? "No damage found" : counted(count, "damage found", "damages found"));
  if (mended === undefined) return;
  const { packs: sent, bytes, removed, damagedHere, left } = mended;
  messages.notice(
    `Sent ${counted(sent, "pack")} again, ${formatSize(bytes)}; replaced ${counted(removed, "damaged file")}`,
  );
  for (const pack of damagedHere)
    messages.warn(`Pack ${pack.slice(0, 12)} is damaged here, too: run \`ourobox check --read-data\``);
  if (left.length === 0) messages.notice("All is whole there now");
  else messages.warn(`${counted(left.length, "damage is", "damages are")} left`);
  for (const damage of left) showDamage(context, damage);
}

function showDamage({ out, style }: CommandContext, { file, what, hint }: RemoteDamage): void {
  out.line(`${style.red("damaged:")} ${quoteText(file)}: ${quoteText(what)}\n  ${quoteText(hint)}`);
}

function showJson({ out }: CommandContext, report: RemoteCheckReport): void {
  for (const { file, what, hint } of report.damages) out.json({ damage: what, file, hint });
  const { count, heads, packs, unlisted, packsRead, bytesRead, unknownHeads, mended } = report;
  if (mended !== undefined) {
    const { packs: sent, bytes, removed, damagedHere, left } = mended;
    out.json({ repaired: { packs: sent, bytes, removed, damagedHere, left: left.length } });
  }
  out.json({ damaged: count, heads, packs, unlisted, packsRead, bytesRead, unknownHeads });
}
