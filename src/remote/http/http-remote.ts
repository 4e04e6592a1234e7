/**
 * A remote behind any static web server that serves its folder, for reading. What is there is taken from the listing that
 * `remote publish` has written (listing.ts), as of its date; blobs are read as they are.
 */

import type { Disk } from "../../base/disk.ts";
import { OuroError } from "../../base/errors.ts";
import { checkBlobName, checkPrefix, checkRange, checkSignal, tooLarge } from "../checks.ts";
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
import { BusyError } from "../retry.ts";
import { type HttpAnswer, HttpClient, retryAfter } from "./http-client.ts";
import { decodeListing, type Listing, listingBytesMax, listingName } from "./listing.ts";
import { endDownload, readBody, writeBody } from "./take-body.ts";

export interface HttpRemoteOptions {
  readonly disk: Disk;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly silenceMsMax?: number;
}

const redirectsMax = 5;
const topNamesMax = 1000;

/** @throws OuroError "usage". */
export function parseHttpUrl(url: string): URL {
  const refuse = (why: string): OuroError => {
    const shown = url.replace(/\/\/[^/]*@/, "//");
    return new OuroError("usage", `Cannot open ${shown}: ${why}`, {
      subject: shown,
      hint: "Write it as https://host/path.",
    });
  };
  if (!URL.canParse(url)) throw refuse("it is no URL");
  const parsed = new URL(url);
  if (parsed.username !== "" || parsed.password !== "")
    throw refuse("it has a name or password, which would be kept in the box's settings");
  if (parsed.search !== "" || parsed.hash !== "") throw refuse("it has a ? or # that is not written as %3F or %23");
  if (!parsed.pathname.endsWith("/")) parsed.pathname += "/";
  return parsed;
}

export class HttpRemote implements Remote {
  readonly url: string;
  readonly conditions = "none";
  readonly #base: URL;
  readonly #disk: Disk;
  readonly #http: HttpClient;
  #listing: Promise<Listing> | undefined;

  /** @param url As the user wrote it. */
  constructor(base: URL, url: string, { disk, ...client }: HttpRemoteOptions) {
    this.#base = base;
    this.url = url;
    this.#disk = disk;
    this.#http = new HttpClient(client);
  }

  async put(name: string, _source: BlobSource, { signal }: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(signal);
    throw this.#readOnly("write", name);
  }

  async putIf(
    name: string,
    _bytes: Uint8Array,
    _condition: PutCondition,
    { signal }: RemoteOptions = {},
  ): Promise<string | undefined> {
    checkBlobName(name);
    checkSignal(signal);
    throw new OuroError("unsupported", `Cannot store ${name} conditionally: ${this.url} can only be read`);
  }

  async remove(name: string, { signal }: RemoteOptions = {}): Promise<void> {
    checkBlobName(name);
    checkSignal(signal);
    throw this.#readOnly("remove", name);
  }

