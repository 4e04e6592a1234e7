/**
 * A remote in any storage that the installed rclone knows.
 *
 * Where the storage can move files, a put goes to `.tmp/<random>` and is moved: rclone writes in place to file systems. Where it can't, it is
 * an object store, whose puts are atomic by themselves. rclone removes what a move replaces just before: for a moment neither is
 * there, so a reader that finds nothing looks once more, and a listing may lack it. Nothing is known of durability, and no condition is kept.
 */
import { tmpdir } from "node:os";
import { basename, dirname, posix } from "node:path";
import { setTimeout } from "node:timers/promises";
import { toHex } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { ioError, isKind, OuroError } from "../../base/errors.ts";
import { checkBlobName, checkPrefix, checkRange, checkSignal, isBlobName, tooLarge } from "../checks.ts";
import { CountedBytes } from "../counted-bytes.ts";
import { endDownload, readBody, writeBody } from "../http/take-body.ts";
import { openSource } from "../local-source.ts";
import {
  type BlobInfo,
  type BlobSource,
  type DownloadOptions,
  type GetOptions,
  getBytesMax,
  type PutCondition,
  type Remote,
  type RemoteOptions,
} from "../remote.ts";
import { type Json, RcloneProcess } from "./rclone-process.ts";

export interface RcloneRemoteOptions {
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly command: readonly string[];
  readonly create?: boolean;
  /** What rclone may send, in bytes a second: it sends by itself. */
  readonly uploadLimit?: number;
  /** How long an upload may stand still; 2 minutes unless given. */
  readonly stallMsMax?: number;
}

/** What of a storage decides how it is used. */
interface Features {
  readonly canMove: boolean;
  readonly hasFolders: boolean;
  /** Times are told finely enough to be a tag. */
  readonly hasFineTimes: boolean;
}

const temporaryFolder = ".tmp";
const topNamesMax = 1000;
const ignoredTopNames: ReadonlySet<string> = new Set([temporaryFolder, "lost+found"]);
const lookAgainMs = 100;
const pollMs = 500;
const fineTimeNs = 1_000_000;
/** Larger ones are given to rclone as files. */
const uploadBytesMax = 64 * 1024;

/** @returns What rclone calls the place. @throws OuroError "usage". */
export function parseRcloneUrl(url: string): string {
  const place = /^rclone:([\w.+@][\w.+@ -]*:[^\p{Cc}]*)$/u.exec(url)?.[1];
  if (place !== undefined && Buffer.byteLength(place) < 2000) return place.replace(/(?<=[^:/])\/+$/, "");
  throw new OuroError("usage", `Cannot open ${url}: it is not of the form rclone:NAME:path`, {
    subject: url,
    hint: "NAME is one of `rclone listremotes`.",
  });
}

export class RcloneRemote implements Remote {
  readonly url: string;
  readonly conditions = "none";
  readonly #fs: string;
  readonly #options: RcloneRemoteOptions;
  #running: Promise<{ readonly rclone: RcloneProcess; readonly features: Features }> | undefined;
  #hasRoot = false;
  #isClosed = false;

  /** @param fs As `parseRcloneUrl` gives it. */
  constructor(fs: string, url: string, options: RcloneRemoteOptions) {
    this.#fs = fs;
    this.url = url;
    this.#options = options;
  }

