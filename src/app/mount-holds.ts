/**
 * What mounts hold: the commits that they show, so that `gc` takes none of them away. Each mount has a file in `.ourobox/mounts/` with the ids, one a line, and
 * a lock of the kernel on it: one that is not locked is a dead process's, and holds nothing.
 */
import { join } from "node:path";
import { fromHex, toHex, toText, utf8 } from "../base/bytes.ts";
import { errnoOf, ioError, OuroError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";
import type { Hash } from "../format/mod.ts";
import { listNames } from "./disk-folders.ts";
import type { OpenBox } from "./open-box.ts";

/** So often one may be taken for a dead process's, in the moment before it is locked. */
const triesMax = 10;
const holdBytesMax = 64 * 1024;
const idDigits = 64;

function holdsFolder({ layout }: OpenBox): string {
  return join(layout.box, "mounts");
}

/**
 * Holds commits from now on: what they need stays here. Waits for a `gc` that is removing something.
 * @returns What ends it; so does the end of the process. Nothing is held in a box that can only be read.
 * @throws OuroError "permission", "no-space" and their like.
 */
export function holdCommits(box: OpenBox, commits: readonly Hash[]): Disposable {
  if (box.isReadOnly) return { [Symbol.dispose]() {} };
  const { path, fd } = makeHold(box, utf8(commits.map((id) => `${toHex(id)}\n`).join("")));
  const { disk } = box.context;
  // A gc that began before looks once more while it is alone; this waits until it has, or has removed what it would.
  box.store.beginWriting();
  box.store.endWriting();
  return {
    [Symbol.dispose]() {
      try {
        disk.unlink(path);
      } catch (thrown) {
        if (errnoOf(thrown) !== "ENOENT") throw ioError(`Cannot remove ${path}`, thrown, path);
      } finally {
        disk.close(fd);
      }
    },
  };
}

/** The commits that living mounts hold. What dead ones have left is removed where that may be. */
export function heldCommits(box: OpenBox): Hash[] {
  const { disk } = box.context;
  const folder = holdsFolder(box);
  return listNames(disk, folder).flatMap((name) => readHold(box, join(folder, toText(name))));
}

function makeHold(box: OpenBox, bytes: Uint8Array): { readonly path: string; readonly fd: number } {
  const { disk, random } = box.context;
  const folder = holdsFolder(box);
  for (let tries = 1; tries <= triesMax; tries += 1) {
    const path = join(folder, toHex(random(8)));
    try {
      if (disk.stat(folder) === undefined) disk.makeDirectory(folder, 0o700);
      const fd = disk.open(path, "create-new");
      disk.write(fd, bytes, 0);
      if (flock(fd, "exclusive") && disk.stat(path) !== undefined) return { path, fd };
      disk.close(fd);
    } catch (thrown) {
      throw ioError(`Cannot make ${path}`, thrown, path);
    }
  }
  throw new OuroError("locked", `Cannot make a file in ${folder}: others remove it each time`, {
    subject: folder,
    hint: "Run the command again.",
  });
}

function readHold(box: OpenBox, path: string): Hash[] {
  const { disk } = box.context;
  let fd: number;
  try {
    fd = disk.open(path, "read");
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return [];
    throw ioError(`Cannot read ${path}`, thrown, path);
  }
  try {
    if (flock(fd, "exclusive")) {
      if (!box.isReadOnly) disk.unlink(path);
      return [];
    }
    const bytes = new Uint8Array(holdBytesMax);
    const text = toText(bytes.subarray(0, disk.read(fd, bytes, 0)));
    return text.split("\n").flatMap((line) => (/^[0-9a-f]{64}$/.test(line) ? [fromHex(line, idDigits / 2)] : []));
  } catch (thrown) {
    if (errnoOf(thrown) === "ENOENT") return [];
    throw ioError(`Cannot read ${path}`, thrown, path);
  } finally {
    disk.close(fd);
  }
}