  async get(name: string, options: GetOptions = {}): Promise<Uint8Array> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { range, bytesMax = getBytesMax, signal, onBytes, pace } = options;
    if (range !== undefined && !(Number.isSafeInteger(range.start) && range.start >= 0 && range.end > range.start)) {
      checkRange(name, await this.#sizeOf(name, signal), range, bytesMax);
      return new Uint8Array();
    }
    if (range !== undefined && range.end - range.start > bytesMax)
      throw tooLarge(name, range.end - range.start, bytesMax);
    return await readBody(await this.#get(name, range, signal), { name, range, bytesMax, onBytes, pace });
  }

  async download(name: string, path: string, options: DownloadOptions = {}): Promise<number> {
    checkBlobName(name);
    checkSignal(options.signal);
    const { offset = 0, bytesMax = Number.POSITIVE_INFINITY, signal, onBytes, pace } = options;
    if (offset > 0 && offset === (await this.#sizeOf(name, signal))) {
      if (offset > bytesMax) throw tooLarge(name, offset, bytesMax);
      endDownload(this.#disk, path, offset);
      return offset;
    }
    const answer = await this.#get(name, offset === 0 ? undefined : { start: offset }, signal);
    return await writeBody(answer, { name, path, offset, bytesMax, onBytes, pace, signal, disk: this.#disk });
  }

  async stat(name: string, { signal }: RemoteOptions = {}): Promise<BlobInfo | undefined> {
    checkBlobName(name);
    checkSignal(signal);
    return (await this.#readListing(signal)).blobs.find((blob) => blob.name === name);
  }

  async *list(prefix: string, { signal }: RemoteOptions = {}): AsyncIterable<BlobInfo> {
    checkPrefix(prefix);
    checkSignal(signal);
    for (const blob of (await this.#readListing(signal)).blobs) if (blob.name.startsWith(prefix)) yield blob;
  }

  async topNames({ signal }: RemoteOptions = {}): Promise<readonly string[]> {
    checkSignal(signal);
    const { blobs } = await this.#readListing(signal);
    return [...new Set(blobs.map(({ name }) => name.split("/", 1)[0] ?? ""))].slice(0, topNamesMax);
  }

  async note({ signal }: RemoteOptions = {}): Promise<string> {
    const { madeMs } = await this.#readListing(signal);
    return `${this.url} is as it was published at ${new Date(madeMs).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.close();
  }

  /** Read once: everything that this remote tells is of one moment. */
  async #readListing(signal: AbortSignal | undefined): Promise<Listing> {
    this.#listing ??= this.#fetchListing(signal);
    try {
      return await this.#listing;
    } catch (thrown) {
      this.#listing = undefined;
      throw thrown;
    }
  }

  async #fetchListing(signal: AbortSignal | undefined): Promise<Listing> {
    const answer = await this.#send(listingName, {}, signal);
    if (answer.status === 404 || answer.status === 410) {
      answer.discard();
      throw new OuroError("unsupported", `Cannot read ${this.url}: it has no listing`, {
        subject: this.url,
        hint: "Run `ourobox remote publish` on a machine that can write there, or set the remote's URL right.",
      });
    }
    const bytes = await readBody(answer, { name: listingName, range: undefined, bytesMax: listingBytesMax });
    return decodeListing(bytes, this.url);
  }

  async #sizeOf(name: string, signal: AbortSignal | undefined): Promise<number> {
    const blob = await this.stat(name, signal === undefined ? {} : { signal });
    if (blob === undefined) throw this.#absent(name);
    return blob.size;
  }

  async #get(
    name: string,
    range: { readonly start: number; readonly end?: number } | undefined,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    const last = range?.end === undefined ? "" : `${range.end - 1}`;
    const headers = range === undefined ? {} : { range: `bytes=${range.start}-${last}` };
    const answer = await this.#send(name, headers, signal);
    if (answer.status !== 404 && answer.status !== 410) return answer;
    answer.discard();
    // Only where there is a remote at all is something absent from it.
    await this.#readListing(signal);
    throw this.#absent(name);
  }

  /** An answer of success, 404, 410 or 416. */
  async #send(
    name: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
  ): Promise<HttpAnswer> {
    let url = new URL(name, this.#base);
    for (let redirects = 0; ; redirects += 1) {
      const answer = await this.#http.send({
        method: "GET",
        url,
        headers: { "cache-control": "no-cache", ...headers },
        signal,
      });
      const { status } = answer;
      if (status === 200 || status === 206 || status === 404 || status === 410 || status === 416) return answer;
      answer.discard();
      const location = answer.header("location");
      if (status < 300 || status >= 400 || location === undefined) throw this.#refused(name, status, answer);
      const next = URL.canParse(location, url.href) ? new URL(location, url) : undefined;
      // Not from https to http: whoever is between could then change what is read.
      const isAllowed = next?.protocol === "https:" || (next?.protocol === "http:" && url.protocol === "http:");
      if (next === undefined || !isAllowed || redirects === redirectsMax) throw this.#refused(name, status, answer);
      url = next;
    }
  }

  #refused(name: string, status: number, answer: HttpAnswer): OuroError {
    const text = `Cannot read ${name} from ${this.url}: the server answers ${status}`;
    const options = { subject: this.url };
    if (status === 401 || status === 403)
      return new OuroError("permission", text, { ...options, hint: "Its owner must allow reading it." });
    if (status === 408 || status === 429 || status >= 500)
      return new BusyError(text, {
        ...options,
        hint: "It is busy or ill: run the command again later.",
        ...retryAfter(answer),
      });
    return new OuroError("io", text, { ...options, hint: "See that the URL is that of the remote's folder." });
  }

  #absent(name: string): OuroError {
    return new OuroError("not-found", `Cannot read ${name}: ${this.url} has no such blob`, { subject: name });
  }

  #readOnly(action: string, name: string): OuroError {
    return new OuroError("read-only", `Cannot ${action} ${name}: ${this.url} can only be read`, {
      subject: this.url,
      hint: "Push to where the web server has its files from, and run `ourobox remote publish` for that remote.",
    });
  }
}
