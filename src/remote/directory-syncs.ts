/**
 * Syncs of directories, shared: whoever asks before a sync begins is served by it, so many renames that end together cost one.
 */
import { setImmediate } from "node:timers/promises";
import type { Disk } from "../base/disk.ts";

export class DirectorySyncs {
  readonly #disk: Disk;
  readonly #waiting = new Map<string, Promise<void>>();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** Resolves when every name made in the directory before this call is durable. */
  sync(path: string): Promise<void> {
    const waiting = this.#waiting.get(path);
    if (waiting !== undefined) return waiting;
    const sync = this.#syncSoon(path);
    this.#waiting.set(path, sync);
    return sync;
  }

  async #syncSoon(path: string): Promise<void> {
    await setImmediate();
    this.#waiting.delete(path);
    this.#disk.syncDirectory(path);
  }
}
