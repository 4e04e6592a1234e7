/**
 * Signed requests to one bucket. It takes what a server says of its clock and of the bucket's region, and asks once more with that;
 * every other answer that is no success becomes an error that says what to do.
 */
import type { Clock } from "../../base/clock.ts";
import { type ErrorKind, OuroError } from "../../base/errors.ts";
import { type HttpAnswer, type HttpClient, type RequestBody, retryAfter } from "../http/http-client.ts";
import { BusyError, forGood } from "../retry.ts";
import type { S3Settings } from "./s3-settings.ts";
import { findElement } from "./s3-xml.ts";
import { emptyPayloadHash, encodePath, encodeQuery, signRequest } from "./signature.ts";

export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Undefined for the bucket itself. */
  readonly key?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  /** SHA-256 of the body in hex. */
  readonly payloadHash?: string;
  readonly signal?: AbortSignal | undefined;
  /** See `HttpRequest`. */
  readonly isOnce?: boolean;
  /** What is being done, for messages: "write packs/3f9a". */
  readonly doing: string;
  /** Statuses besides success that are answers to the caller. */
  readonly expected?: readonly number[];
}

/** An answer's error code and text, as far as it has them. */
interface S3Failure {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly answer: HttpAnswer;
}

const errorBytesMax = 64 * 1024;

export class S3Client {
  readonly #http: HttpClient;
  readonly #settings: S3Settings;
  readonly #bucket: string;
  readonly #clock: Clock;
  #region: string;
  /** How far the server's clock is ahead of ours. */
  #skewMs = 0;

  constructor(bucket: string, settings: S3Settings, options: { readonly http: HttpClient; readonly clock: Clock }) {
    this.#bucket = bucket;
    this.#settings = settings;
    this.#http = options.http;
    this.#clock = options.clock;
    this.#region = settings.region;
  }

  get host(): string {
    return this.#settings.endpoint.host;
  }

  /**
   * @returns The answer of a success or an expected status; its body is still to be read or discarded.
   * @throws OuroError "not-found" (no such key), "offline" (also BusyError: no such bucket, or try later), "permission", "no-space",
   * "unsupported", "invalid", "io".
   */
  async send(request: S3Request): Promise<HttpAnswer> {
    for (let attempt = 0; ; attempt += 1) {
      const signed = { region: this.#region, skewMs: this.#skewMs };
      const answer = await this.#http.send({
        ...this.#sign(request),
        signal: request.signal,
        isOnce: request.isOnce ?? false,
      });
      if (answer.status >= 200 && answer.status < 300) return answer;
      if (request.expected?.includes(answer.status) === true) {
        // A 403 to HEAD says nothing of why: it may be for the clock.
        const unsaid = { status: answer.status, code: "", message: "", answer };
        if (request.method !== "HEAD" || attempt >= 2 || !this.#learn(unsaid, "", signed)) return answer;
        answer.discard();
        continue;
      }
      const text = request.method === "HEAD" ? "" : await answer.text(errorBytesMax).catch(() => "");
      if (request.method === "HEAD") answer.discard();
      const code = findElement(text, "Code") ?? "";
      const message = findElement(text, "Message") ?? "";
      if (attempt < 2 && this.#learn({ status: answer.status, code, message, answer }, text, signed)) continue;
      throw this.#failure(request, { status: answer.status, code, message, answer });
    }
  }

  #sign(request: S3Request): { method: string; url: URL; headers: Record<string, string>; body?: RequestBody } {
    const { method, key, query = {}, headers = {}, body, payloadHash = emptyPayloadHash } = request;
    const { endpoint, isPathStyle, credentials } = this.#settings;
    const url = new URL(endpoint);
    if (!isPathStyle) url.host = `${this.#bucket}.${endpoint.host}`;
    url.pathname = encodePath(
      `${isPathStyle ? `/${this.#bucket}` : ""}${key === undefined ? (isPathStyle ? "" : "/") : `/${key}`}`,
    );
    url.search = encodeQuery(query);
    const { range, ...toSign } = headers;
    const signed = signRequest({
      method,
      url,
      headers: toSign,
      payloadHash,
      nowMs: this.#clock.nowMs() + this.#skewMs,
      region: this.#region,
      credentials,
    });
    return {
      method,
      url,
      headers: { ...signed, ...(range === undefined ? {} : { range }) },
      ...(body === undefined ? {} : { body }),
    };
  }

  /**
   * Whether what the server says lets it be asked again.
   * @param signed What the request was signed with: another one may have learned better since.
   */
  #learn(
    { status, code, answer }: S3Failure,
    text: string,
    signed: { readonly region: string; readonly skewMs: number },
  ): boolean {
    const region = answer.header("x-amz-bucket-region") ?? findElement(text, "Region");
    if ((status === 301 || status === 307 || status === 400) && region !== undefined && region !== signed.region) {
      if (!/^[A-Za-z0-9_-]{1,64}$/.test(region)) return false;
      this.#region = region;
      return true;
    }
    const serverMs = Date.parse(answer.header("date") ?? "");
    if (Number.isNaN(serverMs) || status !== 403 || (code !== "RequestTimeTooSkewed" && code !== "")) return false;
    const skewMs = serverMs - this.#clock.nowMs();
    // A refusal without a code (to HEAD) may be for the clock: only if that is far off.
    if (Math.abs(skewMs - signed.skewMs) < 240_000) return false;
    this.#skewMs = skewMs;
    return true;
  }

  #failure({ doing, key }: S3Request, { status, code, message, answer }: S3Failure): OuroError {
    const said = [code, message]
      .filter((part) => part !== "")
      .join(": ")
      .replace(/[^ -~]+/g, " ")
      .slice(0, 300);
    const text = `Cannot ${doing} in s3://${this.#bucket} (${this.host}): ${said === "" ? `it answers ${status}` : `${status} ${said}`}`;
    const error = (kind: ErrorKind, hint: string): OuroError => new OuroError(kind, text, { hint, subject: this.host });
    if (code === "NoSuchBucket" || (status === 404 && key === undefined))
      return forGood(error("offline", "There is no such bucket: make it, or set the remote's URL right."));
    if (code === "QuotaExceeded" || code === "XMinioStorageFull" || code === "EntityTooLarge" || status === 507)
      return error("no-space", "Free some space there, or have the quota raised, and run the command again.");
    if (status === 404) return error("not-found", "Run the command again.");
    if (code === "RequestTimeTooSkewed") return error("permission", "Set this machine's clock right.");
    if (code === "ExpiredToken") return error("permission", "The session's keys have run out: get new ones.");
    if (status === 401 || status === 403) {
      return error(
        "permission",
        "Check the keys (AWS_ACCESS_KEY_ID or the profile) and what they may do: s3:GetObject, PutObject, DeleteObject, ListBucket.",
      );
    }
    if (status === 301 || status === 307)
      return error("usage", "The bucket is in another region: say which with AWS_REGION or ?region= in the URL.");
    if (status === 501 || status === 405 || code === "NotImplemented")
      return error("unsupported", "That server cannot do it.");
    if (status === 408 || status === 429 || status >= 500)
      return new BusyError(text, {
        subject: this.host,
        hint: "It is busy or ill: run the command again later.",
        ...retryAfter(answer),
      });
    return error("io", "That is no answer of a working S3 server to a correct request.");
  }
}
