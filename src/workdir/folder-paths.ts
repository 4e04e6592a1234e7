/** Open directories of a folder along the path at hand, so that a walk opens each once. */
import { pathKey } from "../history/mod.ts";
import type { FolderWriter } from "./folder-writer.ts";

const openMax = 64;
/** So many directories above one are opened each by itself, and stay open. */
const stepsMax = 32;
const slash = 0x2f;

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
    const key = pathKey(path);
    const found = this.#open.get(key);
    if (found === undefined) return this.#openNew(path);
    this.#open.delete(key);
    this.#open.set(key, found);
    return found;
  }

  /** From the nearest directory above that is open: from the root, a deep tree would take time by the square of its depth. */
  #openNew(path: Uint8Array): number {
    let from = this.#root;
    let at = 0;
    const ends = endsOfDirectories(path);
    for (const end of ends.toReversed()) {
      const above = path.subarray(0, end);
      if (!this.#open.has(pathKey(above))) continue;
      from = this.open(above);
      at = end + 1;
      break;
    }
    for (const end of [...ends, path.length]) {
      if (end < at) continue;
      from = this.#writer.openDirectory(from, path.subarray(at, end));
      this.#shrink(openMax - 1);
      this.#open.set(pathKey(path.subarray(0, end)), from);
      at = end + 1;
    }
    return from;
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

/** Where the paths of the nearest directories above one end, farthest first. */
function endsOfDirectories(path: Uint8Array): number[] {
  const ends: number[] = [];
  for (let end = path.lastIndexOf(slash); end > 0 && ends.length < stepsMax; end = path.lastIndexOf(slash, end - 1))
    ends.unshift(end);
  return ends;
}
