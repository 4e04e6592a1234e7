/**
 * A small S3 server that works, on loopback: objects in memory, conditions kept, signatures, hashes and the clock checked as AWS
 * does; and with faults on demand, each of which a test can see happen.
 */
import { createHash } from "node:crypto";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import { concatBytes, toText } from "../../src/base/bytes.ts";
import { signRequest } from "../../src/remote/s3/signature.ts";

interface HeldObject {
  readonly bytes: Uint8Array;
  readonly etag: string;
  readonly modified: Date;
}

/** What to do instead of, or with, an answer; undefined lets the request pass. */
export type Fault = (request: IncomingMessage, count: number) => FaultAction | undefined;

export type FaultAction =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly code?: string;
      readonly headers?: Record<string, string>;
    }
  /** Ends the connection: at once, after the request was carried out, or in the middle of the answer's body. */
  | { readonly kind: "cut"; readonly when: "before" | "after" | "within" }
  | { readonly kind: "silence" };

const clockSkewMsMax = 15 * 60 * 1000;

export class FakeS3 implements AsyncDisposable {
  readonly objects: Map<string, HeldObject> = new Map();
  readonly buckets: Set<string> = new Set();
  /** Method and path of each request. */
  readonly requests: string[] = [];
  readonly env: Record<string, string> = { AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "secret" };
  region = "us-east-1";
  /** How far its clock is ahead. */
  skewMs = 0;
  pageKeys = 1000;
  fault: Fault | undefined;
  faults = 0;
  readonly #uploads = new Map<string, Map<number, HeldObject>>();
  readonly #server: Server;
  #port = 0;

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<FakeS3> {
    const fake = new FakeS3();
    await new Promise<void>((resolve) => fake.#server.listen(0, "127.0.0.1", resolve));
    const address = fake.#server.address();
    fake.#port = typeof address === "object" && address !== null ? address.port : 0;
    fake.env["AWS_ENDPOINT_URL"] = `http://127.0.0.1:${fake.#port}`;
    return fake;
  }

  get openUploads(): number {
    return this.#uploads.size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url: path = "" } = request;
    this.requests.push(`${method} ${path}`);
    const action = this.fault?.(request, this.requests.length);
    if (action !== undefined) this.faults += 1;
    if (action?.kind === "cut" && action.when === "before") {
      request.socket.destroy();
      return;
    }
    if (action?.kind === "silence") return;
    if (action?.kind === "status") {
      request.resume();
      this.#refuse(response, action.status, action.code ?? "", action.headers);
      return;
    }
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part as Uint8Array);
    const body = concatBytes(parts);
    if (action?.kind === "cut" && action.when === "after") {
      const end = response.end.bind(response);
      response.end = (() => {
        request.socket.destroy();
        return response;
      }) as typeof end;
    }
    if (action?.kind === "cut" && action.when === "within") {
      const end = response.end.bind(response);
      response.end = ((bytes?: Uint8Array) => {
        if (bytes === undefined || bytes.length < 2) request.socket.destroy();
        else response.write(bytes.subarray(0, bytes.length >> 1), () => request.socket.destroy());
        return response;
      }) as typeof end;
    }
    const url = new URL(path, this.env["AWS_ENDPOINT_URL"]);
    if (this.#checkSignature(request, response, url, body)) this.#answer(request, response, url, body);
  }

  #checkSignature(request: IncomingMessage, response: ServerResponse, url: URL, body: Uint8Array): boolean {
    const { authorization = "", ...headers } = request.headers;
    const [, region = ""] = /Credential=[^/]*\/\d{8}\/([^/]*)\//.exec(authorization) ?? [];
    const names = /SignedHeaders=([^,]*)/.exec(authorization)?.[1]?.split(";") ?? [];
    const [, year, month, day, hour, minute, second] =
      /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(String(headers["x-amz-date"])) ?? [];
    const signedMs = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
    const payloadHash = createHash("sha256").update(body).digest("hex");
    const added = ["host", "x-amz-content-sha256", "x-amz-date"];
    const signed = Object.fromEntries(
      names.filter((name) => !added.includes(name)).map((name) => [name, String(headers[name])]),
    );
    const expected = signRequest({
      method: request.method ?? "",
      url,
      headers: signed,
      payloadHash,
      nowMs: signedMs,
      region,
      credentials: { accessKey: "key", secretKey: "secret" },
    });
    if (Math.abs(signedMs - Date.now() - this.skewMs) > clockSkewMsMax)
      this.#refuse(response, 403, "RequestTimeTooSkewed");
    else if (headers["x-amz-content-sha256"] !== payloadHash) this.#refuse(response, 400, "XAmzContentSHA256Mismatch");
    else if (expected["authorization"] !== authorization) this.#refuse(response, 403, "SignatureDoesNotMatch");
    else if (region !== this.region)
      this.#refuse(response, 400, "AuthorizationHeaderMalformed", { "x-amz-bucket-region": this.region });
    else if (
      headers["content-md5"] !== undefined &&
      headers["content-md5"] !== createHash("md5").update(body).digest("base64")
    )
      this.#refuse(response, 400, "BadDigest");
    else return true;
    return false;
  }

