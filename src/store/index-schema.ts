/** The tables of `index.sqlite`: see index-database.ts. */

/** Raised with every change of the tables: an index of another version is made anew. */
export const indexVersion = 4;

const placeColumns = `pack INTEGER NOT NULL, offset INTEGER NOT NULL, sealed INTEGER NOT NULL,
  method INTEGER NOT NULL, decoded INTEGER NOT NULL, at INTEGER NOT NULL, length INTEGER NOT NULL`;

/**
 * `indexed` is how many rows a pack has: fewer than its objects when another pack had some of them before. `proven` says that every object
 * of a pack is known to be what its name says; of other packs the frames that are known to be so are in `proven`. The frames of sparse packs
 * that are not here are in `absent`, and counted in the column of that name; which is 1 where all are here and nothing says yet that they
 * have the pack's name. Those that are here because somebody has read them are in `cached`, with the bytes that they take on the disk and when
 * they were last used: a number that grows. The column of that name is the sum of a pack's bytes.
 */
export const indexSchema: string = `
  CREATE TABLE packs(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, class INTEGER NOT NULL,
    size INTEGER NOT NULL, directory_size INTEGER NOT NULL, objects INTEGER NOT NULL, indexed INTEGER NOT NULL,
    absent INTEGER NOT NULL DEFAULT 0, proven INTEGER NOT NULL, cached INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE chunks(hash BLOB NOT NULL PRIMARY KEY, ${placeColumns}) STRICT, WITHOUT ROWID;
  CREATE TABLE metas(hash BLOB NOT NULL, kind INTEGER NOT NULL, ${placeColumns}, PRIMARY KEY(hash, kind)) STRICT, WITHOUT ROWID;
  CREATE TABLE absent(pack INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY(pack, offset)) STRICT, WITHOUT ROWID;
  CREATE TABLE cached(pack INTEGER NOT NULL, offset INTEGER NOT NULL, bytes INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY(pack, offset)) STRICT, WITHOUT ROWID;
  CREATE INDEX cached_by_use ON cached(used, pack, offset);
  CREATE TABLE proven(pack INTEGER NOT NULL, offset INTEGER NOT NULL, PRIMARY KEY(pack, offset)) STRICT, WITHOUT ROWID;
  PRAGMA user_version = ${indexVersion};
`;
