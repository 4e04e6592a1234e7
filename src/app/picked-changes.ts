/** Which changes of the folder are picked for the next commit. */
import { isWithin, PathFilter } from "../history/mod.ts";
import type { Change, Path } from "./changes.ts";

export class PickedPaths {
  readonly #paths: readonly Path[];
  readonly #filter: PathFilter;

  constructor(paths: readonly Path[]) {
    this.#paths = paths;
    this.#filter = new PathFilter(paths);
  }

  /** Whether things below a path are picked, and not all of it. */
  isAbove(path: Path): boolean {
    return this.#paths.length > 0 && this.#filter.match(path) === "above";
  }

  /**
   * The changes, each with whether it is picked. A new directory of which only a part is picked is not named when something in it is.
   * @param changes By path; such a directory's with what is in it, name by name.
   */
  mark(changes: readonly Change[]): Change[] {
    const marked = changes.map((change) => ({ ...change, picked: this.#isPicked(change) }));
    return marked.filter((change, index) => {
      const next = marked[index + 1];
      const isTold = next !== undefined && isWithin(next.path, change.path);
      return !(isTold && change.type === "add" && this.isAbove(change.path));
    });
  }

  #isPicked({ type, path, oldPath }: Change): boolean {
    if (this.#paths.length === 0) return false;
    const match = this.#filter.match(path);
    if (match === "chosen" || (oldPath !== undefined && this.#filter.match(oldPath) === "chosen")) return true;
    // What is in the way of something picked goes or moves with it.
    return match === "above" && (type === "rename" || type === "remove");
  }
}
