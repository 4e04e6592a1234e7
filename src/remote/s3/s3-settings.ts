/**
 * Where an S3 remote is and with which keys, as AWS's own programs find it: the URL first, then `AWS_*` variables, then the profile in
 * ~/.aws/config and ~/.aws/credentials. Of what those can say, keys, session tokens, region and endpoint are taken; for roles and
 * single sign-on, `aws configure export-credentials --format env` makes variables.
 *
 * Source: AWS SDKs and Tools Reference Guide, "Shared config and credentials files".
 */
import { findText } from "../../base/bytes.ts";
import type { Disk } from "../../base/disk.ts";
import { ioError, OuroError } from "../../base/errors.ts";
import { checkEndpoint, type S3Address } from "./s3-url.ts";
import type { Credentials } from "./signature.ts";

export interface S3Settings {
  /** Scheme, host and port. */
  readonly endpoint: URL;
  readonly region: string;
  readonly isPathStyle: boolean;
  readonly credentials: Credentials;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Profile = Readonly<Record<string, string>>;

const fileBytesMax = 1024 * 1024;

/** @throws OuroError "permission" when there are no keys, "usage" when something said does not fit. */
export function readS3Settings(address: S3Address, env: Environment, disk: Disk): S3Settings {
  const profileName = address.profile ?? filled(env["AWS_PROFILE"]) ?? filled(env["AWS_DEFAULT_PROFILE"]) ?? "default";
  const profile = readProfile(profileName, env, disk);
  const region =
    address.region ??
    filled(env["AWS_REGION"]) ??
    filled(env["AWS_DEFAULT_REGION"]) ??
    filled(profile["region"]) ??
    "us-east-1";
  const given =
    address.endpoint ??
    filled(env["AWS_ENDPOINT_URL_S3"]) ??
    filled(env["AWS_ENDPOINT_URL"]) ??
    filled(profile["endpoint_url"]);
  if (given !== undefined) checkEndpoint(given, (why) => new OuroError("usage", `Cannot use S3: ${why}`));
  // A bucket with dots in its name has no certificate as a host.
  const isPathStyle =
    address.style === undefined ? given !== undefined || address.bucket.includes(".") : address.style === "path";
  return {
    endpoint: new URL(given ?? `https://s3.${region}.amazonaws.com`),
    region,
    isPathStyle,
    credentials: credentialsOf(address, env, profile, profileName),
  };
}

function credentialsOf(address: S3Address, env: Environment, profile: Profile, profileName: string): Credentials {
  const fromEnvironment = { key: filled(env["AWS_ACCESS_KEY_ID"]), secret: filled(env["AWS_SECRET_ACCESS_KEY"]) };
  // A profile that the URL names is meant; one from the environment is only where to look next.
  if (address.profile === undefined && fromEnvironment.key !== undefined && fromEnvironment.secret !== undefined)
    return made(fromEnvironment.key, fromEnvironment.secret, filled(env["AWS_SESSION_TOKEN"]));
  const key = filled(profile["aws_access_key_id"]);
  const secret = filled(profile["aws_secret_access_key"]);
  if (key !== undefined && secret !== undefined) return made(key, secret, filled(profile["aws_session_token"]));
  throw new OuroError(
    "permission",
    `Cannot use s3://${address.bucket}: there are no keys in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, nor in the profile "${profileName}"`,
    {
      hint: "Set them, or write them to ~/.aws/credentials; those of a role or single sign-on come from `aws configure export-credentials --format env`.",
    },
  );
}

function made(accessKey: string, secretKey: string, sessionToken: string | undefined): Credentials {
  return { accessKey, secretKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** What both files say of a profile; credentials' word goes first. */
function readProfile(name: string, env: Environment, disk: Disk): Profile {
  const home = filled(env["HOME"]);
  const path = (variable: string, file: string): string | undefined =>
    filled(env[variable]) ?? (home === undefined ? undefined : `${home}/.aws/${file}`);
  const config = readSections(path("AWS_CONFIG_FILE", "config"), disk);
  const credentials = readSections(path("AWS_SHARED_CREDENTIALS_FILE", "credentials"), disk);
  return {
    ...config.get(name === "default" ? name : `profile ${name}`),
    ...config.get(name),
    ...credentials.get(name),
  };
}

function readSections(path: string | undefined, disk: Disk): Map<string, Record<string, string>> {
  const sections = new Map<string, Record<string, string>>();
  const text = path === undefined ? undefined : readText(path, disk);
  let current: Record<string, string> = {};
  for (const line of text?.split("\n") ?? []) {
    const section = /^\s*\[\s*([^\]]*?)\s*\]/.exec(line)?.[1];
    if (section !== undefined) {
      current = sections.get(section) ?? {};
      sections.set(section, current);
    }
    // Indented lines are of a nested setting.
    const [, key, value] = /^([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (key !== undefined && value !== undefined) current[key.toLowerCase()] = value;
  }
  return sections;
}

function readText(path: string, disk: Disk): string | undefined {
  try {
    // Behind a symlink, too: `stat` does not follow one.
    if (disk.stat(path) === undefined) return undefined;
    const fd = disk.open(path, "read");
    try {
      const bytes = new Uint8Array(Math.min(fileBytesMax, disk.statFile(fd).size));
      return findText(bytes.subarray(0, disk.read(fd, bytes, 0)));
    } finally {
      disk.close(fd);
    }
  } catch (thrown) {
    throw ioError(`Cannot read ${path}`, thrown, path);
  }
}

function filled(value: string | undefined): string | undefined {
  return value === undefined || value === "" ? undefined : value;
}
