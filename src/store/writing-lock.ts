/**
 * Who is writing to this box: a lock of the kernel on the `packs` folder, so that it ends with its process however that ends.
 *
 * A writer (a commit, a fetch) holds it *shared* from before it first asks whether an object is there until its head has
 * moved. Writers never wait for each other. Removing packs needs it *exclusive*, for as long as one transaction takes:
 * so nothing vanishes that a writer has counted on. doc/decisions/0002-store.md has the argument.
 */
import type { Disk } from "../base/disk.ts";
import { ioError, OuroError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";

const waitTries = 6000;
const waitMs = 10;

export class WritingLock implements Disposable {
  readonly #disk: Disk;
  readonly #path: string;
  #fd: number | undefined;
  #state: "none" | "shared" | "exclusive" = "none";

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  get isHeld(): boolean {
    return this.#state !== "none";
  }

  #tryLock(mode: "shared" | "exclusive"): boolean {
    try {
      this.#fd ??= this.#disk.open(this.#path, "read");
      return flock(this.#fd, mode);
    } catch (error) {
      throw ioError("Cannot lock the box", error, this.#path);
    }
  }

  /**
   * Holds it as a writer; waits while packs are being removed.
   * @throws OuroError "locked" after a minute.
   */
  share(): void {
    if (this.#state !== "none") return;
    for (let tries = 1; !this.#tryLock("shared"); tries += 1) {
      if (tries === waitTries) {
        throw new OuroError("locked", "Cannot write: another process is cleaning up this box", {
          subject: this.#path,
          hint: "Try again when it is done.",
        });
      }
      pause(waitMs);
    }
    this.#state = "shared";
  }

  /** @returns False when someone else is writing. What was shared before is no longer held then. */
  tryExclusive(): boolean {
    if (this.#state === "exclusive") return true;
    // The kernel's change from shared to exclusive is not atomic and may lose the shared lock: let go of it first.
    this.release();
    if (!this.#tryLock("exclusive")) return false;
    this.#state = "exclusive";
    return true;
  }

  release(): void {
    if (this.#state === "none" || this.#fd === undefined) return;
    flock(this.#fd, "unlock");
    this.#state = "none";
  }

  [Symbol.dispose](): void {
    if (this.#fd === undefined) return;
    this.#disk.close(this.#fd);
    this.#fd = undefined;
    this.#state = "none";
  }
}

/** Stands still: for waits of a few milliseconds in code that may not await. */
export function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
