/**
 * `sftp://[user@]host[:port]/path`. A path that begins with `/~/` is relative to the account's home. Nothing in it may be taken for an
 * option of ssh, or for something else by the shell of a ProxyCommand that it is put into. A password is refused: it would be in the
 * box's settings, and ssh takes none from us.
 */
import { OuroError } from "../../base/errors.ts";

export interface SftpAddress {
  readonly host: string;
  readonly user?: string;
  readonly port?: number;
  /** Absolute, or relative to the account's home; "." is the home itself. */
  readonly path: string;
  /** `user@host:port`, for messages. */
  readonly shown: string;
  /** What one would type to get there by hand. */
  readonly command: string;
}

const pathBytesMax = 3000;

/** @throws OuroError "usage". */
export function parseSftpUrl(url: string): SftpAddress {
  const [, userinfo, bracketed, plain, portText, rawPath = ""] =
    /^sftp:\/\/(?:([^@/?#]*)@)?(?:\[([^\]/?#]*)\]|([^:/?#[\]]*))(?::([0-9]*))?(\/[^?#]*)?$/i.exec(url) ?? [];
  const shownUrl = url.replace(/^([^:/]+:\/\/[^:/@]*):[^@/]*@/, "$1@");
  const refuse = (why: string): OuroError =>
    new OuroError("usage", `Cannot open ${shownUrl}: ${why}`, {
      subject: shownUrl,
      hint: "Write it as sftp://user@host/absolute/path, or sftp://user@host/~/path for one in the account's home.",
    });
  const host = bracketed === undefined ? plain : decode(bracketed, refuse);
  if (host === undefined) throw refuse("it is not of the form sftp://user@host/path");
  if (userinfo?.includes(":") === true) throw refuse("it has a password (use a key, or let ssh ask)");
  const isHost = bracketed === undefined ? /^[A-Za-z0-9_][A-Za-z0-9._-]*$/ : /^[0-9A-Fa-f:.]+(?:%[A-Za-z0-9._-]+)?$/;
  if (host.length > 255 || !isHost.test(host)) throw refuse(`"${host}" is no name or address of a host`);
  const user = userinfo === undefined ? undefined : decode(userinfo, refuse);
  if (user !== undefined && !/^[A-Za-z0-9_.@+][A-Za-z0-9_.@+-]{0,255}$/.test(user))
    throw refuse(`"${user}" is no name of a user`);
  const port = portText === undefined || portText === "" ? undefined : Number(portText);
  if (port !== undefined && (port < 1 || port > 65_535)) throw refuse(`${port} is no port`);
  const path = decode(rawPath, refuse);
  if (path.includes("\0") || Buffer.byteLength(path) > pathBytesMax) throw refuse("its path is too long or has a NUL");
  if (path === "") throw refuse("it has no path");
  const account = `${user === undefined ? "" : `${user}@`}${host}`;
  return {
    host,
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port }),
    path: placeOf(path),
    shown: port === undefined ? account : `${account}:${port}`,
    command: port === undefined ? `ssh ${account}` : `ssh -p ${port} ${account}`,
  };
}

function placeOf(path: string): string {
  const home = /^\/~(?:\/(.*))?$/s.exec(path);
  const trimmed = (home === null ? path : (home[1] ?? "")).replace(/(?<=.)\/+$/, "");
  return home !== null && trimmed === "" ? "." : trimmed;
}

function decode(text: string, refuse: (why: string) => OuroError): string {
  if (/%(?![0-9A-Fa-f]{2})/.test(text)) throw refuse("a % is not followed by two hex digits");
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse("it is not UTF-8");
  }
}
