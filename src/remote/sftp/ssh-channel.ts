/**
 * `ssh -s HOST sftp` as a channel: keys, agent, known hosts, jump hosts and ~/.ssh/config are OpenSSH's own business. If ssh has to
 * ask for something, it does so at the terminal, when there is one.
 *
 * What ssh says on stderr becomes the error's text. The process ends with ours, however that ends: its input is
 * closed then. The idea and most options are those of sftp(1).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { toText } from "../../base/bytes.ts";
import { type ErrorKind, errnoOf, OuroError } from "../../base/errors.ts";
import type { Channel, ChannelEvents } from "./session.ts";
import type { SftpAddress } from "./sftp-url.ts";

export interface SshOptions {
  /** The program and its first arguments. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether ssh may ask for a password or about an unknown host. */
  readonly mayAsk: boolean;
}

const errorTextMax = 4000;
const connectSecondsMax = 30;
/** How long ssh may take to say good-bye. */
const closeMsMax = 2000;

/** Starts ssh; it connects while requests are already being written to it. */
export function openSsh(address: SftpAddress, options: SshOptions, events: ChannelEvents): Channel {
  const [program = "ssh", ...first] = options.command;
  const child = spawn(program, [...first, ...sshArguments(address, options.mayAsk)], {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...options.env },
  });
  return new SshChannel(child, address, events);
}

/** Without the program itself. Whatever comes from the URL cannot be taken for an option. */
export function sshArguments({ host, user, port }: SftpAddress, mayAsk: boolean): string[] {
  const options = [
    "ForwardX11=no",
    "ForwardAgent=no",
    "PermitLocalCommand=no",
    "ClearAllForwardings=yes",
    "RemoteCommand=none",
    "RequestTTY=no",
    `ConnectTimeout=${connectSecondsMax}`,
    ...(mayAsk ? [] : ["BatchMode=yes"]),
  ];
  return [
    ...options.map((option) => `-o${option}`),
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", `${port}`]),
    "-s",
    "--",
    host,
    "sftp",
  ];
}

class SshChannel implements Channel {
  readonly #child: ChildProcess;
  readonly #address: SftpAddress;
  readonly #gone: Promise<void>;
  #errorText = "";

  constructor(child: ChildProcess, address: SftpAddress, events: ChannelEvents) {
    this.#child = child;
    this.#address = address;
    child.stdout?.on("data", events.onData);
    child.stderr?.on("data", (bytes: Uint8Array) => {
      this.#errorText = (this.#errorText + toText(bytes)).slice(-errorTextMax);
    });
    // What cannot be written any more shows as the end of the process.
    for (const stream of child.stdio) stream?.on("error", () => {});
    child.stdin?.on("drain", events.onSent);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone = promise;
    child.once("error", (thrown) => {
      events.onEnd(this.#notStarted(thrown));
      resolve();
    });
    // Not "close": a master connection in the background (ControlPersist) may keep a pipe open.
    child.once("exit", () => {
      const end = (): void => {
        for (const stream of child.stdio) stream?.destroy();
        events.onEnd(this.#ended());
        resolve();
      };
      // What it said last may still be in the pipe.
      if (child.stderr === null || child.stderr.readableEnded) end();
      else {
        const late = setTimeout(end, 200);
        child.stderr.once("end", () => {
          clearTimeout(late);
          end();
        });
      }
    });
  }

  write(bytes: Uint8Array): void {
    this.#child.stdin?.write(bytes);
  }

  async close(): Promise<void> {
    const child = this.#child;
    child.stdin?.destroy();
    const terminate = setTimeout(() => child.kill("SIGTERM"), closeMsMax / 2);
    const kill = setTimeout(() => child.kill("SIGKILL"), closeMsMax);
    await this.#gone;
    clearTimeout(terminate);
    clearTimeout(kill);
  }

  #notStarted(thrown: Error): OuroError {
    const isMissing = errnoOf(thrown) === "ENOENT";
    return new OuroError(
      "unsupported",
      `Cannot reach ${this.#address.shown}: ${isMissing ? "there is no program ssh here" : thrown.message}`,
      {
        subject: this.#address.shown,
        cause: thrown,
        hint: "Install OpenSSH's client (Debian: apt install openssh-client).",
      },
    );
  }

  #ended(): OuroError {
    const said = this.#errorText
      .split("\n")
      .map((line) => line.trim())
      // Only what went wrong; it also says what it has added to known_hosts.
      .filter((line) => line !== "" && !line.startsWith("Warning: Permanently added"))
      .join("; ");
    const { kind, hint } = explain(said, this.#address);
    const why = said === "" ? `ssh ended (${this.#child.signalCode ?? `status ${this.#child.exitCode}`})` : said;
    return new OuroError(kind, `Cannot reach ${this.#address.shown}: ${why}`, { subject: this.#address.shown, hint });
  }
}

/** From what ssh says to what can be done. */
function explain(said: string, { command }: SftpAddress): { readonly kind: ErrorKind; readonly hint: string } {
  if (/host key verification failed|host identification has changed/i.test(said)) {
    return {
      kind: "permission",
      hint: `Run \`${command}\` once: it shows the host's key, which must be the one that its owner tells you.`,
    };
  }
  if (/permission denied|too many authentication failures|no more authentication methods/i.test(said)) {
    return {
      kind: "permission",
      hint: `See that \`${command}\` logs in without being asked: load the key into the agent, or name it in ~/.ssh/config.`,
    };
  }
  if (/subsystem request failed/i.test(said))
    return {
      kind: "unsupported",
      hint: "That machine's sshd has no SFTP: its owner must switch it on (Subsystem sftp).",
    };
  if (/bad (configuration option|owner)|keyword|terminating, \d+ bad/i.test(said))
    return { kind: "usage", hint: "Put ~/.ssh/config right." };
  return {
    kind: "offline",
    hint: `See whether \`${command}\` works, and run the command again: it goes on where it stopped.`,
  };
}
