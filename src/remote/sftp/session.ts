/**
 * One SFTP session over a channel: requests go out without waiting for each other, answers find their request by its id.
 *
 * It ends once and for all: when the channel ends, when what comes is not SFTP, or when requests are waiting and nothing
 * has come for `silenceMsMax`. Then every request that waits rejects with the reason, and so does every later one.
 */
import { toText } from "../../base/bytes.ts";
import { OuroError } from "../../base/errors.ts";
import { brokenPacket, PacketReader, PacketSplitter, PacketWriter, packetType, statusCode } from "./wire.ts";

/** Where bytes go to and come from: `ssh`, or in tests something else. */
export interface Channel {
  write(bytes: Uint8Array): void;
  /** Ends it; resolves when nothing of it is left. */
  close(): Promise<void>;
}

export interface ChannelEvents {
  readonly onData: (bytes: Uint8Array) => void;
  /** Bytes have gone out: the other side is alive. */
  readonly onSent: () => void;
  /** Once; `reason` says which host, and what it said. */
  readonly onEnd: (reason: OuroError) => void;
}

export type OpenChannel = (events: ChannelEvents) => Channel;

export interface SessionOptions {
  /** For a first answer; a person may have to type a password meanwhile. */
  readonly connectMsMax: number;
  readonly silenceMsMax: number;
  /** Who is at the other end, for messages. */
  readonly host: string;
  /** What one would type to get there by hand. */
  readonly command: string;
  /** Stops connecting. */
  readonly signal?: AbortSignal;
}

/** The server's "no" to one request. */
export class StatusError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

interface Waiting {
  readonly resolve: (packet: PacketReader) => void;
  readonly reject: (reason: unknown) => void;
}

/** What a server that says nothing of its limits takes, as every client before them did. */
const blockBytesDefault = 32 * 1024;
/** Larger ones gain nothing measurable, and on a slow line answers come too far apart. */
const blockBytesMax = 64 * 1024;
const extensionsMax = 1000;

export class SftpSession {
  readonly #channel: Channel;
  readonly #options: SessionOptions;
  readonly #splitter = new PacketSplitter();
  readonly #waiting = new Map<number, Waiting>();
  readonly #extensions = new Map<string, string>();
  readonly #started: PromiseWithResolvers<void> = Promise.withResolvers();
  #silence: NodeJS.Timeout;
  #hasStarted = false;
  #end: OuroError | undefined;
  #nextId = 1;
  /** The most bytes to ask for, or to send, in one request. */
  blockBytes: number = blockBytesDefault;

