/**
 * Has the disk begin while files are still being written, so that at the end there is less to wait for.
 *
 * The kernel tells of data that could not be written once for each open descriptor: if the early sync is told and nobody listens, the last
 * one succeeds, and what is not on the disk counts as durable. So a failure is kept, and thrown at the end.
 */
import type { FolderWriter } from "./folder-writer.ts";

/** After so many bytes the disk is told to begin. */
const syncBytes = 192 * 1024 * 1024;

export class EarlySync {
  readonly #writer: FolderWriter;
  readonly #root: number;
  #unsynced = 0;
  #running: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param root The folder, open; stays the caller's. */
  constructor(writer: FolderWriter, root: number) {
    this.#writer = writer;
    this.#root = root;
  }

  /** Notes that bytes were written. */
  add(bytes: number): void {
    this.#unsynced += bytes;
    if (this.#unsynced < syncBytes || this.#running !== undefined) return;
    this.#unsynced = 0;
    this.#running = this.#writer
      .startSync(this.#root)
      .catch((error: unknown) => {
        this.#failure ??= { error };
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when no sync uses the folder's descriptor any more. */
  async settle(): Promise<void> {
    await this.#running;
  }

  /** Makes everything durable. @throws What this or an earlier sync failed with. */
  async end(): Promise<void> {
    await this.#running;
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#writer.sync(this.#root);
  }
}
