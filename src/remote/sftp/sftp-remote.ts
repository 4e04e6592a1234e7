/**
 * A remote in a folder that an SFTP server gives access to.
 *
 * A put writes `.tmp/<random>`, syncs it, renames it over the blob's name and syncs the directory: no reader sees a part of it, and
 * after a crash it is there or not. The server must therefore rename as rename(2) does (posix-rename@openssh.com); where it can also
 * link, creating is exclusive. Replacing conditionally would need a lock, and is "unsupported".
 *
 * One connection carries all requests. If it dies, each request that was under way is done once more on another; then it is
 * "offline". SFTP tells times by the second, so a put that replaces a blob of the same size within one dates itself a second
 * later: the tag is time and size.
 */
import { setTimeout } from "node:timers/promises";
import { copyBytes, equalBytes } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { ioError, isKind, OuroError } from "../../base/errors.ts";
import { checkBlobName, checkPrefix, checkRange, checkSignal, tooLarge } from "../checks.ts";
import { CountedBytes } from "../counted-bytes.ts";
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
import { type Handle, kindOf } from "./files.ts";
import { type OpenChannel, SftpSession, StatusError } from "./session.ts";
import { blobInfo, SftpPlace, temporaryFolder } from "./sftp-place.ts";
import type { SftpAddress } from "./sftp-url.ts";
import { readBlocks } from "./transfer.ts";
import { statusCode } from "./wire.ts";

export interface SftpRemoteOptions {
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
  readonly openChannel: OpenChannel;
  /** Make the folder and those above it. */
  readonly create?: boolean;
  readonly connectMsMax?: number;
  readonly silenceMsMax?: number;
  /** About how long to wait before connecting again. */
  readonly reconnectMs?: number;
}

const listDepthMax = 8;
const topNamesMax = 1000;
const ignoredTopNames: ReadonlySet<string> = new Set([temporaryFolder, "lost+found"]);
/** How long a stopped transfer may take to clean up behind itself. */
const stopMsMax = 3000;

export class SftpRemote implements Remote {
  readonly url: string;
  readonly conditions = "create-only";
  readonly #address: SftpAddress;
  readonly #options: SftpRemoteOptions;
  readonly #disposing = new AbortController();
  #place: Promise<SftpPlace> | undefined;

  /** @param url As the user wrote it. */
  constructor(address: SftpAddress, url: string, options: SftpRemoteOptions) {
    this.#address = address;
    this.url = url;
    this.#options = options;
  }

