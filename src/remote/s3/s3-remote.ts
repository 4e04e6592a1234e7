/**
 * A remote in a bucket of an S3 server.
 *
 * PutObject is atomic and durable when it answers. Every payload is signed whole and carries Content-MD5. Blobs over `partBytes * 2` go up in parts,
 * which appear together. What conditional puts are worth is not believed but measured (probe-conditions.ts), and given here.
 */
import type { Clock } from "../../base/clock.ts";
import type { Disk } from "../../base/disk.ts";
import { isKind, OuroError } from "../../base/errors.ts";
import { checkBlobName, checkPrefix, checkRange, checkSignal, isBlobName, tooLarge } from "../checks.ts";
import { CountedBytes } from "../counted-bytes.ts";
import { type HttpAnswer, HttpClient } from "../http/http-client.ts";
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
import { BusyError, forGood, type RetryOptions, type RetryPolicy } from "../retry.ts";
import { putInParts } from "./multipart.ts";
import { hashBody } from "./s3-body.ts";
import { S3Client } from "./s3-client.ts";
import { listPages, plainTag } from "./s3-list.ts";
import { readS3Settings } from "./s3-settings.ts";
import type { S3Address } from "./s3-url.ts";

/** What a server's conditional puts have been found to be; with "cas-bare" it wants tags without quotes. */
const s3Verdicts = ["cas", "cas-bare", "create-only", "none", "lying"] as const;
export type S3Verdict = (typeof s3Verdicts)[number];

export function isVerdict(text: string): text is S3Verdict {
  return (s3Verdicts as readonly string[]).includes(text);
}

export interface S3RemoteOptions {
  readonly disk: Disk;
  readonly random: (length: number) => Uint8Array;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** "none" unless measured. */
  readonly verdict?: S3Verdict;
  /** Make the bucket when there is none. */
  readonly create?: boolean;
  readonly silenceMsMax?: number;
  /** For parts of large blobs and pages of listings, which are tried again by themselves. */
  readonly retry?: RetryPolicy;
  /** Of large blobs; 32 MiB unless given. */
  readonly partBytes?: number;
}

const partBytesDefault = 32 * 1024 * 1024;
const topNamesMax = 1000;

export class S3Remote implements Remote {
  readonly url: string;
  readonly #address: S3Address;
  readonly #options: S3RemoteOptions;
  readonly #http: HttpClient;
  #made: S3Client | undefined;
  #hasBucket = false;

  constructor(address: S3Address, url: string, options: S3RemoteOptions) {
    this.#address = address;
    this.url = url;
    this.#options = options;
    const { env, silenceMsMax } = options;
    this.#http = new HttpClient({ env, ...(silenceMsMax === undefined ? {} : { silenceMsMax }) });
  }

  get conditions(): Remote["conditions"] {
    const { verdict = "none" } = this.#options;
    if (verdict === "cas" || verdict === "cas-bare") return "cas";
    return verdict === "create-only" ? verdict : "none";
  }

