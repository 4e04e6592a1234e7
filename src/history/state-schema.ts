/**
 * The tables of state.sqlite and how older ones become today's. Described in doc/state.md.
 *
 * Clocks and writers are 8 bytes, big-endian, so that they sort; every row ends with a checksum of the rest.
 */
import { OuroError } from "../base/errors.ts";
import type { Database } from "./database.ts";

/** "OURO": so that no other program's database is taken for ours. */
export const applicationId = 0x4f55524f;

/** Step n brings version n to n + 1. A step that was released is never changed. */
const migrations: readonly string[] = [
  `
  CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), writer BLOB NOT NULL, branch TEXT NOT NULL,
    "commit" BLOB NOT NULL, last_clock BLOB, last_id BLOB, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE remote_heads (remote TEXT NOT NULL, writer BLOB NOT NULL, "commit" BLOB NOT NULL, raw BLOB NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY (remote, writer)) STRICT;
  CREATE TABLE tags (name TEXT PRIMARY KEY, clock BLOB NOT NULL, writer BLOB NOT NULL, "commit" BLOB,
    sum INTEGER NOT NULL) STRICT;
  CREATE TABLE operations (id INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, command TEXT NOT NULL, before BLOB, after BLOB,
    sum INTEGER NOT NULL) STRICT;
  CREATE TABLE picks (path BLOB PRIMARY KEY, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE scan (directory BLOB PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE settings (key TEXT PRIMARY KEY, value BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
  `,
  `
  CREATE TABLE branches (name TEXT PRIMARY KEY, writer BLOB NOT NULL, "commit" BLOB, last_clock BLOB, last_id BLOB,
    sum INTEGER NOT NULL) STRICT;
  `,
  `
  CREATE TABLE branch_operations (branch TEXT NOT NULL, id INTEGER NOT NULL, time_ms INTEGER NOT NULL, command TEXT NOT NULL,
    before BLOB, after BLOB, sum INTEGER NOT NULL, PRIMARY KEY (branch, id)) STRICT;
  CREATE TABLE branch_picks (branch TEXT NOT NULL, path BLOB NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY (branch, path)) STRICT;
  CREATE TABLE branch_scan (branch TEXT NOT NULL, directory BLOB NOT NULL, data BLOB NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY (branch, directory)) STRICT;
  CREATE TABLE branch_settings (branch TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, sum INTEGER NOT NULL,
    PRIMARY KEY (branch, key)) STRICT;
  `,
  `
  CREATE TABLE numbers (thing BLOB PRIMARY KEY, number INTEGER NOT NULL UNIQUE, generation INTEGER NOT NULL,
    sum INTEGER NOT NULL) STRICT;
  CREATE TABLE branch_numbers (branch TEXT NOT NULL, thing BLOB NOT NULL, number INTEGER NOT NULL, generation INTEGER NOT NULL,
    sum INTEGER NOT NULL, PRIMARY KEY (branch, thing), UNIQUE (branch, number)) STRICT;
  `,
];

/** The columns of what each folder has of its own: the box's, and in "branch_…", with the branch before, those of branches. */
export const ownColumns = {
  operations: ["id", "time_ms", "command", "before", "after"],
  picks: ["path"],
  scan: ["directory", "data"],
  settings: ["key", "value"],
  numbers: ["thing", "number", "generation"],
} as const;

export type OwnTable = keyof typeof ownColumns;
export type StateTable = "head" | "remote_heads" | "tags" | "branches" | OwnTable | `branch_${OwnTable}`;

/** The columns whose checksum stands in `sum`, per table, in that order. */
export const summedColumns: Readonly<Record<StateTable, readonly string[]>> = {
  head: ["writer", "branch", "commit", "last_clock", "last_id"],
  remote_heads: ["remote", "writer", "commit", "raw"],
  tags: ["name", "clock", "writer", "commit"],
  branches: ["name", "writer", "commit", "last_clock", "last_id"],
  ...ownColumns,
  branch_operations: ["branch", ...ownColumns.operations],
  branch_picks: ["branch", ...ownColumns.picks],
  branch_scan: ["branch", ...ownColumns.scan],
  branch_settings: ["branch", ...ownColumns.settings],
  branch_numbers: ["branch", ...ownColumns.numbers],
};

/**
 * Brings the tables to today's version, in one transaction.
 * @throws OuroError "newer-format" when a later version made them, "corrupt" when they are not ours.
 */
export function migrate(database: Database): void {
  if (isMigrated(database)) return;
  database.transaction(() => {
    const version = versionOf(database);
    for (const step of migrations.slice(version)) database.exec(step);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${migrations.length};`);
  });
}

/** Whether the tables are today's. @throws OuroError as `migrate`. */
export function isMigrated(database: Database): boolean {
  return versionOf(database) === migrations.length;
}

/** The version of the tables, 0 when there are none. */
export function versionOf(database: Database): number {
  const version = Number(database.get("PRAGMA user_version")?.["user_version"] ?? 0);
  const application = Number(database.get("PRAGMA application_id")?.["application_id"] ?? 0);
  if (application !== applicationId && (version !== 0 || application !== 0)) {
    throw new OuroError("corrupt", `Cannot use ${database.path}: it is not a state of ourobox`, {
      subject: database.path,
    });
  }
  if (version > migrations.length) {
    throw new OuroError(
      "newer-format",
      `Cannot use ${database.path}: its version is ${version} (at most ${migrations.length})`,
      {
        subject: database.path,
        hint: "A later ourobox has used this box. Use that version or a later one.",
      },
    );
  }
  return version;
}
