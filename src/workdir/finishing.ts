/** Directories whose attributes a checkout sets at its end, as making things in them changes their times. */
import type { Entry } from "../format/mod.ts";
import { comparePaths, pathKey } from "../history/mod.ts";

export interface FinishingDirectory {
  readonly path: Uint8Array;
  readonly entry: Entry;
  /** All attributes are set, not only mode and time. */
  isFull: boolean;
}

export class FinishingDirectories {
  readonly #byPath = new Map<string, FinishingDirectory>();

  add(path: Uint8Array, entry: Entry, { isFull }: { readonly isFull: boolean }): void {
    const key = pathKey(path);
    const found = this.#byPath.get(key);
    if (found === undefined) this.#byPath.set(key, { path, entry, isFull });
    else found.isFull ||= isFull;
  }

  entry(path: Uint8Array): Entry | undefined {
    return this.#byPath.get(pathKey(path))?.entry;
  }

  /** It could not be made. */
  delete(path: Uint8Array): void {
    this.#byPath.delete(pathKey(path));
  }

  /** What is in a directory comes before it. */
  deepestFirst(): FinishingDirectory[] {
    return [...this.#byPath.values()].sort((a, b) => comparePaths(b.path, a.path));
  }
}
