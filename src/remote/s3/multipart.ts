/**
 * A large blob in parts: each is tried again by itself, so that a bad line costs a part and not the blob. The blob appears when all
 * are there, or not at all; what was sent for nothing is given up, as far as the server can be reached.
 */
import { utf8 } from "../../base/bytes.ts";
import { OuroError } from "../../base/errors.ts";
import type { CountedBytes } from "../counted-bytes.ts";
import { type LocalSource, openBytes } from "../local-source.ts";
import type { RemoteOptions } from "../remote.ts";
import { type RetryOptions, retrying } from "../retry.ts";
import { hashBody } from "./s3-body.ts";
import type { S3Client } from "./s3-client.ts";
import { findElement } from "./s3-xml.ts";

export interface PartsOptions extends RetryOptions {
  /** Of the blob, for messages. */
  readonly name: string;
  /** At least 5 MiB, which S3 wants of all but the last. */
  readonly partBytes: number;
  readonly counted: CountedBytes;
  readonly pace?: RemoteOptions["pace"] | undefined;
}

const answerBytesMax = 64 * 1024;
const partsMax = 10_000;

/** @throws As `S3Client.send`. */
export async function putInParts(
  client: S3Client,
  key: string,
  source: LocalSource,
  options: PartsOptions,
): Promise<void> {
  const { name, signal, partBytes } = options;
  const doing = `write ${name}`;
  const count = Math.ceil(source.size / partBytes);
  if (count > partsMax)
    throw new OuroError("too-large", `Cannot ${doing}: it has ${source.size} bytes`, { subject: name });
  const begun = await client.send({ method: "POST", key, query: { uploads: "" }, signal, doing });
  const uploadId = findElement(await begun.text(answerBytesMax), "UploadId");
  if (uploadId === undefined || uploadId === "") throw noUpload(name, "it gives no id");
  try {
    const tags: string[] = [];
    for (let number = 1; number <= count; number += 1)
      tags.push(await putPart(client, { key, uploadId, number, source }, options));
    const parts = tags.map(
      (tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escapeText(tag)}</ETag></Part>`,
    );
    const text = utf8(`<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`);
    const body = await hashBody(openBytes(text), { start: 0, end: text.length }, { signal });
    const headers = { "content-md5": body.md5, "content-type": "application/xml" };
    const done = await client.send({
      method: "POST",
      key,
      query: { uploadId },
      headers,
      body,
      payloadHash: body.sha256,
      signal,
      doing,
    });
    // A server that takes long to join them answers 200 first, and then perhaps an error.
    const answer = await done.text(answerBytesMax);
    if (findElement(answer, "CompleteMultipartUploadResult") === undefined)
      throw noUpload(name, findElement(answer, "Code") ?? "it does not say that it is done");
  } catch (thrown) {
    await client.send({ method: "DELETE", key, query: { uploadId }, doing }).then(
      (answer) => answer.discard(),
      () => {},
    );
    throw thrown;
  }
}

async function putPart(
  client: S3Client,
  part: { readonly key: string; readonly uploadId: string; readonly number: number; readonly source: LocalSource },
  options: PartsOptions,
): Promise<string> {
  const { key, uploadId, number, source } = part;
  const { name, partBytes, counted, pace, signal } = options;
  const start = (number - 1) * partBytes;
  const body = await hashBody(
    source,
    { start, end: Math.min(source.size, start + partBytes) },
    {
      signal,
      pace,
      onBytes: (count) => counted.add(count),
      onStart: () => counted.restart(start),
    },
  );
  return await retrying(options, async () => {
    const answer = await client.send({
      method: "PUT",
      key,
      query: { partNumber: `${number}`, uploadId },
      headers: { "content-md5": body.md5 },
      payloadHash: body.sha256,
      body,
      signal,
      doing: `write part ${number} of ${name}`,
    });
    answer.discard();
    const tag = answer.header("etag");
    if (tag === undefined) throw noUpload(name, "it gives no tag of a part");
    return tag;
  });
}

function escapeText(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}

function noUpload(name: string, why: string): OuroError {
  return new OuroError("offline", `Cannot write ${name} in parts: the server's answer is none (${why})`, {
    subject: name,
    hint: "Run the command again.",
  });
}
