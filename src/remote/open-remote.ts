/**
 * From a remote's URL to a Remote: a path or `file://` is a folder, `sftp://` an account on another
 * machine, `s3://` a bucket, `https://` a published folder, `rclone:` what rclone knows. What goes over a network is tried again when it fails.
 */
import { dirname, isAbsolute, resolve } from "node:path";
import { type Clock, systemClock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { DirRemote, type DirRemoteOptions } from "./dir-remote.ts";
import { HttpRemote, parseHttpUrl } from "./http/http-remote.ts";
import { LimitRemote, type Limits } from "./limit-remote.ts";
import { parseRcloneUrl, RcloneRemote } from "./rclone/rclone-remote.ts";
import type { Remote } from "./remote.ts";
import type { RetryOptions, RetryPolicy } from "./retry.ts";
import { RetryRemote } from "./retry-remote.ts";
import { probeConditions } from "./s3/probe-conditions.ts";
import { S3Remote, type S3Verdict } from "./s3/s3-remote.ts";
import { parseS3Url } from "./s3/s3-url.ts";
import { SftpRemote } from "./sftp/sftp-remote.ts";
import { parseSftpUrl } from "./sftp/sftp-url.ts";
import { openSsh } from "./sftp/ssh-channel.ts";

export interface OpenRemoteOptions extends DirRemoteOptions {
  /** What a relative path is relative to. */
  readonly cwd: string;
  /** Make the folder, and those above it, when there is none: for `remote add` and a first push, never for a fetch. */
  readonly create?: boolean;
  /**
   * For programs that are started, and what they read in it; OUROBOX_SSH and OUROBOX_RCLONE are those to start
   * instead of `ssh` and `rclone`.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Whether a program may ask a person for a password at the terminal; true unless given. */
  readonly mayAsk?: boolean;
  /** What the time is, for signatures. */
  readonly clock?: Clock;
  /** What the place's conditional puts have been measured to be. */
  readonly verdict?: S3Verdict | undefined;
  /** How what fails on a network is tried again. */
  readonly retry?: RetryPolicy;
  /** Told before each wait for another try. */
  readonly onRetry?: NonNullable<RetryOptions["onRetry"]>;
  /** For remotes over a network: what all transfers together may take of the line. */
  readonly limits?: Limits;
}

/** Kinds of URL that a later version will open, so that the message can say so. */
const laterSchemes: ReadonlySet<string> = new Set(["webdav", "ftp"]);

/**
 * The URL as it is kept in a box's settings: a relative path made absolute, everything else as it is.
 * @throws OuroError "usage" for what no version could open, "unsupported" for what this one cannot.
 */
export function normalizeUrl(url: string, cwd: string): string {
  const scheme = schemeOf(url);
  const parse = scheme === undefined ? undefined : parsers[scheme];
  if (parse !== undefined) {
    parse(url);
    return url;
  }
  const folder = folderOf(url, cwd);
  return scheme === undefined ? folder : url;
}

/**
 * Opens a remote. Nothing is read: a folder that is not there shows with the first use.
 * @throws OuroError as `normalizeUrl`, and with `create` what making the folder may throw.
 */
export function openRemote(url: string, options: OpenRemoteOptions): Remote {
  const scheme = schemeOf(url);
  if (scheme === "sftp") return retried(openSftp(url, options), options);
  if (scheme === "s3") return retried(openS3(url, options), options);
  if (scheme === "http" || scheme === "https") {
    const { disk, env = {} } = options;
    return retried(new HttpRemote(parseHttpUrl(url), url, { disk, env }), options);
  }
  if (scheme === "rclone") {
    const { disk, random, env = {}, create = false, limits } = options;
    const limit = limits?.upload === undefined ? {} : { uploadLimit: limits.upload };
    const program = { ...limit, env, create, command: wordsOf(env["OUROBOX_RCLONE"], "rclone") };
    return retried(new RcloneRemote(parseRcloneUrl(url), url, { disk, random, ...program }), options);
  }
  const folder = folderOf(url, options.cwd);
  if (options.create === true) makeFolder(options.disk, folder);
  return new DirRemote(folder, url, options);
}

/** Kinds with a URL of their own, which is checked before anything is done. */
const parsers: Readonly<Record<string, (url: string) => unknown>> = {
  sftp: parseSftpUrl,
  s3: parseS3Url,
  http: parseHttpUrl,
  https: parseHttpUrl,
  rclone: parseRcloneUrl,
};

function retried(remote: Remote, options: OpenRemoteOptions): Remote {
  const { random, retry, onRetry, limits = {}, clock = systemClock } = options;
  const patient = new RetryRemote(remote, { random, onRetry, ...(retry === undefined ? {} : { policy: retry }) });
  return Object.keys(limits).length === 0 ? patient : new LimitRemote(patient, limits, clock);
}

/**
 * Finds out what a place's conditional puts are worth.
 * @returns Undefined where there is no doubt about it.
 * @throws OuroError as `openRemote` and `Remote.put`.
 */
export async function measureConditions(
  url: string,
  options: OpenRemoteOptions & { readonly signal?: AbortSignal },
): Promise<S3Verdict | undefined> {
  if (schemeOf(url) !== "s3") return undefined;
  const opened: S3Remote[] = [];
  try {
    return await probeConditions({
      random: options.random,
      open(verdict) {
        const remote = openS3(url, { ...options, verdict });
        opened.push(remote);
        return remote;
      },
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } finally {
    for (const remote of opened) await remote[Symbol.asyncDispose]();
  }
}

function openS3(url: string, options: OpenRemoteOptions): S3Remote {
  const { disk, random, env = {}, clock = systemClock, create = false, verdict } = options;
  const given = {
    ...(verdict === undefined ? {} : { verdict }),
    ...(options.retry === undefined ? {} : { retry: options.retry }),
  };
  return new S3Remote(parseS3Url(url), url, { disk, random, env, clock, create, ...given });
}

function openSftp(url: string, { disk, random, create = false, env = {}, mayAsk = true }: OpenRemoteOptions): Remote {
  const address = parseSftpUrl(url);
  const ssh = { command: wordsOf(env["OUROBOX_SSH"], "ssh"), env, mayAsk };
  return new SftpRemote(address, url, { disk, random, create, openChannel: (events) => openSsh(address, ssh, events) });
}

/** A program and its first arguments, as a variable says. */
function wordsOf(text: string | undefined, program: string): string[] {
  const words = text?.split(/\s+/).filter((word) => word !== "") ?? [];
  return words.length === 0 ? [program] : words;
}

function schemeOf(url: string): string | undefined {
  return /^([A-Za-z][A-Za-z0-9+.-]*):\/\//.exec(url)?.[1]?.toLowerCase() ?? /^(rclone):/.exec(url)?.[1];
}

/** The absolute path that a path or a file URL means. */
function folderOf(url: string, cwd: string): string {
  if (url === "" || url.includes("\0"))
    throw new OuroError("usage", "Cannot open a remote: its URL is empty or has a NUL");
  const scheme = schemeOf(url);
  if (scheme === "file") return fileUrlPath(url);
  refuseScpForm(url, scheme);
  if (scheme === undefined) return resolve(cwd, url);
  if (laterSchemes.has(scheme)) {
    throw new OuroError(
      "unsupported",
      `Cannot open ${withoutSecrets(url)}: ${scheme} remotes are not available in this version`,
      {
        subject: withoutSecrets(url),
        hint: "Use a folder: a path, or file:///path.",
      },
    );
  }
  throw new OuroError(
    "usage",
    `Cannot open ${withoutSecrets(url)}: nothing is known of "${scheme}:" (must be a path, file://, sftp://, s3://, https:// or rclone:)`,
    {
      subject: withoutSecrets(url),
      ...(scheme === "ssh" ? { hint: "Write it as sftp://user@host/path." } : {}),
    },
  );
}

/** @throws OuroError "usage" for `user@host:path`, which scp and git take for a place on another machine. */
function refuseScpForm(url: string, scheme: string | undefined): void {
  const [, host, path = ""] = /^([^/:]+):(.*)$/s.exec(url) ?? [];
  if (scheme !== undefined || host === undefined) return;
  const place = path.startsWith("/") ? path : `/~/${path}`;
  throw new OuroError("usage", `Cannot open ${url}: it looks like a place on another machine`, {
    subject: url,
    hint: `Write it as sftp://${host}${place}; a folder of that name is ./${url}.`,
  });
}

/** RFC 8089: an empty or local host, an absolute path, percent-encoded. */
function fileUrlPath(url: string): string {
  const refuse = (why: string): OuroError =>
    new OuroError("usage", `Cannot open ${url}: ${why}`, { subject: url, hint: "Write it as file:///absolute/path." });
  const [, host = "", path = ""] = /^file:\/\/([^/?#]*)([^?#]*)$/i.exec(url) ?? [];
  if (host !== "" && host.toLowerCase() !== "localhost") throw refuse(`"${host}" is another machine`);
  if (!isAbsolute(path)) throw refuse("it has no absolute path, or a ? or # that is not written as %3F or %23");
  if (/%(?![0-9A-Fa-f]{2})/.test(path)) throw refuse("a % is not followed by two hex digits");
  if (/%(00|2f)/i.test(path)) throw refuse("it has an encoded NUL or slash");
  try {
    return resolve(decodeURIComponent(path));
  } catch {
    throw refuse("its path is not UTF-8");
  }
}

/** For messages: without the password of `scheme://user:password@host`. */
function withoutSecrets(url: string): string {
  return url.replace(/^([^:/]+:\/\/[^:/@]*):[^@/]*@/, "$1@");
}

function makeFolder(disk: Disk, folder: string): void {
  try {
    if (disk.stat(`${folder}/.`)?.kind === "directory") return;
    if (dirname(folder) !== folder) makeFolder(disk, dirname(folder));
    disk.makeDirectory(folder, 0o777);
    disk.syncDirectory(dirname(folder));
  } catch (thrown) {
    if (errnoOf(thrown) === "EEXIST" && disk.stat(`${folder}/.`)?.kind === "directory") return;
    throw ioError(`Cannot make ${folder}`, thrown, folder);
  }
}
