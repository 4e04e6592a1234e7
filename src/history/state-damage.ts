/**
 * Damage in state.sqlite: finding it, and mending it with what is whole.
 *
 * A row is damaged when its checksum is wrong, or when SQLite cannot read it. Mending keeps every row that is whole and removes the others;
 * what they said is brought back by whoever calls (app/repair-box.ts). Reads whole tables into memory. doc/state.md says what each is.
 */
import { isKind, OuroError } from "../base/errors.ts";
import { Database, type Row, rowSum, type SummedValue } from "./database.ts";
import { migrate, type StateTable, summedColumns } from "./state-schema.ts";

export interface StateDamage {
  readonly file: string;
  readonly what: string;
  readonly hint: string;
}

export const repairHint =
  "Run `ourobox check --repair`: what is damaged of it is read again from `.ourobox/heads`, and by the next fetch.";
const scanHint =
  "Nothing is lost: the next commit looks at those files again. `ourobox check --repair` removes the rows.";

export function hasRightSum(table: StateTable, row: Row): boolean {
  const values = summedColumns[table].map((column): SummedValue => {
    const value = row[column];
    return typeof value === "bigint" || value === undefined ? null : value;
  });
  return rowSum(table, values) === row["sum"];
}

/** Reads all of it. @returns What is damaged, and what to do about it. */
export function findDamage(database: Database): StateDamage[] {
  const file = database.path;
  const damage: StateDamage[] = [];
  const attempt = (check: () => void): void => {
    try {
      check();
    } catch (thrown) {
      if (!isKind(thrown, "corrupt")) throw thrown;
      damage.push({ file, what: thrown.message, hint: repairHint });
    }
  };
  attempt(() => {
    for (const what of structureDamage(database))
      damage.push({ file, what: `the database is damaged: ${what}`, hint: repairHint });
  });
  for (const table of stateTables)
    attempt(() => {
      const bad = readRows(database, table).filter((row) => !hasRightSum(table, row)).length;
      const hint = table === "scan" || table === "branch_scan" ? scanHint : repairHint;
      if (bad > 0) damage.push({ file, what: `${bad} rows of "${table}" have a wrong checksum`, hint });
    });
  return damage;
}

/**
 * Removes damaged rows, and writes the tables they are in anew with the others.
 * @param tables All by default; then also SQLite's own structure is looked at, and made right if it is not.
 * @returns The tables that have lost rows.
 * @throws OuroError "corrupt" when that does not help: nothing has changed then, or no more than is returned otherwise.
 */
export function mendTables(database: Database, tables: readonly StateTable[] = stateTables): Set<StateTable> {
  const isAll = tables.length === stateTables.length;
  const isWhole = !isAll || structureDamage(database).length === 0;
  const lost = new Set<StateTable>();
  database.transaction(() => {
    for (const table of tables) {
      const rows = readRows(database, table);
      const right = rows.filter((row) => hasRightSum(table, row));
      if (right.length < rows.length) lost.add(table);
      if (right.length < rows.length || !isWhole) rewrite(database, table, right);
    }
  });
  if (isWhole) return lost;
  // Pages that belong to no table.
  database.exec("VACUUM");
  const [left] = structureDamage(database);
  if (left === undefined) return lost;
  throw new OuroError("corrupt", `Cannot mend ${database.path}: ${left}`, { subject: database.path });
}

const stateTables = Object.keys(summedColumns) as readonly StateTable[];

/** What SQLite finds, and whether the tables are those that were made: it believes any that it can read. */
function structureDamage(database: Database): string[] {
  const found = database
    .all("PRAGMA integrity_check(20)")
    .map((row) => String(row["integrity_check"]))
    .filter((each) => each !== "ok");
  return schemaOf(database) === rightSchema() ? found : [...found, "its tables are not those of ourobox"];
}

function schemaOf(database: Database): string {
  return JSON.stringify(database.all("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"));
}

function rightSchema(): string {
  using empty = new Database(":memory:");
  migrate(empty);
  return schemaOf(empty);
}

/** In the table's own order, as an index may be damaged, too. */
function readRows(database: Database, table: StateTable): Row[] {
  return database.all(`SELECT * FROM "${table}" NOT INDEXED`);
}

/** A delete of all rows does not look up any of them in an index; one of a row that was damaged would fail there. */
function rewrite(database: Database, table: StateTable, rows: readonly Row[]): void {
  database.run(`DELETE FROM "${table}"`);
  const columns = [...summedColumns[table], "sum"];
  const names = columns.map((name) => `"${name}"`).join(", ");
  const sql = `INSERT OR REPLACE INTO "${table}" (${names}) VALUES (${columns.map(() => "?").join(", ")})`;
  for (const row of rows) database.run(sql, ...columns.map((name) => row[name] ?? null));
}
