/** The real disk, by node:fs. */
import {
  type BigIntStats,
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmdirSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { asBuffer } from "./bytes.ts";
import type { Disk, DiskPath, DiskStat, OpenMode } from "./disk.ts";
import { errnoOf } from "./errors.ts";
import { punchHole } from "./posix-space.ts";

const openFlags: Readonly<Record<OpenMode, number>> = {
  read: constants.O_RDONLY,
  write: constants.O_RDWR,
  create: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  "create-new": constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
};

const nativePath = (path: DiskPath): string | Buffer => (typeof path === "string" ? path : asBuffer(path));

export const nodeDisk: Disk = {
  open: (path, mode, permissions = 0o600) => openSync(nativePath(path), openFlags[mode], permissions),
  close: (fd) => closeSync(fd),
  read(fd, into, position) {
    let done = 0;
    while (done < into.length) {
      const count = readSync(fd, into, done, into.length - done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  },
  write(fd, bytes, position) {
    let done = 0;
    while (done < bytes.length) done += writeSync(fd, bytes, done, bytes.length - done, position + done);
  },
  truncate: (fd, size) => ftruncateSync(fd, size),
  punchHole,
  syncFile: (fd) => fdatasyncSync(fd),
  syncDirectory(path) {
    const fd = openSync(nativePath(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
  rename: (from, to) => renameSync(nativePath(from), nativePath(to)),
  link: (from, to) => linkSync(nativePath(from), nativePath(to)),
  unlink: (path) => unlinkSync(nativePath(path)),
  makeDirectory: (path, permissions = 0o700) => {
    mkdirSync(nativePath(path), { mode: permissions });
  },
  removeDirectory: (path) => rmdirSync(nativePath(path)),
  list: (path) => readdirSync(nativePath(path), "buffer"),
  stat(path) {
    try {
      return toDiskStat(lstatSync(nativePath(path), { bigint: true }));
    } catch (thrown) {
      const errno = errnoOf(thrown);
      if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
      throw thrown;
    }
  },
  statFile: (fd) => toDiskStat(fstatSync(fd, { bigint: true })),
};

function toDiskStat(stat: BigIntStats): DiskStat {
  return {
    kind: stat.isFile() ? "file" : stat.isDirectory() ? "directory" : "other",
    size: Number(stat.size),
    mode: Number(stat.mode & 0o7777n),
    owner: Number(stat.uid),
    mtimeMs: Number(stat.mtimeMs),
    device: stat.dev,
    inode: stat.ino,
  };
}
