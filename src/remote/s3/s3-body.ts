/**
 * What an upload sends, hashed before it is sent: the signature covers the whole payload, and Content-MD5 is what every engine checks.
 * A file is read twice, block by block, and never held.
 */
import { createHash } from "node:crypto";
import { setImmediate } from "node:timers/promises";
import { checkSignal } from "../checks.ts";
import type { RequestBody } from "../http/http-client.ts";
import type { LocalSource } from "../local-source.ts";

export interface HashedBody extends RequestBody {
  /** In hex. */
  readonly sha256: string;
  /** In base64, as the header has it. */
  readonly md5: string;
}

const hashBlockBytes = 1024 * 1024;
const sendBlockBytes = 128 * 1024;

/**
 * @param range Of the source; all of it unless given.
 * @throws As the source does when it is read, and "aborted".
 */
export async function hashBody(
  source: LocalSource,
  range: { readonly start: number; readonly end: number },
  {
    signal,
    ...told
  }: Pick<RequestBody, "onBytes" | "onStart" | "pace"> & { readonly signal?: AbortSignal | undefined },
): Promise<HashedBody> {
  const sha256 = createHash("sha256");
  const md5 = createHash("md5");
  for (const block of blocksOf(source, range, hashBlockBytes)) {
    sha256.update(block);
    md5.update(block);
    // Hashing a pack takes longer than others may have to wait.
    await setImmediate();
    checkSignal(signal);
  }
  return {
    size: range.end - range.start,
    sha256: sha256.digest("hex"),
    md5: md5.digest("base64"),
    blocks: () => blocksOf(source, range, sendBlockBytes),
    ...told,
  };
}

function* blocksOf(
  source: LocalSource,
  { start, end }: { readonly start: number; readonly end: number },
  blockBytes: number,
): Generator<Uint8Array> {
  for (let at = start; at < end; ) {
    // Others may be reading elsewhere in it meanwhile.
    source.seek(at);
    const block = source.next(Math.min(blockBytes, end - at));
    if (block === undefined) return;
    at += block.length;
    yield block;
  }
  source.seek(end);
  // At the end of a file this checks that it has not grown.
  source.next(0);
}
