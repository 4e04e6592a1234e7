/** What fetch, pull and push have in common: flags of their transfers, and what they have moved, in words and for --json. */
import type { FailedRemote, FetchReport, PushReport } from "../app/mod.ts";
import type { CommandContext, Operand } from "./command.ts";
import { counted, formatSize } from "./format.ts";
import { type CountOption, type OptionValues, type TextOption, usage } from "./options.ts";
import type { JsonValue } from "./output.ts";
import { textOf } from "./paths.ts";
import { exitStatus } from "./status.ts";

/** Flags of every command that goes to remotes. */
type Rate = TextOption & { readonly setting: string };
export const transferOptions: {
  readonly "limit-upload": Rate;
  readonly "limit-download": Rate;
  readonly transfers: CountOption & { readonly setting: string };
} = {
  "limit-upload": {
    kind: "text",
    value: "RATE",
    help: "Send at most RATE bytes a second: 500K, 2M",
    setting: "transfers.upload",
  },
  "limit-download": {
    kind: "text",
    value: "RATE",
    help: "Receive at most RATE bytes a second",
    setting: "transfers.download",
  },
  transfers: {
    kind: "count",
    value: "N",
    help: "Have N packs on their way at once (default 4)",
    setting: "transfers.at-once",
  },
};

/** The context of a command whose flags say how transfers go: as if its environment said so. */
export function withTransfers(context: CommandContext, values: OptionValues<typeof transferOptions>): CommandContext {
  const env = { ...context.world.env };
  for (const [name, { setting }] of Object.entries(transferOptions)) {
    const value = values[name as keyof typeof transferOptions];
    if (value !== undefined) env[`OUROBOX_${setting.toUpperCase().replace(/[.-]/g, "_")}`] = `${value}`;
  }
  return { ...context, world: { ...context.world, env } };
}

/** Of a command that goes to several remotes. */
export const allOption: { readonly kind: "flag"; readonly help: string } = {
  kind: "flag",
  help: "All remotes there are, as without REMOTE",
};

/** The remotes that are named; none: all there are. @throws OuroError "usage". */
export function remotesNamed(operands: readonly Operand[], { all }: { readonly all: boolean }): string[] {
  if (all && operands.length > 0)
    throw usage("Cannot use --all with names of remotes", "Say --all for all of them, or name some.");
  return operands.map((operand) => textOf(operand, "a remote"));
}

/** Tells what became of each remote, and of those that failed. @returns The exit status. */
export function showEach<T extends { readonly remote: string }>(
  { out, json, messages }: CommandContext,
  { done, failed }: { readonly done: readonly T[]; readonly failed: readonly FailedRemote[] },
  show: { readonly text: (each: T) => string; readonly json: (each: T) => { readonly [key: string]: JsonValue } },
): number {
  const isOne = done.length + failed.length === 1;
  for (const each of done) {
    if (json) out.json({ remote: each.remote, ...show.json(each) });
    else messages.notice(isOne ? show.text(each) : `${each.remote}: ${show.text(each)}`);
  }
  showFailed({ out, json, messages }, failed);
  return failed.length > 0 ? exitStatus.partial : exitStatus.ok;
}

/** A line for each remote that failed. */
export function showFailed(
  { out, json, messages }: Pick<CommandContext, "out" | "json" | "messages">,
  failed: readonly FailedRemote[],
): void {
  for (const { remote, error } of failed) {
    const { kind, message, hint } = error;
    if (json) out.json({ failed: remote, kind, message });
    else messages.warn(`${remote}: ${message}${hint === undefined ? "" : `. ${hint}`}`);
  }
}

export function describeFetch({ packs, bytes }: FetchReport): string {
  return packs === 0 ? "Nothing new" : `Fetched ${counted(packs, "pack")}, ${formatSize(bytes)}`;
}

export function fetchJson({ packs, bytes }: FetchReport): { readonly [key: string]: JsonValue } {
  return { packs, bytes };
}

export function describePush({ packs, bytes }: PushReport): string {
  return packs === 0 ? "Nothing to push" : `Pushed ${counted(packs, "pack")}, ${formatSize(bytes)}`;
}

export function pushJson({ packs, bytes }: PushReport): { readonly [key: string]: JsonValue } {
  return { packs, bytes };
}
