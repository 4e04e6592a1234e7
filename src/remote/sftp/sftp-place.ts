/**
 * The folder of a remote within one SFTP session: what needs several requests, and what is known of the folder as long as the session
 * lasts. All failures are the session's end or a `StatusError`, which `explain` turns into ours.
 */
import { posix } from "node:path";
import { setImmediate } from "node:timers/promises";
import { findText, toHex } from "../../base/bytes.ts";
import { type ErrorKind, OuroError } from "../../base/errors.ts";
import { isBlobName } from "../checks.ts";
import type { BlobInfo, RemoteOptions } from "../remote.ts";
import { type Handle, kindOf, SftpFiles } from "./files.ts";
import { type SftpSession, StatusError } from "./session.ts";
import { upload } from "./transfer.ts";
import { type Attributes, statusCode } from "./wire.ts";

export const temporaryFolder = ".tmp";
const temporarySecondsMax = 24 * 3600;
/** A listing beyond this is no box of ours. */
const namesMax = 5_000_000;
/** A server that has less left than this may refuse any block. */
const spaceBytesMin = 256 * 1024;

/** Where an upload gets its bytes, and who is told. */
export interface UploadSource {
  readonly size: number;
  /** See `upload`. */
  readonly nextBlock: (blockBytes: number) => Uint8Array | undefined;
  readonly onBlock: (count: number) => void;
  readonly pace?: RemoteOptions["pace"] | undefined;
}

export interface FolderListing {
  readonly blobs: readonly BlobInfo[];
  /** Names below, each a prefix without its "/". */
  readonly folders: readonly string[];
}

export class SftpPlace {
  readonly files: SftpFiles;
  readonly #root: string;
  readonly #random: (length: number) => Uint8Array;
  readonly #madeFolders = new Map<string, Promise<void>>();
  readonly #directories = new Map<string, Promise<Handle>>();
  readonly #syncs = new Map<string, Promise<void>>();
  #canSyncDirectories: boolean | undefined;
  #hasSwept = false;

  constructor(session: SftpSession, root: string, random: (length: number) => Uint8Array) {
    this.files = new SftpFiles(session);
    this.#root = root;
    this.#random = random;
  }

  get session(): SftpSession {
    return this.files.session;
  }

  pathOf(name: string): string {
    return posix.join(this.#root, name);
  }

  /** Makes the remote's folder and those above it. */
  async makeRoot(): Promise<void> {
    const missing: string[] = [];
    for (let path = this.#root; ; path = posix.dirname(path)) {
      if ((await this.files.stat(path)) !== undefined || posix.dirname(path) === path) break;
      missing.push(path);
    }
    for (const path of missing.reverse()) await this.#makeFolder(path);
  }

  async hasRoot(): Promise<boolean> {
    const root = await this.files.stat(this.#root);
    return root !== undefined && kindOf(root) === "directory";
  }

  /**
   * Writes a durable temporary file and lets `place` move it to the blob's path.
   * @returns The blob's tag; undefined when `place` says that it was not moved.
   */
  async store(
    name: string,
    source: UploadSource,
    place: (temporary: string, path: string) => Promise<boolean>,
  ): Promise<string | undefined> {
    const path = this.pathOf(name);
    const temporary = this.pathOf(`${temporaryFolder}/${toHex(this.#random(16))}`);
    const folders = this.#makeFolders(name);
    folders.catch(() => {});
    const replaced = this.files.lstat(path);
    replaced.catch(() => {});
    await this.#makeFolderOnce(this.pathOf(temporaryFolder));
    const handle = await this.files.openNew(temporary);
    try {
      const attributes = await this.#write(handle, source, await replaced);
      const closed = this.files.close(handle);
      closed.catch(() => {});
      await folders;
      // Some servers tell of a full disk only here.
      if (!this.session.has("fsync@openssh.com", "1")) await closed;
      const isPlaced = await place(temporary, path);
      await closed;
      if (!isPlaced) await this.files.remove(temporary);
      else await this.syncDirectory(posix.dirname(path));
      this.#sweep(attributes);
      return isPlaced ? tagOf(attributes) : undefined;
    } catch (thrown) {
      // While what was written still takes its room.
      const failure = await this.explain("write", name, thrown);
      this.#madeFolders.clear();
      this.files.close(handle).catch(() => {});
      await this.files.remove(temporary).catch(() => {});
      throw failure;
    }
  }

  /** Writes all and syncs. A blob that replaces one of its size gets a later time than that, which is its tag. */
  async #write(handle: Handle, source: UploadSource, replaced: Attributes | undefined): Promise<Attributes> {
    const { files } = this;
    const sent = upload(files, handle, source.nextBlock, source);
    sent.catch(() => {});
    if (source.size > this.session.blockBytes) await sent;
    const [attributes] = await Promise.all([files.fstat(handle), files.sync(handle), sent]);
    if (attributes.size !== source.size) {
      throw new OuroError(
        "io",
        `Cannot store a blob: the server has ${attributes.size} bytes (must be ${source.size})`,
      );
    }
    const mtime = replaced?.mtime;
    if (mtime === undefined || replaced?.size !== source.size || (attributes.mtime ?? 0) > mtime) return attributes;
    await files.setTimes(handle, mtime + 1, mtime + 1);
    await files.sync(handle);
    return { ...attributes, mtime: mtime + 1 };
  }

  /** What is directly in a folder of the remote; nothing when there is no such folder. */
  async listFolder(prefix: string): Promise<FolderListing> {
    const blobs: BlobInfo[] = [];
    const folders: string[] = [];
    for await (const { name, attributes } of this.#rows(this.pathOf(prefix))) {
      const path = `${prefix}${name}`;
      if (!isBlobName(path)) continue;
      const kind = kindOf(attributes);
      if (kind === "file") blobs.push(blobInfo(path, attributes));
      else if (kind === "directory") folders.push(path);
    }
    return { blobs, folders };
  }

  /** The names in the remote's folder itself. */
  async topNames(): Promise<string[]> {
    const names: string[] = [];
    for await (const { name } of this.#rows(this.#root)) names.push(name);
    return names;
  }

  async *#rows(path: string): AsyncIterable<{ readonly name: string; readonly attributes: Attributes }> {
    let count = 0;
    for await (const rows of this.files.list(path)) {
      count += rows.length;
      if (count > namesMax) throw new OuroError("too-large", `Cannot list ${path}: it has over ${namesMax} names`);
      for (const { name, attributes } of rows) yield { name: findText(name) ?? toHex(name), attributes };
    }
  }

  /** Makes names in a directory durable, as far as the server can; those that ask together share one request. */
  syncDirectory(path: string): Promise<void> {
    const waiting = this.#syncs.get(path);
    if (waiting !== undefined) return waiting;
    const sync = this.#syncSoon(path);
    this.#syncs.set(path, sync);
    return sync;
  }

  async #syncSoon(path: string): Promise<void> {
    await setImmediate();
    this.#syncs.delete(path);
    if (this.#canSyncDirectories === false) return;
    try {
      await this.files.sync(await this.#openDirectory(path));
      this.#canSyncDirectories = true;
    } catch (thrown) {
      // OpenSSH opens a directory like a file; others need not.
      if (this.#canSyncDirectories === true || !(thrown instanceof StatusError)) throw thrown;
      this.#canSyncDirectories = false;
    }
  }

  #openDirectory(path: string): Promise<Handle> {
    let handle = this.#directories.get(path);
    if (handle === undefined) {
      handle = this.files.openToRead(path);
      this.#directories.set(path, handle);
    }
    return handle;
  }

  async #makeFolders(name: string): Promise<void> {
    const segments = name.split("/").slice(0, -1);
    for (let count = 1; count <= segments.length; count += 1)
      await this.#makeFolderOnce(this.pathOf(segments.slice(0, count).join("/")));
  }

  #makeFolderOnce(path: string): Promise<void> {
    let making = this.#madeFolders.get(path);
    if (making === undefined) {
      making = this.#makeFolder(path);
      this.#madeFolders.set(path, making);
    }
    return making;
  }

