/**
 * A remote in a folder: a disk, a stick, a network mount. A blob is a file of its name.
 *
 * A put writes `.tmp/<random>`, syncs it, renames it and syncs the directory: no reader sees a part of it, and after a crash
 * it is there or not. Puts that end at the same time share one sync of their directory. A conditional put links instead of
 * renaming (link(2) fails where the name exists), so creating is exclusive; replacing conditionally would need a lock,
 * and is "unsupported". What a killed process left in `.tmp` is removed a day later, by the clock of the folder's own disk.
 *
 * The folder itself is made by `openRemote` only: a disk that is not mounted must not look like an empty remote.
 */
import { basename, dirname, join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { findText, toHex } from "../base/bytes.ts";
import type { Disk, DiskStat } from "../base/disk.ts";
import { errnoOf, ioError, isKind, OuroError } from "../base/errors.ts";
import { checkBlobName, checkPrefix, checkRange, checkSignal, isBlobName, tooLarge } from "./checks.ts";
import { DirectorySyncs } from "./directory-syncs.ts";
import type { FileCopier } from "./file-copier.ts";
import {
  type BlobInfo,
  type BlobSource,
  type DownloadOptions,
  type GetOptions,
  getBytesMax,
  type PutCondition,
  type Remote,
  type RemoteOptions,
} from "./remote.ts";

const temporaryFolder = ".tmp";
const temporaryAgeMsMax = 24 * 3600 * 1000;
const copyBlockBytes = 4 * 1024 * 1024;
/** Smaller files are copied through `Disk`: a hop through the thread pool costs more. */
const copierBytesMin = 1024 * 1024;
const listDepthMax = 8;
const topNamesMax = 1000;
/** Names at the top of a fresh file system, which are nobody's files. */
const ignoredTopNames: ReadonlySet<string> = new Set([temporaryFolder, "lost+found"]);
/** Files and folders of a remote are for whomever the folder's owner allows: the umask decides. */
const filePermissions = 0o666;
const folderPermissions = 0o777;

export interface DirRemoteOptions {
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
  /** For large files; without it all goes through `disk`. */
  readonly copier?: FileCopier;
}

export class DirRemote implements Remote {
  readonly url: string;
  readonly conditions = "create-only";
  readonly #folder: string;
  readonly #disk: Disk;
  readonly #random: (length: number) => Uint8Array;
  readonly #copier: FileCopier | undefined;
  readonly #syncs: DirectorySyncs;
  /** Whether `.tmp` is there and swept. */
  #ready = false;

  /** @param folder Absolute. @param url As the user wrote it. */
  constructor(folder: string, url: string, options: DirRemoteOptions) {
    this.#folder = folder;
    this.url = url;
    this.#disk = options.disk;
    this.#random = options.random;
    this.#copier = options.copier;
    this.#syncs = new DirectorySyncs(options.disk);
  }

  async put(name: string, source: BlobSource, options: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(options.signal);
    await this.#store(name, source, options, (temporary, path) => this.#disk.rename(temporary, path));
  }

  async putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    options: RemoteOptions = {},
  ): Promise<string | undefined> {
    checkBlobName(name);
    checkSignal(options.signal);
    if (!("ifAbsent" in condition)) {
      throw new OuroError("unsupported", `Cannot replace ${name} conditionally: a folder keeps no such condition`, {
        subject: name,
      });
    }
    try {
      return await this.#store(name, bytes, options, (temporary, path) => {
        this.#disk.link(temporary, path);
        this.#disk.unlink(temporary);
      });
    } catch (thrown) {
      if (isKind(thrown, "exists")) return undefined;
      // FAT and some network mounts have no links: EPERM.
      if (isKind(thrown) && errnoOf(thrown.cause) === "EPERM") {
        throw new OuroError("unsupported", `Cannot store ${name} conditionally: ${this.url} has no hard links`, {
          cause: thrown,
        });
      }
      throw thrown;
    }
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkBlobName(name);
    checkSignal(options.signal);
    try {
      const fd = this.#openBlob(name);
      try {
        const { start, end } = checkRange(
          name,
          this.#disk.statFile(fd).size,
          options.range,
          options.bytesMax ?? getBytesMax,
        );
        const bytes = new Uint8Array(end - start);
        const count = this.#disk.read(fd, bytes, start);
        if (count !== bytes.length) throw shortRead(name, count, bytes.length);
        options.onBytes?.(count);
        return bytes;
      } finally {
        this.#disk.close(fd);
      }
    } catch (thrown) {
      throw this.#failure("read", name, thrown);
    }
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { offset = 0, bytesMax = Number.POSITIVE_INFINITY } = options;
    try {
      const from = this.#openBlob(name);
      try {
        const { size } = this.#disk.statFile(from);
        if (size > bytesMax) throw tooLarge(name, size, bytesMax);
        checkRange(name, size, { start: offset, end: size }, size);
        const to = this.#disk.open(path, offset === 0 ? "create" : "write", 0o600);
        try {
          if (offset === 0 && size >= copierBytesMin && this.#copier !== undefined) {
            const copied = await this.#copier.copy(join(this.#folder, name), path, {
              permissions: 0o600,
              durable: false,
            });
            if (copied !== size) throw shortRead(name, copied, size);
            options.onBytes?.(size);
          } else {
            await this.#copyBlocks(from, to, { name, offset, size, ...options });
            this.#disk.truncate(to, size);
          }
        } finally {
          this.#disk.close(to);
        }
        return size;
      } finally {
        this.#disk.close(from);
      }
    } catch (thrown) {
      throw this.#failure("download", name, thrown);
    }
  }

  async stat(name: string, options: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    checkSignal(options.signal);
    try {
      const stat = this.#disk.stat(join(this.#folder, name));
      if (stat === undefined) this.#checkFolder();
      return stat?.kind === "file" ? blobInfo(name, stat) : undefined;
    } catch (thrown) {
      throw this.#failure("look at", name, thrown);
    }
  }

  async *list(prefix: string, options: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    checkPrefix(prefix);
    yield* this.#listFolder(prefix, options.signal, 1);
  }

  async *#listFolder(prefix: string, signal: AbortSignal | undefined, depth: number): AsyncIterable<BlobInfo> {
    let count = 0;
    for (const bytes of this.#namesIn(prefix)) {
      const name = `${prefix}${findText(bytes) ?? ""}`;
      if (!isBlobName(name)) continue;
      const stat = this.#findStat(name);
      if (stat?.kind === "file") yield blobInfo(name, stat);
      else if (stat?.kind === "directory" && depth < listDepthMax)
        yield* this.#listFolder(`${name}/`, signal, depth + 1);
      count += 1;
      if (count % 1000 === 0) await setImmediate();
      checkSignal(signal);
    }
  }

  #namesIn(prefix: string): Uint8Array[] {
    try {
      return this.#disk.list(join(this.#folder, prefix));
    } catch (thrown) {
      const failure = this.#failure("list", prefix, thrown);
      if (failure.kind === "not-found" || failure.kind === "not-dir") return [];
      throw failure;
    }
  }

  /** Undefined also when the name has just gone. */
  #findStat(name: string): DiskStat | undefined {
    try {
      return this.#disk.stat(join(this.#folder, name));
    } catch (thrown) {
      throw this.#failure("look at", name, thrown);
    }
  }

  async topNames(options: RemoteOptions = {}): Promise<readonly string[]> {
    checkSignal(options.signal);
    try {
      const names = this.#disk.list(this.#folder).map((bytes) => findText(bytes) ?? toHex(bytes));
      return names.filter((name) => !ignoredTopNames.has(name)).slice(0, topNamesMax);
    } catch (thrown) {
      throw this.#failure("list", "the top", thrown);
    }
  }

  async remove(name: string, options: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(options.signal);
    const path = join(this.#folder, name);
    try {
      this.#disk.unlink(path);
      await this.#syncs.sync(dirname(path));
    } catch (thrown) {
      const failure = this.#failure("remove", name, thrown);
      if (failure.kind !== "not-found" && failure.kind !== "not-dir") throw failure;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  /** Writes a blob beside its place and lets `place` move it there. Returns its tag. */
  async #store(
    name: string,
    source: BlobSource,
    options: RemoteOptions,
    place: (temporary: string, path: string) => void,
  ): Promise<string> {
    const temporary = join(this.#folder, temporaryFolder, toHex(this.#random(16)));
    try {
      this.#prepare();
      const path = join(this.#folder, name);
      try {
        const stat = await this.#writeTemporary(temporary, name, source, options);
        checkSignal(options.signal);
        this.#makeFolders(name);
        place(temporary, path);
        await this.#syncs.sync(dirname(path));
        return tagOf(stat);
      } catch (thrown) {
        this.#discard(temporary);
        throw thrown;
      }
    } catch (thrown) {
      this.#ready = false;
      throw this.#failure("write", name, thrown);
    }
  }

  /** A durable file of the source's bytes. */
  async #writeTemporary(
    temporary: string,
    name: string,
    source: BlobSource,
    options: RemoteOptions,
  ): Promise<DiskStat> {
    const size = source instanceof Uint8Array ? source.length : source.size;
    const to = this.#disk.open(temporary, "create-new", filePermissions);
    try {
      if (source instanceof Uint8Array) {
        this.#disk.write(to, source, 0);
        options.onBytes?.(size);
        this.#disk.syncFile(to);
      } else if (size >= copierBytesMin && this.#copier !== undefined) {
        const permissions = this.#disk.statFile(to).mode & 0o777;
        await this.#copier.copy(source.path, temporary, { permissions, durable: true });
        options.onBytes?.(size);
      } else {
        const from = this.#disk.open(source.path, "read");
        try {
          const found = this.#disk.statFile(from).size;
          if (found !== size) throw wrongSize(name, found, size);
          await this.#copyBlocks(from, to, { name, offset: 0, size, ...options });
        } finally {
          this.#disk.close(from);
        }
        this.#disk.syncFile(to);
      }
      const stat = this.#disk.statFile(to);
      if (stat.size === size) return stat;
      throw wrongSize(name, stat.size, size);
    } finally {
      this.#disk.close(to);
    }
  }

  async #copyBlocks(
    from: number,
    to: number,
    options: RemoteOptions & { readonly name: string; readonly offset: number; readonly size: number },
  ): Promise<void> {
    const { name, offset, size } = options;
    const block = new Uint8Array(Math.min(copyBlockBytes, size - offset));
    for (let at = offset; at < size; ) {
      const part = block.subarray(0, Math.min(block.length, size - at));
      const count = this.#disk.read(from, part, at);
      if (count !== part.length) throw shortRead(name, at + count, size);
      this.#disk.write(to, part, at);
      at += count;
      options.onBytes?.(count);
      if (at < size) await setImmediate();
      checkSignal(options.signal);
    }
  }

  /** Makes `.tmp`, and removes from it what a process left that was killed long ago. */
  #prepare(): void {
    if (this.#ready) return;
    const folder = join(this.#folder, temporaryFolder);
    this.#makeFolder(folder);
    const mine = join(folder, toHex(this.#random(16)));
    const fd = this.#disk.open(mine, "create-new", filePermissions);
    let mtimeMs: number;
    try {
      ({ mtimeMs } = this.#disk.statFile(fd));
    } finally {
      this.#disk.close(fd);
      this.#discard(mine);
    }
    for (const bytes of this.#disk.list(folder)) {
      const path = join(folder, findText(bytes) ?? "");
      const stat = path === folder ? undefined : this.#disk.stat(path);
      if (stat?.kind === "file" && stat.mtimeMs < mtimeMs - temporaryAgeMsMax) this.#discard(path);
    }
    this.#ready = true;
  }

  #discard(path: string): void {
    try {
      this.#disk.unlink(path);
    } catch (thrown) {
      ioError(`Cannot remove ${path}`, thrown);
    }
  }

  #makeFolders(name: string): void {
    const segments = name.split("/").slice(0, -1);
    for (let count = 1; count <= segments.length; count += 1) {
      this.#makeFolder(join(this.#folder, ...segments.slice(0, count)));
    }
  }

  #makeFolder(path: string): void {
    if (this.#disk.stat(path)?.kind === "directory") return;
    try {
      this.#disk.makeDirectory(path, folderPermissions);
    } catch (thrown) {
      if (errnoOf(thrown) !== "EEXIST" || this.#disk.stat(path)?.kind !== "directory") throw thrown;
    }
    this.#disk.syncDirectory(dirname(path));
  }

  /** Only plain files are blobs: opening a fifo that somebody put there would wait for ever. */
  #openBlob(name: string): number {
    const path = join(this.#folder, name);
    const stat = this.#disk.stat(path);
    if (stat === undefined) this.#checkFolder();
    if (stat?.kind !== "file")
      throw new OuroError("not-found", `Cannot read ${name}: there is no such blob`, { subject: name });
    return this.#disk.open(path, "read");
  }

  /** @throws OuroError "offline" when the folder itself is not there. */
  #checkFolder(): void {
    const path = this.#folder;
    const parent = this.#disk.stat(`${path}/.`);
    if (parent?.kind === "directory") return;
    throw new OuroError(
      "offline",
      `Cannot reach ${this.url}: there is no folder ${basename(path)} in ${dirname(path)}`,
      {
        subject: this.url,
        hint: "If it is on a disk or a network mount, see that it is mounted; else set the remote's URL right.",
      },
    );
  }

  #failure(action: string, name: string, thrown: unknown): OuroError {
    const failure = ioError(`Cannot ${action} ${name} in ${this.url}`, thrown, name);
    if (failure === thrown || (failure.kind !== "not-found" && failure.kind !== "not-dir")) return failure;
    try {
      this.#checkFolder();
    } catch (offline) {
      if (isKind(offline)) return offline;
      return ioError(`Cannot ${action} ${name} in ${this.url}`, offline, name);
    }
    return failure;
  }
}

function blobInfo(name: string, stat: DiskStat): BlobInfo {
  return { name, size: stat.size, modifiedMs: stat.mtimeMs, tag: tagOf(stat) };
}

/** A put makes a new file, so a new blob has another inode or time, or both. */
function tagOf(stat: DiskStat): string {
  return `${stat.inode.toString(16)}-${stat.mtimeMs}-${stat.size}`;
}

function wrongSize(name: string, found: number, size: number): OuroError {
  return new OuroError("invalid", `Cannot store ${name}: its source has ${found} bytes (must be ${size})`, {
    subject: name,
  });
}

function shortRead(name: string, count: number, size: number): OuroError {
  return new OuroError("io", `Cannot read ${name}: it ended after ${count} bytes (must be ${size})`, { subject: name });
}