  async put(name: string, source: BlobSource, { signal, onBytes }: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(signal);
    const { disk, random } = this.#options;
    using local = openSource(disk, name, source);
    const { rclone, features } = await this.#start();
    await this.#checkRoot(signal);
    const target = features.canMove ? `${temporaryFolder}/${toHex(random(16))}` : name;
    const counted = new CountedBytes(onBytes);
    try {
      if (source instanceof Uint8Array && source.length <= uploadBytesMax) {
        await rclone.upload(this.#fs, posix.dirname(target).replace(/^\.$/, ""), basename(target), source, signal);
      } else if (source instanceof Uint8Array) {
        await this.#copyBytes(source, target, counted, signal);
      } else await this.#copy(source.path, target, counted, signal);
      const stored = await this.#statOf(target, signal);
      if (stored?.size !== local.size)
        throw new OuroError(
          "io",
          `Cannot store ${name}: ${this.url} has ${stored?.size} bytes of it (must be ${local.size})`,
        );
      counted.restart();
      counted.add(local.size);
      checkSignal(signal);
      if (target !== name) await this.#move(target, name, signal);
    } catch (thrown) {
      await this.#removeQuietly(target);
      throw thrown;
    }
  }

  async putIf(
    name: string,
    _bytes: Uint8Array,
    _condition: PutCondition,
    { signal }: RemoteOptions = {},
  ): Promise<string | undefined> {
    checkBlobName(name);
    checkSignal(signal);
    throw new OuroError("unsupported", `Cannot store ${name} conditionally: rclone keeps no conditions`, {
      subject: name,
    });
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { range, bytesMax = getBytesMax, signal, onBytes, pace } = options;
    if (range !== undefined && range.end - range.start > bytesMax)
      throw tooLarge(name, range.end - range.start, bytesMax);
    return await this.#found(name, signal, async () => {
      const { rclone } = await this.#start();
      if (range !== undefined && !(Number.isSafeInteger(range.start) && range.start >= 0 && range.end > range.start)) {
        checkRange(name, await this.#sizeOf(name, signal), range, bytesMax);
        return new Uint8Array();
      }
      const header = range === undefined ? undefined : `bytes=${range.start}-${range.end - 1}`;
      return await readBody(await rclone.read(this.#fs, name, header, signal), {
        name,
        range,
        bytesMax,
        onBytes,
        pace,
      });
    });
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { offset = 0, bytesMax = Number.POSITIVE_INFINITY, signal, onBytes, pace } = options;
    const { disk } = this.#options;
    return await this.#found(name, signal, async () => {
      const { rclone } = await this.#start();
      if (offset > 0) {
        const size = await this.#sizeOf(name, signal);
        if (size > bytesMax) throw tooLarge(name, size, bytesMax);
        checkRange(name, size, { start: offset, end: size }, size);
        if (offset === size) {
          endDownload(disk, path, size);
          return size;
        }
      }
      const answer = await rclone.read(this.#fs, name, offset === 0 ? undefined : `bytes=${offset}-`, signal);
      return await writeBody(answer, { name, path, offset, bytesMax, onBytes, pace, signal, disk });
    });
  }

  async stat(name: string, { signal }: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    checkSignal(signal);
    const info = await this.#statOf(name, signal);
    if (info === undefined) await this.#checkRoot(signal);
    return info;
  }

  async *list(prefix: string, { signal }: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    checkPrefix(prefix);
    checkSignal(signal);
    await this.#checkRoot(signal);
    for (const row of await this.#rows(prefix.slice(0, -1), { recurse: true, filesOnly: true }, signal)) {
      const info = this.#infoOf(row, (await this.#start()).features);
      if (info !== undefined && isBlobName(info.name) && info.name.startsWith(prefix)) yield info;
    }
  }

  async topNames({ signal }: RemoteOptions = {}): Promise<readonly string[]> {
    checkSignal(signal);
    await this.#checkRoot(signal);
    const rows = await this.#rows("", {}, signal);
    const names = rows.flatMap((row) => (typeof row["Name"] === "string" ? [row["Name"]] : []));
    return names.filter((name) => !ignoredTopNames.has(name)).slice(0, topNamesMax);
  }

  async remove(name: string, { signal }: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(signal);
    const { rclone } = await this.#start();
    try {
      await rclone.call("operations/deletefile", { fs: this.#fs, remote: name }, signal);
    } catch (thrown) {
      if (!isKind(thrown, "not-found")) throw thrown;
      await this.#checkRoot(signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const running = await this.#running?.catch(() => undefined);
    await running?.rclone.close();
  }

  /** Starts rclone when it is first needed, and again when it has ended. */
  async #start(): Promise<{ readonly rclone: RcloneProcess; readonly features: Features }> {
    for (;;) {
      if (this.#isClosed) throw new OuroError("aborted", `Cannot go on with ${this.url}: it was closed`);
      this.#running ??= this.#startNow();
      const starting = this.#running;
      try {
        const running = await starting;
        if (!running.rclone.hasEnded) return running;
        await running.rclone.close();
      } catch (thrown) {
        if (this.#running === starting) this.#running = undefined;
        throw thrown;
      }
      if (this.#running === starting) this.#running = undefined;
    }
  }

  async #startNow(): Promise<{ readonly rclone: RcloneProcess; readonly features: Features }> {
    const { random, command, uploadLimit } = this.#options;
    const limit = uploadLimit === undefined ? {} : { RCLONE_BWLIMIT: `${Math.ceil(uploadLimit)}B:off` };
    const env = { ...this.#options.env, ...limit };
    const rclone = await RcloneProcess.start({ random, env, command, place: this.#fs });
    try {
      const info = objectOf(await rclone.call("operations/fsinfo", { fs: this.#fs }));
      const features = objectOf(info["Features"] ?? null);
      const precision = Number(info["Precision"] ?? Number.NaN);
      return {
        rclone,
        features: {
          canMove: features["Move"] === true,
          hasFolders: features["CanHaveEmptyDirectories"] === true,
          hasFineTimes: precision > 0 && precision <= fineTimeNs,
        },
      };
    } catch (thrown) {
      await rclone.close();
      throw thrown;
    }
  }

  /** @throws OuroError "offline" when the folder is not there; an object store has none. */
  async #checkRoot(signal: AbortSignal | undefined): Promise<void> {
    if (this.#hasRoot) return;
    const { rclone, features } = await this.#start();
    if (this.#options.create === true) await rclone.call("operations/mkdir", { fs: this.#fs, remote: "" }, signal);
    else if (features.hasFolders) {
      try {
        await rclone.call("operations/list", { fs: this.#fs, remote: "", opt: { dirsOnly: true } }, signal);
      } catch (thrown) {
        if (!isKind(thrown, "not-found")) throw thrown;
        throw new OuroError("offline", `Cannot reach ${this.url}: there is no such folder`, {
          subject: this.url,
          hint: "If it is on a disk that is mounted there, see that it is; else set the remote's URL right.",
        });
      }
    }
    this.#hasRoot = true;
  }

  /** Gives rclone a file to copy, and watches that it gets on. */
  async #copy(path: string, target: string, counted: CountedBytes, signal: AbortSignal | undefined): Promise<void> {
    const { rclone } = await this.#start();
    const group = `ourobox-${toHex(this.#options.random(8))}`;
    const stop = new AbortController();
    const both = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
    const watching = this.#watch(rclone, { group, counted, stop });
    try {
      const from = { srcFs: dirname(path), srcRemote: basename(path) };
      const to = { dstFs: this.#fs, dstRemote: target };
      // Equal times and sizes must not be taken for equal files.
      await rclone.call("operations/copyfile", { ...from, ...to, _group: group, _config: { IgnoreTimes: true } }, both);
    } catch (thrown) {
      checkSignal(signal);
      if (!stop.signal.aborted) throw thrown;
      throw new OuroError("offline", `Cannot store ${target} in ${this.url}: rclone does not get on with it`, {
        subject: this.url,
        hint: "Run the command again later: it goes on where it stopped.",
      });
    } finally {
      stop.abort();
      await watching;
    }
  }

  async #watch(
    rclone: RcloneProcess,
    {
      group,
      counted,
      stop,
    }: { readonly group: string; readonly counted: CountedBytes; readonly stop: AbortController },
  ): Promise<void> {
    const { stallMsMax = 120_000 } = this.#options;
    let stalls = 0;
    let before = 0;
    while (!stop.signal.aborted) {
      await setTimeout(pollMs, undefined, { signal: stop.signal }).catch(() => {});
      if (stop.signal.aborted) return;
      const stats = await rclone.call("core/stats", { group }, stop.signal).catch((): Json => ({}));
      const now = Number(objectOf(stats)["bytes"] ?? 0);
      stalls = now > before ? 0 : stalls + 1;
      if (now > before) counted.add(now - before);
      before = Math.max(before, now);
      if (stalls * pollMs > stallMsMax) stop.abort();
    }
  }

  /** By way of a temporary file here. */
  async #copyBytes(
    bytes: Uint8Array,
    target: string,
    counted: CountedBytes,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { disk, random, env } = this.#options;
    const path = `${env["TMPDIR"] ?? tmpdir()}/ourobox-${toHex(random(16))}`;
    try {
      const fd = disk.open(path, "create-new", 0o600);
      try {
        disk.write(fd, bytes, 0);
      } finally {
        disk.close(fd);
      }
      await this.#copy(path, target, counted, signal);
    } catch (thrown) {
      throw ioError(`Cannot write ${path}`, thrown, path);
    } finally {
      if (disk.stat(path) !== undefined) disk.unlink(path);
    }
  }

  async #move(from: string, to: string, signal: AbortSignal | undefined): Promise<void> {
    const { rclone } = await this.#start();
    const place = { srcFs: this.#fs, srcRemote: from, dstFs: this.#fs, dstRemote: to };
    await rclone.call("operations/movefile", { ...place, _config: { IgnoreTimes: true } }, signal);
  }

  async #removeQuietly(name: string): Promise<void> {
    if (!name.startsWith(temporaryFolder)) return;
    const { rclone } = await this.#start();
    await rclone.call("operations/deletefile", { fs: this.#fs, remote: name }).catch(() => {});
  }

  async #statOf(name: string, signal: AbortSignal | undefined): Promise<BlobInfo | undefined> {
    const { rclone, features } = await this.#start();
    const look = async (): Promise<BlobInfo | undefined> => {
      const answer = objectOf(await rclone.call("operations/stat", { fs: this.#fs, remote: name }, signal));
      return answer["item"] === null ? undefined : this.#infoOf(objectOf(answer["item"] ?? null), features);
    };
    try {
      return await look();
    } catch (thrown) {
      if (isKind(thrown, "not-found")) return undefined;
      throw thrown;
    }
  }

  async #sizeOf(name: string, signal: AbortSignal | undefined): Promise<number> {
    const info = await this.#statOf(name, signal);
    if (info !== undefined) return info.size;
    throw new OuroError("not-found", `Cannot read ${name}: there is no such blob`, { subject: name });
  }

  /** Reads; what is not there is looked for once more, because it may be about to be replaced. */
  async #found<T>(name: string, signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (thrown) {
      if (!isKind(thrown, "not-found")) throw thrown;
      await this.#checkRoot(signal);
      await setTimeout(lookAgainMs);
    }
    try {
      return await read();
    } catch (thrown) {
      if (!isKind(thrown, "not-found")) throw thrown;
      throw new OuroError("not-found", `Cannot read ${name}: there is no such blob`, { subject: name, cause: thrown });
    }
  }

  async #rows(
    folder: string,
    opt: { readonly [key: string]: Json },
    signal: AbortSignal | undefined,
  ): Promise<{ readonly [key: string]: Json }[]> {
    const { rclone } = await this.#start();
    try {
      const answer = objectOf(await rclone.call("operations/list", { fs: this.#fs, remote: folder, opt }, signal));
      const rows = answer["list"] ?? null;
      return Array.isArray(rows) ? rows.map(objectOf) : [];
    } catch (thrown) {
      if (isKind(thrown, "not-found")) return [];
      throw thrown;
    }
  }

  #infoOf(row: { readonly [key: string]: Json }, { hasFineTimes }: Features): BlobInfo | undefined {
    const { Path: name, Size: size, ModTime: time, IsDir: isFolder } = row;
    if (typeof name !== "string" || typeof size !== "number" || isFolder === true || size < 0) return undefined;
    const modifiedMs = Date.parse(String(time));
    return {
      name,
      size,
      ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs }),
      ...(hasFineTimes && typeof time === "string" ? { tag: `${time}-${size}`.slice(0, 200) } : {}),
    };
  }
}

function objectOf(value: Json): { readonly [key: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as { readonly [key: string]: Json })
    : {};
}
