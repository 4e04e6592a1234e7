/** What the rows of the index say, as values; see index-database.ts. */
import { type FrameMethod, type Hash, type PackClass, type PackDirectory, packClassCodes } from "../format/mod.ts";

/** Where an object is: a frame of a pack, and the object's place in the decoded frame. */
export interface ObjectPlace {
  readonly pack: number;
  /** Where the sealed frame begins in the pack. */
  readonly offset: number;
  readonly sealed: number;
  readonly method: FrameMethod;
  /** Length of the decoded frame. */
  readonly decoded: number;
  readonly at: number;
  readonly length: number;
}

/** A pack as the index knows it. */
export interface PackRow {
  readonly id: number;
  readonly name: Hash;
  readonly class: PackClass;
  readonly size: number;
  /** Of the sealed directory. */
  readonly directorySize: number;
  readonly objects: number;
  /** How many of its objects the index finds in it. */
  readonly indexed: number;
  /** Whether every frame is here. */
  readonly complete: boolean;
  /** Whether every object is known to be what its name says. */
  readonly proven: boolean;
}

/** A frame, by where it begins in its pack. */
export interface FrameKey {
  readonly pack: number;
  readonly offset: number;
}

/** An object as the index knows it. */
export interface IndexedObject {
  readonly hash: Hash;
  readonly pack: number;
  readonly length: number;
  /** Of `metaKindCodes`; 0 for a chunk. */
  readonly kind: number;
}

/** What it takes to add a pack. */
export interface NewPack {
  readonly name: Hash;
  readonly size: number;
  readonly directorySize: number;
  readonly directory: PackDirectory;
  /** Whether every object of it is known to be what its name says; that of a pack which is only described is not. */
  readonly proven?: boolean;
  /** Objects of it that are found in other packs so far, and are not what they should be there. */
  readonly mends?: readonly MendedObject[];
  /** Of a sparse pack: where the frames begin that are not here. The others are known to be what the pack says. */
  readonly absent?: ReadonlySet<number>;
  /** All of it is here, and its file says that it is sparse: it may be here only because somebody has read it. */
  readonly isCache?: boolean;
}

/** A chunk that is found in a pack and is not what its name says there. */
export interface MendedObject {
  readonly hash: Hash;
  readonly pack: number;
}

export const packColumns: string = "id, name, class, size, directory_size, objects, indexed, absent, proven";

export function packOf(row: unknown): PackRow {
  const [id, name, code, size, directorySize, objects, indexed, absent, proven] = row as [
    number,
    Hash,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const packClass = code === packClassCodes.content ? "content" : "meta";
  return {
    ...{ id, name, class: packClass, size, directorySize, objects, indexed },
    ...{ complete: absent === 0, proven: proven === 1 },
  };
}

export function indexedObjectOf(row: unknown): IndexedObject {
  const [hash, pack, length, kind] = row as [Hash, number, number, number];
  return { hash, pack, length, kind };
}

/** The frame of each object. */
export function framesOfObjects(directory: PackDirectory): Uint32Array {
  const frames = new Uint32Array(directory.objects);
  for (let frame = 0; frame < directory.frames; frame += 1) {
    frames.fill(frame, directory.frameObjects[frame], directory.frameObjects[frame + 1]);
  }
  return frames;
}

/** Objects in about the order of their hashes: rows then go in from left to right, twice as fast. */
export function objectsByHash({ objects, hashes }: PackDirectory): Float64Array {
  const view = new DataView(hashes.buffer, hashes.byteOffset, hashes.byteLength);
  const keys = Float64Array.from({ length: objects }, (_, object) => view.getUint32(object * 32) * 2 ** 21 + object);
  return keys.sort().map((key) => key % 2 ** 21);
}
