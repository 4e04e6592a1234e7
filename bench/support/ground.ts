/**
 * Grounds: fresh filesystems to measure on, gone afterwards.
 *
 * For minutes after many files were deleted in an ext4, creating files in it is up to 40 times slower (the kernel skips
 * recently deleted inodes), so a second tool measured in the folder of the first looks bad. So every repository, restore and peer
 * gets a new ext4 on a sparse file of its own, mounted through a loop device. That needs root; otherwise, or where
 * loop devices do not work, a ground is a plain folder, and the results say so.
 *
 * A second trap: in a virtual machine that gives free memory back to its host, touching memory again costs 2 s a GiB
 * (0.5 GB/s against 2-3 seen here), and the page cache of whoever comes first pays it. `warmMemory` touches some beforehand.
 */
import { execFileSync } from "node:child_process";
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { run, tryRun } from "./measure.ts";

export type GroundKind = "loop" | "loop-direct" | "directory";
export const groundKinds: readonly GroundKind[] = ["loop", "loop-direct", "directory"];

const groundBytes = 40 * 2 ** 30; // Sparse: only what is written takes room.
const bytesPerInode = 8192;
const groundName = /^ground-(\d+)-\d+$/;

let nextNumber = 0;

export class Ground implements AsyncDisposable {
  readonly path: string;
  readonly kind: GroundKind;
  readonly #image: string | undefined;
  readonly #device: string | undefined;

  private constructor(kind: GroundKind, path: string, image?: string, device?: string) {
    this.kind = kind;
    this.path = path;
    this.#image = image;
    this.#device = device;
  }

  /** Makes a ground below `directory`. Falls back to a plain folder where mounting is not possible. */
  static async make(directory: string, wanted: GroundKind): Promise<Ground> {
    const path = join(directory, `ground-${process.pid}-${nextNumber++}`);
    mkdirSync(path, { recursive: true });
    if (wanted === "directory" || process.getuid?.() !== 0) return new Ground("directory", path);
    const image = `${path}.img`;
    let device: string | undefined;
    try {
      const file = openSync(image, "wx");
      ftruncateSync(file, groundBytes);
      closeSync(file);
      await run({ argv: ["mkfs.ext4", "-q", "-F", "-m", "0", "-i", String(bytesPerInode), image] });
      const direct = wanted === "loop-direct" ? "on" : "off";
      device = (await run({ argv: ["losetup", "--find", "--show", `--direct-io=${direct}`, image] })).trim();
      await run({ argv: ["mount", "-o", "noinit_itable,relatime", device, path] });
      rmSync(join(path, "lost+found"), { recursive: true });
      return new Ground(wanted, path, image, device);
    } catch {
      if (device !== undefined) await tryRun({ argv: ["losetup", "--detach", device] });
      rmSync(image, { force: true });
      return new Ground("directory", path);
    }
  }

  /** Makes a folder in it and returns its path. */
  folder(name: string): string {
    const path = join(this.path, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Writes back all of this filesystem. @returns Seconds it took. */
  async flush(): Promise<number> {
    const started = process.hrtime.bigint();
    await run({ argv: ["sync", "-f", this.path] });
    return Number(process.hrtime.bigint() - started) / 1e9;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#device !== undefined && this.#image !== undefined) {
      await run({ argv: ["umount", this.path] });
      await run({ argv: ["losetup", "--detach", this.#device] });
      rmSync(this.#image);
    }
    rmSync(this.path, { recursive: true, force: true });
    await tryRun({ argv: ["sync", "-f", dirname(this.path)] });
  }
}

/**
 * Removes the grounds of processes that are gone, or of this one (for signals): also those half made.
 * What cannot be removed now, the next run removes.
 */
export function removeGrounds(directory: string, whose: "gone" | "own"): void {
  const names = new Set(readdirSync(directory).map((name) => name.replace(/\.img$/, "")));
  for (const name of names) {
    const owner = Number(groundName.exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(owner) || (whose === "own" ? owner !== process.pid : isAlive(owner))) continue;
    const path = join(directory, name);
    tryNow("umount", path);
    for (const device of tryNow("losetup", "--noheadings", "--output", "NAME", "--associated", `${path}.img`).split(
      "\n",
    )) {
      if (device !== "") tryNow("losetup", "--detach", device.trim());
    }
    try {
      rmSync(path, { recursive: true, force: true });
      rmSync(`${path}.img`, { force: true });
    } catch (error) {
      process.stderr.write(`Cannot remove ${path}: ${String(error)}\n`);
    }
  }
}

/** Runs a command at once. @returns What it printed; nothing if it failed. */
function tryNow(program: string, ...args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Touches this much memory and frees it, so that the host has it at hand for the command that follows. */
export async function warmMemory(gibibytes: number): Promise<void> {
  if (gibibytes <= 0) return;
  const file = `/dev/shm/ourobox-bench-${process.pid}`;
  await tryRun({ argv: ["dd", "if=/dev/zero", `of=${file}`, "bs=1M", `count=${Math.round(gibibytes * 1024)}`] });
  rmSync(file, { force: true });
}

/** Empties the page, directory and inode caches; needs root. */
export async function dropCaches(): Promise<void> {
  await run({ argv: ["sh", "-c", "sync; echo 3 > /proc/sys/vm/drop_caches"] });
}
