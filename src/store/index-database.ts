/**
 * `index.sqlite`: where every object is. Derived from the packs' own directories, so it may be deleted; it is never
 * trusted either: what is read by it is verified by its hash.
 *
 * WAL, so that readers and one writer do not wait for each other; a transaction lost with the power is made up for when
 * the store is opened next (packs without rows are taken in). Every process and worker has its own connection.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { OuroError } from "../base/errors.ts";
import { openReadOnly } from "../base/read-only-database.ts";
import {
  directoryHash,
  type Hash,
  type MetaKind,
  metaKindCodes,
  type PackClass,
  type PackDirectory,
  packClassCodes,
} from "../format/mod.ts";
import { CachedFrames, cachedFramesOf } from "./cached-frames.ts";
import {
  type FrameKey,
  framesOfObjects,
  type IndexedObject,
  indexedObjectOf,
  type NewPack,
  type ObjectPlace,
  objectsByHash,
  type PackRow,
  packColumns,
  packOf,
} from "./index-rows.ts";
import { indexSchema, indexVersion } from "./index-schema.ts";
import { sqliteError } from "./sqlite-error.ts";

const busyTimeoutMs = 60_000;
/** Of each connection that reads: enough for the index of 150,000 objects. */
const readCacheKib = 8192;
const writeCacheKib = 4096;
/** Rows that go in with one call: a quarter less time than one by one, and more gain nothing. */
const rowsAtOnce = 8;

