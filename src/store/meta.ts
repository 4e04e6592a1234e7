/** The metadata half of a store as others see it: objects of four kinds, each named by a hash. */
import type { Hash, MetaKind } from "../format/mod.ts";

export type { MetaKind } from "../format/mod.ts";

export interface MetaSource {
  /**
   * The object's bytes, verified by its name. They may be shared: do not change them.
   * @throws OuroError "not-found", "corrupt".
   */
  getMeta(hash: Hash, kind: MetaKind): Uint8Array;
}

export interface MetaSink {
  /**
   * Keeps an object; one that is there already is not kept twice. The bytes are copied or written before it returns.
   * @param id A commit's id, which is not the hash of its stored bytes; absent for the other kinds.
   * @returns The object's name.
   */
  put(kind: MetaKind, bytes: Uint8Array, id?: Hash): Hash;
}
