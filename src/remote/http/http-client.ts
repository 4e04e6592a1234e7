/**
 * HTTP/1.1 over node:http: connections that are kept, a time-out on every wait, bodies that can be sent again, and proxies as
 * HTTPS_PROXY and NO_PROXY say. Answers are not interpreted here, except that they end when they said they would.
 */
import type { ClientRequest, IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import { concatBytes, toText } from "../../base/bytes.ts";
import { errnoOf, OuroError } from "../../base/errors.ts";
import { checkSignal } from "../checks.ts";
import type { RemoteOptions } from "../remote.ts";

/** What a request sends. */
export interface RequestBody {
  readonly size: number;
  /** From the start again at each call. Blocks are not changed after they were given. */
  blocks(): Iterable<Uint8Array>;
  /** Told of bytes as they go out. */
  readonly onBytes?: (count: number) => void;
  /** Waited for before each block. */
  readonly pace?: RemoteOptions["pace"] | undefined;
  /** Told when it begins from the start. */
  readonly onStart?: () => void;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: RequestBody;
  readonly signal?: AbortSignal | undefined;
  /** Doing it twice would answer otherwise than doing it once: it is not sent again when the answer is lost. */
  readonly isOnce?: boolean;
}

/** An answer whose body is still to be read: exactly once, by one of the functions. */
export interface HttpAnswer {
  readonly status: number;
  /** By lower-case name. */
  header(name: string): string | undefined;
  /** The size that it says it has. */
  readonly size: number | undefined;
  /**
   * The body's bytes as they come.
   * @throws OuroError "offline" when it stops before its end.
   */
  blocks(): AsyncIterable<Uint8Array>;
  /** Its text, at most `bytesMax` of it; the rest is not read. */
  text(bytesMax: number): Promise<string>;
  /** Gives the rest up. */
  discard(): void;
}

export interface HttpClientOptions {
  /** For HTTPS_PROXY and the like. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How long nothing may happen on a connection; 60 s unless given. */
  readonly silenceMsMax?: number;
}

const connectionsMax = 32;
const silenceMsDefault = 60_000;
/** A larger body waits to be asked for, so that a refusal does not cost sending it. */
const expectBytesMin = 256 * 1024;
/** How long it waits: not every server knows this. */
const expectMsMax = 1000;
const discardBytesMax = 64 * 1024;

/** One of "http:" and "https:". */
interface Scheme {
  readonly agent: InstanceType<typeof import("node:http").Agent>;
  readonly request: typeof import("node:http").request;
}

/** Loaded with the first client. Imported, node:http would be half of what a pull takes that needs none of it. */
function loadScheme(name: "http" | "https", options: object): Scheme {
  const { Agent, request } = createRequire(import.meta.url)(`node:${name}`) as typeof import("node:http");
  return { agent: new Agent(options), request };
}

export class HttpClient {
  readonly #http: Scheme;
  readonly #https: Scheme;
  readonly #silenceMs: number;
  #isClosed = false;

  constructor({ env, silenceMsMax = silenceMsDefault }: HttpClientOptions) {
    const options = { keepAlive: true, maxSockets: connectionsMax, proxyEnv: { ...env } };
    this.#http = loadScheme("http", options);
    this.#https = loadScheme("https", options);
    this.#silenceMs = silenceMsMax;
  }

  /**
   * Sends a request. An answer of any status is an answer.
   * @throws OuroError "offline" when there is none, "permission" when the server is not who it says, "aborted".
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    for (let attempt = 0; ; attempt += 1) {
      checkSignal(request.signal);
      if (this.#isClosed) throw new OuroError("aborted", `Cannot go on with ${request.url.host}: it was closed`);
      const exchange = new Exchange(
        request,
        this.#silenceMs,
        request.url.protocol === "https:" ? this.#https : this.#http,
      );
      try {
        return await exchange.answer;
      } catch (thrown) {
        checkSignal(request.signal);
        // A connection that was kept may have been closed meanwhile by the other side.
        if (request.isOnce === true || !exchange.isStale || attempt >= connectionsMax) throw thrown;
      }
    }
  }

  /** Closes all connections. */
  close(): void {
    this.#isClosed = true;
    this.#http.agent.destroy();
    this.#https.agent.destroy();
  }
}

class Exchange {
  readonly answer: Promise<HttpAnswer>;
  readonly #request: HttpRequest;
  readonly #client: ClientRequest;
  #message: IncomingMessage | undefined;
  #wasReset = false;

  constructor(request: HttpRequest, silenceMs: number, scheme: Scheme) {
    this.#request = request;
    const { url, method, body, signal } = request;
    const headers: Record<string, string> = { "accept-encoding": "identity", ...request.headers };
    if (body !== undefined) headers["content-length"] = `${body.size}`;
    const waits = body !== undefined && body.size >= expectBytesMin;
    if (waits) headers["expect"] = "100-continue";
    const { agent } = scheme;
    const client = scheme.request(url, { method, headers, agent, ...(signal === undefined ? {} : { signal }) });
    this.#client = client;
    const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
    this.answer = promise;
    client.setTimeout(silenceMs, () => client.destroy(this.#silent(silenceMs)));
    client.once("response", (message) => {
      this.#message = message;
      resolve(this.#toAnswer(message));
    });
    client.on("error", (thrown) => {
      this.#wasReset ||= errnoOf(thrown) === "ECONNRESET" || errnoOf(thrown) === "EPIPE";
      // A refusal may have come before the whole request was sent.
      if (this.#message === undefined) reject(this.#failure(thrown));
    });
    if (body === undefined) client.end();
    else if (waits) {
      const late = setTimeout(() => this.#sendBody(body), expectMsMax);
      client.once("continue", () => this.#sendBody(body));
      for (const event of ["continue", "response", "error", "close"]) client.once(event, () => clearTimeout(late));
    } else this.#sendBody(body);
  }

  get isStale(): boolean {
    return this.#client.reusedSocket && this.#wasReset;
  }

  #isSending = false;

  #sendBody(body: RequestBody): void {
    if (this.#isSending || this.#client.destroyed) return;
    this.#isSending = true;
    body.onStart?.();
    this.#write(body, body.blocks()[Symbol.iterator]()).catch((thrown: unknown) =>
      this.#client.destroy(thrown as Error),
    );
  }

  /** Block by block, as the connection takes them. */
  async #write(body: RequestBody, blocks: Iterator<Uint8Array>): Promise<void> {
    const client = this.#client;
    for (let next = blocks.next(); next.done !== true; next = blocks.next()) {
      const count = next.value.length;
      if (body.pace !== undefined) await body.pace(count);
      if (client.destroyed) return;
      const isFree = client.write(next.value, () => body.onBytes?.(count));
      if (isFree) continue;
      await new Promise<void>((resolve) => {
        const goOn = (): void => {
          client.off("drain", goOn).off("close", goOn);
          resolve();
        };
        client.once("drain", goOn).once("close", goOn);
      });
      if (client.destroyed) return;
    }
    client.end();
  }

  #toAnswer(message: IncomingMessage): HttpAnswer {
    const exchange = this;
    const length = message.headers["content-length"];
    const size = length !== undefined && /^[0-9]{1,15}$/.test(length) ? Number(length) : undefined;
    return {
      status: message.statusCode ?? 0,
      size,
      header(name) {
        const value = message.headers[name];
        return Array.isArray(value) ? value.join(", ") : value;
      },
      async *blocks() {
        try {
          for await (const block of message) yield block as Uint8Array;
        } catch (thrown) {
          checkSignal(exchange.#request.signal);
          throw exchange.#failure(thrown);
        }
      },
      async text(bytesMax) {
        const parts: Uint8Array[] = [];
        let count = 0;
        for await (const block of this.blocks()) {
          parts.push(block);
          count += block.length;
          if (count > bytesMax) break;
        }
        return toText(concatBytes(parts).subarray(0, bytesMax));
      },
      discard() {
        message.on("error", () => {});
        // Short ones are read to their end, so that the connection can be used again.
        const isShort = exchange.#request.method === "HEAD" || (size !== undefined && size <= discardBytesMax);
        if (isShort) message.resume();
        else message.destroy();
      },
    };
  }

  #silent(silenceMs: number): OuroError {
    const { host } = this.#request.url;
    return new OuroError("offline", `Cannot reach ${host}: nothing has come for ${Math.round(silenceMs / 1000)} s`, {
      subject: host,
      hint: "Run the command again: it goes on where it stopped.",
    });
  }

  /** What went wrong with a connection; errors of ours, and bugs, as they are. */
  #failure(thrown: unknown): unknown {
    if (thrown instanceof OuroError || !(thrown instanceof Error)) return thrown;
    const { host } = this.#request.url;
    const code = "code" in thrown && typeof thrown.code === "string" ? thrown.code : "";
    if (/CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|DEPTH_ZERO|HOSTNAME_MISMATCH/.test(code)) {
      return new OuroError("permission", `Cannot trust ${host}: ${thrown.message}`, {
        subject: host,
        cause: thrown,
        hint: "Its certificate must be of an authority known here; name a file with yours in NODE_EXTRA_CA_CERTS.",
      });
    }
    if (code === "") return thrown;
    const why = reasons[code] ?? `${thrown.message} (${code})`;
    return new OuroError("offline", `Cannot reach ${host}: ${why}`, {
      subject: host,
      cause: thrown,
      hint:
        code === "ENOTFOUND"
          ? "See that the name is right and this machine is online."
          : "Run the command again later: it goes on where it stopped.",
    });
  }
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens at that port",
  ENOTFOUND: "there is no host of that name",
  EAI_AGAIN: "names of hosts cannot be looked up",
  ECONNRESET: "it broke the connection off",
  EPIPE: "it broke the connection off",
  ETIMEDOUT: "it does not answer",
  EHOSTUNREACH: "there is no way to it",
  ENETUNREACH: "there is no network",
};

/** Retry-After, in seconds or as a date measured by the answer's own. */
export function retryAfter(answer: HttpAnswer): { readonly waitMs?: number } {
  const value = answer.header("retry-after")?.trim();
  if (value === undefined) return {};
  if (/^[0-9]{1,6}$/.test(value)) return { waitMs: Number(value) * 1000 };
  const waitMs = Date.parse(value) - Date.parse(answer.header("date") ?? "");
  return Number.isNaN(waitMs) || waitMs < 0 ? {} : { waitMs };
}
