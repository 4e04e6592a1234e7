/**
 * Being told of changes in directories: inotify(7), linux/inotify.h. One watch is one directory, and what is in it; the kernel has a limit for
 * each user (`fs.inotify.max_user_watches`), and forgets events when too many wait: so events are hints, never the truth.
 */
import { readSync } from "node:fs";
import { errnoOf } from "./errors.ts";
import { check, library, type PathLike, putPath } from "./posix-library.ts";

const initFlags = 0o4000 | 0o2000000; // IN_NONBLOCK | IN_CLOEXEC
/** IN_MODIFY, ATTRIB, CLOSE_WRITE, MOVED_FROM, MOVED_TO, CREATE, DELETE; ONLYDIR, DONT_FOLLOW, EXCL_UNLINK. */
const watchMask = 0x2 | 0x4 | 0x8 | 0x40 | 0x80 | 0x100 | 0x200 | 0x1000000 | 0x2000000 | 0x4000000;
const [createMask, movedToMask, overflowMask, ignoredMask, directoryMask] = [0x100, 0x80, 0x4000, 0x8000, 0x40000000];
const eventBytes = 16;
const readBytes = 64 * 1024;

export interface WatchEvent {
  /** The directory's watch; -1 of an overflow. */
  readonly watch: number;
  /** One character a byte; empty for the directory itself. */
  readonly name: string;
  /** A directory that is new under this name. */
  readonly isNewDirectory: boolean;
  /** Events were lost. */
  readonly isOverflow: boolean;
  /** The watch is no more: its directory is gone. */
  readonly isEnd: boolean;
}

/** @returns A descriptor, the caller's to close. @throws Error: EMFILE at the limit of instances. */
export function openWatches(): number {
  return check(library().call.inotifyInit(initFlags), "inotify_init1");
}

/** Watches a directory. @returns Its number. @throws Error: ENOSPC at the limit of watches, ENOTDIR, ENOENT, EACCES. */
export function watchDirectory(fd: number, path: PathLike): number {
  const lib = library();
  return check(lib.call.inotifyAdd(fd, putPath(lib, path), watchMask), "inotify_add_watch", path);
}

/** The events that wait, oldest first; none when there are none. */
export function readEvents(fd: number): WatchEvent[] {
  const bytes = Buffer.alloc(readBytes);
  const events: WatchEvent[] = [];
  for (;;) {
    let length: number;
    try {
      length = readSync(fd, bytes);
    } catch (thrown) {
      if (errnoOf(thrown) === "EAGAIN") return events;
      throw thrown;
    }
    for (let at = 0; at + eventBytes <= length; ) {
      const mask = bytes.readUInt32LE(at + 4);
      const end = at + eventBytes + bytes.readUInt32LE(at + 12);
      const nul = bytes.indexOf(0, at + eventBytes);
      events.push({
        watch: bytes.readInt32LE(at),
        name: bytes.toString("latin1", at + eventBytes, nul < 0 || nul > end ? end : nul),
        isNewDirectory: (mask & directoryMask) !== 0 && (mask & (createMask | movedToMask)) !== 0,
        isOverflow: (mask & overflowMask) !== 0,
        isEnd: (mask & ignoredMask) !== 0,
      });
      at = end;
    }
  }
}