  private constructor(openChannel: OpenChannel, options: SessionOptions) {
    this.#options = options;
    this.#started.promise.catch(() => {});
    this.#silence = setTimeout(() => this.#checkSilence(), options.connectMsMax);
    this.#channel = openChannel({
      onData: (bytes) => this.#receive(bytes),
      onSent: () => {
        if (this.#hasStarted) this.#silence.refresh();
      },
      onEnd: (reason) => this.#finish(reason),
    });
  }

  /**
   * Connects and agrees on the version.
   * @throws OuroError "offline", "permission", "unsupported": as the channel says, and when it is no SFTP server.
   */
  static async open(openChannel: OpenChannel, options: SessionOptions): Promise<SftpSession> {
    const session = new SftpSession(openChannel, options);
    const stop = (): void => void session.close();
    options.signal?.addEventListener("abort", stop, { once: true });
    try {
      session.#channel.write(new PacketWriter(packetType.init).u32(3).finish());
      await session.#started.promise;
      await session.#readLimits();
      return session;
    } catch (thrown) {
      await session.close();
      throw thrown;
    } finally {
      options.signal?.removeEventListener("abort", stop);
    }
  }

  /** Why it has ended; undefined while it goes on. */
  get end(): OuroError | undefined {
    return this.#end;
  }

  has(extension: string, version: string): boolean {
    return this.#extensions.get(extension) === version;
  }

  /**
   * Sends a request.
   * @param fill Writes what follows the request's id.
   * @returns The answer, of one of the types in `expected`; a status "ok" is one of type `status`.
   * @throws StatusError when the server answers with another status; OuroError when the session has ended.
   */
  async request(type: number, expected: number, fill: (packet: PacketWriter) => void): Promise<PacketReader> {
    if (this.#end !== undefined) throw this.#end;
    const id = this.#nextId;
    this.#nextId = id === 0xffff_ffff ? 1 : id + 1;
    const packet = new PacketWriter(type).u32(id);
    fill(packet);
    if (this.#waiting.size === 0) this.#silence.refresh();
    const { promise, resolve, reject } = Promise.withResolvers<PacketReader>();
    this.#waiting.set(id, { resolve, reject });
    this.#channel.write(packet.finish());
    const answer = await promise;
    if (answer.type === packetType.status) {
      const code = answer.u32();
      if (code === statusCode.ok && expected === packetType.status) return answer;
      throw new StatusError(code, answer.remaining >= 4 ? answer.text() : "");
    }
    if (answer.type !== expected) throw this.#finish(this.#broken(`its answer is of type ${answer.type}`));
    return answer;
  }

  /** Ends the session; what waits rejects with "aborted". */
  async close(reason?: OuroError): Promise<void> {
    this.#finish(reason ?? new OuroError("aborted", `Cannot go on with ${this.#options.host}: it was closed`));
    await this.#channel.close();
  }

  #receive(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    this.#silence.refresh();
    try {
      this.#splitter.push(bytes, (packet) => this.#accept(new PacketReader(packet)));
    } catch (thrown) {
      this.#finish(this.#hasStarted ? (thrown as OuroError) : this.#notSftp(bytes));
    }
  }

  #accept(packet: PacketReader): void {
    const number = packet.u32();
    if (!this.#hasStarted) {
      if (packet.type !== packetType.version || number < 3) throw brokenPacket(`it has version ${number} (must be 3)`);
      for (let count = 0; packet.remaining > 0 && count < extensionsMax; count += 1)
        this.#extensions.set(packet.text(), packet.text());
      this.#hasStarted = true;
      clearTimeout(this.#silence);
      this.#silence = setTimeout(() => this.#checkSilence(), this.#options.silenceMsMax);
      this.#started.resolve();
      return;
    }
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) throw brokenPacket("it answers what was not asked");
    this.#waiting.delete(number);
    waiting.resolve(packet);
  }

  async #readLimits(): Promise<void> {
    if (!this.has("limits@openssh.com", "1")) return;
    const answer = await this.request(packetType.extended, packetType.extendedReply, (packet) =>
      packet.string("limits@openssh.com"),
    );
    answer.u64();
    const sizes = [answer.u64(), answer.u64()].map((size) => (size === 0 ? blockBytesMax : size));
    this.blockBytes = Math.max(1024, Math.min(blockBytesMax, ...sizes));
  }

  #checkSilence(): void {
    if (this.#hasStarted && this.#waiting.size === 0) return;
    const { host, command, silenceMsMax, connectMsMax } = this.#options;
    const seconds = Math.round((this.#hasStarted ? silenceMsMax : connectMsMax) / 1000);
    this.#finish(
      new OuroError("offline", `Cannot reach ${host}: it has not answered for ${seconds} s`, {
        subject: host,
        hint: `See whether \`${command}\` works, and run the command again: it goes on where it stopped.`,
      }),
    );
    this.#channel.close().catch(() => {});
  }

  /** The first end counts. @returns It. */
  #finish(reason: OuroError): OuroError {
    if (this.#end !== undefined) return this.#end;
    this.#end = reason;
    clearTimeout(this.#silence);
    this.#started.reject(reason);
    for (const { reject } of this.#waiting.values()) reject(reason);
    this.#waiting.clear();
    return reason;
  }

  #broken(why: string): OuroError {
    return new OuroError("io", `Cannot understand ${this.#options.host}: ${why}`, { subject: this.#options.host });
  }

  #notSftp(bytes: Uint8Array): OuroError {
    const { host } = this.#options;
    const said = JSON.stringify(toText(bytes.subarray(0, 80)));
    return new OuroError(
      "unsupported",
      `Cannot use ${host}: what it answers is not SFTP version 3, but begins ${said}`,
      {
        subject: host,
        hint: "If that is text, the account's shell prints it when it starts (.bashrc): it must not when nobody is at a terminal.",
      },
    );
  }
}
