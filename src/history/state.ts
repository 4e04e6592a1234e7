/**
 * The state of a working copy: its head, the heads seen on remotes, tags, operations, picked paths and the last scan. Of a branch that has a folder of its own it
 * is another view (`ofBranch`), in which that branch is the one at hand.
 *
 * It lives in `.ourobox/state.sqlite` and is authoritative: it is derived from nothing. What a transaction has written is
 * durable when it returns. A row whose checksum does not match is "corrupt"; of the last scan it counts as not there, for
 * then those files are looked at again. Described in doc/state.md.
 */
import { OuroError } from "../base/errors.ts";
import { compareEvents, type Dot, type Hash, type Tag, type WriterId } from "../format/mod.ts";
import { Database, type DatabaseOptions, type Row, rowSum, type SummedValue } from "./database.ts";
import { findDamage, hasRightSum, mendTables, repairHint, type StateDamage } from "./state-damage.ts";
import { isMigrated, migrate, type OwnTable, ownColumns, type StateTable, summedColumns } from "./state-schema.ts";

/** How many operations are remembered. */
export const operationsMax = 10_000;

/** What this working copy was last committed or restored to. */
export interface OwnHead {
  readonly writer: WriterId;
  readonly branch: string;
  /** Maybe another writer's commit. */
  readonly commit: Hash;
  /** The writer's own last event; absent before its first. */
  readonly last?: { readonly clock: bigint; readonly id: Hash };
}

/** An own branch that is not the one at hand. */
export interface ParkedBranch extends Omit<OwnHead, "commit"> {
  /** Absent when the branch was deleted: its writer and last event are remembered, as no event may be given out twice. */
  readonly commit?: Hash;
}

/** A head as it was last seen on a remote. */
export interface RemoteHead {
  /** The remote's name here. */
  readonly remote: string;
  readonly writer: WriterId;
  readonly commit: Hash;
  /** The head's bytes as they were on the remote. */
  readonly raw: Uint8Array;
}

/** The inode number of something that has another one than its own. */
export interface NumberRow {
  /** A file or a node, as bytes. */
  readonly thing: Uint8Array;
  readonly number: number;
  readonly generation: number;
}

/** A command that moved the head. */
export interface Operation {
  readonly id: number;
  readonly timeMs: number;
  readonly command: string;
  /** The head before and after it; absent where there was none. */
  readonly before?: Hash;
  readonly after?: Hash;
}

/** Where the rows of one folder are: those of the box's own in tables for it alone. */
interface OwnRows {
  readonly table: StateTable;
  /** Which of the table's rows, as a condition, and its value. */
  readonly are: string;
  readonly key: readonly string[];
}

export class State implements Disposable {
  readonly #database: Database;
  /** Whose folder it is about; undefined: the box's. */
  readonly #branch: string | undefined;

  private constructor(database: Database, branch?: string) {
    this.#database = database;
    this.#branch = branch;
  }

  /**
   * Opens the state, making an empty one where there is none.
   * @param path Of state.sqlite; ":memory:" in tests.
   * @throws OuroError "corrupt", "newer-format", "locked", "permission", "io".
   */
  static open(path: string, options: DatabaseOptions = {}): State {
    const database = new Database(path, options);
    try {
      if (options.readOnly !== true) migrate(database);
      else if (!isMigrated(database))
        throw new OuroError("not-found", `Cannot read ${path}: it is empty, or of an older version`, { subject: path });
      return new State(database);
    } catch (error) {
      database[Symbol.dispose]();
      throw error;
    }
  }

  /** Ends all views of it. */
  [Symbol.dispose](): void {
    this.#database[Symbol.dispose]();
  }

