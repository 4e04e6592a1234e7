/** What the main thread and the thread that takes in packs say to each other. */
import type { BoxSecrets } from "../format/mod.ts";
import type { ArrivedPack } from "./adopt-packs.ts";
import type { ErrorParts } from "./ingest-messages.ts";

/** What it is started with. */
export interface AdoptSetup {
  readonly directory: string;
  readonly indexFolder: string;
  readonly secrets: BoxSecrets;
}

/** Packs to take in together; none when there will be no more. */
export interface ToAdopter {
  readonly packs: readonly ArrivedPack[];
}

export type FromAdopter =
  | { readonly outcomes: readonly ({ readonly hashes: Uint8Array } | { readonly error: ErrorParts })[] }
  | { readonly failure: ErrorParts };
