/**
 * What programs do with files, by path, for the suite of filesystems: once straight on a `Filesystem` (fs-client-direct.ts), once through a kernel's
 * mount of it (fs-client-kernel.ts). Failures are Errors with an errno's name as `code`. Paths are relative to a directory of the test's own.
 */
import type { FileStat } from "../../src/base/posix.ts";

export interface OpenHow {
  readonly read?: boolean;
  readonly write?: boolean;
  readonly append?: boolean;
  readonly create?: boolean;
  readonly exclusive?: boolean;
  readonly truncate?: boolean;
  /** Before the umask, which is 022. 0o644 when not said. */
  readonly mode?: number;
  /** O_TMPFILE: the path is the directory. */
  readonly temporary?: boolean;
}

export type Stat = Omit<FileStat, "device" | "inode" | "birthNs"> & {
  readonly inode: number;
  readonly atimeNs: bigint;
};

export interface NodeKind {
  readonly kind: "file" | "fifo" | "socket" | "character" | "block";
  readonly mode: number;
  readonly major?: number;
  readonly minor?: number;
}

export interface FsClient {
  /** Whose files these are: some things only root may do. */
  readonly uid: number;
  mkdir(path: string, mode?: number): Promise<void>;
  rmdir(path: string): Promise<void>;
  mknod(path: string, node: NodeKind): Promise<void>;
  unlink(path: string): Promise<void>;
  rename(from: string, to: string, how?: "replace" | "no-replace" | "exchange"): Promise<void>;
  link(from: string, to: string): Promise<void>;
  /** Gives a name to a file opened as temporary. */
  linkFile(fd: number, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  /** Of the thing itself, also of a symlink. */
  stat(path: string): Promise<Stat>;
  statFile(fd: number): Promise<Stat>;
  /** Without "." and "..", in any order. */
  readdir(path: string): Promise<string[]>;
  open(path: string, how: OpenHow): Promise<number>;
  close(fd: number): Promise<void>;
  read(fd: number, offset: number, length: number): Promise<Buffer>;
  write(fd: number, offset: number, bytes: Uint8Array): Promise<void>;
  fsync(fd: number): Promise<void>;
  truncate(path: string, size: number): Promise<void>;
  truncateFile(fd: number, size: number): Promise<void>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  /** Both times. */
  setTime(path: string, ns: bigint): Promise<void>;
  getxattr(path: string, name: string): Promise<Buffer>;
  setxattr(path: string, name: string, value: Uint8Array, mode?: "any" | "create" | "replace"): Promise<void>;
  removexattr(path: string, name: string): Promise<void>;
  listxattr(path: string): Promise<string[]>;
  fallocate(fd: number, kind: "reserve" | "punch-hole" | "zero", range: Range): Promise<void>;
  seek(fd: number, offset: number, what: "data" | "hole"): Promise<number>;
  copy(from: number, fromOffset: number, to: number, toOffset: number, length: number): Promise<number>;
}

export interface Range {
  readonly offset: number;
  readonly length: number;
  readonly keepSize?: boolean;
}

/** All bytes of a file. */
export async function readAll(client: FsClient, path: string): Promise<Buffer> {
  const fd = await client.open(path, { read: true });
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const part = await client.read(fd, at, 1 << 20);
    if (part.length === 0) break;
    parts.push(part);
    at += part.length;
  }
  await client.close(fd);
  return Buffer.concat(parts);
}

/** Makes a file, or replaces what is in it. */
export async function writeAll(client: FsClient, path: string, content: string | Uint8Array): Promise<void> {
  const fd = await client.open(path, { write: true, create: true, truncate: true });
  await client.write(fd, 0, Buffer.from(content));
  await client.close(fd);
}
