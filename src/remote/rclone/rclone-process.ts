/**
 * `rclone rcd`: one process that keeps rclone's connections and answers on loopback, with a name and password of this moment that only
 * its environment has. It reads its input so that it ends with ours, however that ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { toHex, toText, utf8 } from "../../base/bytes.ts";
import { errnoOf, isKind, OuroError } from "../../base/errors.ts";
import { type HttpAnswer, HttpClient } from "../http/http-client.ts";

export interface RcloneOptions {
  readonly random: (length: number) => Uint8Array;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The program and its first arguments. */
  readonly command: readonly string[];
  /** What is reached through it, for messages: "gdrive:box". */
  readonly place: string;
}

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

const startMsMax = 30_000;
const closeMsMax = 2000;
const errorTextMax = 4000;
const answerBytesMax = 256 * 1024 * 1024;
/** A call may say nothing until a whole pack is somewhere. */
const silenceMsMax = 30 * 60 * 1000;

export class RcloneProcess {
  readonly #child: ChildProcess;
  readonly #options: RcloneOptions;
  readonly #http: HttpClient;
  readonly #authorization: string;
  readonly #started: PromiseWithResolvers<URL> = Promise.withResolvers();
  readonly #gone: Promise<void>;
  #errorText = "";
  #hasEnded = false;

