/** A disk of a few mebibytes (tmpfs), which can be left with any room one likes. Only root can have one. */
import { execFileSync } from "node:child_process";
import { mkdirSync, statfsSync } from "node:fs";

const pageBytes = 4096;

export class SmallDisk implements Disposable {
  readonly path: string;

  /** @param path A folder, which is made. */
  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64m,mode=700", "ourobox-small-disk", path]);
  }

  /** Makes it as large as what is on it, and so many KiB. */
  leave(freeKib: number): void {
    const { blocks, bfree, bsize } = statfsSync(this.path);
    const used = (blocks - bfree) * bsize;
    // tmpfs takes a size of 0 for no limit.
    this.#resize(Math.max(pageBytes, used + freeKib * 1024));
  }

  enlarge(): void {
    this.#resize(64 * 1024 * 1024);
  }

  #resize(bytes: number): void {
    execFileSync("mount", ["-o", `remount,size=${bytes}`, this.path]);
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.path]);
  }
}
