/** What `gc` and `forget --prune` say of the space that they give back, here and on remotes. */
import type { GcReport, PruneReport } from "../app/mod.ts";
import type { CommandContext } from "./command.ts";
import { counted, formatSize } from "./format.ts";
import type { JsonValue } from "./output.ts";

type Json = { readonly [key: string]: JsonValue };

export function gcJson({ dryRun }: CommandContext, { packsRemoved, packsWritten, bytesFreed }: GcReport): Json {
  return { packsRemoved, packsWritten, bytesFreed, dryRun };
}

export function tellGc(
  { messages, dryRun }: CommandContext,
  { packsRemoved, packsWritten, bytesFreed }: GcReport,
): void {
  const verb = dryRun ? "Would free" : "Freed";
  messages.notice(
    `${verb} ${formatSize(bytesFreed)}: ${counted(packsRemoved, "pack")} removed, ${packsWritten} written`,
  );
}

export function pruneJson({ dryRun }: CommandContext, remote: string, report: PruneReport): Json {
  const { waitsFor, silent, retired, ...numbers } = report;
  return { remote, ...numbers, waitsFor: [...waitsFor], silent: [...silent], retired: [...retired], dryRun };
}

export function tellPrune({ messages, dryRun }: CommandContext, remote: string, report: PruneReport): void {
  const { condemned, condemnedBytes, deleted, deletedBytes, writtenBytes, waiting, waitingBytes } = report;
  const [free, condemn] = dryRun ? ["Would free", "would condemn"] : ["Freed", "condemned"];
  messages.notice(`${free} ${formatSize(deletedBytes)} on ${remote}: ${counted(deleted, "pack")} deleted`);
  if (condemned > 0) {
    const anew =
      writtenBytes === 0 ? "" : `, ${formatSize(writtenBytes)} of which ${dryRun ? "are packed" : "were packed"} anew`;
    messages.notice(
      `On ${remote} ${condemn} ${counted(condemned, "pack")}, ${formatSize(condemnedBytes)}${anew}: a later run deletes them`,
    );
  }
  if (waiting > 0) {
    const who = report.waitsFor.length === 0 ? "" : `, until these have pushed: ${report.waitsFor.join(", ")}`;
    messages.notice(`${counted(waiting, "pack")} more wait to be deleted, ${formatSize(waitingBytes)}${who}`);
  }
  if (report.retired.length > 0) messages.notice(`Removed heads that were silent: ${report.retired.join(", ")}`);
}
