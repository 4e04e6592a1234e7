/** What fetch, pull and push have moved, in words and for --json. */
import type { FetchReport, PushReport } from "../app/mod.ts";
import type { Operand } from "./command.ts";
import { counted, formatSize } from "./format.ts";
import type { JsonValue } from "./output.ts";
import { checkCount, textOf } from "./paths.ts";

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
