/**
 * What a checkout is moving: it is in `.ourobox/moving/` between its old place and its new one. The list of it is durable before the
 * first is moved out, so that after a crash `putBack` brings everything to a place in the folder again, with all that was in it.
 */
import { ByteReader, ByteWriter } from "../base/bytes.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { comparePaths } from "../history/mod.ts";
import type { FolderWriter } from "./folder-writer.ts";

export interface HeldMove {
  /** Its name in `.ourobox/moving/`. */
  readonly name: Uint8Array;
  readonly oldPath: Uint8Array;
  readonly newPath: Uint8Array;
}

export interface HoldingPlace {
  readonly writer: FolderWriter;
  readonly root: number;
  readonly moving: number;
}

const countMax = 2 ** 31;
const pathBytesMax = 1024 * 1024;

export function encodeHeldMoves(moves: readonly HeldMove[]): Uint8Array {
  const writer = new ByteWriter(1024);
  writer.varint(moves.length);
  for (const { name, oldPath, newPath } of moves) writer.lengthBytes(name).lengthBytes(oldPath).lengthBytes(newPath);
  return writer.finish();
}

/** @throws OuroError "corrupt". */
export function decodeHeldMoves(bytes: Uint8Array): HeldMove[] {
  const reader = new ByteReader(bytes, "the list of what a checkout was moving");
  return Array.from({ length: reader.varint(countMax, "moves") }, () => ({
    name: reader.lengthBytes(pathBytesMax, "name"),
    oldPath: reader.lengthBytes(pathBytesMax, "old path"),
    newPath: reader.lengthBytes(pathBytesMax, "new path"),
  }));
}

/**
 * Puts what is still held where it was or, when that place is taken or gone, where it was going. Nothing is replaced.
 * @throws OuroError "exists" when both places are taken: it stays where it is, and the message says where. Others of the disk.
 */
export function putBack(place: HoldingPlace, moves: readonly HeldMove[]): void {
  // Directories before what was in them.
  const sorted = moves.toSorted((a, b) => comparePaths(a.oldPath, b.oldPath));
  for (const { name, oldPath, newPath } of sorted) {
    if (place.writer.find(place.moving, name) === undefined) continue;
    if (putAt(place, name, oldPath, false) || putAt(place, name, newPath, true)) continue;
    const path = Buffer.from(oldPath).toString();
    throw new OuroError("exists", `Cannot put ${path} back: something else has its place`, {
      subject: path,
      hint: `An interrupted command had moved it to .ourobox/moving/${Buffer.from(name)}: move it where you want it, and run the command again.`,
    });
  }
}

/** @returns False when the place is taken, or is not there. */
function putAt({ writer, root, moving }: HoldingPlace, name: Uint8Array, path: Uint8Array, makes: boolean): boolean {
  const at = path.lastIndexOf(0x2f);
  const [parent, last] = at < 0 ? [new Uint8Array(), path] : [path.subarray(0, at), path.subarray(at + 1)];
  const directory = openParent(writer, root, parent, makes);
  if (directory === undefined) return false;
  try {
    if (writer.find(directory, last) !== undefined) return false;
    writer.rename(moving, name, directory, last);
    return true;
  } catch (thrown) {
    throw ioError(`Cannot put ${Buffer.from(path)} back`, thrown, Buffer.from(path).toString());
  } finally {
    writer.close(directory);
  }
}

function openParent(writer: FolderWriter, root: number, path: Uint8Array, makes: boolean): number | undefined {
  try {
    return writer.openDirectory(root, path);
  } catch (thrown) {
    const errno = errnoOf(thrown);
    // A file or symlink may have a directory's place.
    if (errno === "ENOTDIR" || errno === "ELOOP") return undefined;
    if (errno !== "ENOENT") throw ioError("Cannot open a directory", thrown);
    if (!makes || path.length === 0) return undefined;
  }
  const at = path.lastIndexOf(0x2f);
  const above = openParent(writer, root, at < 0 ? new Uint8Array() : path.subarray(0, at), makes);
  if (above === undefined) return undefined;
  try {
    writer.makeDirectory(above, at < 0 ? path : path.subarray(at + 1));
  } catch (thrown) {
    throw ioError("Cannot make a directory", thrown);
  } finally {
    writer.close(above);
  }
  return writer.openDirectory(root, path);
}
