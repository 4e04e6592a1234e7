/** Parts of a pack's file, as a remote would give them. */
import { readFileSync } from "node:fs";
import type { Hash } from "../../src/format/mod.ts";
import type { ArrivedFrame, PackEnds, Store, StoredPack } from "../../src/store/mod.ts";

const headerBytes = 64;
const trailerBytes = 32;

export class PackParts {
  readonly name: Hash;
  readonly bytes: Uint8Array;
  readonly ends: PackEnds;
  readonly frames: readonly ArrivedFrame[];
  /** The objects of each frame. */
  readonly objects: readonly (readonly { readonly hash: Hash; readonly length: number }[])[];

  /** @param pack Whole, and in the store. */
  constructor(store: Store, pack: StoredPack) {
    const { name, size, directorySize } = pack;
    const bytes = readFileSync(store.packPath(name));
    const directory = store.sparse.directory(name);
    this.name = name;
    this.bytes = bytes;
    this.ends = {
      name,
      size,
      header: bytes.subarray(0, headerBytes),
      tail: bytes.subarray(size - trailerBytes - directorySize),
    };
    this.frames = Array.from({ length: directory.frames }, (_, frame) => {
      const offset = directory.frameOffsets[frame] as number;
      return { offset, bytes: bytes.subarray(offset, offset + (directory.frameSealed[frame] as number)) };
    });
    this.objects = this.frames.map((_, frame) => {
      const [first, end] = [directory.frameObjects[frame] as number, directory.frameObjects[frame + 1] as number];
      return Array.from({ length: end - first }, (_, index) => ({
        hash: directory.hashes.slice((first + index) * 32, (first + index + 1) * 32),
        length: directory.objectLengths[first + index] as number,
      }));
    });
  }
}

/** Those of the packs of content. */
export function contentParts(store: Store): PackParts[] {
  return store.packs().flatMap((pack) => (pack.class === "content" ? [new PackParts(store, pack)] : []));
}