  async put(name: string, source: BlobSource, { signal, onBytes, pace }: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(signal);
    const { disk, partBytes = partBytesDefault } = this.#options;
    using local = openSource(disk, name, source);
    const counted = new CountedBytes(onBytes);
    await this.#makeBucket(signal);
    if (local.size > partBytes * 2) {
      await putInParts(this.#client(), this.#key(name), local, {
        name,
        partBytes,
        counted,
        pace,
        ...this.#retry(signal),
      });
      return;
    }
    const told = { pace, onBytes: (count: number) => counted.add(count), onStart: () => counted.restart() };
    const body = await hashBody(local, { start: 0, end: local.size }, { signal, ...told });
    const answer = await this.#client().send({
      method: "PUT",
      key: this.#key(name),
      headers: { "content-md5": body.md5 },
      payloadHash: body.sha256,
      body,
      signal,
      doing: `write ${name}`,
    });
    answer.discard();
  }

  async putIf(
    name: string,
    bytes: Uint8Array,
    condition: PutCondition,
    { signal, onBytes }: RemoteOptions = {},
  ): Promise<string | undefined> {
    checkBlobName(name);
    checkSignal(signal);
    const isCreate = "ifAbsent" in condition;
    if (this.conditions === "none" || (this.conditions === "create-only" && !isCreate)) {
      throw new OuroError("unsupported", `Cannot store ${name} conditionally: the server keeps no such condition`, {
        subject: name,
      });
    }
    await this.#makeBucket(signal);
    using local = openSource(this.#options.disk, name, bytes);
    const body = await hashBody(local, { start: 0, end: bytes.length }, { signal });
    const quote = this.#options.verdict === "cas-bare" ? "" : '"';
    try {
      const answer = await this.#client().send({
        method: "PUT",
        key: this.#key(name),
        headers: {
          "content-md5": body.md5,
          ...(isCreate ? { "if-none-match": "*" } : { "if-match": `${quote}${condition.ifMatch}${quote}` }),
        },
        payloadHash: body.sha256,
        body,
        signal,
        doing: `write ${name} conditionally`,
        isOnce: true,
        expected: [409, 412],
      });
      answer.discard();
      if (answer.status === 412) return undefined;
      if (answer.status === 409) {
        throw new BusyError(`Cannot write ${name} conditionally: others write it at the same moment`, {
          subject: name,
          hint: "Run the command again.",
        });
      }
      onBytes?.(bytes.length);
      return (
        plainTag(answer.header("etag")) ?? (await this.stat(name, { ...(signal === undefined ? {} : { signal }) }))?.tag
      );
    } catch (thrown) {
      // What should be replaced is not there.
      if (isKind(thrown, "not-found")) return undefined;
      throw thrown;
    }
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { range, bytesMax = getBytesMax, signal, onBytes, pace } = options;
    if (range !== undefined && !(Number.isSafeInteger(range.start) && range.start >= 0 && range.end > range.start)) {
      const { size } = await this.#require(name, signal);
      checkRange(name, size, range, bytesMax);
      return new Uint8Array();
    }
    if (range !== undefined && range.end - range.start > bytesMax)
      throw tooLarge(name, range.end - range.start, bytesMax);
    const answer = await this.#getObject(name, range, signal);
    return await readBody(answer, { name, range, bytesMax, onBytes, pace });
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { offset = 0, bytesMax = Number.POSITIVE_INFINITY, signal, onBytes, pace } = options;
    const answer = await this.#getObject(name, offset === 0 ? undefined : { start: offset }, signal);
    if (answer.status === 416) {
      answer.discard();
      // Nothing is left to be read, or there is less than that.
      const { size } = await this.#require(name, signal);
      if (size > bytesMax) throw tooLarge(name, size, bytesMax);
      checkRange(name, size, { start: offset, end: size }, size);
      if (offset < size)
        throw new OuroError("io", `Cannot read ${name}: the server refuses bytes that it has`, { subject: name });
      endDownload(this.#options.disk, path, size);
      return size;
    }
    return await writeBody(answer, { name, path, offset, bytesMax, onBytes, pace, signal, disk: this.#options.disk });
  }

  async stat(name: string, { signal }: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    checkSignal(signal);
    const answer = await this.#client().send({
      method: "HEAD",
      key: this.#key(name),
      signal,
      doing: `look at ${name}`,
      expected: [404],
    });
    answer.discard();
    if (answer.status === 404) {
      // The answer does not say whether it is the bucket that is missing.
      await this.#checkBucket(signal);
      return undefined;
    }
    const modifiedMs = Date.parse(answer.header("last-modified") ?? "");
    const tag = plainTag(answer.header("etag"));
    return {
      name,
      size: answer.size ?? 0,
      ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs }),
      ...(tag === undefined ? {} : { tag }),
    };
  }

  async *list(prefix: string, { signal }: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    checkPrefix(prefix);
    checkSignal(signal);
    await this.#makeBucket(signal);
    const below = this.#key("").length;
    for await (const { keys } of listPages(this.#client(), { prefix: this.#key(prefix), ...this.#retry(signal) })) {
      for (const { key, ...info } of keys) {
        const name = key.slice(below);
        if (name.startsWith(prefix) && isBlobName(name)) yield { name, ...info };
      }
      checkSignal(signal);
    }
  }

  async topNames({ signal }: RemoteOptions = {}): Promise<readonly string[]> {
    checkSignal(signal);
    await this.#makeBucket(signal);
    const top = this.#key("");
    const names = new Set<string>();
    for await (const { keys, prefixes } of listPages(this.#client(), {
      prefix: top,
      delimiter: "/",
      ...this.#retry(signal),
    })) {
      for (const path of [...keys.map(({ key }) => key), ...prefixes]) {
        const name = path.slice(top.length).replace(/\/$/, "");
        if (name !== "") names.add(name);
      }
      if (names.size >= topNamesMax) break;
    }
    return [...names].slice(0, topNamesMax);
  }

  async remove(name: string, { signal }: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(signal);
    try {
      const answer = await this.#client().send({
        method: "DELETE",
        key: this.#key(name),
        signal,
        doing: `remove ${name}`,
      });
      answer.discard();
    } catch (thrown) {
      if (!isKind(thrown, "not-found")) throw thrown;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.close();
  }

  /** Settings are read when they are first needed, so that what is wrong with them shows there. */
  #client(): S3Client {
    const { env, disk, clock } = this.#options;
    this.#made ??= new S3Client(this.#address.bucket, readS3Settings(this.#address, env, disk), {
      http: this.#http,
      clock,
    });
    return this.#made;
  }

  #retry(signal: AbortSignal | undefined): RetryOptions {
    const { random, retry } = this.#options;
    return { random, signal, policy: retry };
  }

  #key(name: string): string {
    return this.#address.prefix === "" ? name : `${this.#address.prefix}/${name}`;
  }

  async #require(name: string, signal: AbortSignal | undefined): Promise<BlobInfo> {
    const info = await this.stat(name, { ...(signal === undefined ? {} : { signal }) });
    if (info !== undefined) return info;
    throw new OuroError("not-found", `Cannot read ${name}: there is no such blob`, { subject: name });
  }

  async #getObject(
    name: string,
    range: { readonly start: number; readonly end?: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    const last = range?.end === undefined ? "" : `${range.end - 1}`;
    return await this.#client().send({
      method: "GET",
      key: this.#key(name),
      headers: range === undefined ? {} : { range: `bytes=${range.start}-${last}` },
      signal,
      doing: `read ${name}`,
      expected: [416],
    });
  }

  /** Where none is to be made the request that follows says whether there is one. */
  async #makeBucket(signal: AbortSignal | undefined): Promise<void> {
    if (this.#options.create === true) await this.#checkBucket(signal);
  }

  /** @throws OuroError "offline" when there is no bucket, and none is to be made. */
  async #checkBucket(signal: AbortSignal | undefined): Promise<void> {
    if (this.#hasBucket) return;
    const client = this.#client();
    const { bucket } = this.#address;
    const answer = await client.send({ method: "HEAD", signal, doing: "look at the bucket", expected: [404, 403] });
    answer.discard();
    // Who may not look at a bucket may be allowed to use it.
    if (answer.status === 404) {
      if (this.#options.create !== true) {
        throw forGood(
          new OuroError("offline", `Cannot reach s3://${bucket}: ${client.host} has no such bucket`, {
            subject: this.url,
            hint: "Make it, or set the remote's URL right.",
          }),
        );
      }
      (await client.send({ method: "PUT", signal, doing: `make the bucket ${bucket}`, expected: [409] })).discard();
    }
    this.#hasBucket = true;
  }
}
