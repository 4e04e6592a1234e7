/**
 * A pack without its seal: the same frames with the same objects, and so for the same source always the same bytes. What was compressed stays as it
 * is. Format: doc/format.md, sections 6 and 7.
 */
import type { Disk } from "../base/disk.ts";
import { Turns } from "../base/turns.ts";
import {
  type BoxSecrets,
  directoryHash,
  encodePackTrailer,
  type FrameMethod,
  getHasher,
  metaKindNames,
  PackDirectoryWriter,
  type PackInfo,
  packClassCodes,
  Seal,
  sealHeaderBytes,
} from "../format/mod.ts";
import { fileReader, readPackDirectory } from "./pack-directory.ts";

export interface PlainPackOptions {
  readonly disk: Disk;
  /** Of the sealed box. */
  readonly secrets: BoxSecrets;
  readonly pack: PackInfo;
  /** Where the sealed pack is. */
  readonly path: string;
  /** What is made, and must not be there yet. */
  readonly target: string;
  readonly signal?: AbortSignal;
}

/** @returns What the plain pack is. @throws OuroError "corrupt" for the sealed one, and the disk's own errors. */
export async function writePlainPack(options: PlainPackOptions): Promise<PackInfo> {
  const { disk, secrets, pack, path, target, signal } = options;
  const what = `the sealed pack at ${path}`;
  const read = fileReader(disk, path);
  const directory = await readPackDirectory(pack.size, pack.class, secrets, read, what);
  const seal = Seal.open(secrets, "pack", read({ start: 0, end: sealHeaderBytes }), what);
  const { box, hash } = secrets;
  const open = Seal.create({ box, hash, suite: "plain" }, "pack", packClassCodes[pack.class], noRandom);
  const rows = new PackDirectoryWriter(pack.class);
  const stream = getHasher(hash).stream();
  const turns = new Turns(signal, 16);
  const fd = disk.open(target, "create-new", 0o600);
  let size = 0;
  const append = (bytes: Uint8Array): void => {
    disk.write(fd, bytes, size);
    stream.update(bytes);
    size += bytes.length;
  };
  try {
    append(open.header);
    for (let frame = 0; frame < directory.frames; frame += 1) {
      await turns.step();
      const start = directory.frameOffsets[frame] ?? 0;
      const payload = seal.openPiece(start, read({ start, end: start + (directory.frameSealed[frame] ?? 0) }), what);
      const [first, end] = [directory.frameObjects[frame] ?? 0, directory.frameObjects[frame + 1] ?? 0];
      const method = (directory.frameMethods[frame] ?? 0) as FrameMethod;
      rows.addFrame(payload.length, method, directory.frameLengths[frame] ?? 0, end - first);
      for (let object = first; object < end; object += 1) {
        const kind = metaKindNames[directory.kinds[object] ?? 0];
        rows.addObject(directoryHash(directory, object), directory.objectLengths[object] ?? 0, kind);
      }
      append(payload);
    }
    const [offset, listed] = [size, rows.finish()];
    append(listed);
    append(encodePackTrailer({ offset, length: listed.length }));
    const name = stream.digest();
    return { name, class: pack.class, size, directorySize: listed.length, objects: directory.objects };
  } finally {
    disk.close(fd);
  }
}

/** A plain file has no salt. */
function noRandom(): Uint8Array {
  throw new TypeError("a plain pack needs nothing random");
}
