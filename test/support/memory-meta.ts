/** Metadata in memory: what tests give to code that reads and writes trees. Counts what is read and written. */
import { copyBytes, toHex } from "../../src/base/bytes.ts";
import { OuroError } from "../../src/base/errors.ts";
import { getHasher, type Hash, type Hasher } from "../../src/format/mod.ts";
import type { MetaKind, MetaSink, MetaSource } from "../../src/store/mod.ts";

export class MemoryMeta implements MetaSource, MetaSink {
  readonly hasher: Hasher = getHasher("blake3");
  readonly objects: Map<string, { readonly kind: MetaKind; readonly bytes: Uint8Array }> = new Map();
  reads = 0;
  writes = 0;
  bytesRead = 0;
  bytesWritten = 0;

  getMeta(hash: Hash, kind: MetaKind): Uint8Array {
    const found = this.objects.get(toHex(hash));
    if (found === undefined || found.kind !== kind)
      throw new OuroError("not-found", `Cannot read ${kind} ${toHex(hash)}: it is not there`);
    this.reads += 1;
    this.bytesRead += found.bytes.length;
    return found.bytes;
  }

  put(kind: MetaKind, bytes: Uint8Array, id?: Hash): Hash {
    const hash = id ?? this.hasher.hash(bytes);
    const key = toHex(hash);
    if (!this.objects.has(key)) {
      this.objects.set(key, { kind, bytes: copyBytes(bytes) });
      this.writes += 1;
      this.bytesWritten += bytes.length;
    }
    return hash;
  }

  /** Starts counting again. */
  resetCounts(): void {
    this.reads = 0;
    this.writes = 0;
    this.bytesRead = 0;
    this.bytesWritten = 0;
  }
}
