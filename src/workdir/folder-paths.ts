/** Open directories of a folder along the path at hand, so that a walk opens each once. */
import type { FolderWriter } from "./folder-writer.ts";

const openMax = 64;

export class FolderPaths {
  readonly #writer: FolderWriter;
  readonly #root: number;
  /** By path, oldest use first. */
  readonly #open = new Map<string, number>();

  constructor(writer: FolderWriter, root: number) {
    this.#writer = writer;
    this.#root = root;
  }

  /** A directory's descriptor, which stays open for a while: use it before the next call. */
  open(path: Uint8Array): number {
    const key = Buffer.from(path.buffer, path.byteOffset, path.byteLength).toString("latin1");
    let fd = this.#open.get(key);
    if (fd === undefined) {
      fd = this.#writer.openDirectory(this.#root, path);
      this.#shrink(openMax - 1);
    } else this.#open.delete(key);
    this.#open.set(key, fd);
    return fd;
  }

  /** Closes all: after something was renamed or removed, paths may mean other directories. */
  forget(): void {
    this.#shrink(0);
  }

  close(): void {
    this.#shrink(0);
  }

  #shrink(count: number): void {
    for (const [key, fd] of this.#open) {
      if (this.#open.size <= count) break;
      this.#open.delete(key);
      this.#writer.close(fd);
    }
  }
}
