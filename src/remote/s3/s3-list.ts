/**
 * Listing keys below a prefix, a page at a time (ListObjectsV2), each tried again by itself. Keys come percent-encoded, so that no name
 * breaks the XML.
 */
import { OuroError } from "../../base/errors.ts";
import { type RetryOptions, retrying } from "../retry.ts";
import type { S3Client } from "./s3-client.ts";
import { elementsOf, findElement } from "./s3-xml.ts";

export interface ListedKey {
  readonly key: string;
  readonly size: number;
  readonly modifiedMs?: number;
  readonly tag?: string;
}

export interface ListPage {
  readonly keys: readonly ListedKey[];
  /** With a delimiter: what is below, each with the delimiter at its end. */
  readonly prefixes: readonly string[];
}

const pageBytesMax = 8 * 1024 * 1024;
const keysOfPageMax = 1000;

/** @throws As `S3Client.send`; "io" when an answer is no listing. */
export async function* listPages(
  client: S3Client,
  options: RetryOptions & { readonly prefix: string; readonly delimiter?: string },
): AsyncGenerator<ListPage> {
  const { prefix, delimiter, signal } = options;
  for (let token: string | undefined; ; ) {
    const query = {
      "list-type": "2",
      "encoding-type": "url",
      prefix,
      ...(delimiter === undefined ? {} : { delimiter }),
      ...(token === undefined ? {} : { "continuation-token": token }),
    };
    const xml = await retrying(options, async () => {
      const answer = await client.send({ method: "GET", query, doing: `list ${prefix}`, signal });
      const text = await answer.text(pageBytesMax);
      if (/<\/(?:[A-Za-z0-9]+:)?ListBucketResult\s*>\s*$/.test(text)) return text;
      throw noListing(client, "it does not end as one");
    });
    const decode = findElement(xml, "EncodingType") === "url" ? decodeKey : (key: string): string => key;
    yield {
      keys: [...elementsOf(xml, "Contents")].slice(0, keysOfPageMax).map((row) => readRow(row, decode)),
      prefixes: [...elementsOf(xml, "CommonPrefixes")].map((row) => decode(findElement(row, "Prefix") ?? "")),
    };
    if (findElement(xml, "IsTruncated") !== "true") return;
    const next = findElement(xml, "NextContinuationToken");
    if (next === undefined || next === "" || next === token) throw noListing(client, "it has no next page");
    token = next;
  }
}

function readRow(row: string, decode: (key: string) => string): ListedKey {
  const modifiedMs = Date.parse(findElement(row, "LastModified") ?? "");
  const tag = plainTag(findElement(row, "ETag"));
  return {
    key: decode(findElement(row, "Key") ?? ""),
    size: Number(findElement(row, "Size") ?? 0),
    // A request for one key tells whole seconds only.
    ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs: Math.floor(modifiedMs / 1000) * 1000 }),
    ...(tag === undefined ? {} : { tag }),
  };
}

function decodeKey(key: string): string {
  try {
    return decodeURIComponent(key.replaceAll("+", " "));
  } catch {
    return key;
  }
}

/** An ETag without its quotes. */
export function plainTag(etag: string | undefined): string | undefined {
  const tag = etag?.replace(/^(?:W\/)?"?|"?$/g, "");
  return tag === undefined || tag === "" || tag.length > 200 ? undefined : tag;
}

function noListing(client: S3Client, why: string): OuroError {
  return new OuroError("offline", `Cannot list: the answer of ${client.host} is no listing (${why})`, {
    subject: client.host,
    hint: "See that the endpoint is that of an S3 server.",
  });
}
