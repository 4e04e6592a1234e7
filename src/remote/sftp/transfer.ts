/**
 * Whole blobs over SFTP: many requests under way at once, so that the line is full however long its round trip is, and never more
 * than `windowBytes` of one blob in memory. Blocks are taken in order, whatever order their answers come in.
 */
import type { RemoteOptions } from "../remote.ts";
import type { Handle, SftpFiles } from "./files.ts";

/** OpenSSH's own window for a channel is 2 MiB each way; more on top of it only waits elsewhere. */
const windowBytes = 4 * 1024 * 1024;

type Pace = NonNullable<RemoteOptions["pace"]>;

/**
 * Writes a blob to an open file from its start.
 * @param nextBlock At most `blockBytes` more of it, or undefined at its end; not changed until it is sent.
 * @param onBlock Called for each block that has arrived.
 * @throws What `nextBlock`, `onBlock` or a write throws, when no write is under way any more.
 */
export async function upload(
  files: SftpFiles,
  handle: Handle,
  nextBlock: (blockBytes: number) => Uint8Array | undefined,
  { onBlock, pace }: { readonly onBlock: (count: number) => void; readonly pace?: Pace | undefined },
): Promise<void> {
  const { blockBytes } = files.session;
  const window = new Window(windowBytes / blockBytes);
  let at = 0;
  try {
    for (;;) {
      const block = nextBlock(blockBytes);
      if (block === undefined) break;
      if (pace !== undefined) await pace(block.length);
      const sent = files.write(handle, at, block).then(() => onBlock(block.length));
      at += block.length;
      await window.add(sent);
    }
  } catch (thrown) {
    await window.settle();
    throw thrown;
  }
  await window.end();
}

/**
 * Reads bytes of an open file.
 * @param onBlock Takes each block in its order: a view, with its position. Returns how many bytes it took.
 * @returns How many bytes there were: fewer than asked for when the file ends early.
 */
export async function readBlocks(
  files: SftpFiles,
  handle: Handle,
  range: { readonly start: number; readonly end: number },
  onBlock: (bytes: Uint8Array, position: number) => void,
  pace?: Pace,
): Promise<number> {
  const { blockBytes } = files.session;
  const asked: { readonly position: number; readonly length: number; readonly answer: Promise<Uint8Array> }[] = [];
  let next = range.start;
  let at = range.start;
  const ask = (): void => {
    while (next < range.end && asked.length < windowBytes / blockBytes) {
      const length = Math.min(blockBytes, range.end - next);
      const answer = files.read(handle, next, length);
      answer.catch(() => {});
      asked.push({ position: next, length, answer });
      next += length;
    }
  };
  for (;;) {
    ask();
    const oldest = asked.shift();
    if (oldest === undefined) return at - range.start;
    let bytes = await oldest.answer;
    for (let missing = oldest.length; ; ) {
      if (bytes.length === 0 || bytes.length > missing) return at - range.start;
      onBlock(bytes, at);
      if (pace !== undefined) await pace(bytes.length);
      at += bytes.length;
      missing -= bytes.length;
      if (missing === 0) break;
      // A server may give less than it was asked for.
      bytes = await files.read(handle, at, missing);
    }
  }
}

/** Promises under way, not too many; the first failure comes out of the next call. */
class Window {
  readonly #max: number;
  readonly #open: Promise<void>[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  async add(promise: Promise<void>): Promise<void> {
    promise.catch(() => {});
    this.#open.push(promise);
    if (this.#open.length >= this.#max) await this.#open.shift();
  }

  async end(): Promise<void> {
    try {
      while (this.#open.length > 0) await this.#open.shift();
    } catch (thrown) {
      await this.settle();
      throw thrown;
    }
  }

  async settle(): Promise<void> {
    await Promise.allSettled(this.#open);
  }
}
