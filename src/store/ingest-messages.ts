/** What the main thread and an ingest worker say to each other. */
import { type ErrorKind, OuroError } from "../base/errors.ts";
import type { BoxSecrets, ChunkSizes } from "../format/mod.ts";
import type { ClaimMemory } from "./claim-table.ts";
import type { BatchResult, FileBatch } from "./ingest-batch.ts";

/** What a worker is started with. */
export interface IngestSetup {
  readonly directory: string;
  readonly indexFolder: string;
  readonly secrets: BoxSecrets;
  readonly chunk: ChunkSizes;
  readonly hashOnly: boolean;
  readonly claims: ClaimMemory;
  /** One word: not 0 when all work is to end. */
  readonly control: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly type: "batch"; readonly id: number; readonly batch: FileBatch }
  | { readonly type: "finish" }
  | { readonly type: "abort" };

export type FromWorker =
  | { readonly type: "result"; readonly id: number; readonly result: BatchResult }
  | { readonly type: "bytes"; readonly count: number }
  | { readonly type: "ended" }
  | { readonly type: "failed"; readonly failure: ErrorParts };

/** An OuroError, taken apart: a class does not survive the way between threads. */
export interface ErrorParts {
  readonly kind: ErrorKind;
  readonly message: string;
  readonly subject: string | undefined;
  readonly hint: string | undefined;
}

export function takeApart({ kind, message, subject, hint }: OuroError): ErrorParts {
  return { kind, message, subject, hint };
}

export function putTogether({ kind, message, subject, hint }: ErrorParts): OuroError {
  return new OuroError(kind, message, {
    ...(subject === undefined ? {} : { subject }),
    ...(hint === undefined ? {} : { hint }),
  });
}

/** @throws OuroError "aborted" once the word is set. */
export function checkControl(control: Int32Array): void {
  if (Atomics.load(control, 0) !== 0) throw new OuroError("aborted", "Cannot go on: it was interrupted");
}