export class IndexDatabase implements Disposable {
  readonly path: string;
  /** The frames that are here because somebody has read them. */
  readonly cached: CachedFrames;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #packs = new Map<number, PackRow>();

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
    this.cached = new CachedFrames({
      statement: (sql) => this.#statement(sql),
      guard: (read) => this.#guard("read", read),
    });
  }

  /**
   * Opens the index; a new and empty one is made unless `readOnly`.
   * @param options.cacheKib How much of it is kept in memory: as much as is written at once saves writing pages several times.
   * @throws OuroError "corrupt" when it is damaged or of another version, "locked", "no-space", "permission", "io".
   */
  static open(
    path: string,
    { readOnly = false, cacheKib }: { readonly readOnly?: boolean; readonly cacheKib?: number } = {},
  ): IndexDatabase {
    let database: DatabaseSync | undefined;
    try {
      const options = { timeout: busyTimeoutMs };
      database = readOnly ? openReadOnly(path, options) : new DatabaseSync(path, options);
      database.exec(`PRAGMA cache_size = -${cacheKib ?? (readOnly ? readCacheKib : writeCacheKib)}`);
      if (!readOnly) {
        database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000");
      }
      const index = new IndexDatabase(path, database);
      index.#prepareSchema(readOnly);
      return index;
    } catch (error) {
      database?.close();
      throw sqliteError(`Cannot open ${path}`, error, path);
    }
  }

  #prepareSchema(readOnly: boolean): void {
    const version = (): unknown => this.#database.prepare("PRAGMA user_version").get()?.["user_version"];
    if (version() === 0 && !readOnly) {
      this.transaction(() => {
        if (version() === 0) this.#database.exec(indexSchema);
      });
    }
    if (version() !== indexVersion) {
      throw new OuroError("corrupt", `Cannot use ${this.path}: it is of another version`, { subject: this.path });
    }
    if (!this.#hasOwnTables())
      throw new OuroError("corrupt", `Cannot use ${this.path}: its tables are not those of ourobox`, {
        subject: this.path,
      });
  }

  /** SQLite believes any definition that it can read: of a damaged one it uses other columns, or none. */
  #hasOwnTables(): boolean {
    const all = this.#database.prepare("SELECT type, name, sql FROM sqlite_schema").all();
    const beginOf = {
      table: (name: unknown) => `CREATE TABLE ${name}(`,
      index: (name: unknown) => `CREATE INDEX ${name} `,
    };
    const own = all.filter(({ type, name, sql }) => {
      const begin = type === "table" || type === "index" ? beginOf[type](name) : undefined;
      return begin !== undefined && indexSchema.includes(begin) && indexSchema.includes(`${sql};`);
    });
    return own.length === indexSchema.split("CREATE ").length - 1;
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      statement.setReturnArrays(true);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** As `transaction`, but durable when it returns: for what is given up right after it. */
  durableTransaction<T>(body: () => T): T {
    this.#guard("write", () => this.#database.exec("PRAGMA synchronous = FULL"));
    try {
      return this.transaction(body);
    } finally {
      this.#database.exec("PRAGMA synchronous = NORMAL");
    }
  }

  /** Runs `body` in one BEGIN IMMEDIATE transaction; it must not await. */
  transaction<T>(body: () => T): T {
    return this.#guard("write", () => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        const result = body();
        this.#database.exec("COMMIT");
        return result;
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        this.#packs.clear();
        throw error;
      }
    });
  }

  #guard<T>(verb: "read" | "write", body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw sqliteError(`Cannot ${verb} ${this.path}`, error, this.path);
    }
  }

  #find(table: "chunks" | "metas", hash: Hash, kind?: number): ObjectPlace | undefined {
    const columns = "pack, offset, sealed, method, decoded, at, length";
    const row =
      table === "chunks"
        ? this.#statement(`SELECT ${columns} FROM chunks WHERE hash = ?`).get(hash)
        : this.#statement(`SELECT ${columns} FROM metas WHERE hash = ? AND kind = ?`).get(hash, kind as number);
    if (row === undefined) return undefined;
    const [pack, offset, sealed, method, decoded, at, length] = row as unknown as number[];
    return { pack, offset, sealed, method, decoded, at, length } as ObjectPlace;
  }

  findChunk(hash: Hash): ObjectPlace | undefined {
    return this.#guard("read", () => this.#find("chunks", hash));
  }

  findMeta(hash: Hash, kind: MetaKind): ObjectPlace | undefined {
    return this.#guard("read", () => this.#find("metas", hash, metaKindCodes[kind]));
  }

  hasChunk(hash: Hash): boolean {
    return this.#guard("read", () => this.#statement("SELECT 1 FROM chunks WHERE hash = ?").get(hash) !== undefined);
  }

  /** Whether there is any chunk at all. */
  hasChunks(): boolean {
    return this.#guard("read", () => this.#statement("SELECT 1 FROM chunks LIMIT 1").get() !== undefined);
  }

  /** Whether there is a metadata object of that name, of the given kind if one is given. */
  hasMeta(hash: Hash, kind?: MetaKind): boolean {
    return this.#guard("read", () =>
      kind === undefined
        ? this.#statement("SELECT 1 FROM metas WHERE hash = ? LIMIT 1").get(hash) !== undefined
        : this.#statement("SELECT 1 FROM metas WHERE hash = ? AND kind = ?").get(hash, metaKindCodes[kind]) !==
          undefined,
    );
  }

  /** Metadata hashes of a kind that begin with `prefix`, at most `max` of them. */
  metasByPrefix(prefix: Uint8Array, kind: MetaKind, max: number): Hash[] {
    const last = Buffer.alloc(33, 0xff);
    last.set(prefix);
    const sql = "SELECT hash FROM metas WHERE hash BETWEEN ? AND ? AND kind = ? LIMIT ?";
    return this.#guard("read", () =>
      this.#statement(sql)
        .all(prefix, last, metaKindCodes[kind], max)
        .map((row) => (row as unknown as [Hash])[0]),
    );
  }

  /** Whether a frame of an incomplete pack is missing here. */
  isAbsent(pack: number, offset: number): boolean {
    const sql = "SELECT 1 FROM absent WHERE pack = ? AND offset = ?";
    return this.#guard("read", () => this.#statement(sql).get(pack, offset) !== undefined);
  }

  /** Where the frames of a pack begin that are not here. */
  absentFrames(pack: number): Set<number> {
    const rows = this.#guard("read", () => this.#statement("SELECT offset FROM absent WHERE pack = ?").all(pack));
    return new Set(rows.map((row) => (row as unknown as [number])[0]));
  }

  /** Notes that frames are not here, in a transaction of the caller. */
  addAbsent(pack: number, offsets: Iterable<number>): void {
    const insert = this.#statement("INSERT OR IGNORE INTO absent(pack, offset) VALUES(?, ?)");
    const hasCached = this.cached.hasOf(pack);
    for (const offset of offsets) {
      insert.run(pack, offset);
      if (hasCached) this.cached.remove(pack, offset);
    }
    this.#countAbsent(pack);
  }

  /**
   * Notes that frames are here and right, in a transaction of the caller: chunks that are found in absent frames elsewhere are found in them from then on.
   * @param options.isWhole The pack has its name, and nothing of it is absent any more.
   */
  removeAbsent(
    pack: number,
    { directory, offsets, isWhole }: { directory: PackDirectory; offsets: ReadonlySet<number>; isWhole: boolean },
  ): void {
    const remove = this.#statement("DELETE FROM absent WHERE pack = ? AND offset = ?");
    for (const offset of offsets) remove.run(pack, offset);
    if (isWhole) this.#setWhole(pack, true);
    else {
      this.addProven([...offsets].map((offset) => ({ pack, offset })));
      this.#countAbsent(pack);
    }
    if (this.#forgetAbsent(directory, (offset) => offsets.has(offset)) > 0) this.addObjectsAgain(pack, directory);
  }

  #countAbsent(pack: number): void {
    const count = "SELECT count(*) FROM absent WHERE pack = ?1";
    this.#statement(`UPDATE packs SET absent = max(1, (${count})) WHERE id = ?1`).run(pack);
    this.#packs.delete(pack);
  }

  #setWhole(pack: number, isProven: boolean): void {
    this.#statement("DELETE FROM absent WHERE pack = ?").run(pack);
    this.cached.removeAll(pack);
    this.#statement("UPDATE packs SET absent = 0, proven = max(proven, ?) WHERE id = ?").run(isProven ? 1 : 0, pack);
    this.#packs.delete(pack);
  }

  /** Forgets the rows of chunks that are found in absent frames and are in frames of another pack that are here. @returns How many. */
  #forgetAbsent(directory: PackDirectory, isHere: (offset: number) => boolean): number {
    if (directory.class !== "content") return 0;
    if (this.#statement("SELECT 1 FROM absent LIMIT 1").get() === undefined) return 0;
    const isAbsent = "EXISTS(SELECT 1 FROM absent WHERE absent.pack = chunks.pack AND absent.offset = chunks.offset)";
    let count = 0;
    const frameOf = framesOfObjects(directory);
    for (let object = 0; object < directory.objects; object += 1) {
      if (isHere(directory.frameOffsets[frameOf[object] as number] as number))
        count += this.#forgetChunk(`hash = ? AND ${isAbsent}`, directoryHash(directory, object));
    }
    return count;
  }

  /** Makes a chunk found in another place, in a transaction of the caller. */
  moveChunk(hash: Hash, to: ObjectPlace): void {
    this.#forgetChunk("hash = ?", hash);
    const columns = "hash, pack, offset, sealed, method, decoded, at, length";
    const { pack, offset, sealed, method, decoded, at, length } = to;
    this.#statement(`INSERT INTO chunks(${columns}) VALUES(?, ?, ?, ?, ?, ?, ?, ?)`).run(
      hash,
      ...[pack, offset, sealed, method, decoded, at, length],
    );
    this.#statement("UPDATE packs SET indexed = indexed + 1 WHERE id = ?").run(pack);
    this.#packs.delete(pack);
  }

  /** The pack of that number, or undefined when it is gone. */
  findPack(id: number): PackRow | undefined {
    const known = this.#packs.get(id);
    if (known !== undefined) return known;
    const row = this.#guard("read", () => this.#statement(`SELECT ${packColumns} FROM packs WHERE id = ?`).get(id));
    if (row === undefined) return undefined;
    const pack = packOf(row);
    this.#packs.set(id, pack);
    return pack;
  }

  /** Forgets what it remembers of packs, after another process may have changed them. */
  forgetPacks(): void {
    this.#packs.clear();
  }

  findPackNamed(name: Hash): PackRow | undefined {
    const row = this.#guard("read", () => this.#statement(`SELECT ${packColumns} FROM packs WHERE name = ?`).get(name));
    return row === undefined ? undefined : packOf(row);
  }

  /** All packs, oldest rows first. */
  packs(): PackRow[] {
    return this.#guard("read", () => this.#statement(`SELECT ${packColumns} FROM packs ORDER BY id`).all().map(packOf));
  }

  /**
   * Adds a pack's rows, in a transaction of the caller. What another pack has already stays where it is, unless it is absent there.
   * @param options.replace What another pack has is found in this one from now on.
   * @returns False when the pack was there already.
   */
  addPack(pack: NewPack, options: { readonly replace?: boolean } = {}): boolean {
    const { directory } = pack;
    const code = packClassCodes[directory.class];
    const proven = pack.proven === true ? 1 : 0;
    for (const { hash, pack: other } of pack.mends ?? []) this.#forgetChunk("hash = ? AND pack = ?", hash, other);
    const insert = this.#statement(
      "INSERT OR IGNORE INTO packs(name, class, size, directory_size, objects, indexed, proven) VALUES(?, ?, ?, ?, ?, 0, ?)",
    );
    const added = insert.run(pack.name, code, pack.size, pack.directorySize, directory.objects, proven);
    if (added.changes === 0) {
      // Who opened the box just now has found the file without rows.
      if (proven === 1) this.#statement("UPDATE packs SET proven = 1 WHERE name = ?").run(pack.name);
      const there = this.findPackNamed(pack.name);
      if (there === undefined) return false;
      const isNowWhole = !there.complete && pack.absent === undefined;
      if (isNowWhole) this.#setWhole(there.id, proven === 1);
      if (isNowWhole || pack.mends !== undefined) this.addObjectsAgain(there.id, directory);
      return false;
    }
    const id = Number(added.lastInsertRowid);
    this.#forgetAbsent(directory, (offset) => pack.absent?.has(offset) !== true);
    if (pack.absent !== undefined || pack.isCache === true) {
      const here = cachedFramesOf(directory, (offset) => pack.absent?.has(offset) !== true);
      if (pack.absent !== undefined) {
        this.addAbsent(id, pack.absent);
        this.addProven(here.map(({ offset }) => ({ pack: id, offset })));
      }
      this.cached.add(id, here, { isOld: true });
    }
    const indexed = this.#addObjects(id, directory, options.replace === true);
    this.#statement("UPDATE packs SET indexed = ? WHERE id = ?").run(indexed, id);
    return true;
  }

  /** Adds the rows of a pack that is there for objects that no other pack has any more, or that are absent there. */
  addObjectsAgain(id: number, directory: PackDirectory): void {
    const absent = this.absentFrames(id);
    this.#forgetAbsent(directory, (offset) => !absent.has(offset));
    const added = this.#addObjects(id, directory, false);
    this.#statement("UPDATE packs SET indexed = indexed + ? WHERE id = ?").run(added, id);
    this.#packs.delete(id);
  }

  /** @param where Of one chunk. @returns How many had a row: one or none. */
  #forgetChunk(where: string, ...values: (Hash | number)[]): number {
    const removed = this.#statement(`DELETE FROM chunks WHERE ${where} RETURNING pack`).get(...values);
    if (removed === undefined) return 0;
    const [pack] = removed as unknown as [number];
    this.#statement("UPDATE packs SET indexed = indexed - 1 WHERE id = ?").run(pack);
    this.#packs.delete(pack);
    return 1;
  }

  /** Whether every object of a frame, in a pack that is not proven, is known to be what its name says. */
  isFrameProven({ pack, offset }: FrameKey): boolean {
    const sql = "SELECT 1 FROM proven WHERE pack = ? AND offset = ?";
    return this.#guard("read", () => this.#statement(sql).get(pack, offset) !== undefined);
  }

  /** Notes that every object of these frames is what its name says, in a transaction of the caller. */
  addProven(frames: Iterable<FrameKey>): void {
    // Of a pack that is gone by now nothing may stay behind: its number could not be given again, but would count for ever.
    const statement = this.#statement(
      "INSERT OR IGNORE INTO proven(pack, offset) SELECT id, ? FROM packs WHERE id = ?",
    );
    for (const { pack, offset } of frames) statement.run(offset, pack);
  }

  #addObjects(pack: number, directory: PackDirectory, replace: boolean): number {
    const meta = directory.class === "meta";
    const columns = `hash, pack, offset, sealed, method, decoded, at, length${meta ? ", kind" : ""}`;
    const width = meta ? 9 : 8;
    const insert = (values: readonly (Hash | number)[]): number => {
      const row = `(?${", ?".repeat(width - 1)})`;
      const rows = `${row}${`, ${row}`.repeat(values.length / width - 1)}`;
      const into = `INSERT OR ${replace ? "REPLACE" : "IGNORE"} INTO ${meta ? "metas" : "chunks"}`;
      return Number(this.#statement(`${into}(${columns}) VALUES ${rows}`).run(...values).changes);
    };
    let added = 0;
    let values: (Hash | number)[] = [];
    const frameOf = framesOfObjects(directory);
    for (const object of objectsByHash(directory)) {
      const frame = frameOf[object] as number;
      values.push(
        directoryHash(directory, object),
        pack,
        directory.frameOffsets[frame] as number,
        directory.frameSealed[frame] as number,
        directory.frameMethods[frame] as number,
        directory.frameLengths[frame] as number,
        directory.objectOffsets[object] as number,
        directory.objectLengths[object] as number,
      );
      if (meta) values.push(directory.kinds[object] as number);
      if (values.length < rowsAtOnce * width) continue;
      added += insert(values);
      values = [];
    }
    return values.length === 0 ? added : added + insert(values);
  }

  /** Removes packs and all their rows, in a transaction of the caller: one pass over the objects, whatever the number. */
  removePacks(ids: readonly number[]): void {
    if (ids.length === 0) return;
    const list = JSON.stringify(ids);
    for (const [table, column] of [
      ["chunks", "pack"],
      ["metas", "pack"],
      ["absent", "pack"],
      ["cached", "pack"],
      ["proven", "pack"],
      ["packs", "id"],
    ]) {
      this.#statement(`DELETE FROM ${table} WHERE ${column} IN (SELECT value FROM json_each(?))`).run(list);
    }
    for (const id of ids) this.#packs.delete(id);
  }

  /** Empties it, in a transaction of the caller. */
  clear(): void {
    this.#packs.clear();
    this.#database.exec(
      "DELETE FROM chunks; DELETE FROM metas; DELETE FROM absent; DELETE FROM cached; DELETE FROM proven; DELETE FROM packs",
    );
  }

  /** How many objects have rows. */
  countObjects(): number {
    const sql = "SELECT (SELECT count(*) FROM chunks) + (SELECT count(*) FROM metas)";
    return this.#guard("read", () => (this.#statement(sql).get() as unknown as [number])[0]);
  }

  /** Every object of a class. Nothing may be written before the generator is at its end. */
  *objects(packClass: PackClass): Generator<IndexedObject> {
    const sql =
      packClass === "content"
        ? "SELECT hash, pack, length, 0 FROM chunks"
        : "SELECT hash, pack, length, kind FROM metas";
    yield* this.#iterate(sql);
  }

  /** The objects that are found in some packs. One pass over all, whatever the number of packs. */
  *objectsOf(packs: readonly number[]): Generator<IndexedObject> {
    const where = "pack IN (SELECT value FROM json_each(?))";
    const sql = `SELECT hash, pack, length, 0 FROM chunks WHERE ${where} UNION ALL SELECT hash, pack, length, kind FROM metas WHERE ${where}`;
    const list = JSON.stringify(packs);
    yield* this.#iterate(sql, list, list);
  }

  *#iterate(sql: string, ...values: string[]): Generator<IndexedObject> {
    try {
      for (const row of this.#statement(sql).iterate(...values)) yield indexedObjectOf(row);
    } catch (error) {
      throw sqliteError(`Cannot read ${this.path}`, error, this.path);
    }
  }

  /** What SQLite itself finds wrong with the file; empty when it is well. */
  integrityProblems(): string[] {
    try {
      const rows = this.#database.prepare("PRAGMA integrity_check(10)").all();
      return rows.map((row) => String(row["integrity_check"])).filter((text) => text !== "ok");
    } catch (error) {
      return [sqliteError("Cannot check the index", error, this.path).message];
    }
  }
}
