/** A plain folder: what changed in it, committing it, making it what a tree says. */

export { bringingPool } from "./bringing-pool.ts";
export {
  type CheckoutOptions,
  type CheckoutReport,
  checkout,
} from "./checkout.ts";
export type { CheckoutPlace } from "./checkout-file.ts";
export { type CheckoutPool, inlinePool, workerPool } from "./checkout-pool.ts";
export { saveObservations } from "./checkout-rows.ts";
export { type CommitFolderOptions, type CommittedFolder, commitFolder, type FolderContext } from "./commit-folder.ts";
export { type EditedItem, editedItems } from "./edited-content.ts";
export { FolderRows } from "./folder-rows.ts";
export type { RowSource } from "./folder-scanner.ts";
export { FolderWatch } from "./folder-watch.ts";
export { type FolderWriter, posixWriter } from "./folder-writer.ts";
export { forgetRows } from "./forget-rows.ts";
export { decodeHeldMoves, encodeHeldMoves, type HeldMove, type HoldingPlace, putBack } from "./held.ts";
export { ignoreFileName } from "./ignore-rules.ts";
export { noteDirectory, noteGone, recordedNames } from "./note-names.ts";
export { birthMarkOf } from "./scan-row.ts";
export { isSeenTwice } from "./seen-twice.ts";
export { decodeBase, encodeBase, type StagedBase, StagedFile, type StagedStart } from "./staged-file.ts";
export { type FolderStatus, type StatusFolderOptions, statusFolder } from "./status-folder.ts";
export type { ChangeCounts, UnitChecks, UnitMarks } from "./tree-writer.ts";
export type { Rebirth, Rebirths } from "./units.ts";