  private constructor(options: RcloneOptions) {
    this.#options = options;
    const password = toHex(options.random(24));
    this.#authorization = `Basic ${Buffer.from(`ourobox:${password}`).toString("base64")}`;
    this.#http = new HttpClient({ env: {}, silenceMsMax });
    const [program = "rclone", ...first] = options.command;
    // A shell as parent sees the end of our end of its input, and then ends rclone: rclone itself does not read it.
    const script = '"$@" & child=$!; exec 3<&0; (cat <&3 >/dev/null; kill $child 2>/dev/null) & wait $child';
    const args = ["rcd", "--rc-addr", "127.0.0.1:0", "--rc-serve", "--ask-password=false", "--log-level", "NOTICE"];
    this.#child = spawn("/bin/sh", ["-c", script, "rclone", program, ...first, ...args], {
      stdio: ["pipe", "ignore", "pipe"],
      env: { ...options.env, RCLONE_RC_USER: "ourobox", RCLONE_RC_PASS: password },
    });
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    this.#started.promise.catch(() => {});
    const end = (thrown?: Error): void => {
      this.#hasEnded = true;
      this.#started.reject(this.#ended(thrown));
      resolve();
    };
    for (const stream of this.#child.stdio) stream?.on("error", () => {});
    this.#child.once("error", end);
    this.#child.once("exit", () => end());
    this.#child.stderr?.on("data", (bytes: Uint8Array) => this.#read(toText(bytes)));
  }

  /** @throws OuroError "unsupported" when there is no rclone, "usage" when it does not start. */
  static async start(options: RcloneOptions): Promise<RcloneProcess> {
    const rclone = new RcloneProcess(options);
    const late = setTimeout(() => rclone.#started.reject(rclone.#ended()), startMsMax);
    try {
      await rclone.#started.promise;
      return rclone;
    } catch (thrown) {
      await rclone.close();
      throw thrown;
    } finally {
      clearTimeout(late);
    }
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /**
   * Calls an operation of rclone's.
   * @throws OuroError, of a kind as its text says.
   */
  async call(operation: string, parameters: { readonly [key: string]: Json }, signal?: AbortSignal): Promise<Json> {
    const bytes = utf8(JSON.stringify(parameters));
    const headers = { "content-type": "application/json" };
    const answer = await this.#send("POST", `/${operation}`, { headers, bytes, signal });
    return await this.#parse(answer, operation);
  }

  /** Stores a small blob through `operations/uploadfile`. */
  async upload(fs: string, folder: string, name: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const boundary = `--------${toHex(this.#options.random(16))}`;
    const head = `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: application/octet-stream\r\n\r\n`;
    const body = Buffer.concat([utf8(head), bytes, utf8(`\r\n--${boundary}--\r\n`)]);
    const query = new URLSearchParams({ fs, remote: folder });
    const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
    const answer = await this.#send("POST", `/operations/uploadfile?${query}`, { headers, bytes: body, signal });
    await this.#parse(answer, "operations/uploadfile");
  }

  /** A blob or a part of it: an answer of 200, 206 or 416. @throws As `call`. */
  async read(fs: string, name: string, range: string | undefined, signal?: AbortSignal): Promise<HttpAnswer> {
    const path = `/${encodeURIComponent(`[${fs}]`)}/${name}`;
    const answer = await this.#send("GET", path, { headers: range === undefined ? {} : { range }, signal });
    if (answer.status === 200 || answer.status === 206 || answer.status === 416) return answer;
    await this.#parse(answer, `read ${name}`);
    throw new OuroError("io", `Cannot read ${name}: rclone answers ${answer.status}`);
  }

  async close(): Promise<void> {
    this.#http.close();
    this.#child.stdin?.end();
    const kill = setTimeout(() => this.#child.kill("SIGKILL"), closeMsMax);
    await this.#gone;
    clearTimeout(kill);
    for (const stream of this.#child.stdio) stream?.destroy();
  }

  async #send(
    method: string,
    path: string,
    {
      headers,
      bytes,
      signal,
    }: { headers: Record<string, string>; bytes?: Uint8Array; signal?: AbortSignal | undefined },
  ): Promise<HttpAnswer> {
    const url = new URL(path, await this.#started.promise);
    try {
      return await this.#http.send({
        method,
        url,
        headers: { ...headers, authorization: this.#authorization },
        signal,
        isOnce: method === "POST",
        ...(bytes === undefined ? {} : { body: { size: bytes.length, blocks: () => [bytes] } }),
      });
    } catch (thrown) {
      if (this.#hasEnded && isKind(thrown, "offline")) throw this.#ended();
      throw thrown;
    }
  }

  async #parse(answer: HttpAnswer, operation: string): Promise<Json> {
    const text = await answer.text(answerBytesMax);
    let value: Json;
    try {
      value = JSON.parse(text) as Json;
    } catch {
      throw new OuroError("io", `Cannot use rclone: its answer to ${operation} is not understood`);
    }
    if (answer.status === 200) return value;
    const said = typeof value === "object" && value !== null && "error" in value ? String(value["error"]) : text;
    throw rcloneError(this.#options.place, said);
  }

  #read(text: string): void {
    this.#errorText = (this.#errorText + text).slice(-errorTextMax);
    const address = /Serving remote control on (http:\/\/127\.0\.0\.1:\d+\/)/.exec(this.#errorText)?.[1];
    if (address !== undefined) this.#started.resolve(new URL(address));
  }

  #ended(thrown?: Error): OuroError {
    const { command, place } = this.#options;
    if (errnoOf(thrown) === "ENOENT" || /not found/.test(this.#errorText)) {
      return new OuroError("unsupported", `Cannot reach ${place}: there is no program ${command[0] ?? "rclone"} here`, {
        hint: "Install rclone (Debian: apt install rclone).",
      });
    }
    const said = this.#errorText.trim().split("\n").slice(-3).join("; ");
    return new OuroError("offline", `Cannot reach ${place}: rclone has ended${said === "" ? "" : ` (${said})`}`, {
      hint: "See whether `rclone lsd` works with it.",
    });
  }
}

/** From what rclone says to what can be done. */
function rcloneError(place: string, said: string): OuroError {
  const text = `Cannot use ${place}: rclone says: ${said.replace(/\s+/g, " ").slice(0, 300)}`;
  const cases: [RegExp, "not-found" | "no-space" | "permission" | "usage" | "offline" | "read-only", string][] = [
    [/object not found|directory not found|no such file/i, "not-found", "Run the command again."],
    [
      /didn't find section in config|unknown (remote|type)/i,
      "usage",
      "See `rclone listremotes`, and make it with `rclone config`.",
    ],
    [
      /no space left|quota|insufficient storage|storage full/i,
      "no-space",
      "Free some space there and run the command again.",
    ],
    [/read-only file system/i, "read-only", "Ask its owner."],
    [
      /permission denied|access ?denied|forbidden|unauthori|invalid_grant|unable to authenticate/i,
      "permission",
      "See `rclone config`, perhaps `rclone config reconnect`.",
    ],
    [
      /connection|timeout|timed out|no such host|EOF|dial|rate ?limit|too many requests|couldn't connect|5\d\d/i,
      "offline",
      "Run the command again later: it goes on where it stopped.",
    ],
  ];
  for (const [pattern, kind, hint] of cases)
    if (pattern.test(said)) return new OuroError(kind, text, { subject: place, hint });
  return new OuroError("io", text, { subject: place });
}
