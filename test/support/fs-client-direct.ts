/** Programs' calls made on a `Filesystem` without a kernel between: walks paths, keeps descriptors, gives every lookup back. */
import {
  type Attributes,
  type Caller,
  type Filesystem,
  FilesystemFailure,
  type Found,
  rootInode,
} from "../../src/vfs/mod.ts";
import type { FsClient, NodeKind, OpenHow, Range, Stat } from "./fs-client.ts";

const umask = 0o022;
const newFileMode = 0o644;
/** Of chown(2): as it is. */
const noId = 0xffff_ffff;

interface OpenFile {
  readonly inode: number;
  readonly handle: number;
  readonly how: OpenHow;
}

export class DirectClient implements FsClient {
  readonly uid = 0;
  readonly #filesystem: Filesystem;
  readonly #base: string;
  readonly #files = new Map<number, OpenFile>();
  readonly #caller: Caller = { uid: 0, gid: 0, pid: 1, signal: new AbortController().signal };
  #nextFd = 3;

  /** @param base The directory that paths are relative to; "" is the root. */
  constructor(filesystem: Filesystem, base = "") {
    this.#filesystem = filesystem;
    this.#base = base;
  }

  async mkdir(path: string, mode = 0o755): Promise<void> {
    await this.#make(path, (parent, name) => this.#filesystem.mkdir(parent, name, { mode, umask }, this.#caller));
  }

  async rmdir(path: string): Promise<void> {
    await this.#in(path, (parent, name) => this.#filesystem.rmdir(parent, name, this.#caller));
  }

  async mknod(path: string, { kind, mode, major = 0, minor = 0 }: NodeKind): Promise<void> {
    const node = { kind, mode, umask, rdevMajor: major, rdevMinor: minor };
    await this.#make(path, (parent, name) => this.#filesystem.mknod(parent, name, node, this.#caller));
  }

  async unlink(path: string): Promise<void> {
    await this.#in(path, (parent, name) => this.#filesystem.unlink(parent, name, this.#caller));
  }

