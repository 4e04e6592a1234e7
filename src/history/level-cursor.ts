/** A place among the nodes of one level of a directory, from which one can go to the next node or to the one of a name. */
import type { Reference, TreeNode } from "../format/mod.ts";
import { indexFrom, type TreeReader } from "./tree-reader.ts";

interface Frame {
  /** The level of the node that these references are in; of the top's own, one above the top. */
  readonly level: number;
  readonly references: readonly Reference[];
  index: number;
  /** A name before all of them, if there is one. */
  readonly after: Uint8Array | undefined;
}

export class LevelCursor {
  readonly #reader: TreeReader;
  readonly #level: number;
  #frames: Frame[];

  /** @param top Refers to the directory's top node, which is of level `topLevel`. */
  constructor(reader: TreeReader, top: Reference, topLevel: number, level: number) {
    this.#reader = reader;
    this.#level = level;
    this.#frames = [{ level: topLevel + 1, references: [top], index: 0, after: undefined }];
  }

  /**
   * Goes to the node that holds `key` or would; to the last when all names are before it.
   * @returns Whether that is the first node of the level.
   */
  seek(key: Uint8Array): boolean {
    this.#frames = this.#frames.slice(0, 1);
    this.#descend((node) => Math.min(indexFrom(node, key), lastIndex(node)));
    return this.#frames.every(({ index }) => index === 0);
  }

  get #frame(): Frame {
    return this.#frames.at(-1) as Frame;
  }

  get current(): Reference {
    const { references, index } = this.#frame;
    return references[index] as Reference;
  }

  get isLast(): boolean {
    return this.#frames.every(({ index, references }) => index === references.length - 1);
  }

  load(): TreeNode {
    const { level, references, index, after } = this.#frame;
    return this.#reader.child(references[index] as Reference, level, references[index - 1]?.last ?? after);
  }

  /** Goes to the next node of the level. There must be one. */
  advance(): void {
    while (this.#frame.index === this.#frame.references.length - 1) this.#frames.pop();
    this.#frame.index += 1;
    this.#descend(() => 0);
  }

  #descend(choose: (node: TreeNode) => number): void {
    while (this.#frame.level > this.#level + 1) {
      const { level, references, index, after } = this.#frame;
      const node = this.load();
      if (!("references" in node)) return;
      const before = references[index - 1]?.last ?? after;
      this.#frames.push({ level: level - 1, references: node.references, index: choose(node), after: before });
    }
  }
}

function lastIndex(node: TreeNode): number {
  return ("entries" in node ? node.entries.length : node.references.length) - 1;
}