  #answer(request: IncomingMessage, response: ServerResponse, url: URL, body: Uint8Array): void {
    const { method, headers } = request;
    const [, bucket = "", key = ""] = /^\/([^/]*)\/?(.*)$/s.exec(decodeURIComponent(url.pathname)) ?? [];
    const isUpload = url.searchParams.has("uploads") || url.searchParams.has("uploadId");
    if (key === "" && method === "PUT") {
      this.buckets.add(bucket);
      this.#send(response, 200);
    } else if (!this.buckets.has(bucket)) this.#refuse(response, 404, "NoSuchBucket");
    else if (key === "" && method === "GET") this.#list(response, url);
    else if (key === "") this.#send(response, 200);
    else if (isUpload) this.#answerUpload(request, response, url, { key, body });
    else if (method === "PUT") this.#put(headers, response, key, body);
    else if (method === "DELETE") {
      this.objects.delete(key);
      this.#send(response, 204);
    } else this.#get(headers, response, key);
  }

  #put(headers: IncomingHttpHeaders, response: ServerResponse, key: string, body: Uint8Array): void {
    const held = this.objects.get(key);
    const ifMatch = headers["if-match"];
    const isKept = ifMatch === undefined || ifMatch === `"${held?.etag}"`;
    if (ifMatch !== undefined && held === undefined) this.#refuse(response, 404, "NoSuchKey");
    else if (!isKept || (headers["if-none-match"] === "*" && held !== undefined))
      this.#refuse(response, 412, "PreconditionFailed");
    else {
      const stored = this.#hold(body);
      this.objects.set(key, stored);
      this.#send(response, 200, { etag: `"${stored.etag}"` });
    }
  }

  #get(headers: IncomingHttpHeaders, response: ServerResponse, key: string): void {
    const held = this.objects.get(key);
    if (held === undefined) {
      this.#refuse(response, 404, "NoSuchKey");
      return;
    }
    const size = held.bytes.length;
    const told = { etag: `"${held.etag}"`, "last-modified": held.modified.toUTCString() };
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(headers.range ?? "") ?? [];
    const start = Number(first ?? 0);
    if (first === undefined) this.#send(response, 200, { ...told, "content-length": `${size}` }, held.bytes);
    else if (start >= size) this.#refuse(response, 416, "InvalidRange");
    else {
      const end = Math.min(size, last === "" ? size : Number(last) + 1);
      const range = { "content-range": `bytes ${start}-${end - 1}/${size}`, "content-length": `${end - start}` };
      this.#send(response, 206, { ...told, ...range }, held.bytes.subarray(start, end));
    }
  }

  #answerUpload(
    { method }: IncomingMessage,
    response: ServerResponse,
    url: URL,
    { key, body }: { readonly key: string; readonly body: Uint8Array },
  ): void {
    const id = url.searchParams.get("uploadId");
    const parts = id === null ? undefined : this.#uploads.get(id);
    if (id === null) {
      const made = `upload-${this.requests.length}`;
      this.#uploads.set(made, new Map());
      const xml = `<InitiateMultipartUploadResult><UploadId>${made}</UploadId></InitiateMultipartUploadResult>`;
      this.#sendXml(response, xml);
    } else if (parts === undefined) this.#refuse(response, 404, "NoSuchUpload");
    else if (method === "PUT") {
      const part = this.#hold(body);
      parts.set(Number(url.searchParams.get("partNumber")), part);
      this.#send(response, 200, { etag: `"${part.etag}"` });
    } else if (method === "DELETE") {
      this.#uploads.delete(id);
      this.#send(response, 204);
    } else {
      this.#uploads.delete(id);
      const numbers = [...toText(body).matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map(([, number]) =>
        Number(number),
      );
      const whole = concatBytes(numbers.map((number) => parts.get(number)?.bytes ?? new Uint8Array()));
      this.objects.set(key, this.#hold(whole));
      this.#sendXml(response, "<CompleteMultipartUploadResult><Key>k</Key></CompleteMultipartUploadResult>");
    }
  }

  #list(response: ServerResponse, url: URL): void {
    const prefix = url.searchParams.get("prefix") ?? "";
    const delimiter = url.searchParams.get("delimiter");
    const after = url.searchParams.get("continuation-token") ?? "";
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, this.pageKeys);
    const folders = new Set<string>();
    const rows = page.flatMap((key) => {
      const cut = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
      if (cut >= 0) folders.add(key.slice(0, cut + 1));
      const held = this.objects.get(key);
      if (cut >= 0 || held === undefined) return [];
      const { etag, bytes, modified } = held;
      return `<Contents><Key>${encodeURIComponent(key)}</Key><LastModified>${modified.toISOString()}</LastModified><ETag>&quot;${etag}&quot;</ETag><Size>${bytes.length}</Size></Contents>`;
    });
    const common = [...folders].map(
      (each) => `<CommonPrefixes><Prefix>${encodeURIComponent(each)}</Prefix></CommonPrefixes>`,
    );
    const more =
      page.length < keys.length
        ? `<IsTruncated>true</IsTruncated><NextContinuationToken>${page.at(-1)}</NextContinuationToken>`
        : "<IsTruncated>false</IsTruncated>";
    this.#sendXml(
      response,
      `<ListBucketResult><EncodingType>url</EncodingType>${rows.join("")}${common.join("")}${more}</ListBucketResult>`,
    );
  }

  #hold(bytes: Uint8Array): HeldObject {
    return { bytes, etag: createHash("md5").update(bytes).digest("hex"), modified: new Date() };
  }

  #refuse(response: ServerResponse, status: number, code: string, headers: Record<string, string> = {}): void {
    this.#sendXml(response, `<Error><Code>${code}</Code><Message>It is so.</Message></Error>`, status, headers);
  }

  #sendXml(response: ServerResponse, xml: string, status = 200, headers: Record<string, string> = {}): void {
    const bytes = Buffer.from(`<?xml version="1.0"?>${xml}`);
    this.#send(response, status, { ...headers, "content-length": `${bytes.length}` }, bytes);
  }

  #send(response: ServerResponse, status: number, headers: Record<string, string> = {}, bytes?: Uint8Array): void {
    response.writeHead(status, { date: new Date(Date.now() + this.skewMs).toUTCString(), ...headers });
    response.end(bytes);
  }
}
