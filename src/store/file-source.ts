/**
 * A user's file, for reading: opened without following a symlink, without waiting for a fifo, and where the kernel allows it
 * without touching its access time; its stretches of data and holes.
 */
import { constants, readSync } from "node:fs";
import { errnoOf, OuroError } from "../base/errors.ts";
import { close, cwdFd, fstatWords, openAt } from "../base/posix.ts";
import { lseekData, lseekHole } from "../base/posix-space.ts";

/** Linux, x64 and arm64; not in node:fs's constants everywhere. */
const noAccessTime = 0o1000000;
const openFlags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;
/** Below this, a read that is short is the end of the file; asking again would cost a call for every small file. */
const shortReadMax = 1024 * 1024;

/** What counts in a struct statx. */
const words = { mode: 7, size: 10, blocks: 12, ctime: 24, mtime: 28 } as const;
const statWordsUsed = 36;

/** A stretch of a file, half-open. */
export interface Stretch {
  readonly start: number;
  readonly end: number;
  readonly isHole: boolean;
}

/** A struct statx, as a copy. */
export type RawStat = Int32Array;

export class FileSource implements Disposable {
  readonly #fd: number;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** @throws Node's own kind of error, of the failed system call. */
  static open(path: Uint8Array): FileSource {
    try {
      return new FileSource(openAt(cwdFd, path, openFlags | noAccessTime));
    } catch (error) {
      // Only a file's owner may ask for that.
      if (errnoOf(error) !== "EPERM") throw error;
      return new FileSource(openAt(cwdFd, path, openFlags));
    }
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }

  /** @throws OuroError "stale" when it is no regular file any more. */
  stat(): RawStat {
    const stat = fstatWords(this.#fd).slice(0, statWordsUsed);
    if (((stat[words.mode] as number) & 0o170000) !== 0o100000)
      throw new OuroError("stale", "it is no regular file any more");
    return stat;
  }

  /** @returns How many bytes were read: fewer than `length` only at the end of the file. */
  read(into: Uint8Array, at: number, length: number, position: number): number {
    let done = 0;
    while (done < length) {
      const count = readSync(this.#fd, into, at + done, length - done, position + done);
      done += count;
      if (count === 0 || (done < length && length <= shortReadMax)) break;
    }
    return done;
  }

  /** Its data and holes in order, `size` bytes in all. */
  *stretches(size: number): Generator<Stretch> {
    for (let at = 0; at < size; ) {
      const data = Math.min(lseekData(this.#fd, at) ?? size, size);
      if (data > at) yield { start: at, end: data, isHole: true };
      if (data === size) return;
      const hole = lseekHole(this.#fd, data);
      at = hole <= data ? size : Math.min(hole, size);
      yield { start: data, end: at, isHole: false };
    }
  }
}

function wide(stat: RawStat, word: number): number {
  return ((stat[word] as number) >>> 0) + ((stat[word + 1] as number) >>> 0) * 2 ** 32;
}

/** In bytes. */
export function sizeOf(stat: RawStat): number {
  return wide(stat, words.size);
}

/** Whether the file has so few blocks that it must have holes (or is kept packed by its filesystem). */
export function mayHaveHoles(stat: RawStat): boolean {
  return wide(stat, words.blocks) * 512 < wide(stat, words.size);
}

/** Whether nothing about the file's content has changed between the two. */
export function sameContent(before: RawStat, after: RawStat): boolean {
  const same = (word: number): boolean => before[word] === after[word];
  const { size, ctime, mtime } = words;
  return [size, size + 1, ctime, ctime + 1, ctime + 2, mtime, mtime + 1, mtime + 2].every(same);
}
