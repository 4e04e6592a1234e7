/** Directories whose attributes a checkout sets at its end, as making things in them changes their times. */
import type { Entry } from "../format/mod.ts";
import { comparePaths, pathKey } from "../history/mod.ts";

export interface FinishingDirectory {
  readonly path: Uint8Array;
  entry: Entry;
  /** All attributes are set, not only mode and time. */
  isFull: boolean;
  /** Somebody has given it another mode than the tree has, which it keeps: an edit, for the next scan to find. */
  isEdited: boolean;
}

interface Finishing {
  readonly isFull: boolean;
  /** The mode that it has, where nothing of the directory itself is to change. */
  readonly mode?: number;
}

/** What makes a directory writable for a while. */
const ownerBits = 0o700;

export class FinishingDirectories {
  readonly #byPath = new Map<string, FinishingDirectory>();

  add(path: Uint8Array, entry: Entry, { isFull, mode = entry.meta.mode }: Finishing): void {
    const key = pathKey(path);
    const found = this.#byPath.get(key);
    const isEdited = !isFull && mode !== entry.meta.mode && mode !== (entry.meta.mode | ownerBits);
    const finished = isEdited ? { ...entry, meta: { ...entry.meta, mode } } : entry;
    if (found === undefined) this.#byPath.set(key, { path, entry: finished, isFull, isEdited });
    else if (isFull) Object.assign(found, { entry, isFull, isEdited });
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
