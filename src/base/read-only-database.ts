/**
 * Opening a SQLite database that is only to be read, also where nothing can be written.
 *
 * In WAL mode a reader, too, needs the files `-wal` and `-shm`. While somebody has the database open, or was killed with it, they are there, and
 * are used. Else they would have to be made; where that cannot be, SQLite is told that nobody writes ("immutable", sqlite.org/uri.html). Who begins
 * to write just then may make a reader fail, which can be run again.
 */
import { statSync } from "node:fs";
import { DatabaseSync, type DatabaseSyncOptions } from "node:sqlite";
import { pathToFileURL } from "node:url";

/** SQLITE_READONLY and SQLITE_CANTOPEN. */
const unmakeable: ReadonlySet<number> = new Set([8, 14]);

/** @throws SQLite's own error; with SQLITE_CANTOPEN also when changes are in the `-wal` file and there is no `-shm` file to find them by. */
export function openReadOnly(path: string, options: Omit<DatabaseSyncOptions, "readOnly"> = {}): DatabaseSync {
  const database = new DatabaseSync(path, { ...options, readOnly: true });
  try {
    database.prepare("PRAGMA user_version").get();
    return database;
  } catch (thrown) {
    database.close();
    if (!isUnmakeable(thrown) || hasChanges(path)) throw thrown;
  }
  const url = pathToFileURL(path);
  url.searchParams.set("immutable", "1");
  return new DatabaseSync(url, { ...options, readOnly: true });
}

function isUnmakeable(thrown: unknown): boolean {
  if (!(thrown instanceof Error) || !("errcode" in thrown) || typeof thrown.errcode !== "number") return false;
  return unmakeable.has(thrown.errcode & 0xff);
}

function hasChanges(path: string): boolean {
  return (statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
}
