/**
 * Frames that were brought to be read, in memory: what has come can be read whether or not there is room to keep it on the disk, and whoever gives
 * it up there meanwhile. At most `lentBytesMax`, those that came first go first; who reads more at once asks again for what has gone.
 */
import { type Hash, hashKey } from "../format/mod.ts";

const lentBytesMax = 32 * 1024 * 1024;

export class LentFrames {
  /** Decoded, by pack and offset; the first to come first. */
  readonly #frames = new Map<string, Uint8Array>();
  #bytes = 0;

  add(pack: Hash, offset: number, bytes: Uint8Array): void {
    const key = keyOf(pack, offset);
    if (this.#frames.has(key)) return;
    this.#frames.set(key, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#frames) {
      if (this.#bytes <= lentBytesMax || oldest === key) break;
      this.#frames.delete(oldest);
      this.#bytes -= length;
    }
  }

  /** Its decoded bytes. Shared: not to be changed. */
  find(pack: Hash, offset: number): Uint8Array | undefined {
    return this.#frames.size === 0 ? undefined : this.#frames.get(keyOf(pack, offset));
  }
}

function keyOf(pack: Hash, offset: number): string {
  return `${hashKey(pack)} ${offset}`;
}
