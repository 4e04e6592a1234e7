/**
 * `s3://bucket/prefix`, and where it says otherwise than the environment: `?endpoint=https://host:port`, `region=`, `style=path|virtual`,
 * `profile=`. Keys are never in a URL.
 */
import { OuroError } from "../../base/errors.ts";

export interface S3Address {
  readonly bucket: string;
  /** Without slashes at its ends; may be empty. */
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly style?: "path" | "virtual";
  readonly profile?: string;
}

const prefixBytesMax = 700;

/** @throws OuroError "usage". */
export function parseS3Url(url: string): S3Address {
  const refuse = (why: string): OuroError =>
    new OuroError("usage", `Cannot open ${url.replace(/\/\/[^/]*@/, "//")}: ${why}`, {
      subject: url.replace(/\/\/[^/]*@/, "//"),
      hint: "Write it as s3://bucket/prefix, or s3://bucket/prefix?endpoint=https://host for a server other than AWS.",
    });
  const [, bucket = "", path = "", query = ""] = /^s3:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(url) ?? [];
  if (bucket.includes("@")) throw refuse("it has a key (keys come from the environment or ~/.aws/credentials)");
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/.test(bucket)) throw refuse(`"${bucket}" is no name of a bucket`);
  const prefix = decode(path, refuse).replace(/^\/+|\/+$/g, "");
  if (Buffer.byteLength(prefix) > prefixBytesMax || /\p{Cc}/u.test(prefix))
    throw refuse("its prefix is too long or has control characters");
  if (/(^|\/)(\.{0,2})(\/|$)/.test(prefix) && prefix !== "") throw refuse(`its prefix has an empty, "." or ".." part`);
  const given: Record<string, string> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!["endpoint", "region", "style", "profile"].includes(name)) throw refuse(`nothing is known of "${name}"`);
    given[name] = value;
  }
  const { endpoint, region, style, profile } = given;
  if (endpoint !== undefined) checkEndpoint(endpoint, refuse);
  if (region !== undefined && !/^[A-Za-z0-9_-]{1,64}$/.test(region)) throw refuse(`"${region}" is no region`);
  if (style !== undefined && style !== "path" && style !== "virtual")
    throw refuse(`style is "${style}" (must be path or virtual)`);
  return {
    bucket,
    prefix,
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? {} : { region }),
    ...(style === undefined ? {} : { style }),
    ...(profile === undefined ? {} : { profile }),
  };
}

/** @throws What `refuse` makes, unless it is http or https, with nothing but a host and a port. */
export function checkEndpoint(endpoint: string, refuse: (why: string) => OuroError): void {
  const parsed = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const isPlain = parsed?.pathname === "/" && parsed.search === "" && parsed.username === "" && parsed.password === "";
  if (!isPlain || !/^https?:$/.test(parsed.protocol))
    throw refuse(`the endpoint "${endpoint}" is not of the form https://host:port`);
}

function decode(text: string, refuse: (why: string) => OuroError): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse("its prefix has a % that is not of two hex digits of UTF-8");
  }
}