  async #makeFolder(path: string): Promise<void> {
    try {
      await this.files.makeDirectory(path);
    } catch (thrown) {
      const there = await this.files.stat(path);
      if (there === undefined || kindOf(there) !== "directory") throw thrown;
      return;
    }
    await this.syncDirectory(posix.dirname(path));
  }

  /** Removes what a process left in `.tmp` that was killed a day ago, by the server's clock. Its failures do no harm. */
  #sweep({ mtime }: Attributes): void {
    if (this.#hasSwept || mtime === undefined) return;
    this.#hasSwept = true;
    const folder = this.pathOf(temporaryFolder);
    const sweep = async (): Promise<void> => {
      for await (const rows of this.files.list(folder)) {
        for (const { name, attributes } of rows) {
          const isOld = (attributes.mtime ?? mtime) < mtime - temporarySecondsMax;
          const text = findText(name);
          if (isOld && text !== undefined && kindOf(attributes) === "file")
            await this.files.remove(posix.join(folder, text));
        }
      }
    };
    sweep().catch(() => {});
  }

  /** A server's "no" as an error of ours; anything else as it is. */
  async explain(action: string, name: string, thrown: unknown): Promise<unknown> {
    if (!(thrown instanceof StatusError)) return thrown;
    const said = thrown.message.replace(/[^ -~]+/g, " ").slice(0, 200);
    const what = `Cannot ${action} ${name}: `;
    const error = (kind: ErrorKind, why: string, hint: string): OuroError =>
      new OuroError(kind, `${what}${why}`, { subject: name, hint });
    if (thrown.code === statusCode.permissionDenied)
      return error("permission", "the server does not permit it", `See who may write in ${this.#root} there.`);
    if (thrown.code === statusCode.unsupported)
      return error("unsupported", `the server cannot do it (${said})`, "Use another server, or rclone.");
    if (thrown.code === statusCode.noSuchFile)
      return error("not-found", "there is no such blob", "Run the command again.");
    const space = await this.files.spaceLeft(this.#root).catch(() => undefined);
    if (space?.isReadOnly === true)
      return error("read-only", "the file system there is mounted read-only", "Ask its owner.");
    if (space !== undefined && space.bytes < spaceBytesMin)
      return error("no-space", "the disk there is full", "Free some space there and run the command again.");
    return error("io", `the server failed (${said})`, "It does not say why: a quota, or a bad disk, perhaps.");
  }
}

export function blobInfo(name: string, attributes: Attributes): BlobInfo {
  const { size = 0, mtime } = attributes;
  const tag = tagOf(attributes);
  return {
    name,
    size,
    ...(mtime === undefined ? {} : { modifiedMs: mtime * 1000 }),
    ...(tag === undefined ? {} : { tag }),
  };
}

function tagOf({ mtime, size }: Attributes): string | undefined {
  return mtime === undefined || size === undefined ? undefined : `${mtime}-${size}`;
}