  async rename(from: string, to: string, how: "replace" | "no-replace" | "exchange" = "replace"): Promise<void> {
    await this.#in(from, (parent, name) =>
      this.#in(to, (toParent, toName) =>
        this.#filesystem.rename({ parent, name }, { parent: toParent, name: toName }, how, this.#caller),
      ),
    );
  }

  async link(from: string, to: string): Promise<void> {
    await this.#at(from, async ({ inode }) => this.#linkTo(inode, to));
  }

  async linkFile(fd: number, to: string): Promise<void> {
    await this.#linkTo(this.#file(fd).inode, to);
  }

  async symlink(target: string, path: string): Promise<void> {
    const bytes = Buffer.from(target);
    await this.#make(path, (parent, name) => this.#filesystem.symlink(parent, name, bytes, this.#caller));
  }

  async readlink(path: string): Promise<string> {
    return this.#at(path, async ({ inode }) => Buffer.from(await this.#filesystem.readlink(inode)).toString());
  }

  async stat(path: string): Promise<Stat> {
    return this.#at(path, async ({ inode }) => asStat(await this.#filesystem.getattr(inode)));
  }

  async statFile(fd: number): Promise<Stat> {
    return asStat(await this.#filesystem.getattr(this.#file(fd).inode));
  }

  async readdir(path: string): Promise<string[]> {
    return this.#at(path, async ({ inode }) => {
      const { handle } = await this.#filesystem.opendir(inode, this.#caller);
      const names: string[] = [];
      for (let after = 0, before = -1; before !== after; ) {
        before = after;
        let room = 7;
        const give = (entry: { readonly name: Uint8Array; readonly cookie: number }): boolean => {
          room -= 1;
          if (room < 0) return false;
          names.push(Buffer.from(entry.name).toString());
          after = entry.cookie;
          return true;
        };
        await this.#filesystem.readdir(inode, handle, { after, plus: false, give }, this.#caller);
      }
      await this.#filesystem.releasedir(inode, handle);
      if (names[0] !== "." || names[1] !== "..") throw new Error("A listing does not begin with . and ..");
      return names.slice(2);
    });
  }

  async open(path: string, how: OpenHow): Promise<number> {
    const flags = {
      read: how.read ?? false,
      write: how.write ?? false,
      append: how.append ?? false,
      truncate: how.truncate ?? false,
      clearSetId: false,
    };
    const file = { mode: how.mode ?? newFileMode, umask, ...flags };
    if (how.temporary === true) {
      return this.#at(path, async ({ inode }) => {
        const made = await this.#filesystem.createTemporary(inode, file, this.#caller);
        return this.#opened(made.attributes.inode, made.handle, how, true);
      });
    }
    return this.#in(path, async (parent, name) => {
      const found = await this.#filesystem.lookup(parent, name, this.#caller);
      if (found === undefined) {
        if (how.create !== true) throw failure("ENOENT");
        const made = await this.#filesystem.create(parent, name, file, this.#caller);
        return this.#opened(made.attributes.inode, made.handle, how, true);
      }
      const { inode, kind } = found.attributes;
      try {
        if (how.create === true && how.exclusive === true) throw failure("EEXIST");
        if (kind === "symlink") throw failure("ELOOP");
        const { handle } = await this.#filesystem.open(inode, flags, this.#caller);
        return this.#opened(inode, handle, how, false);
      } finally {
        this.#filesystem.forget(inode, 1);
      }
    });
  }

  async close(fd: number): Promise<void> {
    const { inode, handle } = this.#file(fd);
    this.#files.delete(fd);
    await this.#filesystem.flush(inode, handle, 1n);
    await this.#filesystem.release(inode, handle);
  }

  async read(fd: number, offset: number, length: number): Promise<Buffer> {
    const { inode, handle, how } = this.#file(fd);
    if (how.read !== true) throw failure("EBADF");
    const parts = await this.#filesystem.read(inode, handle, offset, length, this.#caller);
    return Buffer.concat(parts);
  }

  async write(fd: number, offset: number, bytes: Uint8Array): Promise<void> {
    const { inode, handle, how } = this.#file(fd);
    if (how.write !== true) throw failure("EBADF");
    await this.#filesystem.write(inode, handle, offset, bytes, { append: how.append ?? false }, this.#caller);
  }

  async fsync(fd: number): Promise<void> {
    const { inode, handle } = this.#file(fd);
    await this.#filesystem.fsync(inode, handle, false);
  }

  async truncate(path: string, size: number): Promise<void> {
    await this.#at(path, async ({ inode }) => this.#filesystem.setattr(inode, { size }, this.#caller));
  }

  async truncateFile(fd: number, size: number): Promise<void> {
    await this.#filesystem.setattr(this.#file(fd).inode, { size }, this.#caller);
  }

  async chmod(path: string, mode: number): Promise<void> {
    await this.#at(path, async ({ inode }) => this.#filesystem.setattr(inode, { mode }, this.#caller));
  }

  async chown(path: string, uid: number, gid: number): Promise<void> {
    const changes = { ...(uid === noId ? {} : { uid }), ...(gid === noId ? {} : { gid }) };
    await this.#at(path, async ({ inode }) => this.#filesystem.setattr(inode, changes, this.#caller));
  }

  async setTime(path: string, ns: bigint): Promise<void> {
    const changes = { atimeNs: ns, mtimeNs: ns };
    await this.#at(path, async ({ inode }) => this.#filesystem.setattr(inode, changes, this.#caller));
  }

  async getxattr(path: string, name: string): Promise<Buffer> {
    const value = await this.#at(path, async ({ inode }) => this.#filesystem.getxattr(inode, Buffer.from(name)));
    if (value === undefined) throw new FilesystemFailure("ENODATA", "there is no such attribute");
    return Buffer.from(value);
  }

  async setxattr(
    path: string,
    name: string,
    value: Uint8Array,
    mode: "any" | "create" | "replace" = "any",
  ): Promise<void> {
    const options = { mode, clearSetGid: false };
    await this.#at(path, async ({ inode }) =>
      this.#filesystem.setxattr(inode, Buffer.from(name), value, options, this.#caller),
    );
  }

  async removexattr(path: string, name: string): Promise<void> {
    await this.#at(path, async ({ inode }) => this.#filesystem.removexattr(inode, Buffer.from(name), this.#caller));
  }

  async listxattr(path: string): Promise<string[]> {
    return this.#at(path, async ({ inode }) =>
      (await this.#filesystem.listxattr(inode)).map((name) => Buffer.from(name).toString()),
    );
  }

  async fallocate(fd: number, kind: "reserve" | "punch-hole" | "zero", range: Range): Promise<void> {
    const { inode, handle } = this.#file(fd);
    const keepSize = range.keepSize ?? kind === "punch-hole";
    await this.#filesystem.fallocate(inode, handle, { ...range, kind, keepSize, clearSetId: false }, this.#caller);
  }

  async seek(fd: number, offset: number, what: "data" | "hole"): Promise<number> {
    const { inode, handle } = this.#file(fd);
    return this.#filesystem.lseek(inode, handle, offset, what);
  }

  async copy(from: number, fromOffset: number, to: number, toOffset: number, length: number): Promise<number> {
    const options = {
      from: { ...this.#file(from), offset: fromOffset },
      to: { ...this.#file(to), offset: toOffset },
      length,
      clearSetId: false,
    };
    return this.#filesystem.copyFileRange(options, this.#caller);
  }

  #file(fd: number): OpenFile {
    const file = this.#files.get(fd);
    if (file === undefined) throw failure("EBADF");
    return file;
  }

  #opened(inode: number, handle: number, how: OpenHow, hasLookup: boolean): number {
    if (hasLookup) this.#filesystem.forget(inode, 1);
    const fd = this.#nextFd;
    this.#nextFd += 1;
    this.#files.set(fd, { inode, handle, how });
    return fd;
  }

  async #linkTo(inode: number, to: string): Promise<void> {
    await this.#make(to, (parent, name) => this.#filesystem.link(inode, parent, name, this.#caller));
  }

  async #make(path: string, act: (parent: number, name: Uint8Array) => Found | Promise<Found>): Promise<void> {
    const { attributes } = await this.#in(path, act);
    this.#filesystem.forget(attributes.inode, 1);
  }

  /** Does something with a name in its directory. */
  async #in<T>(path: string, act: (parent: number, name: Uint8Array) => T | Promise<T>): Promise<T> {
    const full = `${this.#base}/${path}`;
    const slash = full.lastIndexOf("/");
    return this.#walk(full.slice(0, slash), ({ inode }) => act(inode, Buffer.from(full.slice(slash + 1))));
  }

  async #at<T>(path: string, act: (attributes: Attributes) => Promise<T>): Promise<T> {
    return this.#walk(`${this.#base}/${path}`, act);
  }

  async #walk<T>(path: string, act: (attributes: Attributes) => T | Promise<T>): Promise<T> {
    const held: number[] = [];
    try {
      let attributes = await this.#filesystem.getattr(rootInode);
      for (const name of path.split("/").filter((each) => each !== "" && each !== ".")) {
        const found = await this.#filesystem.lookup(attributes.inode, Buffer.from(name), this.#caller);
        if (found === undefined) throw failure("ENOENT");
        attributes = found.attributes;
        held.push(attributes.inode);
      }
      return await act(attributes);
    } finally {
      for (const inode of held) this.#filesystem.forget(inode, 1);
    }
  }
}

function failure(code: "ENOENT" | "EBADF" | "EEXIST" | "ELOOP"): Error {
  if (code === "ELOOP") return Object.assign(new Error("ELOOP"), { code });
  return new FilesystemFailure(code, "as the kernel says");
}

function asStat({ generation: _, isVolatile: __, ...stat }: Attributes): Stat {
  return stat;
}
