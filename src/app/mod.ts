/** The application: boxes and what can be done with them. */
export type { Entry, EntryKind, Hash, NamedCommit } from "../format/mod.ts";
export type { Damage } from "../store/mod.ts";
export { Box, type InitOptions } from "./box.ts";
export type { CommitReport, StatusReport } from "./box-commit.ts";
export type { LogRow } from "./box-history.ts";
export type { FetchReport, PullReport, PushReport } from "./box-remotes.ts";
export type { RestoreReport } from "./box-restore.ts";
export type { GcReport } from "./box-upkeep.ts";
export type { BranchRow, SwitchReport } from "./branches.ts";
export type { Change, Path } from "./changes.ts";
export { type CloneReport, cloneBox } from "./clone-box.ts";
export { type AppContext, type Progress, silentProgress } from "./context.ts";
export type { BranchHead } from "./remote-heads.ts";
export type { RemoteRow } from "./remote-list.ts";
export type { RepairReport } from "./repair-box.ts";
export { findSetting, settingTable } from "./setting-table.ts";
export { type SettingRow, type SettingScope, Settings, variableOfSetting } from "./settings.ts";
export type { TagRow } from "./tags.ts";