  async put(name: string, source: BlobSource, options: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    const counted = new CountedBytes(options.onBytes);
    await this.#run(options.signal, async (place) => {
      if (!place.files.canReplace) {
        throw new OuroError(
          "unsupported",
          `Cannot store ${name}: ${this.#address.shown} cannot replace a file in one step (posix-rename@openssh.com)`,
          { subject: name, hint: "Use a server with OpenSSH's extensions, or rclone." },
        );
      }
      await this.#store(place, name, source, { ...options, counted }, async (temporary, path) => {
        await place.files.rename(temporary, path);
        return true;
      });
    });
  }

  async putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    options: RemoteOptions = {},
  ): Promise<string | undefined> {
    checkBlobName(name);
    checkSignal(options.signal);
    const refuse = (why: string): OuroError =>
      new OuroError("unsupported", `Cannot store ${name} conditionally: ${why}`, { subject: name });
    if (!("ifAbsent" in condition)) throw refuse("SFTP keeps no such condition");
    const counted = new CountedBytes(options.onBytes);
    return await this.#run(options.signal, async (place, attempt) => {
      if (!place.files.canLink) throw refuse(`${this.#address.shown} cannot link`);
      const tag = await this.#store(place, name, bytes, { ...options, counted }, async (temporary, path) => {
        try {
          await place.files.link(temporary, path);
        } catch (thrown) {
          if (!(thrown instanceof StatusError)) throw thrown;
          if ((await place.files.lstat(path)) !== undefined) return false;
          if (thrown.code === statusCode.noSuchFile) throw thrown;
          throw refuse(`${this.#address.shown} does not link (${thrown.message.slice(0, 80)})`);
        }
        await place.files.remove(temporary);
        return true;
      });
      // The first try may have done it, and its answer been lost.
      if (tag !== undefined || attempt === 0) return tag;
      const there = await this.#read(place, name, { bytesMax: bytes.length }).catch(() => undefined);
      return there !== undefined && equalBytes(there, bytes) ? (await this.#stat(place, name))?.tag : undefined;
    });
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkBlobName(name);
    const bytes = await this.#run(options.signal, (place) => this.#read(place, name, options));
    options.onBytes?.(bytes.length);
    return bytes;
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    checkBlobName(name);
    const { offset = 0, bytesMax = Number.POSITIVE_INFINITY, signal, onBytes, pace } = options;
    const { disk } = this.#options;
    const counted = new CountedBytes(onBytes);
    let at = offset;
    let tag: string | undefined;
    return await this.#run(signal, (place) =>
      this.#withBlob(place, name, async (handle) => {
        const attributes = await place.files.fstat(handle);
        const { size = 0 } = attributes;
        if (at > offset && blobInfo(name, attributes).tag !== tag) {
          // Another blob by now: what has come of the first is worth nothing.
          at = offset;
          counted.restart();
        }
        ({ tag } = blobInfo(name, attributes));
        if (size > bytesMax) throw tooLarge(name, size, bytesMax);
        checkRange(name, size, { start: at, end: size }, size);
        const local = <T>(act: () => T): T => {
          try {
            return act();
          } catch (thrown) {
            throw ioError(`Cannot write ${path}`, thrown, path);
          }
        };
        const fd = local(() => disk.open(path, at === 0 ? "create" : "write", 0o600));
        try {
          await readBlocks(
            place.files,
            handle,
            { start: at, end: size },
            (bytes, position) => {
              local(() => disk.write(fd, bytes, position));
              at = position + bytes.length;
              counted.add(bytes.length);
              checkSignal(signal);
            },
            pace,
          );
          if (at !== size) throw shortRead(name, at, size);
          local(() => disk.truncate(fd, size));
        } finally {
          disk.close(fd);
        }
        return size;
      }),
    );
  }

  async stat(name: string, options: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    return await this.#run(options.signal, (place) => this.#stat(place, name));
  }

  async *list(prefix: string, options: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    checkPrefix(prefix);
    yield* this.#list(prefix, options.signal, 1);
  }

  async *#list(prefix: string, signal: AbortSignal | undefined, depth: number): AsyncIterable<BlobInfo> {
    const { blobs, folders } = await this.#run(signal, async (place) => {
      try {
        return await place.listFolder(prefix);
      } catch (thrown) {
        const failure = await this.#explain(place, "list", prefix, thrown);
        if (isKind(failure, "not-found")) return { blobs: [], folders: [] };
        throw failure;
      }
    });
    yield* blobs;
    if (depth === listDepthMax) return;
    for (const folder of folders) yield* this.#list(`${folder}/`, signal, depth + 1);
  }

  async topNames(options: RemoteOptions = {}): Promise<readonly string[]> {
    return await this.#run(options.signal, async (place) => {
      try {
        const names = await place.topNames();
        return names.filter((name) => !ignoredTopNames.has(name)).slice(0, topNamesMax);
      } catch (thrown) {
        throw await this.#explain(place, "list", "the top", thrown);
      }
    });
  }

  async remove(name: string, options: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    await this.#run(options.signal, async (place) => {
      const path = place.pathOf(name);
      try {
        await place.files.remove(path);
        await place.syncDirectory(path.slice(0, Math.max(1, path.lastIndexOf("/"))));
      } catch (thrown) {
        const failure = await this.#explain(place, "remove", name, thrown);
        if (!isKind(failure, "not-found")) throw failure;
      }
    });
  }

  /** Closes the connection; what is under way rejects. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposing.abort();
    const place = await this.#place?.catch(() => undefined);
    await place?.session.close();
  }

  async #stat(place: SftpPlace, name: string): Promise<BlobInfo | undefined> {
    try {
      const attributes = await place.files.lstat(place.pathOf(name));
      if (attributes === undefined) await this.#checkRoot(place);
      return attributes !== undefined && kindOf(attributes) === "file" ? blobInfo(name, attributes) : undefined;
    } catch (thrown) {
      throw await this.#explain(place, "look at", name, thrown);
    }
  }

  /** Size and bytes are asked for together; that the size fits is checked before the bytes are believed. */
  async #read(place: SftpPlace, name: string, options: GetOptions): Promise<Uint8Array> {
    const { range, bytesMax = getBytesMax } = options;
    return await this.#withBlob(place, name, async (handle) => {
      const { blockBytes } = place.session;
      const first = earlyRange(range, bytesMax, blockBytes);
      const early = first === undefined ? undefined : place.files.read(handle, first.start, first.end - first.start);
      early?.catch(() => {});
      const { size = 0 } = await place.files.fstat(handle);
      const { start, end } = checkRange(name, size, range, bytesMax);
      const head = (await early) ?? new Uint8Array();
      if (head.length >= end - start) return copyBytes(head.subarray(0, end - start));
      const bytes = new Uint8Array(end - start);
      bytes.set(head);
      const from = start + head.length;
      const count = await readBlocks(
        place.files,
        handle,
        { start: from, end },
        (block, position) => {
          bytes.set(block, position - start);
          checkSignal(options.signal);
        },
        options.pace,
      );
      if (from + count !== end) throw shortRead(name, from + count, end);
      return bytes;
    });
  }

  /** Only plain files are blobs: looked at and opened in one go, so that this costs no round trip. */
  async #withBlob<T>(place: SftpPlace, name: string, body: (handle: Handle) => Promise<T>): Promise<T> {
    const path = place.pathOf(name);
    try {
      const looked = place.files.lstat(path);
      looked.catch(() => {});
      const handle = await place.files.openToRead(path);
      try {
        const attributes = await looked;
        if (attributes === undefined || kindOf(attributes) !== "file") throw absent(name);
        return await body(handle);
      } finally {
        place.files.close(handle).catch(() => {});
      }
    } catch (thrown) {
      throw await this.#explain(place, "read", name, thrown);
    }
  }

  async #store(
    place: SftpPlace,
    name: string,
    source: BlobSource,
    { signal, counted, pace }: RemoteOptions & { readonly counted: CountedBytes },
    move: (temporary: string, path: string) => Promise<boolean>,
  ): Promise<string | undefined> {
    using local = openSource(this.#options.disk, name, source);
    counted.restart();
    try {
      return await place.store(
        name,
        {
          size: local.size,
          nextBlock(blockBytes) {
            checkSignal(signal);
            return local.next(blockBytes);
          },
          onBlock: (count) => counted.add(count),
          pace,
        },
        async (temporary, path) => {
          checkSignal(signal);
          return await move(temporary, path);
        },
      );
    } catch (thrown) {
      const failure = await this.#explain(place, "write", name, thrown);
      if (!isKind(failure, "not-found")) throw failure;
      await this.#checkRoot(place);
      throw failure;
    }
  }

  /** With "not-found" only when the remote's folder is there. */
  async #explain(place: SftpPlace, action: string, name: string, thrown: unknown): Promise<unknown> {
    if (place.session.end !== undefined) return thrown;
    try {
      const isMissing = thrown instanceof StatusError && thrown.code === statusCode.noSuchFile;
      if (isMissing) await this.#checkRoot(place);
      return await place.explain(action, name, thrown);
    } catch (instead) {
      return instead;
    }
  }

  /** @throws OuroError "offline" when the remote's folder is not there. */
  async #checkRoot(place: SftpPlace): Promise<void> {
    if (await place.hasRoot()) return;
    const { shown, path } = this.#address;
    throw new OuroError("offline", `Cannot reach ${this.url}: there is no folder ${path} on ${shown}`, {
      subject: this.url,
      hint: "If it is on a disk that is mounted there, see that it is; else set the remote's URL right.",
    });
  }

  /** Does something on the connection, and once more on another when that has died meanwhile. */
  async #run<T>(
    signal: AbortSignal | undefined,
    action: (place: SftpPlace, attempt: number) => Promise<T>,
  ): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      checkSignal(signal);
      const place = await stoppable(this.#connect(), signal);
      // A server that does not answer must not keep somebody who wants to stop.
      let late: NodeJS.Timeout | undefined;
      const stop = (): void => {
        late = globalThis.setTimeout(() => void place.session.close(), stopMsMax);
      };
      signal?.addEventListener("abort", stop, { once: true });
      try {
        return await action(place, attempt);
      } catch (thrown) {
        checkSignal(signal);
        const { end } = place.session;
        if (end === undefined) throw thrown;
        if (end.kind === "aborted" || attempt === 1) throw end;
        const { reconnectMs = 1000, random } = this.#options;
        await setTimeout(reconnectMs * (0.5 + (random(1)[0] as number) / 256), undefined, { ref: true });
      } finally {
        signal?.removeEventListener("abort", stop);
        clearTimeout(late);
      }
    }
  }

  async #connect(): Promise<SftpPlace> {
    const current = this.#place;
    if (current !== undefined) {
      const place = await current.catch(() => undefined);
      if (place !== undefined && place.session.end === undefined) return place;
      if (this.#place !== current) return await this.#connect();
      place?.session.close().catch(() => {});
    }
    checkSignal(this.#disposing.signal);
    this.#place = this.#openPlace();
    return await this.#place;
  }

  async #openPlace(): Promise<SftpPlace> {
    const { openChannel, connectMsMax = 150_000, silenceMsMax = 90_000, create = false, random } = this.#options;
    const { shown, command, path } = this.#address;
    const session = await SftpSession.open(openChannel, {
      host: shown,
      command,
      connectMsMax,
      silenceMsMax,
      signal: this.#disposing.signal,
    });
    const place = new SftpPlace(session, path, random);
    try {
      if (create) await place.makeRoot();
      return place;
    } catch (thrown) {
      const failure = await this.#explain(place, "make", path, thrown);
      await session.close();
      throw failure;
    }
  }
}

/** What of a blob can be asked for before its size is known. */
function earlyRange(
  range: GetOptions["range"],
  bytesMax: number,
  blockBytes: number,
): { readonly start: number; readonly end: number } | undefined {
  const { start, end } = range ?? { start: 0, end: Math.min(bytesMax, blockBytes) };
  const isAllowed = Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && end > start;
  return isAllowed && end - start <= bytesMax ? { start, end: Math.min(end, start + blockBytes) } : undefined;
}

/** The promise, or "aborted" as soon as the signal says so. */
async function stoppable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: stopped, reject } = Promise.withResolvers<never>();
  const stop = (): void => {
    try {
      checkSignal(signal);
    } catch (thrown) {
      reject(thrown);
    }
  };
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([promise, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

function absent(name: string): OuroError {
  return new OuroError("not-found", `Cannot read ${name}: there is no such blob`, { subject: name });
}

function shortRead(name: string, count: number, size: number): OuroError {
  return new OuroError("io", `Cannot read ${name}: it ended after ${count} bytes (must be ${size})`, { subject: name });
}
