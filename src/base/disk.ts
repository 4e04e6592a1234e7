/**
 * The disk as an argument: the few synchronous calls with which a box's own files, a directory remote and a folder are
 * written, so that a test can fail, end or lose any one of them. node-disk.ts is the real one; test/support/faulty-disk.ts the other.
 *
 * Paths are strings or bytes (names need not be UTF-8). Failures are Node's own errors with `code`; callers turn them
 * into OuroErrors with `ioError`. Reads for user data in bulk (scan, ingest) go through posix.ts instead.
 */
export type DiskPath = string | Uint8Array;

export interface DiskStat {
  readonly kind: "file" | "directory" | "other";
  readonly size: number;
  readonly mode: number;
  /** A user's number. */
  readonly owner: number;
  readonly mtimeMs: number;
  readonly device: bigint;
  readonly inode: bigint;
}

export type OpenMode = "read" | "write" | "create" | "create-new";

export interface Disk {
  /** "create-new" fails with EEXIST; "create" truncates; "write" opens what is there for reading and writing. Permission bits for new files: 0o600 at most unless given. */
  open(path: DiskPath, mode: OpenMode, permissions?: number): number;
  close(fd: number): void;
  /** @returns How many bytes were read: fewer than `into.length` only at the end of the file. */
  read(fd: number, into: Uint8Array, position: number): number;
  /** Writes all of `bytes`. */
  write(fd: number, bytes: Uint8Array, position: number): void;
  truncate(fd: number, size: number): void;
  /** Gives the space of a range back: it reads as zeros. EOPNOTSUPP where the file system has no holes. */
  punchHole(fd: number, offset: number, length: number): void;
  /** Makes a file's data and size durable. */
  syncFile(fd: number): void;
  /** Makes the names in a directory durable. */
  syncDirectory(path: DiskPath): void;
  rename(from: DiskPath, to: DiskPath): void;
  link(from: DiskPath, to: DiskPath): void;
  unlink(path: DiskPath): void;
  makeDirectory(path: DiskPath, permissions?: number): void;
  removeDirectory(path: DiskPath): void;
  /** Names in a directory, in no order, as bytes. */
  list(path: DiskPath): Uint8Array[];
  /** Without following symlinks; undefined when there is nothing. */
  stat(path: DiskPath): DiskStat | undefined;
  statFile(fd: number): DiskStat;
}
