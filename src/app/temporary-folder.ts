/**
 * Folders in the making: `.ourobox.` and 16 hex digits and `.tmp`, which no scan takes in. Whoever makes one holds a lock of the kernel on
 * it, so one that a dead process has left is known, and the next to make one beside it removes it.
 */
import { join } from "node:path";
import { toHex, toText } from "../base/bytes.ts";
import type { Disk } from "../base/disk.ts";
import { errnoOf, ioError } from "../base/errors.ts";
import { flock } from "../base/posix-space.ts";
import { discardFolder, listNames } from "./disk-folders.ts";
import { boxFolder } from "./layout.ts";

export class TemporaryFolder implements Disposable {
  readonly path: string;
  readonly #disk: Disk;
  readonly #fd: number;

  /** @throws OuroError "permission", "no-space" and their like. */
  constructor(
    parent: string,
    { disk, random }: { readonly disk: Disk; readonly random: (length: number) => Uint8Array },
  ) {
    removeDead(disk, parent);
    this.path = join(parent, `${boxFolder}.${toHex(random(8))}.tmp`);
    this.#disk = disk;
    try {
      disk.makeDirectory(this.path, 0o700);
      this.#fd = disk.open(this.path, "read");
      flock(this.#fd, "exclusive");
    } catch (thrown) {
      throw ioError(`Cannot make ${this.path}`, thrown, this.path);
    }
  }

  /** Removes it with all that is in it, unless it has got another name. */
  [Symbol.dispose](): void {
    discardFolder(this.#disk, this.path);
    this.#disk.close(this.#fd);
  }
}

function removeDead(disk: Disk, parent: string): void {
  const isTemporary = new RegExp(`^\\${boxFolder}\\.[0-9a-f]{16}\\.tmp$`);
  for (const name of listNames(disk, parent)
    .map(toText)
    .filter((each) => isTemporary.test(each))) {
    const path = join(parent, name);
    const fd = openQuietly(disk, path);
    if (fd === undefined) continue;
    try {
      if (flock(fd, "exclusive")) discardFolder(disk, path);
    } finally {
      disk.close(fd);
    }
  }
}

/** A directory's descriptor; undefined for anything else, and for what is gone. */
function openQuietly(disk: Disk, path: string): number | undefined {
  try {
    return disk.stat(path)?.kind === "directory" ? disk.open(path, "read") : undefined;
  } catch (thrown) {
    if (errnoOf(thrown) === undefined) throw thrown;
    return undefined;
  }
}
