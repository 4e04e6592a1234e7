/** The half of a read-only filesystem that refuses: all that writes is an EROFS. Locks are kept, for they change no file. */
import { FilesystemFailure } from "./failure.ts";
import { FileLocks } from "./file-locks.ts";
import type * as fs from "./filesystem.ts";

export abstract class ReadOnlyFilesystem {
  readonly #locks = new FileLocks();

  setattr(): never {
    throw readOnly();
  }

  mknod(): never {
    throw readOnly();
  }

  mkdir(): never {
    throw readOnly();
  }

  symlink(): never {
    throw readOnly();
  }

  link(): never {
    throw readOnly();
  }

  create(): never {
    throw readOnly();
  }

  createTemporary(): never {
    throw readOnly();
  }

  unlink(): never {
    throw readOnly();
  }

  rmdir(): never {
    throw readOnly();
  }

  rename(): never {
    throw readOnly();
  }

  write(): never {
    throw readOnly();
  }

  setxattr(): never {
    throw readOnly();
  }

  removexattr(): never {
    throw readOnly();
  }

  fallocate(): never {
    throw readOnly();
  }

  copyFileRange(): never {
    throw readOnly();
  }

  fsync(): void {}

  fsyncdir(): void {}

  syncfs(): void {}

  flush(inode: number, _handle: number, owner: bigint): void {
    this.#locks.release(inode, "posix", owner);
  }

  release(inode: number, _handle: number, flockOwner?: bigint): void {
    if (flockOwner !== undefined) this.#locks.release(inode, "flock", flockOwner);
  }

  getlk(inode: number, lock: fs.FileLock): fs.FileLock | undefined {
    return this.#locks.findConflict(inode, lock);
  }

  setlk(inode: number, lock: fs.FileLock, wait: boolean, caller: fs.Caller): fs.Answer<void> {
    return this.#locks.set(inode, lock, wait, () => caller.signal);
  }
}

export function readOnly(): FilesystemFailure {
  return new FilesystemFailure("EROFS", "cannot write: what is shown is a state that was committed");
}
