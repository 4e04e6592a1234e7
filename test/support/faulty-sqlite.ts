/**
 * SQLite with the count and the fault of a `FaultyDisk`: every transaction that ends and every statement outside of one is an operation.
 * It changes node:sqlite for the whole process until it is disposed of, so it is for tests that run one at a time.
 *
 * A commit that fails has done nothing, and what was committed before the machine stopped is there: SQLite's own promise is not tested here.
 */
import { DatabaseSync, type SQLInputValue, type StatementResultingChanges, StatementSync } from "node:sqlite";
import { errnoOf } from "../../src/base/errors.ts";
import { Crash, type FaultyDisk } from "./faulty-disk.ts";

/** sqlite.org/rescode.html: SQLITE_IOERR, SQLITE_FULL. */
const codes = { EIO: 10, ENOSPC: 13 };

export function faultySqlite(disk: FaultyDisk): Disposable {
  // "rename" is what needs space and may be the last operation, as a commit may.
  const { rename } = disk.wrap({ rename: () => undefined });
  const databases = new WeakMap<StatementSync, DatabaseSync>();
  const { exec, prepare } = DatabaseSync.prototype;
  const { run } = StatementSync.prototype;

  const commit = (): void => {
    try {
      rename();
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === undefined) throw thrown;
      throw Object.assign(new Error((thrown as Error).message), {
        code: "ERR_SQLITE_ERROR",
        errcode: errno === "ENOSPC" ? codes.ENOSPC : codes.EIO,
      });
    }
  };

  DatabaseSync.prototype.exec = function (this: DatabaseSync, sql: string): void {
    if (sql === "COMMIT") commit();
    // Only what ends a transaction without effect works on a machine that has stopped, as if its process had ended.
    else if (disk.hasCrashed && sql !== "ROLLBACK") throw new Crash("the machine has stopped");
    exec.call(this, sql);
  };
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql: string): StatementSync {
    const statement = prepare.call(this, sql);
    databases.set(statement, this);
    return statement;
  };
  StatementSync.prototype.run = function (this: StatementSync, ...values: SQLInputValue[]): StatementResultingChanges {
    if (disk.hasCrashed) throw new Crash("the machine has stopped");
    if (databases.get(this)?.isTransaction === false) commit();
    return run.apply(this, values as Parameters<typeof run>);
  } as typeof run;

  return {
    [Symbol.dispose](): void {
      Object.assign(DatabaseSync.prototype, { exec, prepare });
      StatementSync.prototype.run = run;
    },
  };
}
