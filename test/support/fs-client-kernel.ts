/** Programs' calls made as programs make them, on a directory: of a mount, or of the machine's own file system to compare with. */
import * as fs from "node:fs";
import { join } from "node:path";
import { cwdFd, type FileKind, listXattrNames, makeNode, renameAt, setTimeAt } from "../../src/base/posix.ts";
import { check, dataAt, library, putData, putPath } from "../../src/base/posix-library.ts";
import type { FsClient, NodeKind, OpenHow, Range, Stat } from "./fs-client.ts";

const newFileMode = 0o644;
/** Without its O_DIRECTORY, which differs between processors. */
const temporaryFlag = 0o20000000;
const followLinks = 0x400;
const xattrBytesMax = 65_536;
const kinds: Readonly<Record<number, FileKind>> = {
  1: "fifo",
  2: "character",
  4: "directory",
  6: "block",
  8: "file",
  10: "symlink",
  12: "socket",
};

export class KernelClient implements FsClient {
  readonly uid: number;
  readonly #base: string;

  /** @param base What paths are relative to. The process must have the umask 022. */
  constructor(base: string, uid: number) {
    this.#base = base;
    this.uid = uid;
  }

  async mkdir(path: string, mode = 0o755): Promise<void> {
    fs.mkdirSync(this.#path(path), mode);
  }

  async rmdir(path: string): Promise<void> {
    fs.rmdirSync(this.#path(path));
  }

  async mknod(path: string, { kind, mode, major = 0, minor = 0 }: NodeKind): Promise<void> {
    makeNode(cwdFd, this.#path(path), { kind, mode, major, minor });
  }

  async unlink(path: string): Promise<void> {
    fs.unlinkSync(this.#path(path));
  }

  async rename(from: string, to: string, how: "replace" | "no-replace" | "exchange" = "replace"): Promise<void> {
    renameAt({ directory: cwdFd, name: this.#path(from) }, { directory: cwdFd, name: this.#path(to) }, how);
  }

  async link(from: string, to: string): Promise<void> {
    fs.linkSync(this.#path(from), this.#path(to));
  }

  async linkFile(fd: number, to: string): Promise<void> {
    const lib = library();
    const [from, target] = [putPath(lib, `/proc/self/fd/${fd}`), putPath(lib, this.#path(to), true)];
    check(lib.call.linkat(cwdFd, from, cwdFd, target, followLinks), "linkat");
  }

  async symlink(target: string, path: string): Promise<void> {
    fs.symlinkSync(target, this.#path(path));
  }

  async readlink(path: string): Promise<string> {
    return fs.readlinkSync(this.#path(path));
  }

  async stat(path: string): Promise<Stat> {
    return asStat(fs.lstatSync(this.#path(path), { bigint: true }));
  }

  async statFile(fd: number): Promise<Stat> {
    return asStat(fs.fstatSync(fd, { bigint: true }));
  }

  async readdir(path: string): Promise<string[]> {
    return fs.readdirSync(this.#path(path));
  }

  async open(path: string, how: OpenHow): Promise<number> {
    const { O_RDWR, O_WRONLY, O_RDONLY, O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_NOFOLLOW, O_DIRECTORY } = fs.constants;
    let flags = how.write === true ? (how.read === true ? O_RDWR : O_WRONLY) : O_RDONLY;
    if (how.append === true) flags |= O_APPEND;
    if (how.create === true) flags |= O_CREAT;
    if (how.exclusive === true) flags |= O_EXCL;
    if (how.truncate === true) flags |= O_TRUNC;
    flags |= how.temporary === true ? temporaryFlag | O_DIRECTORY : O_NOFOLLOW;
    return fs.openSync(this.#path(path), flags, how.mode ?? newFileMode);
  }

  async close(fd: number): Promise<void> {
    fs.closeSync(fd);
  }

  async read(fd: number, offset: number, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, offset));
  }

  async write(fd: number, offset: number, bytes: Uint8Array): Promise<void> {
    let done = 0;
    do {
      done += fs.writeSync(fd, bytes, done, bytes.length - done, offset + done);
    } while (done < bytes.length);
  }

  async fsync(fd: number): Promise<void> {
    fs.fsyncSync(fd);
  }

  async truncate(path: string, size: number): Promise<void> {
    fs.truncateSync(this.#path(path), size);
  }

  async truncateFile(fd: number, size: number): Promise<void> {
    fs.ftruncateSync(fd, size);
  }

  async chmod(path: string, mode: number): Promise<void> {
    fs.chmodSync(this.#path(path), mode);
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    fs.lchownSync(this.#path(path), uid, gid);
  }

  async setTime(path: string, ns: bigint): Promise<void> {
    setTimeAt(cwdFd, this.#path(path), ns);
  }

  async getxattr(path: string, name: string): Promise<Buffer> {
    const lib = library();
    const [target, key] = [putPath(lib, this.#path(path)), putPath(lib, name, true)];
    const bytes = check(lib.call.lgetxattr(target, key, lib.data, xattrBytesMax), "getxattr");
    return Buffer.from(lib.scratch.subarray(dataAt, dataAt + bytes));
  }

  async setxattr(
    path: string,
    name: string,
    value: Uint8Array,
    mode: "any" | "create" | "replace" = "any",
  ): Promise<void> {
    const lib = library();
    const [target, key, data] = [putPath(lib, this.#path(path)), putPath(lib, name, true), putData(lib, value)];
    const flags = { any: 0, create: 1, replace: 2 }[mode];
    check(lib.call.lsetxattr(target, key, data, value.length, flags), "setxattr");
  }

  async removexattr(path: string, name: string): Promise<void> {
    const lib = library();
    check(lib.call.lremovexattr(putPath(lib, this.#path(path)), putPath(lib, name, true)), "removexattr");
  }

  async listxattr(path: string): Promise<string[]> {
    return listXattrNames(this.#path(path)).map((name) => Buffer.from(name).toString());
  }

  async fallocate(fd: number, kind: "reserve" | "punch-hole" | "zero", range: Range): Promise<void> {
    const keepSize = range.keepSize ?? kind === "punch-hole";
    const mode = { reserve: 0, "punch-hole": 2, zero: 0x10 }[kind] | (keepSize ? 1 : 0);
    check(library().call.fallocate(fd, mode, range.offset, range.length), "fallocate");
  }

  async seek(fd: number, offset: number, what: "data" | "hole"): Promise<number> {
    return check(library().call.lseek(fd, offset, what === "data" ? 3 : 4), "lseek");
  }

  async copy(from: number, fromOffset: number, to: number, toOffset: number, length: number): Promise<number> {
    const lib = library();
    lib.scratch.writeBigInt64LE(BigInt(fromOffset), dataAt);
    lib.scratch.writeBigInt64LE(BigInt(toOffset), dataAt + 8);
    return check(lib.call.copyFileRange(from, lib.data, to, lib.data + 8, length, 0), "copy_file_range");
  }

  #path(path: string): string {
    return path === "" ? this.#base : join(this.#base, path);
  }
}

function asStat(stat: fs.BigIntStats): Stat {
  return {
    kind: kinds[Number(stat.mode >> 12n)] ?? "file",
    inode: Number(stat.ino),
    mode: Number(stat.mode & 0o7777n),
    nlink: Number(stat.nlink),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    rdevMajor: Number((stat.rdev >> 8n) & 0xfffn),
    rdevMinor: Number((stat.rdev & 0xffn) | ((stat.rdev >> 12n) & 0xfff00n)),
    size: Number(stat.size),
    blocks: Number(stat.blocks),
    atimeNs: stat.atimeNs,
    mtimeNs: stat.mtimeNs,
    ctimeNs: stat.ctimeNs,
  };
}
