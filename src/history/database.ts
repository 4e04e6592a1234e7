/**
 * SQLite as the authoritative store of small state: durable when a transaction returns, one writer at a time, and no
 * transaction open across an await. Failures are OuroErrors; rows carry a checksum of their own, as SQLite has none.
 */
import { DatabaseSync, type SQLInputValue, type SQLOutputValue, type StatementSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import { utf8 } from "../base/bytes.ts";
import { type ErrorKind, OuroError } from "../base/errors.ts";
import { openReadOnly } from "../base/read-only-database.ts";

const busyMsDefault = 10_000;

/** SQLite's result codes, primary ones but for one (sqlite.org/rescode.html). */
const kindByCode: Readonly<Record<number, ErrorKind>> = {
  // Of statements that are right: the tables are not what they were made as. So are the constraints and types below.
  1: "corrupt",
  3: "permission",
  5: "locked",
  6: "locked",
  8: "read-only",
  11: "corrupt",
  13: "no-space",
  14: "io",
  19: "corrupt",
  20: "corrupt",
  26: "corrupt",
  // SQLITE_IOERR_SHMSIZE: there is no room for the file that processes share.
  4874: "no-space",
};
const hintByKind: Partial<Record<ErrorKind, string>> = {
  locked: "Another ourobox is working on this box; wait for it or end it.",
  corrupt: "Run `ourobox check` to see what is damaged.",
  "no-space": "Free some space on that disk and run the command again.",
  "read-only": "This box belongs to another user, or is mounted read-only: clone it to work with it.",
};

export type Row = Readonly<Record<string, SQLOutputValue>>;

export interface DatabaseOptions {
  readonly readOnly?: boolean;
  /** How long to wait for another process's transaction. */
  readonly busyMs?: number;
}

export class Database implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  #isInTransaction = false;

  /** Opens the database, making an empty one where there is none. @throws OuroError "io", "permission", "locked", "corrupt". */
  constructor(path: string, options: DatabaseOptions = {}) {
    this.path = path;
    const { readOnly = false, busyMs = busyMsDefault } = options;
    const how = { timeout: busyMs, enableDoubleQuotedStringLiterals: false };
    this.#database = this.#guard(() => (readOnly ? openReadOnly(path, how) : new DatabaseSync(path, how)));
    try {
      if (!readOnly) this.#useWal();
      this.#guard(() => this.#database.exec("PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;"));
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  /** The journal's mode stays in the file: only the first to open it switches, and two firsts may have to take turns. */
  #useWal(): void {
    const mode = this.get("PRAGMA journal_mode");
    if (mode?.["journal_mode"] === "wal") return;
    for (let round = 1; ; round += 1) {
      try {
        this.get("PRAGMA journal_mode = WAL");
        return;
      } catch (error) {
        if (round === 100 || !(error instanceof OuroError) || error.kind !== "locked") throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#guard(() => this.#statement(sql).get(...values));
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#guard(() => this.#statement(sql).all(...values));
  }

  /** @returns How many rows were changed. */
  run(sql: string, ...values: SQLInputValue[]): number {
    return this.#guard(() => Number(this.#statement(sql).run(...values).changes));
  }

  /** Several statements without values. */
  exec(sql: string): void {
    this.#guard(() => this.#database.exec(sql));
  }

  get isInTransaction(): boolean {
    return this.#isInTransaction;
  }

  /**
   * All that `body` does, or nothing of it; durable when it returns. Within another transaction it is part of that.
   * @param body Must not be async: a transaction is over before anything else runs.
   * @throws Whatever `body` throws; OuroError "locked" when another process has not let go in time.
   */
  transaction<T>(body: () => T): T {
    if (this.#isInTransaction) return body();
    this.exec("BEGIN IMMEDIATE");
    this.#isInTransaction = true;
    try {
      const result = body();
      if (result instanceof Promise) throw new TypeError("a transaction's body must not be async");
      this.exec("COMMIT");
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error;
    } finally {
      this.#isInTransaction = false;
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(call: () => T): T {
    try {
      return call();
    } catch (thrown) {
      throw databaseError(this.path, thrown);
    }
  }
}

/** SQLite's failure as one of ours; anything else is passed on. */
function databaseError(path: string, thrown: unknown): unknown {
  // A number that is none of ours.
  if (thrown instanceof RangeError && "code" in thrown && thrown.code === "ERR_OUT_OF_RANGE")
    return new OuroError("corrupt", `Cannot use ${path}: ${thrown.message}`, { subject: path, cause: thrown });
  if (!(thrown instanceof Error) || !("errcode" in thrown) || typeof thrown.errcode !== "number") return thrown;
  const kind = kindByCode[thrown.errcode] ?? kindByCode[thrown.errcode & 0xff] ?? "io";
  const hint = hintByKind[kind];
  const options = { subject: path, cause: thrown, ...(hint === undefined ? {} : { hint }) };
  const message =
    kind === "read-only"
      ? `Cannot write to ${path}: it can only be read here`
      : `Cannot use ${path}: ${thrown.message}`;
  return new OuroError(kind, message, options);
}

export type SummedValue = Uint8Array | string | number | null;

/** The checksum of a row: CRC-32 of its table's name and its values, each with its type and length. */
export function rowSum(table: string, values: readonly SummedValue[]): number {
  let sum = crc32(`${table}\0`);
  for (const value of values) {
    const bytes = value === null ? new Uint8Array() : value instanceof Uint8Array ? value : utf8(String(value));
    sum = crc32(bytes, crc32(`${value === null ? "null" : typeof value} ${bytes.length}\0`, sum));
  }
  return sum;
}
