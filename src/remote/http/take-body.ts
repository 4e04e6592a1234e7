/** The body of an answer to GET: into memory or a file, and only if it is what was asked for, all of it. */
import type { Disk } from "../../base/disk.ts";
import { ioError, OuroError } from "../../base/errors.ts";
import { checkRange, checkSignal, tooLarge } from "../checks.ts";
import type { ByteRange, RemoteOptions } from "../remote.ts";
import type { HttpAnswer } from "./http-client.ts";

export interface TakeOptions {
  readonly name: string;
  readonly bytesMax: number;
  readonly onBytes?: ((count: number) => void) | undefined;
  readonly pace?: RemoteOptions["pace"] | undefined;
}

/** The whole size of a blob, of an answer that has a part of it: "bytes 3-9/20". */
interface Part {
  readonly start: number;
  readonly end: number;
  readonly whole: number;
}

/**
 * @param range What was asked for, not empty.
 * @returns Exactly that.
 * @throws OuroError "invalid" (past the blob's end), "too-large", "io" (another part than was asked for), "offline" (it ends early).
 */
export async function readBody(
  answer: HttpAnswer,
  options: TakeOptions & { readonly range: ByteRange | undefined },
): Promise<Uint8Array> {
  const { name, range, bytesMax, onBytes, pace } = options;
  try {
    const { start, end, whole } = partOf(answer, name);
    const wanted = checkRange(name, whole, range, bytesMax);
    if (start > wanted.start || end < wanted.end) throw otherPart(name, start, end);
    const bytes = new Uint8Array(wanted.end - wanted.start);
    let at = start;
    for await (const block of answer.blocks()) {
      const from = Math.max(0, wanted.start - at);
      const part = block.subarray(from, Math.max(from, wanted.end - at));
      if (part.length > 0) bytes.set(part, at + from - wanted.start);
      at += block.length;
      if (part.length > 0) onBytes?.(part.length);
      if (pace !== undefined) await pace(block.length);
      if (at >= wanted.end) break;
    }
    if (at < wanted.end) throw endsEarly(name, at, wanted.end);
    return bytes;
  } finally {
    answer.discard();
  }
}

/**
 * Writes a blob from `offset` on to its end.
 * @returns The blob's size.
 * @throws As `readBody`, and what writing may throw.
 */
export async function writeBody(
  answer: HttpAnswer,
  options: TakeOptions & {
    readonly path: string;
    readonly offset: number;
    readonly disk: Disk;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<number> {
  const { name, path, offset, bytesMax, disk, onBytes, signal, pace } = options;
  const local = <T>(act: () => T): T => {
    try {
      return act();
    } catch (thrown) {
      throw ioError(`Cannot write ${path}`, thrown, path);
    }
  };
  try {
    const { start, end, whole } = partOf(answer, name);
    if (whole > bytesMax) throw tooLarge(name, whole, bytesMax);
    if (start > offset || end !== whole) throw otherPart(name, start, end);
    checkRange(name, whole, { start: offset, end: whole }, whole);
    const fd = local(() => disk.open(path, offset === 0 ? "create" : "write", 0o600));
    try {
      let at = start;
      for await (const block of answer.blocks()) {
        const part = block.subarray(Math.max(0, offset - at), Math.max(0, whole - at));
        const position = Math.max(at, offset);
        local(() => disk.write(fd, part, position));
        at += block.length;
        onBytes?.(part.length);
        if (pace !== undefined) await pace(block.length);
        checkSignal(signal);
      }
      if (at !== whole) throw endsEarly(name, at, whole);
      local(() => disk.truncate(fd, whole));
    } finally {
      disk.close(fd);
    }
    return whole;
  } finally {
    answer.discard();
  }
}

/**
 * Ends a download of which nothing is missing: what stands behind it in the file goes.
 * @throws OuroError, as writing does.
 */
export function endDownload(disk: Disk, path: string, size: number): void {
  try {
    const fd = disk.open(path, "write", 0o600);
    try {
      disk.truncate(fd, size);
    } finally {
      disk.close(fd);
    }
  } catch (thrown) {
    throw ioError(`Cannot write ${path}`, thrown, path);
  }
}

/** What an answer of status 200, 206 or 416 says that it has. */
function partOf(answer: HttpAnswer, name: string): Part {
  const { status, size } = answer;
  const [, first, last, total] =
    /^bytes (?:([0-9]+)-([0-9]+)|\*)\/([0-9]+)$/.exec(answer.header("content-range") ?? "") ?? [];
  const whole = Number(total ?? Number.NaN);
  if (status === 416) {
    const had = Number.isNaN(whole) ? "fewer bytes" : `${whole} bytes`;
    throw new OuroError("invalid", `Cannot read ${name}: it has ${had} than are asked for`, { subject: name });
  }
  if (status === 200 && size !== undefined) return { start: 0, end: size, whole: size };
  const part = { start: Number(first), end: Number(last) + 1, whole };
  if (
    status === 206 &&
    first !== undefined &&
    part.end <= whole &&
    part.start < part.end &&
    size === part.end - part.start
  )
    return part;
  throw new OuroError("io", `Cannot read ${name}: the server does not say how much it sends (status ${status})`, {
    subject: name,
  });
}

function otherPart(name: string, start: number, end: number): OuroError {
  return new OuroError("io", `Cannot read ${name}: the server sends bytes ${start} to ${end}, which are others`, {
    subject: name,
  });
}

function endsEarly(name: string, count: number, size: number): OuroError {
  return new OuroError("offline", `Cannot read ${name}: it ended after ${count} bytes (must be ${size})`, {
    subject: name,
    hint: "Run the command again: it goes on where it stopped.",
  });
}
