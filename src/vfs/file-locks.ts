/**
 * Advisory locks of many files: fcntl(2) on ranges and flock(2) on whole files. In memory: they end with the process, as on any local filesystem.
 *
 * Whoever waits is served when locks are given back, in order of arrival where several could be. A cycle of waiting (fcntl only) is refused with EDEADLK
 * to the one who would close it. Lists are short in practice; all here is linear in the locks of one file.
 */
import { FilesystemFailure } from "./failure.ts";
import type { Answer, FileLock } from "./filesystem.ts";

/** Of one file and owner, bounded: an owner could else make a list of any length, byte by byte. */
const locksPerFileMax = 16_384;

interface Waiter {
  readonly inode: number;
  readonly lock: FileLock;
  readonly done: () => void;
}

export class FileLocks {
  readonly #held = new Map<number, FileLock[]>();
  readonly #waiters = new Set<Waiter>();

  /** A lock of someone else's that this one cannot be beside. */
  findConflict(inode: number, lock: FileLock): FileLock | undefined {
    return this.#held.get(inode)?.find((held) => isConflict(held, lock));
  }

  /**
   * Takes or gives back. A flock that fails loses what its owner had, as flock(2) says.
   * @throws FilesystemFailure EAGAIN, EDEADLK, EINTR (the signal), ENOSPC.
   */
  set(inode: number, lock: FileLock, wait: boolean, getSignal: () => AbortSignal): Answer<void> {
    if (lock.kind === "flock" && lock.type !== "unlock") this.#giveBackFlock(inode, lock);
    if (lock.type === "unlock" || this.findConflict(inode, lock) === undefined) {
      this.#apply(inode, lock);
      this.#serve(inode);
      return undefined;
    }
    if (!wait) throw new FilesystemFailure("EAGAIN", "cannot lock: someone else holds it");
    if (lock.kind === "posix" && this.#isCycle(inode, lock)) {
      throw new FilesystemFailure("EDEADLK", "cannot lock: whoever holds it waits for this owner");
    }
    return this.#wait(inode, lock, getSignal());
  }

  /** All that an owner has on a file; of one kind. */
  release(inode: number, kind: FileLock["kind"], owner: bigint): void {
    if (!this.#held.has(inode)) return;
    this.#apply(inode, { kind, type: "unlock", owner, pid: 0, start: 0, end: Infinity });
    this.#serve(inode);
  }

  #wait(inode: number, lock: FileLock, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        inode,
        lock,
        done: () => {
          signal.removeEventListener("abort", giveUp);
          this.#waiters.delete(waiter);
          resolve();
        },
      };
      const giveUp = (): void => {
        this.#waiters.delete(waiter);
        reject(new FilesystemFailure("EINTR", "cannot lock: interrupted while waiting"));
      };
      if (signal.aborted) return giveUp();
      signal.addEventListener("abort", giveUp, { once: true });
      this.#waiters.add(waiter);
    });
  }

  #serve(inode: number): void {
    for (const waiter of this.#waiters) {
      if (waiter.inode !== inode || this.findConflict(inode, waiter.lock) !== undefined) continue;
      this.#apply(inode, waiter.lock);
      waiter.done();
    }
  }

  /** Whether some holder in the way waits, directly or through others, for a lock that this owner has. */
  #isCycle(inode: number, lock: FileLock): boolean {
    const seen = new Set<bigint>();
    const holders = (of: number, wanted: FileLock): bigint[] =>
      (this.#held.get(of) ?? []).filter((held) => isConflict(held, wanted)).map(({ owner }) => owner);
    const next = holders(inode, lock);
    for (let owner = next.pop(); owner !== undefined; owner = next.pop()) {
      if (owner === lock.owner) return true;
      if (seen.has(owner)) continue;
      seen.add(owner);
      for (const waiter of this.#waiters) {
        if (waiter.lock.kind === "posix" && waiter.lock.owner === owner)
          next.push(...holders(waiter.inode, waiter.lock));
      }
    }
    return false;
  }

  #giveBackFlock(inode: number, lock: FileLock): void {
    const had = this.#held.get(inode)?.find((held) => held.kind === "flock" && held.owner === lock.owner);
    if (had === undefined || had.type === lock.type) return;
    this.#apply(inode, { ...lock, type: "unlock" });
    this.#serve(inode);
  }

  /** The owner's locks as they are after this one: what it covers is cut out of the others, and it is put in. */
  #apply(inode: number, lock: FileLock): void {
    const before = this.#held.get(inode) ?? [];
    const after: FileLock[] = [];
    let { start, end } = lock;
    for (const held of before) {
      if (held.kind !== lock.kind || held.owner !== lock.owner || held.end < start - 1 || held.start > end + 1) {
        after.push(held);
      } else if (held.type === lock.type) {
        start = Math.min(start, held.start);
        end = Math.max(end, held.end);
      } else {
        if (held.start < lock.start) after.push({ ...held, end: Math.min(held.end, lock.start - 1) });
        if (held.end > lock.end) after.push({ ...held, start: Math.max(held.start, lock.end + 1) });
      }
    }
    if (lock.type !== "unlock") after.push({ ...lock, start, end });
    if (after.length > locksPerFileMax) throw new FilesystemFailure("ENOSPC", "cannot lock: there are too many locks");
    if (after.length === 0) this.#held.delete(inode);
    else this.#held.set(inode, after);
  }
}

function isConflict(held: FileLock, wanted: FileLock): boolean {
  if (held.kind !== wanted.kind || held.owner === wanted.owner) return false;
  if (held.start > wanted.end || held.end < wanted.start) return false;
  return held.type === "exclusive" || wanted.type === "exclusive";
}
