/**
 * New packs out of parts of others, for a place that is not this store: what is wanted of some pack files is copied, object by object, each verified by its
 * hash. The new packs are temporary files, neither synced nor known to the index; who takes them over removes them.
 */
import { toHex } from "../base/bytes.ts";
import { OuroError } from "../base/errors.ts";
import {
  directoryHash,
  getHasher,
  type Hash,
  type MetaKind,
  metaKindNames,
  type PackClass,
  type PackInfo,
} from "../format/mod.ts";
import { addFiller } from "./filler.ts";
import { isNamed } from "./object-name.ts";
import { PackFile } from "./pack-file.ts";
import { PackWriter, type PackWriterOptions } from "./pack-writer.ts";

/** Whether an object is to be copied; asked once for each object of each pack. */
export type IsWanted = (hash: Hash, packClass: PackClass) => boolean;

/** A pack that is whole, in a temporary file. */
export interface BuiltPack extends PackInfo {
  readonly path: string;
}

export class PackRebuilder implements Disposable {
  readonly #options: PackWriterOptions;
  readonly #writers = new Map<PackClass, PackWriter>();
  #built: BuiltPack[] = [];

  constructor(options: PackWriterOptions) {
    this.#options = options;
  }

  /**
   * Copies what is wanted of a pack.
   * @param path Of a file with all bytes of the pack.
   * @throws OuroError "corrupt" when something that is wanted is not what its name says.
   */
  copy(path: string, name: Hash, isWanted: IsWanted): void {
    const { disk, secrets } = this.#options;
    readObjects(
      { disk, secrets, path, name },
      {
        isWanted,
        onObject: (hash, bytes, kind) =>
          this.#writer(kind === undefined ? "content" : "meta").add(hash, bytes, kind === undefined ? {} : { kind }),
      },
    );
  }

  #writer(packClass: PackClass): PackWriter {
    let writer = this.#writers.get(packClass);
    if (writer?.isFull === true) {
      this.#end(packClass, writer);
      writer = undefined;
    }
    if (writer === undefined) {
      writer = new PackWriter(packClass, this.#options);
      this.#writers.set(packClass, writer);
      addFiller(writer, packClass, this.#options);
    }
    return writer;
  }

  #end(packClass: PackClass, writer: PackWriter): void {
    this.#writers.delete(packClass);
    const { fd, temporaryPath, name, size, directorySize, directory } = writer.complete();
    this.#built.push({
      path: temporaryPath,
      name,
      class: packClass,
      size,
      directorySize,
      objects: directory.objects,
    });
    this.#options.disk.close(fd);
  }

  /** The packs that are full, once each; with `isLast` those that are not, too. The caller removes their files. */
  take({ isLast }: { readonly isLast: boolean }): BuiltPack[] {
    if (isLast) for (const [packClass, writer] of [...this.#writers]) this.#end(packClass, writer);
    const built = this.#built;
    this.#built = [];
    return built;
  }

  /** Removes what was not taken. */
  [Symbol.dispose](): void {
    for (const writer of this.#writers.values()) writer.abort();
    this.#writers.clear();
    for (const { path } of this.take({ isLast: false })) this.#options.disk.unlink(path);
  }
}

/**
 * Reads those objects of a pack that are wanted.
 * @param reader.isWanted Asked once for each object. @param reader.onObject The bytes are verified, and may be used again afterwards.
 * @throws OuroError "corrupt" when something that is wanted is not what its name says; "not-found".
 */
export function readObjects(
  {
    disk,
    secrets,
    path,
    name,
  }: Pick<PackWriterOptions, "disk" | "secrets"> & { readonly path: string; readonly name: Hash },
  {
    isWanted,
    onObject,
  }: {
    readonly isWanted: IsWanted;
    readonly onObject: (hash: Hash, bytes: Uint8Array, kind: MetaKind | undefined) => void;
  },
): void {
  const hasher = getHasher(secrets.hash);
  using file = PackFile.open(disk, secrets, path, `packs/${toHex(name)}`);
  const { directory } = file.readDirectory();
  for (let frame = 0; frame < directory.frames; frame += 1) {
    const wanted: number[] = [];
    const end = directory.frameObjects[frame + 1] as number;
    for (let object = directory.frameObjects[frame] as number; object < end; object += 1)
      if (isWanted(directoryHash(directory, object), directory.class)) wanted.push(object);
    if (wanted.length === 0) continue;
    const bytes = file.readFrame({
      offset: directory.frameOffsets[frame] as number,
      sealed: directory.frameSealed[frame] as number,
      method: directory.frameMethods[frame] as 0 | 1,
      decoded: directory.frameLengths[frame] as number,
    });
    for (const object of wanted) {
      const hash = directoryHash(directory, object);
      const kind = metaKindNames[directory.kinds[object] as number];
      const at = directory.objectOffsets[object] as number;
      const part = bytes.subarray(at, at + (directory.objectLengths[object] as number));
      if (!isNamed(hasher, kind, part, hash)) throw damaged(name, hash);
      onObject(hash, part, kind);
    }
  }
}

function damaged(name: Hash, hash: Hash): OuroError {
  return new OuroError("corrupt", `Cannot copy object ${toHex(hash)}: it is damaged in pack ${toHex(name)}`, {
    subject: toHex(name),
    hint: "Run `ourobox check --read-data` to see whether this machine has it whole.",
  });
}
