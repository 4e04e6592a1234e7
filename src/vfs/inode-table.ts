/**
 * The live inodes of a filesystem: those whose number somebody was given and has not given back. Numbers come from the nodes themselves; of two that want one
 * number the second gets the next.
 * Above `softMax` the oldest are wished away (wishes.ts).
 */
import { FilesystemFailure } from "./failure.ts";
import { rootInode } from "./filesystem.ts";
import { type NodeNumber, numberMin } from "./node-number.ts";
import type { ShownNode } from "./shown-node.ts";
import { Wishes } from "./wishes.ts";

export interface LiveInode {
  readonly inode: number;
  /** Where it is not the node's. */
  readonly generation: number | undefined;
  /** Where it was last found. */
  node: ShownNode;
  lookups: number;
}

export interface InodeTableOptions {
  readonly root: ShownNode;
  readonly softMax: number;
  /** The least number of all, for who has others below. */
  readonly numbersFrom?: number;
  /** Of nodes that are to have another number than their own: undefined of others. */
  readonly numberOf?: (node: ShownNode) => NodeNumber | undefined;
  readonly onUnwanted: (inodes: readonly LiveInode[]) => void;
}

export class InodeTable {
  /** Oldest first, as far as reads and wishes have not put them at the end. */
  readonly #live = new Map<number, LiveInode>();
  /** Those that have not the number they wanted. */
  readonly #moved = new Set<LiveInode>();
  readonly #root: LiveInode;
  readonly #softMax: number;
  readonly #numbersFrom: number;
  readonly #numberOf: NonNullable<InodeTableOptions["numberOf"]>;
  readonly #wishes: Wishes<LiveInode>;

  constructor({ root, softMax, numbersFrom = 0, numberOf = () => undefined, onUnwanted }: InodeTableOptions) {
    this.#root = { inode: rootInode, generation: undefined, node: root, lookups: 1 };
    this.#numberOf = numberOf;
    this.#softMax = softMax;
    this.#numbersFrom = numbersFrom;
    this.#wishes = new Wishes(softMax, onUnwanted);
  }

  /** Without the root. */
  get size(): number {
    return this.#live.size;
  }

  /** @throws FilesystemFailure ESTALE: nobody was given this number, or it was given back. */
  get(inode: number): LiveInode {
    const live = inode === rootInode ? this.#root : this.#live.get(inode);
    if (live !== undefined) return live;
    throw new FilesystemFailure("ESTALE", `cannot use inode ${inode}: there is none`);
  }

  /** Undefined where `get` throws. */
  find(inode: number): LiveInode | undefined {
    return inode === rootInode ? this.#root : this.#live.get(inode);
  }

  /** Another tree's root takes the place of the root. Other nodes stay what they were until they are found anew. */
  setRoot(node: ShownNode): void {
    this.#root.node = node;
  }

  /** The inode of a node, with one lookup more. */
  take(node: ShownNode): LiveInode {
    const { inode, live, wish } = this.#place(node);
    if (live !== undefined) {
      if (live !== this.#root) {
        live.lookups += 1;
        live.node = node;
      }
      return live;
    }
    const made = { inode, generation: wish?.generation, node, lookups: 1 };
    this.#live.set(inode, made);
    if (inode !== wish?.number) this.#moved.add(made);
    this.#wishes.added(this.#live);
    return made;
  }

  /** The number that a node has, or would get now. */
  numberOf(node: ShownNode): number {
    return this.#place(node).inode;
  }

  forget(inode: number, lookups: number): void {
    const live = this.#live.get(inode);
    if (live === undefined) return;
    live.lookups -= lookups;
    if (live.lookups > 0) return;
    this.#live.delete(inode);
    this.#moved.delete(live);
  }

  /** Somebody uses it: it is not among the oldest. */
  touch(live: LiveInode): void {
    if (this.#live.size < this.#softMax / 2 || live === this.#root) return;
    this.#live.delete(live.inode);
    this.#live.set(live.inode, live);
  }

  #place(node: ShownNode): {
    readonly inode: number;
    readonly live: LiveInode | undefined;
    readonly wish?: { readonly number: number; readonly generation: number | undefined };
  } {
    if (node === this.#root.node || (node.parent === undefined && node.isSame(this.#root.node)))
      return { inode: rootInode, live: this.#root };
    for (const live of this.#moved) if (live.node.isSame(node)) return { inode: live.inode, live };
    const wish = this.#wishOf(node);
    const least = Math.max(this.#numbersFrom, numberMin);
    for (let inode = wish.number; ; inode = inode === Number.MAX_SAFE_INTEGER ? least : inode + 1) {
      const live = this.#live.get(inode);
      if (live === undefined || live.node.isSame(node)) return { inode, live, wish };
    }
  }

  #wishOf(node: ShownNode): { readonly number: number; readonly generation: number | undefined } {
    const said = this.#numberOf(node);
    if (said !== undefined) return said;
    const from = this.#numbersFrom;
    const number = from === 0 ? node.number : from + (node.number % (Number.MAX_SAFE_INTEGER + 1 - from));
    return { number, generation: undefined };
  }
}