  /**
   * The same state as it is for the folder of a branch that is not at hand in the box's: it has a scan, picks and operations of its own, and its head is where the branch is.
   * Without the branch there is no head.
   * @param name Undefined: as it is for the box's folder.
   */
  ofBranch(name: string | undefined): State {
    return new State(this.#database, name);
  }

  /**
   * Does all of `body` or nothing, alone among all processes; durable when it returns. Not for async bodies.
   * @throws Whatever `body` throws; OuroError "locked".
   */
  transaction<T>(body: () => T): T {
    return this.#database.transaction(body);
  }

  /** Another number after another process has written (SQLite's data_version): for who keeps what it has read. Own writes do not change it. */
  get version(): number {
    return Number(this.#database.get("PRAGMA data_version")?.["data_version"]);
  }

  head(): OwnHead | undefined {
    return this.#branch === undefined ? this.#folderHead() : withCommit(this.#findRow(this.#branch));
  }

  setHead(head: OwnHead): void {
    const { writer, branch, commit, last } = head;
    if (this.#branch === undefined)
      this.transaction(() => {
        this.#database.run("DELETE FROM head");
        this.#put("head", [u64Bytes(writer), branch, commit, ...lastValues(last)]);
      });
    else if (branch === this.#branch) this.setBranch(head);
    else throw new TypeError(`a folder of ${this.#branch} cannot go to ${branch}`);
  }

  /** The other branches, deleted ones too, by name. */
  branches(): ParkedBranch[] {
    const rows = this.#all("branches", "SELECT * FROM branches ORDER BY name").map(branchOf);
    if (this.#branch === undefined) return rows;
    const others = rows.filter(({ branch }) => branch !== this.#branch);
    const atHand = this.#folderHead();
    return atHand === undefined ? others : [...others, atHand].sort((a, b) => (a.branch < b.branch ? -1 : 1));
  }

  findBranch(name: string): ParkedBranch | undefined {
    if (this.#branch === undefined) return this.#findRow(name);
    return this.branches().find(({ branch }) => branch === name);
  }

  setBranch({ branch, writer, commit, last }: ParkedBranch): void {
    this.#put("branches", [branch, u64Bytes(writer), commit ?? null, ...lastValues(last)]);
  }

  /** Forgets that there was such a branch: it is the one at hand now. */
  forgetBranch(name: string): void {
    this.#database.run("DELETE FROM branches WHERE name = ?", name);
  }

  #folderHead(): OwnHead | undefined {
    const row = this.#get("head", "SELECT * FROM head");
    return row === undefined
      ? undefined
      : { ...named(row), branch: String(row["branch"]), commit: bytesOf(row["commit"]) };
  }

  #findRow(name: string): ParkedBranch | undefined {
    const row = this.#get("branches", "SELECT * FROM branches WHERE name = ?", name);
    return row === undefined ? undefined : branchOf(row);
  }

  /** The heads seen on one remote, or on all, by remote and writer. */
  remoteHeads(remote?: string): RemoteHead[] {
    const rows =
      remote === undefined
        ? this.#all("remote_heads", "SELECT * FROM remote_heads ORDER BY remote, writer")
        : this.#all("remote_heads", "SELECT * FROM remote_heads WHERE remote = ? ORDER BY writer", remote);
    return rows.map((row) => ({
      remote: String(row["remote"]),
      writer: u64Of(row["writer"]),
      commit: bytesOf(row["commit"]),
      raw: bytesOf(row["raw"]),
    }));
  }

  setRemoteHead({ remote, writer, commit, raw }: RemoteHead): void {
    this.#put("remote_heads", [remote, u64Bytes(writer), commit, raw]);
  }

  /** Forgets what was seen on a remote, or of one writer there. */
  deleteRemoteHeads(remote: string, writer?: WriterId): void {
    if (writer === undefined) this.#database.run("DELETE FROM remote_heads WHERE remote = ?", remote);
    else this.#database.run("DELETE FROM remote_heads WHERE remote = ? AND writer = ?", remote, u64Bytes(writer));
  }

  renameRemote(from: string, to: string): void {
    this.transaction(() => {
      const heads = this.remoteHeads(from);
      this.deleteRemoteHeads(from);
      for (const head of heads) this.setRemoteHead({ ...head, remote: to });
    });
  }

  /** By name, with those deleted. */
  tags(): Tag[] {
    return this.#all("tags", "SELECT * FROM tags ORDER BY name").map(tagOf);
  }

  /** The commit that a tag names; undefined also for a deleted tag. */
  findTag(name: string): Hash | undefined {
    const row = this.#get("tags", "SELECT * FROM tags WHERE name = ?", name);
    return row === undefined ? undefined : tagOf(row).commit;
  }

  /**
   * Takes a tag in: of two values of one name the one of the greater event stays.
   * @returns Whether it was taken.
   */
  setTag(tag: Tag): boolean {
    return this.transaction(() => {
      const row = this.#get("tags", "SELECT * FROM tags WHERE name = ?", tag.name);
      if (row !== undefined && compareEvents(tagOf(row), tag) >= 0) return false;
      this.#put("tags", [tag.name, u64Bytes(tag.clock), u64Bytes(tag.writer), tag.commit ?? null]);
      return true;
    });
  }

  /** Records that a command moved the head. Only the last 10,000 are kept. @returns Its number. */
  addOperation({ timeMs, command, before, after }: Omit<Operation, "id">): number {
    const { table, are, key } = this.#own("operations");
    return this.transaction(() => {
      const id = Number(this.#database.get(`SELECT max(id) AS id FROM ${table} WHERE ${are}`, ...key)?.["id"] ?? 0) + 1;
      this.#put(table, [...key, id, timeMs, command, before ?? null, after ?? null]);
      this.#database.run(`DELETE FROM ${table} WHERE ${are} AND id <= ?`, ...key, id - operationsMax);
      return id;
    });
  }

  /** The last operations, newest first. @param limit At most so many; all that are remembered by default. */
  operations(limit: number = operationsMax): Operation[] {
    const { table, are, key } = this.#own("operations");
    return this.#all(table, `SELECT * FROM ${table} WHERE ${are} ORDER BY id DESC LIMIT ?`, ...key, limit).map(
      operationOf,
    );
  }

  /** Those of all folders, in no order. */
  allOperations(): Operation[] {
    return (["operations", "branch_operations"] as const).flatMap((table) =>
      this.#all(table, `SELECT * FROM ${table}`).map(operationOf),
    );
  }

  /** The paths picked for the next commit, names joined by "/", in order of their bytes. */
  picks(): Uint8Array[] {
    const { table, are, key } = this.#own("picks");
    return this.#all(table, `SELECT * FROM ${table} WHERE ${are} ORDER BY path`, ...key).map((row) =>
      bytesOf(row["path"]),
    );
  }

  addPicks(paths: Iterable<Uint8Array>): void {
    const { table, key } = this.#own("picks");
    this.transaction(() => {
      for (const path of paths) this.#put(table, [...key, path]);
    });
  }

  /** Forgets the picks: these, or all. */
  removePicks(paths?: Iterable<Uint8Array>): void {
    const { table, are, key } = this.#own("picks");
    this.transaction(() => {
      if (paths === undefined) this.#database.run(`DELETE FROM ${table} WHERE ${are}`, ...key);
      else for (const path of paths) this.#database.run(`DELETE FROM ${table} WHERE ${are} AND path = ?`, ...key, path);
    });
  }

  /**
   * What the last scan saw in a directory, as workdir packed it.
   * @param directory The directory's node id.
   * @returns Bytes the caller owns; undefined when there are none or they are damaged.
   */
  scanRow(directory: Dot): Uint8Array | undefined {
    const { table, are, key } = this.#own("scan");
    const id = dotBytes(directory);
    const row = this.#database.get(`SELECT data, sum FROM ${table} WHERE ${are} AND directory = ?`, ...key, id);
    if (row === undefined) return undefined;
    const data = bytesOf(row["data"]);
    return rowSum(table, [...key, id, data]) === row["sum"] ? data : undefined;
  }

  setScanRow(directory: Dot, data: Uint8Array): void {
    const { table, key } = this.#own("scan");
    this.#put(table, [...key, dotBytes(directory), data]);
  }

  deleteScanRow(directory: Dot): void {
    const { table, are, key } = this.#own("scan");
    this.#database.run(`DELETE FROM ${table} WHERE ${are} AND directory = ?`, ...key, dotBytes(directory));
  }

  /** Forgets the last scan of every folder: the next one looks at every file. */
  clearScans(): void {
    for (const table of ["scan", "branch_scan"]) this.#database.run(`DELETE FROM ${table}`);
  }

  /** Forgets all that is about the folder of a branch: there is none any more. */
  forgetFolder(branch: string): void {
    this.transaction(() => {
      for (const table of Object.keys(ownColumns))
        this.#database.run(`DELETE FROM branch_${table} WHERE branch = ?`, branch);
    });
  }

  /** Whether anything in the folder has another inode number than its own. */
  hasNumbers(): boolean {
    const { table, are, key } = this.#own("numbers");
    return this.#database.get(`SELECT 1 FROM ${table} WHERE ${are} LIMIT 1`, ...key) !== undefined;
  }

  /** The row of a thing, and that of what has a number; damaged ones are not there. */
  numberRows(thing: Uint8Array, number: number): NumberRow[] {
    const { table, are, key } = this.#own("numbers");
    return this.#database
      .all(`SELECT * FROM ${table} WHERE ${are} AND (thing = ? OR number = ?)`, ...key, thing, number)
      .filter((row) => hasRightSum(table, row))
      .map((row) => ({
        thing: bytesOf(row["thing"]),
        number: Number(row["number"]),
        generation: Number(row["generation"]),
      }));
  }

  /** Whatever had the number before has it no more. */
  setNumber({ thing, number, generation }: NumberRow): void {
    const { table, key } = this.#own("numbers");
    this.#put(table, [...key, thing, number, generation]);
  }

  deleteNumber(thing: Uint8Array): void {
    const { table, are, key } = this.#own("numbers");
    this.#database.run(`DELETE FROM ${table} WHERE ${are} AND thing = ?`, ...key, thing);
  }

  /** A value of some other part, by its key. */
  value(key: string): Uint8Array | undefined {
    return this.#valueIn({ table: "settings", are: "TRUE", key: [] }, key);
  }

  /** @param value Undefined removes it. */
  setValue(key: string, value: Uint8Array | undefined): void {
    this.#setValueIn({ table: "settings", are: "TRUE", key: [] }, key, value);
  }

  /** As `value`, of one that is about the folder alone. */
  folderValue(key: string): Uint8Array | undefined {
    return this.#valueIn(this.#own("settings"), key);
  }

  setFolderValue(key: string, value: Uint8Array | undefined): void {
    this.#setValueIn(this.#own("settings"), key, value);
  }

  #valueIn({ table, are, key: own }: OwnRows, key: string): Uint8Array | undefined {
    const row = this.#get(table, `SELECT * FROM ${table} WHERE ${are} AND key = ?`, ...own, key);
    return row === undefined ? undefined : bytesOf(row["value"]);
  }

  #setValueIn({ table, are, key: own }: OwnRows, key: string, value: Uint8Array | undefined): void {
    if (value === undefined) this.#database.run(`DELETE FROM ${table} WHERE ${are} AND key = ?`, ...own, key);
    else this.#put(table, [...own, key, value]);
  }

  /** Reads all of it. @returns What is damaged, and what to do about it. */
  check(): StateDamage[] {
    return findDamage(this.#database);
  }

  /**
   * Removes damaged rows, and keeps the others.
   * @param tables All by default.
   * @returns The tables that have lost rows.
   * @throws OuroError "corrupt" when the database cannot be mended; "locked".
   */
  mend(tables?: readonly StateTable[]): ReadonlySet<StateTable> {
    return mendTables(this.#database, tables);
  }

  #get(table: StateTable, sql: string, ...values: (Uint8Array | string | number)[]): Row | undefined {
    const row = this.#database.get(sql, ...values);
    return row === undefined ? undefined : this.#verified(table, row);
  }

  #all(table: StateTable, sql: string, ...values: (Uint8Array | string | number)[]): Row[] {
    return this.#database.all(sql, ...values).map((row) => this.#verified(table, row));
  }

  #verified(table: StateTable, row: Row): Row {
    if (hasRightSum(table, row)) return row;
    throw new OuroError("corrupt", `Cannot use ${this.#database.path}: a row of "${table}" has a wrong checksum`, {
      subject: this.#database.path,
      hint: repairHint,
    });
  }

  #own(table: OwnTable): OwnRows {
    if (this.#branch === undefined) return { table, are: "TRUE", key: [] };
    return { table: `branch_${table}`, are: "branch = ?", key: [this.#branch] };
  }

  /** Writes a row, in place of one with the same key. @param values In the order of `summedColumns`. */
  #put(table: StateTable, values: readonly SummedValue[]): void {
    const columns = [...summedColumns[table], "sum"];
    const names = columns.map((name) => `"${name}"`).join(", ");
    const sql = `INSERT OR REPLACE INTO ${table} (${names}) VALUES (${columns.map(() => "?").join(", ")})`;
    this.#database.run(sql, ...values, rowSum(table, values));
  }
}

function branchOf(row: Row): ParkedBranch {
  const commit = row["commit"];
  return { ...named(row), branch: String(row["name"]), ...(commit === null ? {} : { commit: bytesOf(commit) }) };
}

/** What rows of heads and of branches have alike. */
function named(row: Row): Pick<OwnHead, "writer" | "last"> {
  const [clock, id] = [row["last_clock"], row["last_id"]];
  const last = clock === null || id === null ? {} : { last: { clock: u64Of(clock), id: bytesOf(id) } };
  return { writer: u64Of(row["writer"]), ...last };
}

/** Undefined for a branch that was deleted. */
function withCommit(parked: ParkedBranch | undefined): OwnHead | undefined {
  return parked?.commit === undefined ? undefined : { ...parked, commit: parked.commit };
}

function lastValues(last: OwnHead["last"]): [Uint8Array | null, Uint8Array | null] {
  return last === undefined ? [null, null] : [u64Bytes(last.clock), last.id];
}

function operationOf(row: Row): Operation {
  return {
    id: Number(row["id"]),
    timeMs: Number(row["time_ms"]),
    command: String(row["command"]),
    ...(row["before"] === null ? {} : { before: bytesOf(row["before"]) }),
    ...(row["after"] === null ? {} : { after: bytesOf(row["after"]) }),
  };
}

function tagOf(row: Row): Tag {
  const commit = row["commit"];
  const event = { clock: u64Of(row["clock"]), writer: u64Of(row["writer"]) };
  return { name: String(row["name"]), ...event, ...(commit === null ? {} : { commit: bytesOf(commit) }) };
}

function bytesOf(value: Row[string] | undefined): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw new OuroError("corrupt", "Cannot use state.sqlite: a column is not of its type");
}

function u64Of(value: Row[string] | undefined): bigint {
  const bytes = bytesOf(value);
  if (bytes.length !== 8)
    throw new OuroError("corrupt", `Cannot use state.sqlite: a number has ${bytes.length} bytes (must be 8)`);
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);
}

/** Big-endian, so that SQLite sorts them as numbers. */
function u64Bytes(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, value);
  return bytes;
}

function dotBytes({ clock, writer, counter }: Dot): Uint8Array {
  const bytes = new Uint8Array(20);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, clock);
  view.setBigUint64(8, writer);
  view.setUint32(16, counter);
  return bytes;
}
