/** What fetch, pull and push have in common: flags of their transfers, and what they have moved, in words and for --json. */
import type { FetchReport, PushReport } from "../app/mod.ts";
import type { CommandContext, Operand } from "./command.ts";
import { counted, formatSize } from "./format.ts";
import type { CountOption, OptionValues, TextOption } from "./options.ts";
import type { JsonValue } from "./output.ts";
import { checkCount, textOf } from "./paths.ts";

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

/** The remote that is named, or undefined for the one that goes without saying. @throws OuroError "usage". */
export function remoteOf(operands: readonly Operand[], usageText: string): string | undefined {
  checkCount(operands, 0, 1, usageText);
  return operands[0] === undefined ? undefined : textOf(operands[0], "a remote");
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
