/**
 * Between a client and a real server: an HTTP proxy that does to chosen requests what networks and servers do to them, and counts how often it
 * did; and one of plain TCP that cuts connections within, or lets them through drop by drop.
 */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { TcpProxy } from "./tcp-proxy.ts";

/** What happens to a request. */
export type HttpFault =
  /** The connection breaks: before the request, in the middle of its body, after it was done, in the middle of the answer. */
  | "cut-before"
  | "cut-request"
  | "cut-answer"
  | "cut-body"
  /** The answer comes in small pieces. */
  | "trickle"
  /** A bit of the answer's body is another. */
  | "flip"
  /** Half of the answer's body is all that it says there is. */
  | "truncate"
  /** The answer is the one that the same question had before. */
  | "stale"
  /** It is refused. */
  | {
      readonly status: number;
      readonly code?: string;
      readonly headers?: Readonly<Record<string, string>>;
    };

export interface FaultPlan {
  readonly fault: HttpFault;
  /** Which requests: "GET packs", "PUT heads", "GET list packs", "DELETE index", …. */
  readonly on: (kind: string) => boolean;
  /** How often; for ever unless given. */
  readonly times?: number;
  /** How many of these requests pass before. */
  readonly after?: number;
}

interface Seen {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export class HttpFaultProxy implements AsyncDisposable {
  /** How often a fault has happened. */
  count = 0;
  /** What was asked for, in order. */
  readonly kinds: string[] = [];
  /** How often the server itself has refused with 403. */
  refusals = 0;
  readonly #target: URL;
  readonly #server: Server;
  readonly #answers = new Map<string, Seen>();
  #plan: FaultPlan | undefined;
  #passed = 0;

  private constructor(target: string) {
    this.#target = new URL(target);
    this.#server = createServer((incoming, answer) => {
      this.#handle(incoming, answer).catch(() => incoming.socket.destroy());
    });
    // A client may come back to a connection when this has just closed it.
    this.#server.keepAliveTimeout = 60_000;
  }

  static async start(target: string): Promise<HttpFaultProxy> {
    const proxy = new HttpFaultProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** From now on; the count begins anew. */
  plan(plan: FaultPlan | undefined): void {
    this.#plan = plan;
    this.#passed = 0;
    this.count = 0;
    this.refusals = 0;
    this.kinds.length = 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #next(kind: string): HttpFault | undefined {
    const plan = this.#plan;
    this.kinds.push(kind);
    if (plan === undefined || !plan.on(kind) || this.count >= (plan.times ?? Number.POSITIVE_INFINITY))
      return undefined;
    this.#passed += 1;
    if (this.#passed <= (plan.after ?? 0)) return undefined;
    this.count += 1;
    return plan.fault;
  }

  async #handle(incoming: IncomingMessage, answer: ServerResponse): Promise<void> {
    const { socket, method = "GET", url = "/" } = incoming;
    const fault = this.#next(kindOf(method, url));
    if (fault === "cut-before") return void socket.destroy();
    const body = await readAll(incoming, fault === "cut-request" ? 0.5 : 1);
    if (fault === "cut-request") return void socket.destroy();
    if (typeof fault === "object") return refuse(answer, fault);
    const before = this.#answers.get(`${method} ${url}`);
    const seen = fault === "stale" && before !== undefined ? before : await this.#forward(incoming, body);
    if (seen.status === 403) this.refusals += 1;
    if (fault !== "stale") this.#answers.set(`${method} ${url}`, seen);
    if (fault === "cut-answer") return void socket.destroy();
    await this.#answer(answer, seen, fault);
  }

  async #answer(answer: ServerResponse, { status, headers, body }: Seen, fault: HttpFault | undefined): Promise<void> {
    const changed = fault === "flip" ? flipped(body) : fault === "truncate" ? body.subarray(0, body.length >> 1) : body;
    const length = headers["content-length"] === undefined ? {} : { "content-length": `${changed.length}` };
    // To HEAD there is no body, and its length is another's.
    const isHead = answer.req.method === "HEAD";
    const { "transfer-encoding": _, ...kept } = headers;
    answer.writeHead(status, { ...kept, ...(isHead ? {} : length) });
    if (fault === "cut-body") {
      answer.write(body.subarray(0, body.length >> 1), () => answer.destroy());
      return;
    }
    if (fault === "trickle") {
      for (let start = 0; start < changed.length; start += 700) {
        answer.write(changed.subarray(start, start + 700));
        await sleep(1);
      }
      answer.end();
    } else answer.end(changed);
  }

  #forward({ method, url, headers }: IncomingMessage, body: Buffer): Promise<Seen> {
    const { promise, resolve, reject } = Promise.withResolvers<Seen>();
    const { hostname, port } = this.#target;
    const { expect: _, ...kept } = headers;
    const outgoing = request({ hostname, port, method, path: url, headers: kept }, (message) => {
      readAll(message, 1).then(
        (read) => resolve({ status: message.statusCode ?? 0, headers: message.headers, body: read }),
        reject,
      );
    });
    outgoing.on("error", reject);
    outgoing.end(body);
    return promise;
  }
}

