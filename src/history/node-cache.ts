/**
 * Decoded nodes at hand, by their names: those used lately, up to so many bytes of their encoding. Which goes is found as a clock's hand goes round
 * (Corbató, 1968).
 *
 * Nodes are held by an array that stays the same, and not by a map: a map that names come to and go from is copied now and then, and what the copies of old
 * held counts as used until the next full collection of garbage.
 */
import type { TreeNode } from "../format/mod.ts";

interface Slot {
  readonly key: string;
  readonly node: TreeNode;
  readonly bytes: number;
  wasUsed: boolean;
}

export class NodeCache {
  readonly #bytesMax: number;
  readonly #slots: (Slot | undefined)[] = [];
  readonly #places = new Map<string, number>();
  readonly #free: number[] = [];
  #hand = 0;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(key: string): TreeNode | undefined {
    const place = this.#places.get(key);
    const slot = place === undefined ? undefined : this.#slots[place];
    if (slot === undefined) return undefined;
    slot.wasUsed = true;
    return slot.node;
  }

  /** Keeps a node that is not yet there; one of more than all the bytes not at all. */
  set(key: string, node: TreeNode, bytes: number): void {
    if (bytes > this.#bytesMax) return;
    while (this.#bytes + bytes > this.#bytesMax) this.#turn();
    const place = this.#free.pop() ?? this.#slots.length;
    this.#slots[place] = { key, node, bytes, wasUsed: false };
    this.#places.set(key, place);
    this.#bytes += bytes;
  }

  /** Lets the node go that the hand is at, unless it was used since the hand was there. */
  #turn(): void {
    const slot = this.#slots[this.#hand];
    if (slot?.wasUsed === false) {
      this.#slots[this.#hand] = undefined;
      this.#places.delete(slot.key);
      this.#free.push(this.#hand);
      this.#bytes -= slot.bytes;
    } else if (slot !== undefined) {
      slot.wasUsed = false;
    }
    this.#hand = (this.#hand + 1) % this.#slots.length;
  }
}
