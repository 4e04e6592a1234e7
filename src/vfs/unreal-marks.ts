/**
 * What the tree does not say of unreal files, for as long as somebody knows them: that their name was taken away, and when they were changed last. Of what nobody
 * knows the time of change is that of the content.
 */
import type { Attributes } from "./filesystem.ts";

export class UnrealMarks {
  readonly #nameless = new Set<number>();
  readonly #changedNs = new Map<number, bigint>();

  /** @param inode Somebody knows it, as of all that follow. */
  changed(inode: number, timeNs: bigint): void {
    this.#changedNs.set(inode, timeNs);
  }

  /** The only name of it is gone. */
  removed(inode: number, timeNs: bigint): void {
    this.#nameless.add(inode);
    this.changed(inode, timeNs);
  }

  /** It was found by a name. */
  found(inode: number): void {
    this.#nameless.delete(inode);
  }

  isNameless(inode: number): boolean {
    return this.#nameless.has(inode);
  }

  /** Nobody knows it any more. */
  forget(inode: number): void {
    this.#nameless.delete(inode);
    this.#changedNs.delete(inode);
  }

  /** What the tree says, with what is known besides. */
  apply(attributes: Attributes): Attributes {
    const { inode, ctimeNs, nlink } = attributes;
    const changedNs = this.#changedNs.get(inode);
    if (changedNs === undefined) return attributes;
    return {
      ...attributes,
      ctimeNs: changedNs > ctimeNs ? changedNs : ctimeNs,
      nlink: this.isNameless(inode) ? 0 : nlink,
    };
  }
}
