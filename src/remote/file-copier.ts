/**
 * Copies large files beside the event loop, so that several packs are copied and synced at the same time: the kernel copies
 * (shared extents where the file system can, copy_file_range elsewhere) in Node's thread pool, four at once unless
 * UV_THREADPOOL_SIZE says otherwise. Everything small, and every test with a faulty disk, goes through `Disk`.
 */
import { constants, copyFile, open } from "node:fs/promises";

export interface FileCopier {
  /**
   * Makes `to`, which exists, a copy of `from`.
   * When it fails, `to` is gone or holds the beginning of `from`.
   * @param options.permissions The bits of `to` afterwards.
   * @param options.durable Whether it must be on the disk when this resolves.
   * @returns The size of the copy, in bytes.
   * @throws Node's own errors with `code`.
   */
  copy(from: string, to: string, options: { readonly permissions: number; readonly durable: boolean }): Promise<number>;
}

export const nodeCopier: FileCopier = {
  async copy(from, to, { permissions, durable }) {
    await copyFile(from, to, constants.COPYFILE_FICLONE);
    const file = await open(to, "r+");
    try {
      await file.chmod(permissions);
      if (durable) await file.datasync();
      return (await file.stat()).size;
    } finally {
      await file.close();
    }
  },
};