/** "PUT packs", "GET list heads", "GET config": what is asked of which part of a remote. */
function kindOf(method: string, url: string): string {
  const { pathname, searchParams } = new URL(url, "http://x");
  const prefix = searchParams.get("prefix");
  if (searchParams.has("list-type")) return `${method} list ${/([a-z]+)\/$/.exec(prefix ?? "")?.[1] ?? "top"}`;
  const part = /\/(packs|index|heads|condemned|keys|config|listing)(?:\/|$)/.exec(pathname)?.[1];
  return `${method} ${part ?? pathname}`;
}

/** @param share How much of it is waited for. */
async function readAll(message: IncomingMessage, share: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  const most = share * Number(message.headers["content-length"] ?? "0");
  for await (const part of message) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (share < 1 && size >= most) break;
  }
  return Buffer.concat(parts);
}

function flipped(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  const at = copy.length >> 1;
  if (copy.length > 0) copy[at] = (copy[at] ?? 0) ^ 4;
  return copy;
}

function refuse(
  answer: ServerResponse,
  { status, code, headers = {} }: { readonly status: number; readonly code?: string; readonly headers?: object },
): void {
  const body = code === undefined ? "" : `<Error><Code>${code}</Code><Message>as planned</Message></Error>`;
  answer
    .writeHead(status, { ...headers, "content-length": `${body.length}` })
    .end(answer.req.method === "HEAD" ? "" : body);
}

export interface TcpPlan {
  /** Cuts a connection when so many bytes have come from the server. */
  readonly cutAfter?: number;
  /** So many connections; for ever unless given. */
  readonly times?: number;
  /** Lets so many bytes through in each millisecond. */
  readonly bytesPerMs?: number;
}

export class TcpFaultProxy extends TcpProxy {
  /** How many connections were cut, or slowed down. */
  count = 0;
  #plan: TcpPlan = {};

  static async start(port: number): Promise<TcpFaultProxy> {
    const proxy = new TcpFaultProxy(port);
    await proxy.listen();
    return proxy;
  }

  plan(plan: TcpPlan): void {
    this.#plan = plan;
    this.count = 0;
  }

  protected override pass(client: Socket, server: Socket): void {
    const { cutAfter, times = Number.POSITIVE_INFINITY, bytesPerMs } = this.#plan;
    client.pipe(server);
    let passed = 0;
    if (bytesPerMs !== undefined) this.count += 1;
    server.on("data", (bytes: Buffer) => {
      passed += bytes.length;
      if (cutAfter !== undefined && passed > cutAfter && this.count < times) {
        this.count += 1;
        client.destroy();
        return;
      }
      client.write(bytes);
      if (bytesPerMs === undefined) return;
      server.pause();
      setTimeout(() => server.resume(), bytes.length / bytesPerMs);
    });
  }
}
