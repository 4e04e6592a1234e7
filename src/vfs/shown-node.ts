/**
 * What a read-only filesystem shows: an immutable thing with a place, from a tree (tree-node.ts) or made up (made-node.ts). The filesystem gives it a number
 * while somebody knows it. Small, for there may be a hundred thousand at once; what it shows is looked up when asked for.
 */
import type { FileKind } from "../base/posix.ts";
import type { Content } from "../format/mod.ts";
import type { Attributes } from "./filesystem.ts";

export type ShownAttributes = Omit<Attributes, "inode">;

export interface ShownChild {
  readonly name: Uint8Array;
  readonly node: ShownNode;
}

export interface ShownNode {
  readonly kind: FileKind;
  /** The number it is to have, if that is free. */
  readonly number: number;
  /** In its directory. */
  readonly name: Uint8Array;
  /** The directory it was found in; undefined of the root. */
  readonly parent: ShownNode | undefined;
  /** Whether this is the same file: two nodes may be, found one after the other or by two names. */
  isSame(other: ShownNode): boolean;
  /** Where something must be found out before all below can be answered: to be waited for, and asked again. */
  preparing(): Promise<void> | undefined;
  attributes(): ShownAttributes;
  /** Of a directory. Undefined when it never has this name. @throws FilesystemFailure ENOENT: not now. */
  find(name: Uint8Array): ShownNode | undefined;
  /** Of a directory: what is in it, without the first `start`. */
  children(start: number): Iterable<ShownChild>;
  /** Of a symlink. */
  readonly target: Uint8Array | undefined;
  /** Of a file: where its bytes are, or the bytes. */
  readonly content: Content | Uint8Array | undefined;
  /** @throws FilesystemFailure EOPNOTSUPP. */
  findXattr(name: string): Uint8Array | undefined;
  listXattrs(): readonly Uint8Array[];
  /** For messages. */
  readonly path: string;
}
