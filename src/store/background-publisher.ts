/**
 * Publishes full packs while the next ones are being filled: a worker thread must not stand still for a disk.
 *
 * The syncs run on pool threads. Order for each pack: data durable, name durable, then rows.
 */
import { close, fdatasync } from "node:fs";
import { open, rename } from "node:fs/promises";
import { promisify } from "node:util";
import { ioError } from "../base/errors.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { CompletePack } from "./pack-writer.ts";
import type { StorePaths } from "./store-paths.ts";

const [closeFile, syncFile] = [promisify(close), promisify(fdatasync)];
const pendingMax = 2;

export class BackgroundPublisher {
  readonly #paths: StorePaths;
  readonly #index: IndexDatabase;
  readonly #pending = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(paths: StorePaths, index: IndexDatabase) {
    this.#paths = paths;
    this.#index = index;
  }

  /** Takes over a complete pack. */
  publish(pack: CompletePack): void {
    const work = this.#publish(pack)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#pending.delete(work));
    this.#pending.add(work);
  }

  async #publish(pack: CompletePack): Promise<void> {
    try {
      try {
        await syncFile(pack.fd);
      } finally {
        await closeFile(pack.fd);
      }
      await rename(pack.temporaryPath, this.#paths.pack(pack.name));
      const folder = await open(this.#paths.packs, "r");
      await folder.sync().finally(() => folder.close());
    } catch (error) {
      throw ioError("Cannot write a pack", error, this.#paths.packs);
    }
    this.#index.transaction(() => this.#index.addPack(pack));
  }

  /** Undefined when another pack may be written; else resolves when it may. @throws What publishing has failed with. */
  room(): Promise<void> | undefined {
    if (this.#failure === undefined && this.#pending.size < pendingMax) return undefined;
    return this.#waitForRoom();
  }

  async #waitForRoom(): Promise<void> {
    while (this.#pending.size >= pendingMax && this.#failure === undefined) await Promise.race(this.#pending);
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Waits for everything taken over. @throws What publishing has failed with. */
  async done(): Promise<void> {
    await Promise.all(this.#pending);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
