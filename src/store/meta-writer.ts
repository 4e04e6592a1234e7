/**
 * Writes metadata objects (tree nodes, list nodes, xattr blocks, commits) into packs of their own. Nothing of it can be
 * read, and no other process sees any of it, until `finish` has published all of it: packs first, then their rows.
 */
import type { Disk } from "../base/disk.ts";
import type { Hash, Hasher, MetaKind } from "../format/mod.ts";
import { hashKey, metaKindCodes } from "../format/mod.ts";
import type { IndexDatabase } from "./index-database.ts";
import type { MetaSink } from "./meta.ts";
import { type CompletePack, discardPack, PackWriter, type PackWriterOptions, publishPacks } from "./pack-writer.ts";

export interface MetaWriterOptions extends PackWriterOptions {
  readonly disk: Disk;
  readonly hasher: Hasher;
  readonly index: IndexDatabase;
}

export class MetaWriter implements MetaSink, Disposable {
  readonly #options: MetaWriterOptions;
  readonly #written = new Set<string>();
  #writer: PackWriter | undefined;
  #complete: CompletePack[] = [];
  #ended = false;

  constructor(options: MetaWriterOptions) {
    this.#options = options;
  }

  put(kind: MetaKind, bytes: Uint8Array, id?: Hash): Hash {
    const hash = id ?? this.#options.hasher.hash(bytes);
    const key = `${metaKindCodes[kind]}${hashKey(hash)}`;
    if (this.#written.has(key) || this.#options.index.hasMeta(hash, kind)) return hash;
    if (this.#writer?.isFull === true) this.#endPack();
    this.#writer ??= new PackWriter("meta", this.#options);
    this.#writer.add(hash, bytes, { kind });
    this.#written.add(key);
    return hash;
  }

  #endPack(): void {
    if (this.#writer === undefined) return;
    this.#complete.push(this.#writer.complete());
    this.#writer = undefined;
  }

  /**
   * Publishes what was put: durable and readable when it returns.
   * @throws OuroError "no-space", "io", "locked", …: nothing can be read of it then, except by finding the packs.
   */
  finish(): void {
    this.#ended = true;
    const { disk, paths, index } = this.#options;
    try {
      this.#endPack();
    } catch (error) {
      this.abort();
      throw error;
    }
    const packs = this.#complete;
    this.#complete = [];
    if (packs.length === 0) return;
    publishPacks(disk, paths, packs);
    index.transaction(() => {
      for (const pack of packs) index.addPack(pack);
    });
  }

  /** Removes what was written. Nothing after `finish`. */
  abort(): void {
    this.#ended = true;
    this.#writer?.abort();
    this.#writer = undefined;
    for (const pack of this.#complete) discardPack(this.#options.disk, pack);
    this.#complete = [];
  }

  /** Aborts what was not finished. */
  [Symbol.dispose](): void {
    if (!this.#ended) this.abort();
  }
}
